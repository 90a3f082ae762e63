"""Lips and make-up, eyes, teeth, tongue and the inside of the mouth."""

import functools

import numpy as np

from tfface.synthetic import noise
from tfface.synthetic.regions import LIP_LINE, regions, step
from tfface.synthetic.surface import surface

IRIS_ANGLE = 0.44  # radius of an average iris as an angle at the eye's centre, radians


def paint_lips(colors, genes, melanin):
    """Paints the red of the lips, and lipstick if worn, on (N, 4) `colors` in place."""
    at, lips, crease = _lip_texels()
    skin = colors[at, :3]
    dark = 0.10 + 0.30 * genes.lip_contrast
    red = 0.25 + 0.55 * genes.lip_redness
    thin = 1 / (1 + 1.5 * melanin)
    own = skin * np.exp(-np.array([0.55, 1.0, 0.85]) * dark) * np.exp(-np.array([0.06, 0.85, 0.62]) * red * thin)
    s = surface()
    own = own * (1 + 0.05 * noise.tiles()[0][s.row[at] % noise.TILE, s.column[at] % noise.TILE])[:, None]
    gloss = 0.14
    if genes.lipstick:
        own = 0.14 * own + 0.86 * np.asarray(genes.lipstick_color) * (1 - 0.15 * melanin)
        gloss = 0.12 + 0.35 * genes.lipstick_gloss
    own = own * (1 - 0.45 * crease)[:, None]
    share = lips[:, None]
    colors[at, :3] = skin * (1 - share) + own * share
    colors[at, 3] = colors[at, 3] * (1 - lips) + gloss * lips


def paint_eyes(colors, genes):
    """Paints sclera, iris and pupil on (N, 4) `colors` in place."""
    at, veins, shade, front, angle, around = _eye_texels()
    rng = np.random.default_rng([genes.seed, 4])
    stained = np.float32(genes.sclera)
    white = np.array([0.80, 0.77, 0.74], np.float32) - np.array([0.02, 0.08, 0.15], np.float32) * stained
    redness = np.array([0.01, 0.07, 0.07], np.float32) * stained
    color = (white - veins[:, None] * redness) * shade[:, None]
    within = angle / np.float32(IRIS_ANGLE * genes.iris_size)
    phases = rng.uniform(0, 6.28, 4).astype(np.float32)
    spokes = sum(np.sin(around * np.float32(k) + p) for k, p in zip((13, 22, 31, 47), phases, strict=True)) / 4
    own = np.asarray(genes.iris_color, np.float32)
    ring = 0.5 * step(0.75, 0.45, within)[:, None]
    iris = own * (0.9 + 0.35 * spokes)[:, None] * (1 - ring) + own * np.array([1.5, 1.15, 0.8], np.float32) * ring
    iris = iris * (1 - 0.65 * step(0.80, 1.0, within))[:, None]
    iris = iris * (1 - step(0.45, 0.37, within))[:, None] + 0.004
    share = step(1.04, 0.95, within)[:, None]
    color[front] = color[front] * (1 - share) + iris * share
    colors[at, :3] = np.clip(color, 0, 1)
    colors[at, 3] = 0.75


def paint_mouth_inside(colors, genes):
    """Paints teeth, tongue, gums and throat on (N, 4) `colors` in place."""
    at, fixed, teeth, enamel_shade = _mouth_texels()
    colors[at] = fixed
    enamel = np.array([0.74, 0.70, 0.62]) - np.array([0.06, 0.10, 0.20]) * genes.teeth
    colors[teeth, :3] = enamel.astype(np.float32) * enamel_shade[:, None]
    colors[teeth, 3] = 0.35


def paint_lashes(colors, genes, skin):
    """Paints the lash sheets dark, the lower ones mostly skin, and the eye sockets like the lids."""
    lashes, upper, sockets, depth = _lid_texels()
    share = (0.10 + 0.15 * genes.lashes) * (1 - upper) + (0.75 + 0.22 * genes.lashes) * upper
    skin = np.asarray(skin, np.float32)
    colors[lashes, :3] = skin * (1 - share)[:, None] * 0.8 + 0.012 * share[:, None]
    colors[lashes, 3] = 0.02
    colors[sockets, :3] = skin * np.array([0.75, 0.55, 0.52], np.float32) * depth[:, None]
    colors[sockets, 3] = 0.15


@functools.cache
def _mouth_texels():
    """Texels and colours of what is alike in all mouths, then the texels of teeth and how light falls on them."""
    s = surface()
    colors = np.zeros((len(s.x), 4), np.float32)
    tongue, inside = s.where("tongue"), s.where("mouth")
    colors[tongue, :3] = np.array([0.42, 0.13, 0.12]) * (0.2 + 0.8 * step(-1.5, 0.4, s.z[tongue]))[:, None]
    colors[tongue, 3] = 0.2
    colors[inside, :3] = np.array([0.30, 0.085, 0.075]) * (1 - 0.92 * step(0.95, 0.35, s.z[inside]))[:, None]
    colors[inside, 3] = 0.05
    at = np.flatnonzero(tongue | inside)
    teeth = np.flatnonzero(s.where("upper_teeth", "lower_teeth"))
    gaps = 1 - 0.35 * np.exp(-(((np.mod(s.x[teeth] / 0.155 + 0.5, 1.0) - 0.5) / 0.09) ** 2))
    return at, colors[at], teeth, (gaps * (0.25 + 0.75 * step(-0.6, 0.5, s.z[teeth]))).astype(np.float32)


@functools.cache
def _lid_texels():
    s = surface()
    lashes = np.flatnonzero(s.where("lashes"))
    sockets = np.flatnonzero(s.where("left_socket", "right_socket"))
    return lashes, step(0.02, 0.06, s.y[lashes]), sockets, step(-0.3, 0.5, s.z[sockets])


@functools.cache
def _lip_texels():
    s, lips = surface(), regions()["lips"]
    at = np.flatnonzero(lips > 1e-3)
    crease = np.exp(-(((s.y[at] - LIP_LINE) / 0.035) ** 2)) * (s.z[at] < 1.0)
    return at, lips[at], crease.astype(np.float32)


@functools.cache
def _eye_texels():
    """Texels of the eyeballs, veins, how lids shade them; which may be iris, their angle from the axis and around."""
    s = surface()
    at = np.flatnonzero(s.where("left_eye_front", "left_eye_back", "right_eye_front", "right_eye_back"))
    p = np.stack([np.abs(s.x[at]) - 1.0, s.y[at], s.z[at]], 1)
    p = p / np.linalg.norm(p, axis=1, keepdims=True)
    angle = np.arccos(np.clip(p[:, 2], -1, 1))
    veins = np.clip(noise.tiles()[2][(s.row[at] * 3) % noise.TILE, (s.column[at] * 2) % noise.TILE], 0, 2)
    front = np.flatnonzero(s.where("left_eye_front", "right_eye_front")[at] & (angle < 0.62))
    around = np.arctan2(p[front, 1], p[front, 0])
    return at, veins, 1 - 0.45 * step(0.5, 1.1, angle), front, angle[front], around
