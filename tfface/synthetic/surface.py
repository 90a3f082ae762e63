"""Where every texel of the head's texture lies on the average head, and the regions that skin is painted by.

A texture painted by these positions follows the vertices: a person's lips stay on the lips whatever the head's shape.
Lengths are in units of half the distance between the eye centres ("h"), the origin lies between the eyes, axes as in
`conventions`; on the average head the lip line is at y = -2.34, the chin at -3.9, the crown at 3.7, an ear at x = 2.6.
"""

import functools

import numba
import numpy as np

from tfface.synthetic import atlas, head, shapegenes

GROW = 3  # texels around an island that repeat its edge, for the renderer's bilinear lookup


class Surface:
    """The texels in use, N of them.

    Attributes:
        row, column: (N,) int32.
        x, y, z: (N,) float32, position on the average head in h.
        island: (N,) int8, index into `island_names`.
        island_names: tuple of names of `atlas.ISLANDS`.
    """

    def __init__(self):
        position, covered = _position_map()
        label = np.full((atlas.SIZE, atlas.SIZE), -1, np.int8)
        for number, ((u0, v0, u1, v1), (x, y), scale) in enumerate(atlas.ISLANDS.values()):
            right, bottom = int(x + (u1 - u0) * scale) + GROW + 1, int(y + (v1 - v0) * scale) + GROW + 1
            label[y - GROW : bottom, x - GROW : right] = number
        self.row, self.column = (a.astype(np.int32) for a in np.nonzero(covered & (label >= 0)))
        self.x, self.y, self.z = np.ascontiguousarray(position[self.row, self.column].T)
        self.island = label[self.row, self.column]
        self.island_names = tuple(atlas.ISLANDS)
        self._where = {}

    def where(self, *names):
        """Returns the (N,) read-only bool mask of the named islands."""
        if names not in self._where:
            self._where[names] = np.isin(self.island, [self.island_names.index(name) for name in names])
            self._where[names].setflags(write=False)
        return self._where[names]


@functools.cache
def surface():
    """Returns the `Surface`, made once per process."""
    return Surface()


@functools.cache
def mean_head():
    """Returns (vertices (5495, 3) in dm of the average adult, origin (3,), h): positions in h are (v - origin) / h."""
    share = (1 / 3, 1 / 3, 1 / 3)
    vertices = head.neutral(shapegenes.macro_weights(share, male=0.5, age=0.0, weight=0.0))
    origin, unit = eye_frame(vertices)
    return vertices, origin, unit


def eye_frame(vertices):
    """Returns the point between the eye centres and half their distance, both in dm."""
    parts = head.template().part_vertices
    left, right = (vertices[parts[f"helper-{side}-eye"]].mean(0) for side in "lr")
    return (left + right) / 2, float(np.linalg.norm(left - right) / 2)


def _position_map():
    template = head.template()
    vertices, origin, unit = mean_head()
    position = np.zeros((atlas.SIZE, atlas.SIZE, 3), np.float32)
    covered = np.zeros((atlas.SIZE, atlas.SIZE), np.bool_)
    corners = ((vertices - origin) / unit).astype(np.float32)[template.source]
    _paint(template.triangles, template.uv * atlas.SIZE, corners, position, covered)
    for _ in range(GROW):
        for axis in (0, 1):
            for step in (1, -1):
                take = np.roll(covered, step, axis) & ~covered
                position[take] = np.roll(position, step, axis)[take]
                covered |= take
    return position, covered


@numba.njit(cache=True)
def _paint(triangles, at, corners, position, covered):
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        ax, ay = at[i]
        bx, by = at[j]
        cx, cy = at[k]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        for row in range(int(min(ay, by, cy)), int(max(ay, by, cy)) + 1):
            for column in range(int(min(ax, bx, cx)), int(max(ax, bx, cx)) + 1):
                px, py = column + 0.5, row + 0.5
                wa = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
                wb = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
                wc = 1.0 - wa - wb
                if wa >= -1e-4 and wb >= -1e-4 and wc >= -1e-4:
                    for d in range(3):
                        position[row, column, d] = wa * corners[i, d] + wb * corners[j, d] + wc * corners[k, d]
                    covered[row, column] = True
