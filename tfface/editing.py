"""Edits the faces of a photo with a trained model: align, edit at the model's size, put back, mark as edited.

`Editor` is the library call behind ``python -m tfface edit`` (`tfface.edit_command`). It asks through the model's task
(`tfface.tasks`), so that it serves every model alike. No TensorFlow is imported here.
"""

import cv2
import numpy as np

from tfface import alignment, conventions, pasting, tasks
from tfface.errors import InputError
from tfface.faces import Landmarker

SMALLEST_RESULT = 256  # pixels of a face that is not pasted back, so that its label leaves room for it
_BATCH = 8
_AROUND = 1.2  # margin of a view of a face in its photo


class Editor:
    """A trained model, applied to faces of photos of any size.

    Attributes:
        task: the model's `tasks.base.Task`.
        margin: of the crops it was trained on, see `alignment.alignment_matrix`.
        landmarker: `tfface.faces.Landmarker`.
        model: what it asks.
        annotator: who says what a face shows now, None for the model itself.
    """

    def __init__(self, model, landmarker=None, annotator=None):
        """
        Args:
            model: a `tfface.models` model with a task.
            landmarker: `tfface.faces.Landmarker`, made if absent.
            annotator: a `tfface.annotator.Annotator`; without one the model says what a face shows.
        """
        self.task = tasks.get(model.task)
        self.margin = model.synthetic.get("margin", 1.0)
        self.model = model
        self.landmarker = landmarker or Landmarker()
        self.annotator = annotator

    def find(self, photo):
        """Returns the `Face`s of (H, W, 3) uint8 RGB, left to right; `InputError` if there is none."""
        faces = self.landmarker.find(photo)
        if not faces:
            raise InputError(
                "no face found; use a photo in which a face is at least 32 pixels large and not in full profile",
                page="troubleshooting.md#editing-photographs",
            )
        return faces

    def edit(self, photo, faces, wanted, keep_others=True, relative=False):
        """Edits some faces of a photo.

        Args:
            photo: (H, W, 3) uint8 RGB.
            faces: the `Face`s to edit.
            wanted: a request, as the task's `parse` gives it.
            keep_others: what is not asked stays as the model sees it on the face now; otherwise it becomes neutral.
            relative: the request's numbers are added to what the face shows.

        Returns:
            uint8, a new array: (H, W, 3) that differs from `photo` only on these faces; where the task pastes nothing
            back, the edited crops alone, side by side.
        """
        return next(self.frames(photo, faces, [wanted], keep_others, relative))

    def frames(self, photo, faces, series, keep_others=True, relative=False, labels=None):
        """Yields one picture, as of `edit`, for each request of `series`.

        `labels` are what each face shows, as of `estimate`, where that is known better than from this picture alone.
        """
        if labels is None and self.annotator is not None:
            labels = [self.estimate(photo, face) for face in faces]
        size = self.model.config.image_size
        crops = [pasting.take(photo, face, size, self.margin, self.task.pasted) for face in faces]
        edits = [
            self._edit_crop(crop, face, series, keep_others, relative, shown)
            for crop, face, shown in zip(crops, faces, labels or [None] * len(faces), strict=True)
        ]
        for i in range(len(series)):
            if self.task.pasted is None:
                yield np.hstack([_picture(edited[i]) for edited, _, _ in edits])
                continue
            result = photo
            for crop, (edited, attention, before) in zip(crops, edits, strict=True):
                result = pasting.paste(result, crop, edited[i], None if attention is None else attention[i], before)
            yield result

    def view(self, face, size):
        """Returns the 2x3 transform from a picture of `frames` to a square of `size` pixels that shows its face (the
        first one, where nothing is pasted back)."""
        if self.task.pasted is None:
            scale = size / max(self.model.config.image_size, SMALLEST_RESULT)
            return np.array([[scale, 0, 0], [0, scale, 0]])
        return alignment.alignment_matrix(face.landmarks, size, max(_AROUND, self.margin))

    def estimate(self, photo, face):
        """Returns the labels (`tasks.base`) that the model, or else the annotator, sees on a face of a photo."""
        if self.annotator is not None:
            return self.annotator.labels(photo, face)
        crop = pasting.take(photo, face, self.model.config.image_size, self.margin, self.task.pasted)
        return self.task.estimate(self.model, _floats(crop))[0]

    def _edit_crop(self, crop, face, series, keep_others, relative, shown=None):
        """Returns the model's pictures (N, S, S, 3) of `series`, their attention (N, S, S, 1) or None and, without it,
        the model's picture (S, S, 3) of the face as it is."""
        image = _floats(crop)
        labels = {
            **(shown or self.task.estimate(self.model, image)[0]),
            # The face's finder has seen photographs; a model may know rendered heads alone.
            "landmarks": alignment.apply(crop.matrix, face.landmarks).astype(np.float32),
            "pose": np.array(conventions.pose_in_crop(face.pose, crop.matrix), np.float32),
        }
        if relative:
            now = self.task.shown(labels)
            series = [{name: now[name] + value for name, value in wanted.items()} for wanted in series]
        output = self._ask(image, [self.task.inputs(self.model, labels, wanted, keep_others) for wanted in series])
        if "attention" in output or self.task.pasted is None:
            return output["image"], output.get("attention"), None
        return output["image"], None, self._ask(image, [self.task.inputs(self.model, labels, {})])["image"][0]

    def _ask(self, image, requests):
        """Returns the model's answers to ``[inputs of one example, ...]`` about one picture, (1, S, S, 3)."""
        answers = []
        for start in range(0, len(requests), _BATCH):
            part = requests[start : start + _BATCH]
            inputs = {name: np.stack([request[name] for request in part]) for name in part[0]}
            answers.append(self.model.edit({"image": np.repeat(image, len(part), 0), **inputs}))
        names = [name for name in ("image", "attention") if name in answers[0]]
        return {name: np.concatenate([np.asarray(answer[name], np.float32) for answer in answers]) for name in names}


def _floats(crop):
    return crop.image[None].astype(np.float32) / 127.5 - 1


def _picture(edited):
    """Returns uint8 of (S, S, 3) in [-1, 1], enlarged where it is small."""
    pixels = np.rint(edited * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
    if len(pixels) >= SMALLEST_RESULT:
        return pixels
    return cv2.resize(pixels, (SMALLEST_RESULT, SMALLEST_RESULT), interpolation=cv2.INTER_CUBIC)


def choose(faces, which):
    """Picks faces of a photo.

    Args:
        faces: all `Face`s, left to right.
        which: "largest", "all" or a number from 1 on, counted from the left.

    Returns:
        list of (number from 1 on, `Face`). Raises `InputError`.
    """
    numbered = list(enumerate(faces, start=1))
    if which == "all":
        return numbered
    if which == "largest":
        return [max(numbered, key=lambda item: item[1].size)]
    try:
        number = int(which)
    except ValueError:
        raise InputError(f"--face {which}: expected a number, largest or all") from None
    if not 1 <= number <= len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise InputError(f"--face {which}: the photo has {count}, counted from 1 at the left")
    return [numbered[number - 1]]
