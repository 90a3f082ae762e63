"""A plain shirt, which hides where the head's mesh ends: a smooth sheet from the collar over the shoulders and down."""

import functools

import numpy as np

from tfface.synthetic import head, shapes
from tfface.synthetic.genes import gene_rng

COLUMNS = 48
LIFT = 0.05  # dm off the skin
# Rings of the sheet on the base mesh, dm: half width, half depth, middle's z, corners' exponent.
_COLLAR = (0.66, 0.60, 0.18, 2.0)
_SHOULDERS = (1.62, 0.66, 0.12, 2.6)
_HEM = (1.85, 0.85, 0.15, 2.6)
_HEM_Y = 2.5  # out of every picture
_BETWEEN = (0.0, 0.2, 0.45, 0.7, 1.0)  # steps from the collar to the shoulders
_EDGE_DROPS = (0.04, 0.25, 0.7)  # how far rings of the shoulders' width lie below their edge, a rounded fall


def meshes(identity, neutral):
    """Returns the list with the shirt of a person.

    Args:
        identity: the person's seed, which fixes the colour.
        neutral: (5495, 3) vertices of the person without expression, dm.
    """
    points, nearest = _pattern()
    moved = points + (neutral - head.template().vertices)[nearest].reshape(points.shape)
    rng = gene_rng("clothes", identity)
    color = rng.uniform(0.02, 0.75) ** 1.5 * rng.uniform(0.35, 1.0, 3) + 0.01
    return [shapes.mesh([shapes.grid(moved, closed=True)], shapes.flat(color, 0.03), two_sided=True)]


@functools.cache
def _pattern():
    """Returns the sheet on the base mesh, (COLUMNS, rings, 3) dm, and the skin vertex that each point follows."""
    template = head.template()
    skin = template.skin_vertices
    skin = skin[(template.vertices[skin, 1] < 6.25) & (head.normals(template.vertices)[skin, 1] > 0.15)]
    at = template.vertices[skin].astype(np.float64)
    rings = []
    for share in _BETWEEN:
        ring = _ring(*(np.array(_COLLAR) + share * (np.array(_SHOULDERS) - np.array(_COLLAR))))
        distance = ((ring[:, None, [0, 2]] - at[None, :, [0, 2]]) ** 2).sum(2)
        weight = np.exp(-(distance - distance.min(1, keepdims=True)) / 0.16**2)
        ring[:, 1] = (weight * at[:, 1]).sum(1) / weight.sum(1) + LIFT
        rings.append(ring)
    edge = _smooth(rings[-1][:, 1])
    rings[-1][:, 1] = edge
    for k, drop in enumerate(_EDGE_DROPS):
        ring = _ring(*(np.array(_SHOULDERS) + np.array([0.06, 0.05, 0, 0]) * (k + 1)))
        ring[:, 1] = edge - drop
        rings.append(ring)
    hem = _ring(*_HEM)
    hem[:, 1] = _HEM_Y
    points = np.stack([*rings, hem], 1)
    away = points.reshape(-1, 1, 3)[..., [0, 2]] - at[None][..., [0, 2]]
    return points, skin[(away**2).sum(2).argmin(1)]


def _ring(half_width, half_depth, middle, corner):
    """(COLUMNS, 3) superellipse around the neck, its heights 0; seen from above it runs so that the sheet faces up."""
    angle = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    c, s = np.cos(angle), np.sin(angle)
    x = half_width * np.sign(c) * np.abs(c) ** (2 / corner)
    z = middle + half_depth * np.sign(s) * np.abs(s) ** (2 / corner)
    return np.stack([x, np.zeros(COLUMNS), z], 1)


def _smooth(heights, times=6):
    for _ in range(times):
        heights = 0.5 * heights + 0.25 * (np.roll(heights, 1) + np.roll(heights, -1))
    return heights
