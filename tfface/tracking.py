"""Faces of a clip from frame to frame: followed, found again when lost, and without the jitter of the landmarks."""

import dataclasses

import numpy as np

from tfface.editing import choose

MESH_SIGMA = 2.0  # frames over which landmarks are averaged, where the face holds still
MOVEMENT = 0.01  # of the face's size: frames in which it moved by more hardly count
LABEL_SIGMA = 1.5  # frames over which a model's estimates are averaged; more would lose blinks
_SEARCH_EVERY = 4  # frames; a search of a whole frame costs many times as much as following a face


class Tracker:
    """Follows the chosen faces of a clip; call it with each frame in turn."""

    def __init__(self, landmarker, which="largest"):
        """
        Args:
            landmarker: `faces.Landmarker`.
            which: of the faces in the first frame that has any: "largest", "all" or a number, see `editing.choose`.
        """
        self._landmarker, self._which = landmarker, which
        self._last, self._lost, self._frame = [], [], -1

    def __call__(self, pixels):
        """Returns for each chosen face its `faces.Face` in this frame or None; an empty list before the first."""
        self._frame += 1
        if not self._last:
            found = self._landmarker.find(pixels) if self._frame % _SEARCH_EVERY == 0 else []
            if not found:
                return []
            self._last = [face for _, face in choose(found, self._which)]
            self._lost = [False] * len(self._last)
            return list(self._last)
        seen = [
            None if lost else self._landmarker.follow(pixels, face)
            for face, lost in zip(self._last, self._lost, strict=True)
        ]
        if None in seen and self._frame % _SEARCH_EVERY == 0:
            found = self._landmarker.find(pixels)
            for number, face in enumerate(seen):
                if face is None:
                    seen[number] = _nearest(self._last[number], found, [each for each in seen if each is not None])
        self._last = [new or old for new, old in zip(seen, self._last, strict=True)]
        self._lost = [face is None for face in seen]
        return seen


def _nearest(old, found, taken):
    """Returns the found face that lies nearest to where one was lost; None if that is none or another's already."""
    free = [face for face in found if all(_apart(face, other) > 0.5 for other in taken)]
    return min(free, key=lambda face: _apart(face, old), default=None)


def _apart(a, b):
    """Distance of two faces' middles in units of their size."""
    middles = [(face.box[:2] + face.box[2:]) / 2 for face in (a, b)]
    return float(np.linalg.norm(middles[0] - middles[1]) / max(a.size, b.size))


def smooth_meshes(meshes):
    """Returns meshes without jitter: (T, 478, 3) averaged over time, NaN where there is no face.

    Frames count less the further away they are and the more the face has moved until then, so that neither a turn of
    the head nor a cut is smeared, and nothing lags behind.
    """
    size = np.ptp(meshes[..., :2], axis=1).max(1)[:, None]  # (T, 1)
    result = np.zeros(meshes.shape, np.float64)
    total = np.zeros((len(meshes), 1, 1))
    for shift in range(-_reach(MESH_SIGMA), _reach(MESH_SIGMA) + 1):
        other = _shifted(meshes, shift)
        moved = np.linalg.norm(other[..., :2] - meshes[..., :2], axis=-1).mean(1, keepdims=True) / size
        weight = np.exp(-0.5 * ((shift / MESH_SIGMA) ** 2 + (moved / MOVEMENT) ** 2))
        weight = np.nan_to_num(weight)[..., None]
        result += weight * np.nan_to_num(other)
        total += weight
    with np.errstate(invalid="ignore"):
        return (result / np.where(total > 0, total, np.nan)).astype(np.float32)


def smooth_labels(values):
    """Returns (T, n) estimates averaged over time with a bell curve; NaN where there is no face."""
    result, total = np.zeros(values.shape, np.float64), np.zeros((len(values), 1))
    there = ~np.isnan(values).any(1, keepdims=True)
    for shift in range(-_reach(LABEL_SIGMA), _reach(LABEL_SIGMA) + 1):
        other = _shifted(values, shift)
        weight = np.exp(-0.5 * (shift / LABEL_SIGMA) ** 2) * ~np.isnan(other).any(1, keepdims=True)
        result += weight * np.nan_to_num(other)
        total += weight
    return np.where(there, result / np.maximum(total, 1e-12), np.nan).astype(np.float32)


def _reach(sigma):
    return int(np.ceil(2.5 * sigma))


def _shifted(values, shift):
    """Values of `shift` frames later, NaN beyond the ends."""
    result = np.full_like(values, np.nan)
    count = len(values)
    if abs(shift) < count:
        result[max(0, -shift) : count - max(0, shift)] = values[max(0, shift) : count - max(0, -shift)]
    return result


def with_mesh(face, mesh):
    """Returns a `faces.Face` with another mesh (478, 3), and the box that goes with it."""
    box = np.concatenate([mesh[:468, :2].min(0), mesh[:468, :2].max(0)])
    return dataclasses.replace(face, mesh=mesh, box=box)
