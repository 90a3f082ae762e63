"""Edits the faces of a photo with a trained model: align, edit at the model's size, put back, mark as edited.

`Editor` is the library call behind ``python -m tfface edit`` (`tfface.edit_command`). It needs of a model only
``edit({"image", "action_units"}) -> {"image"[, "attention"]}``, ``config.image_size`` and, to keep what a face already
shows, ``estimate_action_units(image) -> (B, 17)``. No TensorFlow is imported here.
"""

import numpy as np

from tfface import config, pasting
from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError
from tfface.faces import Landmarker

_BATCH = 8


class Editor:
    """A trained model, applied to faces of photos of any size."""

    def __init__(self, model, landmarker=None):
        """
        Args:
            model: see the module's docstring; images float32 in [-1, 1], action units float32 in 0-1.
            landmarker: `tfface.faces.Landmarker`, made if absent.
        """
        self._model = model
        self._landmarker = landmarker or Landmarker()

    def find(self, photo):
        """Returns the `Face`s of (H, W, 3) uint8 RGB, left to right; `InputError` if there is none."""
        faces = self._landmarker.find(photo)
        if not faces:
            raise InputError(
                "no face found; use a photo in which a face is at least 32 pixels large and not in full profile"
            )
        return faces

    def edit(self, photo, faces, wanted, keep_others=True):
        """Edits some faces of a photo.

        Args:
            photo: (H, W, 3) uint8 RGB.
            faces: the `Face`s to edit.
            wanted: ``{action unit: intensity 0-1}``.
            keep_others: action units that are not in `wanted` stay as the model sees them on the face now; otherwise,
                and with a model that does not estimate them, they become 0.

        Returns:
            (H, W, 3) uint8, a new array that differs from `photo` only on these faces.
        """
        return next(self.frames(photo, faces, [wanted], keep_others))

    def frames(self, photo, faces, series, keep_others=True):
        """Yields one edited photo, as of `edit`, for each ``{action unit: intensity}`` of `series`."""
        size = self._model.config.image_size
        crops = [pasting.take(photo, face, size) for face in faces]
        edits = [self._edit_crop(crop, series, keep_others) for crop in crops]
        for i in range(len(series)):
            result = photo
            for crop, (edited, attention) in zip(crops, edits, strict=True):
                result = pasting.paste(result, crop, edited[i], None if attention is None else attention[i])
            yield result

    def _edit_crop(self, crop, series, keep_others):
        """Returns the model's pictures (N, S, S, 3) and attention (N, S, S, 1) or None, one for each of `series`."""
        image = (crop.image[None].astype(np.float32) / 127.5) - 1
        source = np.zeros(len(ACTION_UNITS), np.float32)
        if keep_others and hasattr(self._model, "estimate_action_units"):
            estimate = self._model.estimate_action_units(image)
            source = source if estimate is None else np.clip(np.asarray(estimate)[0], 0, 1).astype(np.float32)
        targets = np.tile(source, (len(series), 1))
        for row, wanted in zip(targets, series, strict=True):
            for name, intensity in wanted.items():
                row[ACTION_UNITS.index(name)] = intensity
        edited, attention = [], []
        for start in range(0, len(series), _BATCH):
            part = targets[start : start + _BATCH]
            output = self._model.edit({"image": np.repeat(image, len(part), 0), "action_units": part})
            edited.append(np.asarray(output["image"], np.float32))
            if output.get("attention") is not None:
                attention.append(np.asarray(output["attention"], np.float32))
        return np.concatenate(edited), np.concatenate(attention) if attention else None


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


def parse_action_units(assignments):
    """Returns ``{name: intensity}`` of texts such as ``AU12=0.8``. Raises `InputError`."""
    wanted = {}
    for text in assignments:
        name, _, value = text.partition("=")
        name = _action_unit(name, f"--au {text}")
        if name in wanted:
            raise InputError(f"--au {text}: {name} is given twice; give it once")
        wanted[name] = _intensity(value, f"--au {text}")
    return wanted


def parse_sweep(text):
    """Returns a name and (N,) intensities of a text such as ``AU12=0:1:9`` (from:to:frames). Raises `InputError`."""
    where = f"--sweep {text}"
    name, _, values = text.partition("=")
    name, parts = _action_unit(name, where), values.split(":")
    if len(parts) != 3 or not parts[2].isdecimal():
        raise InputError(f"{where}: expected AU=FROM:TO:FRAMES, such as {name}=0:1:9")
    if not 2 <= int(parts[2]) <= 60:
        raise InputError(f"{where}: {parts[2]} frames, expected 2 to 60")
    return name, np.linspace(_intensity(parts[0], where), _intensity(parts[1], where), int(parts[2]))


def _action_unit(name, where):
    if name.upper() not in ACTION_UNITS:
        raise InputError(f"{where}: unknown action unit {name!r}{config.nearest(name.upper(), ACTION_UNITS)}")
    return name.upper()


def _intensity(text, where):
    try:
        value = float(text)
    except ValueError:
        raise InputError(
            f"{where}: {text!r} is no intensity; expected a number from 0 to 1, such as AU12=0.8"
        ) from None
    if not 0 <= value <= 1:
        hint = f"; OpenFace's {value:g} of 5 is {value / 5:g} here" if 1 < value <= 5 else ""
        raise InputError(f"{where}: intensity {value:g} is outside 0 to 1{hint}")
    return value
