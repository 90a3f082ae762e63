"""Light on surfaces: how open each vertex is to the sky, shadows of the one light, and the colour of each pixel."""

import functools

import numpy as np

from tfface.synthetic import raster
from tfface.synthetic.raster import compiled

SKIN, EYE, WET, SOLID = range(4)  # materials; WET are teeth and tongue

SKY_SIZE = 64  # pixels of the views that occlusion is measured in
SKY_REACH = 2.6  # dm shown to either side of the pivot
SKY_BIAS = 0.05  # dm
LEAST_OPEN = 0.1  # what walls reflect into hollows
# Evenly spread over the front two thirds of the sphere: what only the back of the head sees is never shown.
SKY_DIRECTIONS = 6

EXPOSURE = 0.82  # pale skin in full light stays below white
WRAP = 0.3  # how far around the edge of light skin still glows, as a cosine
SHADOW_SIZE = 208
SHADOW_REACH = 2.4
SHADOW_BIAS = 0.035
SHADOW_SLOPE = 0.035  # dm, about one and a half texels


@functools.cache
def _sky():
    """Returns SKY_DIRECTIONS unit vectors on a Fibonacci spiral about +z, each with its `look_along` rotation."""
    k = np.arange(SKY_DIRECTIONS)
    z = 1 - 1.3 * (k + 0.5) / SKY_DIRECTIONS
    angle = k * np.pi * (3 - np.sqrt(5)) + 0.5
    r = np.sqrt(1 - z * z)
    return [(d, look_along(d)) for d in np.stack([r * np.sin(angle), r * np.cos(angle), z], 1)]


def look_along(direction):
    """Returns the 3x3 rotation that turns `direction` to +z."""
    z = direction / np.linalg.norm(direction)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.95 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def depth_view(turned, triangles, two_sided, rotation, size, reach):
    """Returns (V, 3) points (column, row, height) of vertices seen after `rotation`, and (size, size) heights."""
    points = turned @ rotation.T
    points[:, 0] = (points[:, 0] / reach + 1) * size / 2
    points[:, 1] = (1 - points[:, 1] / reach) * size / 2
    return points, raster.rasterize(points, triangles, two_sided, size)[2]


def openness(vertices, vertex_normals, triangles, two_sided, count):
    """Measures how much of the sky each of the first `count` vertices sees: (count,) float32, 0 enclosed to 1 open.

    `vertices` (V, 3) lie about the pivot in the head's own axes, so that neither pose nor light change the result.
    """
    total = np.zeros((count, 2))
    for direction, rotation in _sky():
        points, heights = depth_view(vertices, triangles, two_sided, rotation, SKY_SIZE, SKY_REACH)
        _gather_sky(points, heights, vertex_normals[:count], direction, total)
    seen = total[:, 0] / np.maximum(total[:, 1], 1e-6)
    return (LEAST_OPEN + (1 - LEAST_OPEN) * seen).astype(np.float32)


@compiled
def lit_share(heights, column, row, height, bias):
    """Share of a height map's 3x3 texels around a point that leave it in the light, in a smooth (quadratic) blend."""
    size = heights.shape[0]
    c0, r0 = int(np.floor(column)), int(np.floor(row))
    x, y = column - c0 - 0.5, row - r0 - 0.5
    share = 0.0
    for i in range(-1, 2):
        weight_y = 0.75 - y * y if i == 0 else 0.5 * (0.5 + i * y) ** 2
        for j in range(-1, 2):
            r, c = r0 + i, c0 + j
            if r < 0 or c < 0 or r >= size or c >= size or heights[r, c] <= height + bias:
                share += weight_y * (0.75 - x * x if j == 0 else 0.5 * (0.5 + j * x) ** 2)
    return share


@compiled
def _lit_at(wa, wb, wc, a, b, c, heights, facing):
    """Share of the light that reaches a point of a triangle with corners `a`, `b`, `c` of a depth view."""
    # The steeper the light grazes, the higher a texel's own surface rises within it.
    steep = np.sqrt(max(1.0 - facing * facing, 0.0)) / max(facing, 0.25)
    column, row = wa * a[0] + wb * b[0] + wc * c[0], wa * a[1] + wb * b[1] + wc * c[1]
    height = wa * a[2] + wb * b[2] + wc * c[2]
    return lit_share(heights, column, row, height, SHADOW_BIAS + SHADOW_SLOPE * steep)


@compiled
def _gather_sky(points, heights, normals, direction, total):
    for v in range(normals.shape[0]):
        facing = normals[v, 0] * direction[0] + normals[v, 1] * direction[1] + normals[v, 2] * direction[2]
        if facing > 0.0:
            total[v, 1] += facing
            total[v, 0] += facing * lit_share(heights, points[v, 0], points[v, 1], points[v, 2], SKY_BIAS)


@compiled
def shade(first, last, number, weights, distance, triangles, uv, normals, open_sky, light_points, texture, material,
          light_heights, light, crease, picture):  # fmt: skip
    """Colours the pixels of triangles first..last-1 of one mesh.

    Args:
        number, weights: as returned by `raster.rasterize`; `distance` (V,) turns the weights into those of perspective.
        triangles: (T, 3); uv (V, 2), normals (V, 3) in camera axes, open_sky (V,) and light_points (V, 3) per vertex.
        texture: (H, W, 4) linear colour and gloss.
        material: (T,) int8, one of SKIN, EYE, WET, SOLID.
        light_heights: (N, N) height map of the light; light: (5,) direction, intensity and ambient.
        crease: (H, W) float32 by texel of skin, the share by which it is darkened.
        picture: (S, S, 3) float32, written in linear colour.
    """
    rows, columns = number.shape
    height, width = texture.shape[0], texture.shape[1]
    lx, ly, lz, intensity, ambient = light[0], light[1], light[2], light[3], light[4]
    # Blinn's half vector with the view along z: faces are small against their distance.
    hx, hy, hz = lx, ly, lz + 1.0
    length = np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    hx, hy, hz = hx / length, hy / length, hz / length
    color = np.zeros(4)
    for row in range(rows):
        for column in range(columns):
            t = number[row, column]
            if t < first or t >= last:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            wb, wc = weights[row, column, 0], weights[row, column, 1]
            wa = (1.0 - wb - wc) / distance[a]
            wb /= distance[b]
            wc /= distance[c]
            total = wa + wb + wc
            wa, wb, wc = wa / total, wb / total, wc / total

            nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            nx, ny, nz = nx / length, ny / length, nz / length
            if nz < 0.0 and material[t] == SOLID:
                nx, ny, nz = -nx, -ny, -nz

            u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
            v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
            x = min(max(u * width - 0.5, 0.0), width - 1.001)
            y = min(max(v * height - 0.5, 0.0), height - 1.001)
            x0, y0 = int(x), int(y)
            x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
            fx, fy = x - x0, y - y0
            for k in range(4):
                top = texture[y0, x0, k] * (1.0 - fx) + texture[y0, x1, k] * fx
                low = texture[y1, x0, k] * (1.0 - fx) + texture[y1, x1, k] * fx
                color[k] = top * (1.0 - fy) + low * fy
            open_here = wa * open_sky[a] + wb * open_sky[b] + wc * open_sky[c]
            facing = nx * lx + ny * ly + nz * lz
            lit = 1.0
            if facing > -WRAP:
                lit = _lit_at(wa, wb, wc, light_points[a], light_points[b], light_points[c], light_heights, facing)
            if material[t] == SKIN:
                dark = crease[y0, x0] * (1.0 - fx) + crease[y0, x1] * fx
                dark = dark * (1.0 - fy) + (crease[y1, x0] * (1.0 - fx) + crease[y1, x1] * fx) * fy
                open_here *= 1.0 - dark
                lit *= 1.0 - 0.8 * dark
            elif material[t] == WET:
                # Light that went through lips and cheeks and around inside the mouth.
                open_here, lit = max(open_here, 0.75), max(lit, 0.6)

            elif material[t] == SOLID:
                open_here = max(open_here, 0.3)  # hair and cloth let some light through
            sky = ambient * open_here * (0.8 + 0.2 * ny)
            gloss = max(nx * hx + ny * hy + nz * hz, 0.0)
            if material[t] == EYE:
                shine = color[3] * (1.3 * gloss**300 + 0.05 * gloss**30)
            else:
                shine = color[3] * (0.55 * gloss**24 + 0.1 * gloss**6)
            shine *= lit * intensity * (1.0 if facing > 0.0 else 0.0)
            # Light seeps through skin: the terminator is soft and red.
            soft = WRAP if material[t] == SKIN else 0.12
            for k in range(3):
                wrap = soft * (1.0 if k == 0 else 0.8)
                diffuse = max(facing + wrap, 0.0) / (1.0 + wrap)
                shadow = lit if k else lit + (0.025 * (1.0 - lit) if material[t] == SKIN else 0.0)
                picture[row, column, k] = EXPOSURE * (color[k] * (sky + intensity * diffuse * shadow) + shine)
