"""What a judge sees while it learns: crops cut a little wrong, of any size, from all kinds of cameras. No TensorFlow.

A rendered picture (upright, margin `scenes.MARGIN`) is cut into a crop as `alignment` would give it, but off by what
landmark errors do, at any size; then it suffers what cameras and files do to pictures; then the judge's own view is
taken out of it exactly as `judges.judge` does. Labels follow.
"""

import cv2
import numpy as np

from tfface import alignment, conventions, images, judges
from tfface.judging import scenes

# Deviations of an aligned crop's shift (in crop widths), log scale and roll (degrees).
_SHIFT, _ZOOM, _ROLL = 0.02, 0.04, 5.0
_SIZES = (64, 128)  # what models draw; half of the crops have one of these, the rest any size between
_SMALLEST = 44
_SHARPEST = scenes.IMAGE_SIZE / scenes.MARGIN * 1.05  # pixels of a margin-1 crop that the rendering can fill


def crop(image, rng, exact=None):
    """Cuts an aligned crop out of a rendered picture.

    Args:
        image: (P, P, 3) uint8, upright, of margin `scenes.MARGIN`.
        rng: NumPy random generator.
        exact: (size, margin) of a crop without any error; None draws all.

    Returns:
        (crop (S, S, 3) uint8, its margin, 2x3 matrix from pixels of `image` to those of the crop).
    """
    if exact:
        (size, margin), zoom, angle, shift = exact, 0.0, 0.0, np.zeros(2)
    else:
        margin = judges.MARGINS[int(rng.uniform() < 0.4)]
        size = int(min(_size(rng), _SHARPEST * margin))
        zoom, angle = _ZOOM * rng.standard_normal(), np.deg2rad(_ROLL * rng.standard_normal())
        shift = _SHIFT * size * rng.standard_normal(2)
    scale = size * scenes.MARGIN / (margin * len(image)) * np.exp(zoom)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, size / 2 + shift - turn @ np.full(2, len(image) / 2)])
    return images.warp(image, matrix, size), margin, matrix


def _size(rng):
    return rng.choice(_SIZES) if rng.uniform() < 0.5 else rng.integers(_SMALLEST, 161)


def face_example(image, labels, rng, exact=None):
    """Returns what the face net sees of a rendered picture and its labels there.

    Args:
        image: as `crop` takes it.
        labels: dict with `action_units` (17,), `pose` (3,), `attributes` (40,), `landmarks` (68, 2) of that picture.
        rng, exact: as `crop` takes them; exact crops suffer nothing.

    Returns:
        dict of `picture` (80, 80, 3) uint8, `action_units` (17,) 0-5, `pose` (3,) in `judges.POSE_UNIT`, `attributes`
        of `judges.FACE_ATTRIBUTES` 0, 1 or -1, `landmarks` (136,), x and y from -1 to 1 over the view.
    """
    picture, margin, matrix = crop(image, rng, exact)
    if not exact:
        picture = weather(picture, rng, strength=0.8)
    view = judges.face_view(picture, margin)
    pose = np.array(conventions.pose_in_crop(labels["pose"], matrix))
    points = alignment.apply(judges.face_matrix(len(picture), margin), alignment.apply(matrix, labels["landmarks"]))
    if not exact and rng.uniform() < 0.5:
        view, pose = view[:, ::-1], conventions.mirror_pose(pose)
        points = conventions.mirror_landmarks(points, judges.FACE_SIZE)
    return {
        "picture": view,
        "action_units": labels["action_units"],
        "pose": pose / judges.POSE_UNIT,
        "attributes": labels["attributes"][judges.places(judges.FACE_ATTRIBUTES)],
        "landmarks": (points / judges.FACE_SIZE * 2 - 1).ravel(),
    }


def head_example(image, labels, rng, exact=None):
    """Returns what the head net sees, `picture` (64, 64, 3) uint8, and `attributes` of `judges.JUDGED`."""
    picture, _, _ = crop(image, rng, exact)
    if not exact:
        picture = weather(picture, rng, strength=0.4)  # colours matter: hair and skin are judged by them
    view = judges.head_view(picture)
    if not exact and rng.uniform() < 0.5:
        view = view[:, ::-1]
    return {"picture": view, "attributes": labels["attributes"][judges.places(judges.JUDGED)]}


EXAMPLES = {"face": face_example, "head": head_example}


def weather(picture, rng, strength):
    """Returns the uint8 picture as another camera or file would have it: tone, colour, blur, noise, JPEG, or grey."""
    if rng.uniform() < 0.8:
        picture = _toned(picture, rng, strength)
    chance = rng.uniform()
    sigma = rng.uniform(0.3, 1.3) * len(picture) / 96
    if chance < 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    elif chance < 0.4:
        amount = rng.uniform(0.3, 1.0)
        picture = cv2.addWeighted(picture, 1 + amount, cv2.GaussianBlur(picture, (0, 0), sigma), -amount, 0)
    if rng.uniform() < 0.3:
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 10))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.3:
        coded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))))[1]
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if rng.uniform() < 0.12:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return picture


def _toned(picture, rng, strength):
    """Gamma, contrast, brightness and white balance, then saturation."""
    gamma = np.exp(0.35 * strength * rng.standard_normal())
    contrast = np.exp(0.25 * strength * rng.standard_normal())
    brightness = 0.08 * strength * rng.standard_normal()
    balance = np.exp(0.1 * strength * rng.standard_normal(3))
    levels = (np.arange(256)[:, None] / 255) ** gamma
    levels = ((levels - 0.5) * contrast + 0.5 + brightness) * balance
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)
    picture = cv2.LUT(picture, table[None])
    if rng.uniform() < 0.4:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = 1 + strength * rng.uniform(-0.7, 0.5)
        picture = cv2.addWeighted(picture, keep, grey, 1 - keep, 0)
    return picture
