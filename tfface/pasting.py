"""Takes a face out of a photo for a model and puts the model's edit back at the photo's own resolution.

What goes back is the *difference* between what the model returned and what it saw, enlarged to the photo and added to
it inside a feathered face mask. Pores, hair and grain that the model never saw stay; where the model changed nothing
the photo keeps its exact bytes; and there is no seam, because the mask is zero before the crop ends. Pasting the
model's own pixels instead was compared at 100 % zoom: the whole face turns soft inside a visible oval.

A model without attention redraws the whole crop, and every blur and tint of its own would count as a difference. Its
edit is therefore compared with its own picture of the face as it is (`before` of `paste`), which has them too.

One correction: where the model painted something new (low attention and a change of structure, not just of tone), the
strong detail of the old face is faded out, or the line of a closed mouth would shine through opened lips. Weak detail,
which is pores and grain, stays there too, or the new part would look airbrushed.
"""

import dataclasses

import cv2
import numpy as np

from tfface import alignment, images
from tfface.faces import FACE_OVAL

_MASK_SIZE = 256  # pixels of the crop square in which the mask is drawn
_FEATHER = 0.09  # width of the mask's soft rim, in crop sides
_RIM = 0.12  # the same where the mask is the whole crop
_CHANGE = (3.0, 15.0)  # levels of 255 between which a change of structure counts from "none" to "new paint"
_GRAIN = 6.0  # levels of 255; detail below that is pores and grain


@dataclasses.dataclass(frozen=True)
class Crop:
    """One face as a model sees it."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    matrix: np.ndarray  # 2x3, photo to crop pixels, pixel centres at integers + 0.5
    mask: np.ndarray  # (256, 256) float32, 0-1: where in the crop square an edit may change the photo


def take(photo, face, size, margin=1.0, region="face"):
    """Cuts a face out of a photo in the frame that `tfface.alignment` gives synthetic heads too.

    Args:
        photo: (H, W, 3) uint8 RGB.
        face: `tfface.faces.Face`.
        size: side of the crop in pixels.
        margin: as in `alignment.alignment_matrix`.
        region: what an edit may change: "face", or "crop" for all of it but a soft rim.

    Returns:
        `Crop`; what lies outside the photo is its reflection.
    """
    matrix = alignment.alignment_matrix(face.landmarks, size, margin)
    if region == "crop":
        mask = crop_mask()
    else:
        mask = face_mask(face, alignment.apply(matrix, face.mesh[:, :2]), size)
    return Crop(images.warp(photo, matrix, size), matrix, mask)


def crop_mask():
    """Returns (256, 256) float32: 1 inside, falling smoothly to 0 at the crop's edge, with round corners."""
    canvas = np.zeros((_MASK_SIZE, _MASK_SIZE), np.uint8)
    canvas[1:-1, 1:-1] = 255
    across = _smooth(cv2.distanceTransform(canvas, cv2.DIST_L2, 5)[_MASK_SIZE // 2] / (_RIM * _MASK_SIZE))
    return np.outer(across, across)


def face_mask(face, points, size):
    """Returns (256, 256) float32: 1 on the face, falling smoothly to 0 around it and at the crop's edge.

    Args:
        face: `Face`; its pose widens the mask's side that is turned away.
        points: (478, 2) mesh in crop pixels.
        size: side of the crop in pixels.
    """
    oval = points[list(FACE_OVAL)] * (_MASK_SIZE / size)
    middle = oval.mean(0)
    grown = middle + (oval - middle) * 1.12
    # A dropped jaw needs room that the closed one does not fill yet.
    below = np.clip((oval - middle) @ _down(points) / np.ptp((oval - middle) @ _down(points)) * 2, 0, 1)
    grown += np.outer(below**2, _down(points)) * 0.10 * _MASK_SIZE
    canvas = np.zeros((_MASK_SIZE, _MASK_SIZE), np.uint8)
    cv2.fillPoly(canvas, [np.rint(grown).astype(np.int32)], 255)
    canvas[[0, -1]] = 0
    canvas[:, [0, -1]] = 0
    inside = cv2.distanceTransform(canvas, cv2.DIST_L2, 5) / (_FEATHER * _MASK_SIZE)
    return cv2.GaussianBlur(_smooth(inside), (0, 0), 1.5) * (canvas > 0)


def paste(photo, crop, edited, attention=None, before=None):
    """Puts an edited crop back.

    Args:
        photo: (H, W, 3) uint8 RGB that the crop was taken from.
        crop: `Crop`.
        edited: (S, S, 3) float32 in [-1, 1], the model's output for ``crop.image``.
        attention: optional (S, S) or (S, S, 1) in [0, 1], 1 where the model kept its input.
        before: optional (S, S, 3) float32 in [-1, 1], what the model makes of ``crop.image`` when asked for no change.

    Returns:
        (H, W, 3) uint8, a new array; bytes outside the mask, and where the model changed nothing, are the photo's.
    """
    size = crop.image.shape[0]
    redrawn = crop.image if before is None else np.asarray(before, np.float32) * 127.5 + 127.5
    change = np.asarray(edited, np.float32) * 127.5 + 127.5 - redrawn
    # Rounding in a model that copies its input is no change.
    change[np.abs(change) < 1e-3] = 0
    structure = change - cv2.GaussianBlur(change, (0, 0), size / 10)
    painted = np.linalg.norm(structure, axis=-1)
    if attention is None:  # beside a strong change there is "structure" too, of which only the change itself is paint
        painted = np.minimum(painted, np.linalg.norm(change, axis=-1))
    painted = cv2.GaussianBlur(painted / np.sqrt(3), (0, 0), size / 64)
    painted = _smooth((painted - _CHANGE[0]) / (_CHANGE[1] - _CHANGE[0]))
    if attention is not None:
        painted = painted * (1 - np.asarray(attention, np.float32).reshape(size, size))
    # New paint replaces what was there, not what the model would have redrawn.
    change += painted[..., None] * (redrawn - crop.image.astype(np.float32))

    left, top, right, bottom = _region(photo.shape, crop.matrix, size)
    region = photo[top:bottom, left:right].astype(np.float32)
    to_region = alignment.invert(crop.matrix)
    to_region[:, 2] -= (left, top)
    shape = (right - left, bottom - top)
    mask_scale = np.diag([size / _MASK_SIZE, size / _MASK_SIZE, 1])
    mask = images.warp(crop.mask, to_region @ mask_scale, shape, border="black").clip(0, 1)[..., None]
    new = images.warp(change, to_region, shape)
    fading = images.warp(painted.astype(np.float32), to_region, shape).clip(0, 1)[..., None]
    detail = region - images.warp(crop.image.astype(np.float32), to_region, shape)
    detail -= detail.clip(-_GRAIN, _GRAIN)
    result = photo.copy()
    result[top:bottom, left:right] = np.rint(region + mask * (new - fading * detail)).clip(0, 255).astype(np.uint8)
    return result


def _region(shape, matrix, size):
    corners = alignment.apply(alignment.invert(matrix), np.array([[0, 0], [size, 0], [0, size], [size, size]]))
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    height, width = shape[:2]
    return max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)


def _down(points):
    """Unit vector from forehead to chin in the crop."""
    axis = points[152] - points[10]
    return axis / np.linalg.norm(axis)


def _smooth(x):
    """0 below 0, 1 above 1, with no kink in between."""
    x = np.clip(x, 0, 1)
    return (x * x * (3 - 2 * x)).astype(np.float32)
