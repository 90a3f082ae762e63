"""Soft regions of the face on the texture: what is lip, cheek, beard area, scalp. Alike for all people.

All are (N,) float32 in 0..1 over the texels of `surface.surface()`, unless said otherwise; lengths in h as there.
"""

import functools

import numpy as np

from tfface.synthetic.surface import surface

LIP_LINE = -2.34


def step(low, high, x):
    """Smooth step from 0 at `low` to 1 at `high` (either order)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _bump(*terms):
    total = 0.0
    for value, centre, width in terms:
        total = total + ((value - centre) / width) ** 2
    return np.exp(-total).astype(np.float32)


def _near(across, down, points, width):
    """1 on a polyline given as (across, down) points, fading over `width`."""
    best = np.full(across.shape, np.inf, np.float32)
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((across - x0) * dx + (down - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        best = np.minimum(best, (across - x0 - t * dx) ** 2 + (down - y0 - t * dy) ** 2)
    return np.exp(-best / width**2).astype(np.float32)


_EAR = (109, 156)  # texels: rows from the head's middle line, and column, of the ears' centres


def _from_ear():
    s = surface()
    return np.hypot(np.abs(s.row + 0.5 - 256) - _EAR[0], s.column - _EAR[1])


# The border of the red of the lips: |x|, y of the upper border, y of the lower one.
_LIP_X = (0.0, 0.15, 0.40, 0.62, 0.76, 0.84)
_LIP_TOP = (-1.985, -1.93, -2.04, -2.19, -2.29, -2.36)
_LIP_BOTTOM = (-2.68, -2.67, -2.62, -2.53, -2.44, -2.36)


@functools.cache
def regions():
    """Returns a dict of name -> (N,) float32; made once per process."""
    s = surface()
    x, y, z, across = s.x, s.y, s.z, np.abs(s.x)
    head, neck = s.where("head"), s.where("neck")
    front = step(-0.6, 0.2, z) * head
    lip_top, lip_bottom = np.interp(across, _LIP_X, _LIP_TOP), np.interp(across, _LIP_X, _LIP_BOTTOM)
    lips = step(-0.035, 0.035, lip_top - y) * step(-0.04, 0.04, y - lip_bottom)
    lips = lips * step(0.86, 0.78, across) * (z > 0.3) * head
    out = {
        "head": (head | neck).astype(np.float32),
        "lips": lips,
        "cheek": _bump((across, 1.2, 0.62), (y, -1.3, 0.62)) * front,
        "nose": _bump((x, 0, 0.5), (y, -1.15, 0.42)) * step(0.8, 1.1, z) * head,
        "bridge": _bump((x, 0, 0.22), (y, -0.4, 0.8)) * front,
        "forehead": _bump((x, 0, 1.4), (y, 1.7, 0.75)) * front,
        "chin": _bump((x, 0, 0.62), (y, -3.25, 0.45)) * front,
        "perioral": _bump((x, 0, 0.95), (y, -2.35, 0.65)) * front,
        "temple": _bump((across, 1.9, 0.4), (y, 0.5, 0.9)) * step(-2.0, -0.8, z) * head,
        "jaw": _bump((across, 1.75, 0.6), (y, -2.5, 0.7)) * step(-2.4, -1.2, z) * head,
        "ear": step(25, 19, _from_ear()) * head,
        "under_eye": _near(across, y, [(0.5, -0.42), (0.75, -0.58), (1.1, -0.62), (1.45, -0.42)], 0.17) * front,
        "eyelid": _bump((across, 1.05, 0.6), (y, 0.24, 0.17)) * front,
        "lid_edge": _bump((across, 1.03, 0.6), (y, 0.03, 0.28)) * step(-0.1, 0.1, z) * head,
        "nasolabial": _near(across, y, [(0.66, -1.3), (0.86, -1.75), (1.02, -2.2), (1.06, -2.5)], 0.055) * front,
        "marionette": _near(across, y, [(0.90, -2.42), (0.98, -2.75), (0.98, -3.0)], 0.06) * front,
        "eye_bag": _near(across, y, [(0.55, -0.55), (0.8, -0.74), (1.15, -0.76), (1.45, -0.6)], 0.05) * front,
        "nostril": _bump((across, 0.29, 0.13), (y, -1.40, 0.07)) * step(1.25, 1.1, z) * head,
        "neck": step(-3.2, -4.2, y),
    }  # fmt: skip
    out["mustache"] = _mustache(across, y, z, lips) * head
    out["goatee"] = _goatee(across, y, z, lips) * head
    out["beard"] = _beard(across, y, z, lips) * (head | neck)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in out.items()}


def _mustache(across, y, z, lips):
    top = np.interp(across, (0, 0.15, 0.5, 0.9, 1.1), (-1.66, -1.62, -1.68, -1.98, -2.2))
    bottom = np.interp(across, (0, 0.2, 0.6, 0.9, 1.1), (-1.99, -1.99, -2.2, -2.46, -2.5))
    return step(-0.04, 0.06, top - y) * step(-0.05, 0.05, y - bottom) * step(1.06, 0.9, across) * (1 - lips) * (z > 0.3)


def _goatee(across, y, z, lips):
    width = np.interp(y, (-4.0, -3.6, -3.1, -2.8, -2.68), (0.5, 0.72, 0.62, 0.26, 0.16))
    return step(0.14, -0.1, across - width) * step(-2.66, -2.74, y) * (1 - lips) * step(-0.4, 0.0, z)


def _beard(across, y, z, lips):
    """Cheek line from the sideburn to the mouth's corner, then jaw, chin, the under side of the chin and upper lip."""
    line = np.interp(across, (0.0, 0.95, 1.1, 1.45, 1.8, 2.05, 2.3), (-2.7, -2.62, -2.35, -1.95, -1.55, -1.0, -0.5))
    cheeks = step(-0.05, 0.22, line - y) * step(-2.35, -2.05, z)
    under = step(-0.12, 0.12, y + 2.95 + 0.72 * (z + 2.2))
    full = np.maximum(cheeks * under, _mustache(across, y, z, lips))
    return np.maximum(full, _goatee(across, y, z, lips)) * (1 - lips)


@functools.cache
def scalp_depth():
    """Returns (N,) float32: how far inside the average hairline a texel lies, in h; negative on face, ears and neck."""
    s = surface()
    return hairline_depth(s.x, s.y, s.z) - 2 * regions()["ear"]


def hairline_depth(x, y, z):
    """How far inside the average hairline points of the average head lie, in h, about; negative on the face and neck.

    The line runs over the forehead at y = 2.5, comes down at the temples and before the ear as a sideburn, rounds the
    ear and crosses the nape at y = -2.1.
    """
    across = np.abs(x)
    forehead = y - 2.5 + 0.35 * np.clip(across - 1.3, 0, None) - 0.15 * _bump((across, 1.25, 0.4))
    temple = _both((-0.75 - z) * 0.9, y - 0.1)
    burn = _both(_both((-1.35 - z) * 0.9, y + 1.0), 2.55 - across)
    back = _both((-2.9 - z) * 0.9, y + 2.15)
    above_ear = _both((-0.9 - z) * 0.9, y - 0.55)
    result = forehead
    for part in (temple, burn, above_ear, back):
        result = _either(result, part)
    return result.astype(np.float32)


def _both(a, b, rounding=0.3):
    """Smooth minimum."""
    return (a + b - np.sqrt((a - b) ** 2 + rounding**2)) / 2


def _either(a, b, rounding=0.3):
    """Smooth maximum."""
    return (a + b + np.sqrt((a - b) ** 2 + rounding**2)) / 2
