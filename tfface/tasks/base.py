"""The agreement between what users ask, what models take and what scores compare. No TensorFlow.

A request is a plain dict, ``{"AU12": 0.8}`` or ``{"yaw": 30.0}``, wherever it comes from: the command line, the sample
grid of a run or its evaluation. A task says how a request is written, what it means for the inputs of a model's
``edit``, and which scene is its true answer.

What a face shows is a dict too, of the labels that are known, for one picture: ``action_units`` (17,) 0-1,
``attributes`` (40,) 0/1 with 0.5 for unknown, ``pose`` (3,) yaw, pitch, roll in degrees, ``light`` (2,) azimuth and
elevation in degrees, ``landmarks`` (68, 2) in pixels of the picture.
"""


class Task:
    """One kind of edit.

    Attributes:
        labels: record keys that a picture must have known to be edited without an estimate.
        flag, metavar, help: how ``tfface edit`` takes one part of a request; the flag may be given several times. One
            without a metavar takes no values, and `parse` gets an empty list.
        example: one such part, as users would write it after the flag.
        parts: the names a request may hold, for all models of the kind together.
        sweepable: whether parts are ``NAME=NUMBER``, so that ``--sweep NAME=FROM:TO:FRAMES`` has a meaning.
        changes_by: whether a request may also be said relative to what the face shows (``--relative``), which needs
            `shown` to have a number for each name.
        liked: what of another photo's face ``--like PHOTO`` takes, a key of `shown`'s labels; empty where there is
            nothing to take.
        pasted: what of a photo an edit may change: "face" (the face's oval), "crop" (all the model sees but a soft rim,
            for hair and hats) or None: the head's outline moves, so that nothing can be pasted back and the crop itself
            is the result.
    """

    labels = ()
    flag = metavar = help = example = ""
    parts = ()
    sweepable = True
    changes_by = False
    liked = ""
    pasted = "face"

    def parse(self, texts, model):
        """Returns the request of the command line's `texts` (of `flag`) for a model; `InputError` for a bad one."""
        raise NotImplementedError

    def requests(self, model):
        """Returns ``[(title, request), ...]``, what samples and scores ask.

        Instead of a request: None asks for all that another person shows (`shown`), a function gets the labels of the
        picture and returns the request (for instance for the opposite of what is shown).
        """
        raise NotImplementedError

    def before(self, title, scene):
        """Returns the scene whose picture is edited for the request of that title, where it is not the person's own."""
        return scene

    def shown(self, labels):
        """Returns the request that asks for everything a face with these labels shows."""
        raise NotImplementedError

    def inputs(self, model, labels, wanted, keep_others=True):
        """Returns what ``model.edit`` takes beside ``image``, arrays of one example without a batch axis.

        Args:
            model: the model to be asked.
            labels: what the face shows now, at least `self.labels`. Photos also have the ``landmarks`` of their crop.
            wanted: the request; an empty one with `keep_others` asks for the face as it is.
            keep_others: what is not asked stays as the face shows it, otherwise it becomes the model's neutral.
        """
        raise NotImplementedError

    def estimate(self, model, images):
        """Returns the labels of photos: a list of dicts for (N, S, S, 3) float32 pictures in [-1, 1]."""
        raise NotImplementedError

    def answer(self, scene, wanted):
        """Returns the `synthetic.scene.Scene` whose rendering is the true answer to a request on `scene`."""
        raise NotImplementedError

    # -- what scores need beside; none of it has to be said ------------------------------------------------------------

    def asked(self, labels, wanted):
        """Returns the labels that an edit of a photo should show, where they are known; by default nothing changes."""
        return labels

    def region(self, wanted, landmarks, size):
        """Returns the (size, size) bool mask of where a request may show on a face, or None if that is not known."""
        return None

    def scores(self, evaluation):
        """Returns what this kind of edit adds to metrics.json, nested as that is, so that it can add to each part.

        Args:
            evaluation: `tfface.evaluation.Evaluation`: model, data set, people and judged `scoring.Case`s.
        """
        return {}

    def sections(self, evaluation, scores):
        """Returns ``[(heading, HTML), ...]`` that the report shows beside; `tfface.page` has the pieces."""
        return []
