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
        flag, metavar, help: how ``tfface edit`` takes one part of a request; the flag may be given several times.
    """

    labels = ()
    flag = metavar = help = ""

    def parse(self, texts, model):
        """Returns the request of the command line's `texts` (of `flag`) for a model; `InputError` for a bad one."""
        raise NotImplementedError

    def requests(self, model):
        """Returns ``[(title, request or None), ...]``, what samples and scores ask; None: what another person shows."""
        raise NotImplementedError

    def shown(self, labels):
        """Returns the request that asks for everything a face with these labels shows."""
        raise NotImplementedError

    def inputs(self, model, labels, wanted, keep_others=True):
        """Returns what ``model.edit`` takes beside ``image``, arrays of one example without a batch axis.

        Args:
            model: the model to be asked.
            labels: what the face shows now, at least `self.labels`.
            wanted: the request.
            keep_others: what is not asked stays as the face shows it, otherwise it becomes the model's neutral.
        """
        raise NotImplementedError

    def estimate(self, model, images):
        """Returns the labels of photos: a list of dicts for (N, S, S, 3) float32 pictures in [-1, 1]."""
        raise NotImplementedError

    def answer(self, scene, wanted):
        """Returns the `synthetic.scene.Scene` whose rendering is the true answer to a request on `scene`."""
        raise NotImplementedError
