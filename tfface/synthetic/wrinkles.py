"""Folds that action units make in the skin, finer than the mesh: where skin is darkened, in the texture's coordinates.

Places are given on the average head in h (half the distance of the eye centres), as in `surface`.
"""

import functools

import numpy as np

from tfface import conventions
from tfface.synthetic import atlas
from tfface.synthetic.surface import surface

# Fold: (half width in h, [polylines of (|x|, y)]); it is darkest in the middle and thins out at the ends.
_FOLDS = {
    "forehead middle": (
        0.055,
        [
            [(0, 1.12), (0.45, 1.10), (0.95, 1.05)],
            [(0, 1.50), (0.5, 1.49), (1.05, 1.42)],
            [(0, 1.90), (0.5, 1.89), (0.95, 1.84)],
        ],
    ),
    "forehead side": (
        0.055,
        [
            [(0.55, 1.22), (1.1, 1.30), (1.7, 1.10)],
            [(0.5, 1.58), (1.1, 1.66), (1.7, 1.45)],
            [(0.5, 1.95), (1.1, 2.0), (1.6, 1.82)],
        ],
    ),
    "frown": (0.055, [[(0.15, 0.22), (0.17, 0.60), (0.22, 0.95)], [(0.32, 0.62), (0.36, 0.90)]]),
    "crow": (
        0.035,
        [
            [(1.62, -0.02), (1.85, 0.12), (2.05, 0.24)],
            [(1.64, -0.10), (1.90, -0.10), (2.12, -0.06)],
            [(1.60, -0.20), (1.82, -0.32), (2.02, -0.42)],
        ],
    ),
    "under eye": (0.045, [[(0.55, -0.36), (0.85, -0.50), (1.2, -0.50), (1.55, -0.30)]]),
    "nose": (
        0.055,
        [[(0.0, -0.08), (0.22, -0.13)], [(0.10, -0.22), (0.26, -0.42), (0.40, -0.66)], [(0.30, -0.72), (0.42, -0.95)]],
    ),
    "nasolabial": (0.060, [[(0.60, -1.32), (0.82, -1.62), (1.05, -2.0), (1.14, -2.36)]]),
    "dimple": (0.075, [[(1.08, -2.12), (1.16, -2.32), (1.12, -2.56)]]),
    "marionette": (0.060, [[(0.90, -2.42), (1.02, -2.66), (1.02, -2.90)]]),
    "chin": (
        0.070,
        [
            [(0.0, -2.92), (0.35, -2.95), (0.60, -3.05)],
            [(0.16, -3.18), (0.20, -3.24)],
            [(0.42, -3.25), (0.46, -3.33)],
            [(0.04, -3.38), (0.10, -3.42)],
        ],
    ),
    "lip corner": (0.045, [[(0.92, -2.22), (0.98, -2.38), (0.94, -2.54)]]),
}
_DEPTHS = {
    "AU01": {"forehead middle": 0.42},
    "AU02": {"forehead side": 0.42},
    "AU04": {"frown": 0.60},
    "AU06": {"crow": 0.45, "under eye": 0.40},
    "AU07": {"under eye": 0.28, "crow": 0.12},
    "AU09": {"nose": 0.42, "nasolabial": 0.22, "frown": 0.15},
    "AU10": {"nasolabial": 0.34},
    "AU12": {"nasolabial": 0.28, "crow": 0.06},
    "AU14": {"dimple": 0.60},
    "AU15": {"marionette": 0.45},
    "AU17": {"chin": 0.42},
    "AU20": {"lip corner": 0.30},
    "AU23": {"lip corner": 0.25},
}
_RIDGE = 0.30  # the skin pushed up beside a fold catches light


def creases(action_units):
    """Returns (512, 512) float32 by atlas texel: the share by which skin is darkened (negative: brightened).

    Args:
        action_units: 17 intensities 0-5 in the order of `conventions.ACTION_UNITS`.
    """
    depths = {}
    for name, intensity in zip(conventions.ACTION_UNITS, action_units, strict=True):
        for fold, depth in _DEPTHS.get(name, {}).items():
            depths[fold] = depths.get(fold, 0.0) + depth * intensity / conventions.MAX_INTENSITY
    result = np.zeros((atlas.SIZE, atlas.SIZE), np.float32)
    for fold, depth in depths.items():
        if depth:
            row, column, share = _fold_texels(fold)
            result[row, column] += np.float32(min(depth, 0.7)) * share
    return np.clip(result, -0.3, 0.75)


@functools.cache
def _fold_texels(fold):
    """Returns rows, columns and the fold's profile (1 in the middle, down to -`_RIDGE` beside it) where it is not 0."""
    s = surface()
    width, lines = _FOLDS[fold]
    at = np.flatnonzero(s.where("head") & (s.z > -1.0))
    across, y = np.abs(s.x[at]), s.y[at]
    total = np.zeros(len(at), np.float32)
    for line in lines:
        distance, along = _to_polyline(across, y, np.array(line))
        # A line that starts on the middle of the face is one with its mirror image and does not thin out there.
        fade = np.sin(np.pi * np.clip(along * 0.5 + 0.5 if line[0][0] == 0 else along, 0.02, 0.98)) ** 0.7
        d = distance / width
        profile = np.exp(-(d**2)) - _RIDGE * np.exp(-(((d - 1.9) / 0.8) ** 2))
        strongest = np.abs(profile * fade) > np.abs(total)
        total = np.where(strongest, profile * fade, total)
    kept = np.abs(total) > 0.01
    return s.row[at[kept]], s.column[at[kept]], total[kept].astype(np.float32)


def _to_polyline(x, y, line):
    """Distance of points to a polyline and the share of its length at the nearest place."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    start = np.concatenate([[0], np.cumsum(lengths)])
    best, along = np.full(x.shape, np.inf), np.zeros(x.shape)
    for k, length in enumerate(lengths):
        direction = (line[k + 1] - line[k]) / length
        t = np.clip((x - line[k, 0]) * direction[0] + (y - line[k, 1]) * direction[1], 0, length)
        d = np.hypot(x - line[k, 0] - t * direction[0], y - line[k, 1] - t * direction[1])
        along = np.where(d < best, (start[k] + t) / start[-1], along)
        best = np.minimum(d, best)
    return best, along
