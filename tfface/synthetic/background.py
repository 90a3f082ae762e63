"""What stands behind the head: structured pictures, so that no network can read a flat colour as "not the face"."""

import cv2
import numpy as np

from tfface.errors import InputError


def _palette(rng, count):
    """Linear RGB colours that share a mood: one hue family, values apart."""
    hue, spread = rng.uniform(), rng.choice([0.04, 0.12, 0.5])
    hues = (hue + rng.uniform(-spread, spread, count)) % 1.0
    saturation = rng.uniform(0.0, 0.5) * rng.uniform(0.4, 1.0, count)
    value = np.clip(rng.uniform(0.1, 0.95) + rng.uniform(-0.35, 0.35, count), 0.03, 1.0)
    k = (np.array([5.0, 3.0, 1.0]) + hues[:, None] * 6) % 6
    srgb = value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(k, 4 - k), 0, 1))
    return (srgb**2.2).astype(np.float32)


def _mix(a, b, share):
    return a + (b - a) * share[..., None]


def _grid(size):
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    return np.meshgrid(at, at)


def _turned(rng, size, angle=None):
    x, y = _grid(size)
    angle = rng.uniform(0, np.pi) if angle is None else angle
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _clouds(rng, size, octaves=(3, 6, 12, 24)):
    """Smooth noise in 0..1."""
    total = np.zeros((size, size), np.float32)
    for k, cells in enumerate(octaves):
        cell = rng.random((cells + 1, cells + 1), np.float32)
        total += cv2.resize(cell, (size, size), interpolation=cv2.INTER_CUBIC) * np.float32(0.55**k)
    low, high = total.min(), total.max()
    return (total - low) / max(high - low, np.float32(1e-6))


def _gradient(rng, size):
    a, b, c = _palette(rng, 3)
    u, v = _turned(rng, size)
    u = np.clip((u - u.min()) / (u.max() - u.min()), 0, 1)
    v = (v - v.min()) / (v.max() - v.min())
    return _mix(_mix(a, b, u), c, 0.5 * v * v)


def _cloudy(rng, size):
    a, b, c = _palette(rng, 3)
    return _mix(_mix(a, b, _clouds(rng, size)), c, 0.6 * _clouds(rng, size, (2, 5)))


def _stripes(rng, size):
    a, b, c = _palette(rng, 3)
    u, _ = _turned(rng, size)
    wave = np.sin(u * np.float32(2 * np.pi * rng.uniform(3, 14)) + np.float32(rng.uniform(0, 6.28)))
    share = np.clip(wave * np.float32(rng.uniform(1.0, 12.0)) * 0.5 + 0.5, 0, 1)
    return _mix(_mix(a, b, share), c, 0.25 * _clouds(rng, size, (2, 4)))


def _checks(rng, size):
    a, b, c = _palette(rng, 3)
    u, v = _turned(rng, size)
    cells = rng.uniform(3, 12)
    share = ((np.floor(u * cells) + np.floor(v * cells)) % 2).astype(np.float32)
    return _mix(_mix(a, b, share), c, 0.3 * _clouds(rng, size, (2, 4)))


def _bricks(rng, size):
    wall, joint, other = _palette(rng, 3)
    x, y = _grid(size)
    rows = rng.uniform(5, 14)
    row = np.floor(y * rows)
    column = x * rows * 0.45 + 0.5 * (row % 2)
    shade = np.abs(np.sin(np.floor(column) * 12.9898 + row * 78.233) * 43.5) % 1
    gap = np.minimum(np.minimum(y * rows - row, 1 - (y * rows - row)), 2 * np.minimum(column % 1, 1 - column % 1))
    return _mix(joint, _mix(wall, other, shade), np.clip(gap * 9, 0, 1))


def _bokeh(rng, size):
    image = _gradient(rng, size)
    for color in _palette(rng, int(rng.integers(8, 22))):
        centre, radius = rng.uniform(-0.1, 1.1, 2) * size, size * rng.uniform(0.03, 0.14) + 1
        share = rng.uniform(0.25, 0.8)
        left, top = (int(max(0, c - radius - 1)) for c in centre)
        right, bottom = (int(min(size, c + radius + 2)) for c in centre)
        if right <= left or bottom <= top:
            continue
        y, x = np.ogrid[top:bottom, left:right]
        distance = np.sqrt((x + 0.5 - centre[0]) ** 2 + (y + 0.5 - centre[1]) ** 2)
        disc = (np.clip(radius - distance, 0, 1) * share).astype(np.float32)
        image[top:bottom, left:right] = _mix(image[top:bottom, left:right], np.minimum(color * 1.3, 1), disc)
    return cv2.GaussianBlur(image, (0, 0), max(0.6, size / 90))


def _shelves(rng, size):
    colors = _palette(rng, 24) * rng.uniform(0.4, 1.2, (24, 1)).astype(np.float32)
    image = np.empty((size, size, 3), np.float32)
    image[...] = colors[0] * 0.5

    def fill(left, top, right, bottom, color):
        top, left = max(0.0, top), max(0.0, left)
        image[round(top * size) : round(bottom * size), round(left * size) : round(right * size)] = color

    top = -rng.uniform(0, 0.1)
    while top < 1:
        height, left = rng.uniform(0.16, 0.34), -rng.uniform(0, 0.05)
        while left < 1:
            width = rng.uniform(0.02, 0.10)
            fill(left, top + height * rng.uniform(0.1, 0.4), left + width, top + height, colors[rng.integers(24)])
            left += width * (2 if rng.random() < 0.15 else 1)
        fill(0, top + height, 1, top + height + 0.03, colors[1] * 0.7)
        top += height + 0.03
    return cv2.GaussianBlur(image, (0, 0), max(0.4, size * rng.uniform(0.004, 0.014)))


def _window(rng, size):
    image = _mix(*_palette(rng, 2), 0.5 * _clouds(rng, size, (2, 4)))
    sky, low = np.minimum(_palette(rng, 2) * 0.5 + 0.5, 1)
    x0, x1 = sorted((rng.uniform(-0.2, 0.6), rng.uniform(0.4, 1.2)))
    y0, y1 = rng.uniform(-0.2, 0.2), rng.uniform(0.6, 1.1)
    x, y = _grid(size)
    u, v = (x - x0) / max(x1 - x0, 0.2), (y - y0) / (y1 - y0)
    inside = (u > 0) & (u < 1) & (v > 0) & (v < 1)
    panes = int(rng.integers(1, 4))
    bars = (np.abs(u * panes - np.round(u * panes)) < 0.05 * panes) | (np.abs(v * 2 - np.round(v * 2)) < 0.06)
    image = np.where((inside & ~bars)[..., None], _mix(sky, low, np.clip(v, 0, 1)), image)
    image = np.where((inside & bars)[..., None], np.float32(rng.uniform(0.1, 0.8)), image)
    return cv2.GaussianBlur(image, (0, 0), max(0.5, size * rng.uniform(0.004, 0.02)))


def _leaves(rng, size):
    image = _cloudy(rng, size)
    colors = _palette(rng, 40)
    for color in colors:
        centre = tuple(int(v) for v in rng.uniform(0, 1, 2) * size)
        axes = (int(size * rng.uniform(0.03, 0.12)) + 1, int(size * rng.uniform(0.01, 0.05)) + 1)
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, color.tolist(), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), max(0.4, size * rng.uniform(0.003, 0.012)))


def _black(rng, size):
    return np.zeros((size, size, 3), np.float32)


_PAINTERS = {
    "gradient": _gradient, "clouds": _cloudy, "stripes": _stripes, "checks": _checks, "bricks": _bricks,
    "bokeh": _bokeh, "shelves": _shelves, "window": _window, "leaves": _leaves, "black": _black,
}  # fmt: skip
KINDS = tuple(_PAINTERS)
DRAWN = KINDS[:-1]  # behind natural scenes


def paint(kind, seed, size):
    """Returns a (size, size, 3) float32 linear RGB picture in 0..1; the same kind, seed and size give the same bytes.

    The layout is the same at every size. Raises InputError for a kind that is not one of `KINDS`.
    """
    if kind not in _PAINTERS:
        raise InputError(f"background: kind {kind!r} is unknown, expected one of {' '.join(KINDS)}")
    rng = np.random.default_rng([KINDS.index(kind), seed])
    return np.clip(_PAINTERS[kind](rng, size), 0, 1).astype(np.float32)
