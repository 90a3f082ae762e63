"""Small solids for hair and props: vertices and triangles, counter-clockwise seen from outside."""

import numpy as np

from tfface.synthetic.head import Mesh


def flat(color, gloss):
    """Returns a (1, 1, 4) float32 texture of one linear RGB colour."""
    return np.array([[[*color, gloss]]], np.float32)


def mesh(pieces, texture, two_sided=False):
    """Joins (vertices, triangles) or (vertices, triangles, uv) pieces into one rigid `Mesh`."""
    vertices, triangles, uv, count = [], [], [], 0
    for piece in pieces:
        vertices.append(piece[0])
        triangles.append(piece[1] + count)
        uv.append(piece[2] if len(piece) > 2 else np.full((len(piece[0]), 2), 0.5))
        count += len(piece[0])
    return Mesh(
        vertices=np.concatenate(vertices).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.int32),
        uv=np.concatenate(uv).astype(np.float32),
        texture=texture,
        two_sided=two_sided,
    )


def grid(points, closed=False):
    """A sheet through (M, K, 3) points; `closed` joins the last row to the first.

    Returns vertices (M * K, 3), triangles and uv (u runs over rows, v over columns). The sheet faces
    cross(next row, next column).
    """
    rows, columns = points.shape[:2]
    i, j = np.meshgrid(np.arange(rows if closed else rows - 1), np.arange(columns - 1), indexing="ij")
    a, b = i * columns + j, (i + 1) % rows * columns + j
    halves = np.stack([a, b, b + 1], -1), np.stack([a, b + 1, a + 1], -1)
    triangles = np.concatenate([half.reshape(-1, 3) for half in halves])
    u, v = np.meshgrid(np.arange(rows) / max(rows - 1, 1), np.arange(columns) / (columns - 1), indexing="ij")
    return points.reshape(-1, 3), triangles, np.stack([u, v], -1).reshape(-1, 2)


def tube(path, radius, closed=False, sides=6, up=(0.0, 0.0, 1.0), flatten=1.0):
    """A tube along (M, 3) `path`; `radius` is one number or one per point; `flatten` scales it across `up`."""
    path = np.asarray(path, np.float64)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9
    side = np.cross(ahead, up)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    over = np.cross(side, ahead)
    angle = np.arange(sides) * 2 * np.pi / sides
    radius = np.broadcast_to(np.asarray(radius, np.float64), len(path))[:, None, None]
    ring = side[:, None] * np.cos(angle)[None, :, None] * flatten + over[:, None] * np.sin(angle)[None, :, None]
    points = path[:, None] + radius * ring
    points = np.concatenate([points, points[:, :1]], 1)
    vertices, triangles, uv = grid(points, closed)
    if not closed:
        caps = []
        for row, turn in ((0, 1), (len(path) - 1, -1)):
            first = row * (sides + 1)
            k = np.arange(1, sides - 1)
            fan = np.stack([np.full_like(k, first), first + k, first + k + 1], 1)
            caps.append(fan[:, ::turn])
        triangles = np.concatenate([triangles, *caps])
    return vertices, triangles, uv


def ellipsoid(centre, axes, rings=8, sides=12):
    """An ellipsoid; `axes` is (3, 3), rows being its half axes, right-handed."""
    polar = np.linspace(0, np.pi, rings + 1)[None, :]
    around = (np.arange(sides) * 2 * np.pi / sides)[:, None]
    unit = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around], -1)
    vertices, triangles, uv = grid(unit, closed=True)
    return vertices @ np.asarray(axes) + centre, triangles[:, ::-1], uv


def box(centre, axes):
    """A box; `axes` is (3, 3), rows being its half axes, right-handed."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    vertices = (corners @ np.asarray(axes) + centre)[quads].reshape(-1, 3)
    k = np.arange(6)[:, None] * 4
    triangles = np.concatenate([k + [0, 1, 2], k + [0, 2, 3]])
    uv = np.tile(np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float64), (6, 1))
    return vertices, triangles, uv
