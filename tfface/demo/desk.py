"""What the demo does with a photo: its faces, what they show, an edit, a GIF of it. Without the page."""

import dataclasses
import functools
import pathlib
import tempfile
import threading

import cv2
import numpy as np

from tfface import images, pasting, provenance, sweeps
from tfface.demo import controls
from tfface.errors import InputError

SIDE = 1024  # pixels of the longer side of what the page shows; files keep the photo's size
FRAMES = 12  # of a GIF
_AROUND = 0.5  # of a face's size: how much of the photo is shown around it
_LEAST = 0.01  # share of a control's range that counts as moved


@dataclasses.dataclass(frozen=True)
class Edited:
    """A finished edit.

    Attributes:
        before, after: uint8 RGB pictures of one size, for the eye: the face and what is around it, labelled too.
        path: of the PNG at full size, with label and metadata.
        said: what was done, in words.
    """

    before: np.ndarray
    after: np.ndarray
    path: pathlib.Path
    said: str


class Desk:
    """One model's part of the page.

    Args:
        editor: `tfface.editing.Editor`.
        name: of the model, run: of its run directory, for the metadata.
    """

    def __init__(self, editor, name, run):
        self.editor, self.name, self.run = editor, name, run
        self.task = editor.task
        self.controls = controls.of(editor.model)
        self.choices = controls.choices(editor.model)
        self._folder = tempfile.TemporaryDirectory(prefix="tfface-demo-")
        self._lock = threading.Lock()  # one edit at a time: two would only share the cores
        self._photo = functools.lru_cache(maxsize=8)(self._find)

    def _find(self, path):
        photo = images.read_photo(path)
        return photo, self.editor.find(photo.visible)

    def faces(self, path):
        """Returns the photo with its faces numbered (H, W, 3) and how many there are; `InputError` if none."""
        with self._lock:
            photo, faces = self._photo(str(path))
        shown = photo.visible.copy()
        thick = max(1, round(max(shown.shape[:2]) / 300))
        for number, face in enumerate(faces, start=1):
            left, top, right, bottom = (int(round(float(v))) for v in face.box)
            cv2.rectangle(shown, (left, top), (right, bottom), (255, 255, 255), thick)
            place = (left, max(top - 2 * thick, 12 * thick))
            cv2.putText(shown, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thick, (255, 255, 255), thick)
        return _small(shown), len(faces)

    def largest(self, path):
        """Returns the number, from 1, of the largest face."""
        _, faces = self._photo(str(path))
        return 1 + max(range(len(faces)), key=lambda n: faces[n].size)

    def shown(self, path, number):
        """Returns ``{control: value}`` of what face `number` (from 1, from the left) shows now."""
        with self._lock:
            photo, faces = self._photo(str(path))
            labels = self.editor.estimate(photo.visible, faces[number - 1])
            if "pose" in self.task.labels:
                labels = {**labels, "pose": np.array(faces[number - 1].pose, np.float32)}
        now = self.task.shown(labels) if self.controls else {}
        return {control.name: control.clipped(now[control.name]) for control in self.controls}

    def wanted(self, before, values):
        """Returns the request of those values that are not what the face shows before; `InputError` for a bad one."""
        moved = [c.name for c in self.controls if _moved(c, before[c.name], values[c.name])]
        if self.controls and not moved:
            raise InputError("nothing to edit yet: move a slider or switch something")
        return self.task.parse([f"{name}={values[name]:g}" for name in moved], self.editor.model)

    def edit(self, path, number, wanted):
        """Edits face `number` of a photo as `wanted` says; returns `Edited`."""
        with self._lock:
            photo, faces = self._photo(str(path))
            face, visible = faces[number - 1], photo.visible
            edited = self.editor.edit(visible, [face], wanted)
        said = ", ".join(f"{name}={value:g}" for name, value in wanted.items())
        mark = provenance.Edit(self.name, self.run, f"face {number}: {said}", pathlib.Path(path).name)
        labelled, _ = provenance.add_label(edited, self._boxes(faces))
        target = self._file(f"{pathlib.Path(path).stem}-edited.png")
        images.write_image(target, labelled, metadata=provenance.metadata(mark))
        before, after = self._closely(visible, edited, face)
        return Edited(before, provenance.add_label(after)[0], target, said)

    def animate(self, path, number, before, wanted):
        """Returns the paths of a GIF and of its strip, from what face `number` shows to what is wanted."""
        if not self.task.sweepable:
            raise InputError(f"{self.name}: its edit has no steps between; take the picture")
        shares = np.linspace(0, 1, FRAMES)
        series = [{name: before[name] + share * (v - before[name]) for name, v in wanted.items()} for share in shares]
        said = ", ".join(f"{name}={value:g}" for name, value in wanted.items())
        mark = provenance.Edit(self.name, self.run, f"face {number}: up to {said}", pathlib.Path(path).name)
        target = self._file(f"{pathlib.Path(path).stem}-edited.gif")
        with self._lock:
            photo, faces = self._photo(str(path))
            face = faces[number - 1]
            frames = self.editor.frames(photo.visible, [face], series)
            view = self.editor.view(face, sweeps.TILE)
            titles = [f"{share:.0%}" for share in shares]
            strip = sweeps.write(target, frames, self._boxes(faces), view, titles, mark)
        return target, strip

    def _boxes(self, faces):
        return [face.box for face in faces] if self.task.pasted else []

    def _closely(self, visible, edited, face):
        """Returns the face before and after: around it in the photo, or as the model was given it and gave it."""
        if self.task.pasted:
            left, top, right, bottom = face.box
            around = _AROUND * face.size
            rows = slice(max(0, int(top - around)), int(bottom + around))
            columns = slice(max(0, int(left - around)), int(right + around))
            return tuple(_small(np.ascontiguousarray(picture[rows, columns])) for picture in (visible, edited))
        crop = pasting.take(visible, face, self.editor.model.config.image_size, self.editor.margin, None)
        return cv2.resize(crop.image, edited.shape[1::-1], interpolation=cv2.INTER_CUBIC), edited

    def _file(self, name):
        return pathlib.Path(tempfile.mkdtemp(dir=self._folder.name)) / name


def _moved(control, before, value):
    return abs(value - before) > _LEAST * (control.high - control.low)


def _small(picture):
    scale = SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
