"""The head without its ears as a surface over directions, on which hair is combed and masks are laid.

Directions are seen from the middle of the skull and laid out flat around "up": the map point of a direction is its
angle from up times (sin, cos) of its azimuth, azimuth 0 forward and positive toward +x. The crown is the map's centre,
the forehead lies above it at (0, 1), the chin at (0, 2.5) radians; the neck has no place.
"""

import functools

import numba
import numpy as np

from tfface.synthetic import head, surface

SIDE = 144
REACH = 2.62  # radians from up that the map covers
CENTRE = np.array([0.0, 0.3, -2.2])  # of the skull, in h from the point between the eyes


class Shell:
    """One person's shell.

    Attributes:
        neutral: the (5495, 3) vertices it was made from, dm.
        origin: (3,) point between the eyes, dm; unit: h in dm; centre: (3,) the skull's middle, dm.
        points: (SIDE, SIDE, 3) float32 dm, by map row (y) and column (x).
    """

    def __init__(self, neutral):
        self.neutral = neutral
        self.origin, self.unit = surface.eye_frame(neutral)
        self.centre = self.origin + CENTRE * self.unit
        corners, weights, filled = _table()
        points = np.einsum("rck,rckd->rcd", weights, neutral[corners].astype(np.float32))
        smooth = points
        for _ in range(6):  # where the ears were, a smooth skin
            smooth = _blur(smooth)
            smooth = np.where(filled[..., None], smooth, points)
        self.points = smooth

    def at(self, x, y, lift=0.0):
        """Returns (..., 3) dm points above map points, `lift` h away from the skull's middle."""
        column = np.clip((np.asarray(x) / REACH + 1) * SIDE / 2 - 0.5, 0, SIDE - 1.001)
        row = np.clip((np.asarray(y) / REACH + 1) * SIDE / 2 - 0.5, 0, SIDE - 1.001)
        c, r = column.astype(np.int64), row.astype(np.int64)
        fc, fr = (column - c)[..., None], (row - r)[..., None]
        p = self.points
        top = p[r, c] * (1 - fc) + p[r, c + 1] * fc
        low = p[r + 1, c] * (1 - fc) + p[r + 1, c + 1] * fc
        point = top * (1 - fr) + low * fr
        away = point - self.centre
        away = away / np.linalg.norm(away, axis=-1, keepdims=True)
        return point + away * (np.asarray(lift) * self.unit)[..., None]


def map_point(direction):
    """Returns map coordinates x, y of (..., 3) directions from the skull's middle."""
    d = np.asarray(direction, np.float64)
    across = np.hypot(d[..., 0], d[..., 2])
    angle = np.arctan2(across, d[..., 1])
    scale = angle / np.maximum(across, 1e-9)
    return d[..., 0] * scale, d[..., 2] * scale


def _blur(points):
    padded = np.pad(points, ((1, 1), (1, 1), (0, 0)), "edge")
    return (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] + 2 * points) / 6


@functools.cache
def _table():
    """Which triangle of the average head each map cell looks through: corners, weights and where an ear was cut off."""
    template = head.template()
    vertices, origin, unit = surface.mean_head()
    r = (vertices - origin) / unit
    body = template.part_names.index("body")
    triangles = template.surface[template.part == body]
    ear = (np.abs(r[:, 0]) > 2.28) & (r[:, 1] > -2.1) & (r[:, 1] < 0.75) & (r[:, 2] < -1.3) & (r[:, 2] > -3.6)
    triangles = triangles[~ear[triangles].any(1)]
    direction = r - CENTRE
    x, y = map_point(direction)
    # What lies straight below has no one place on the map.
    triangles = triangles[(np.hypot(x, y)[triangles] < REACH * 1.08).all(1)]
    at = (np.stack([x, y], 1) / REACH + 1) * SIDE / 2
    corners = np.zeros((SIDE, SIDE, 3), np.int32)
    weights = np.zeros((SIDE, SIDE, 3), np.float32)
    distance = np.full((SIDE, SIDE), -1.0)
    _look(triangles, at, np.linalg.norm(direction, axis=1), corners, weights, distance)
    seen = distance > 0
    filled = ~seen
    while not seen.all():
        for axis in (0, 1):
            for way in (1, -1):
                take = np.roll(seen, way, axis) & ~seen
                corners[take], weights[take] = np.roll(corners, way, axis)[take], np.roll(weights, way, axis)[take]
                seen |= take
    return corners, weights, filled


@numba.njit(cache=True)
def _look(triangles, at, radius, corners, weights, distance):
    side = distance.shape[0]
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        ax, ay = at[i]
        bx, by = at[j]
        cx, cy = at[k]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-12:
            continue
        for row in range(max(0, int(min(ay, by, cy))), min(side - 1, int(max(ay, by, cy))) + 1):
            for column in range(max(0, int(min(ax, bx, cx))), min(side - 1, int(max(ax, bx, cx))) + 1):
                px, py = column + 0.5, row + 0.5
                wa = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
                wb = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
                wc = 1.0 - wa - wb
                if wa >= -1e-6 and wb >= -1e-6 and wc >= -1e-6:
                    far = wa * radius[i] + wb * radius[j] + wc * radius[k]
                    if far > distance[row, column]:
                        distance[row, column] = far
                        corners[row, column] = triangles[t]
                        weights[row, column, 0] = wa
                        weights[row, column, 1] = wb
                        weights[row, column, 2] = wc
