"""Lips and make-up, eyes, teeth, tongue and the inside of the mouth."""

import functools

import numpy as np

from tfface.synthetic import noise
from tfface.synthetic.regions import LIP_LINE, regions, step
from tfface.synthetic.surface import surface

IRIS_ANGLE = 0.44  # radius of an average iris as an angle at the eye's centre, radians: 11.7 mm on a 12 mm ball of MakeHuman


def paint_lips(colors, genes, melanin):
    """Paints the red of the lips, and lipstick if worn, on (N, 4) `colors` in place."""
    at, lips, crease = _lip_texels()
    skin = colors[at, :3]
    dark = 0.10 + 0.30 * genes.lip_contrast
    red = 0.25 + 0.55 * genes.lip_redness
    thin = 1 / (1 + 1.5 * melanin)
    own = skin * np.exp(-np.array([0.55, 1.0, 0.85]) * dark) * np.exp(-np.array([0.06, 0.85, 0.62]) * red * thin)
    own = own * (1 + 0.05 * noise.tiles()[0][surface().row[at] % noise.TILE, surface().column[at] % noise.TILE])[:, None]
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
    at, angle, around, front = _eye_texels()
    s = surface()
    rng = np.random.default_rng([genes.seed, 4])
    white = np.array([0.80, 0.77, 0.74]) - np.array([0.02, 0.08, 0.15]) * genes.sclera
    veins = np.clip(noise.tiles()[2][(s.row[at] * 3) % noise.TILE, (s.column[at] * 2) % noise.TILE], 0, 2)
    color = white - veins[:, None] * np.array([0.01, 0.07, 0.07]) * genes.sclera
    color = color * (1 - 0.45 * step(0.5, 1.1, angle))[:, None]  # lids shade the corners
    limit = IRIS_ANGLE * genes.iris_size
    spokes = sum(np.sin(around * k + p) for k, p in zip((13, 22, 31, 47), rng.uniform(0, 6.28, 4))) / 4
    within = angle / limit
    iris = np.asarray(genes.iris_color) * (0.9 + 0.35 * spokes)[:, None]
    center = np.asarray(genes.iris_color)[None] * np.array([1.5, 1.15, 0.8])
    ring = step(0.75, 0.45, within)[:, None] * 0.5
    iris = (iris * (1 - ring) + center * ring) * (1 - 0.65 * step(0.80, 1.0, within))[:, None]
    share = (step(1.04, 0.95, within) * front)[:, None]
    color = color * (1 - share) + iris * share
    pupil = (step(0.45, 0.37, within) * front)[:, None]
    color = color * (1 - pupil) + 0.004 * pupil
    colors[at, :3] = np.clip(color, 0, 1)
    colors[at, 3] = 0.75


def paint_mouth_inside(colors, genes):
    """Paints teeth, tongue, gums and throat on (N, 4) `colors` in place."""
    s = surface()
    teeth = s.where("upper_teeth", "lower_teeth")
    enamel = np.array([0.74, 0.70, 0.62]) - np.array([0.06, 0.10, 0.20]) * genes.teeth
    gaps = 1 - 0.35 * np.exp(-((np.mod(s.x[teeth] / 0.155 + 0.5, 1.0) - 0.5) / 0.09) ** 2)
    back = step(-0.6, 0.5, s.z[teeth])
    colors[teeth, :3] = enamel * (gaps * (0.25 + 0.75 * back))[:, None]
    colors[teeth, 3] = 0.35
    tongue = s.where("tongue")
    colors[tongue, :3] = np.array([0.42, 0.13, 0.12]) * (0.2 + 0.8 * step(-1.5, 0.4, s.z[tongue]))[:, None]
    colors[tongue, 3] = 0.2
    inside = s.where("mouth")
    depth = step(0.95, 0.35, s.z[inside])
    colors[inside, :3] = np.array([0.30, 0.085, 0.075]) * (1 - 0.92 * depth)[:, None]
    colors[inside, 3] = 0.05


def paint_lashes(colors, genes, skin):
    """Paints the lash sheets dark, the lower ones mostly skin, and the eye sockets like the lids."""
    s = surface()
    lashes = s.where("lashes")
    upper = step(0.02, 0.06, s.y[lashes])
    share = (0.10 + 0.15 * genes.lashes) * (1 - upper) + (0.75 + 0.22 * genes.lashes) * upper
    colors[lashes, :3] = np.asarray(skin) * (1 - share)[:, None] * 0.8 + 0.012 * share[:, None]
    colors[lashes, 3] = 0.02
    sockets = s.where("left_socket", "right_socket")
    colors[sockets, :3] = np.asarray(skin) * np.array([0.75, 0.55, 0.52]) * step(-0.3, 0.5, s.z[sockets])[:, None]
    colors[sockets, 3] = 0.15


@functools.cache
def _lip_texels():
    s, lips = surface(), regions()["lips"]
    at = np.flatnonzero(lips > 1e-3)
    crease = np.exp(-(((s.y[at] - LIP_LINE) / 0.035) ** 2)) * (s.z[at] < 1.0)
    return at, lips[at], crease.astype(np.float32)


@functools.cache
def _eye_texels():
    s = surface()
    names = ("left_eye_front", "left_eye_back", "right_eye_front", "right_eye_back")
    at = np.flatnonzero(s.where(*names))
    p = np.stack([np.abs(s.x[at]) - 1.0, s.y[at], s.z[at]], 1)
    p = p / np.linalg.norm(p, axis=1, keepdims=True)
    front = np.isin(s.island[at], [s.island_names.index(n) for n in names[::2]])
    return at, np.arccos(np.clip(p[:, 2], -1, 1)), np.arctan2(p[:, 1], p[:, 0]), front.astype(np.float32)
