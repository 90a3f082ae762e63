"""A z-buffer and the loops around it, compiled by numba: plain scalar code, so the same bytes on every run and worker.

No `fastmath` and no parallel loops: both would let the result depend on the machine or the number of threads.
"""

import numba
import numpy as np

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

OUTSIDE = -1e-9  # rounding must not open a gap between triangles that share an edge


@compiled
def rasterize(points, triangles, two_sided, size):
    """Finds the nearest triangle at the centre of each pixel.

    Args:
        points: (V, 3) float64: column and row in pixels (centres at +0.5, row 0 on top) and nearness, which must be
            linear in the picture (1 / distance for a perspective view, -distance for a parallel one).
        triangles: (T, 3) int32. Those that run counter-clockwise in a y-up picture are front faces.
        two_sided: (T,) bool, whether the back is drawn too.
        size: side of the square picture in pixels.

    Returns:
        number (size, size) int32 of the triangle or -1, weights (size, size, 2) float32 of its second and third corner
        (linear in the picture), nearness (size, size) float64, -inf where nothing is. Of equally near triangles the
        first wins.
    """
    number = np.full((size, size), -1, np.int32)
    weights = np.zeros((size, size, 2), np.float32)
    nearness = np.full((size, size), -np.inf)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        xa, ya, za = points[a, 0], points[a, 1], points[a, 2]
        xb, yb, zb = points[b, 0], points[b, 1], points[b, 2]
        xc, yc, zc = points[c, 0], points[c, 1], points[c, 2]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area == 0.0 or (area > 0.0 and not two_sided[t]):
            continue
        left = max(0, int(np.ceil(min(xa, xb, xc) - 0.5)))
        right = min(size - 1, int(np.floor(max(xa, xb, xc) - 0.5)))
        top = max(0, int(np.ceil(min(ya, yb, yc) - 0.5)))
        bottom = min(size - 1, int(np.floor(max(ya, yb, yc) - 0.5)))
        if right < left:
            continue
        # Each weight is linear along a row: start + slope * x.
        slope_a, slope_b = (yb - yc) / area, (yc - ya) / area
        for row in range(top, bottom + 1):
            y = row + 0.5
            start_a = (xb * (yc - y) - xc * (yb - y)) / area
            start_b = (xc * (ya - y) - xa * (yc - y)) / area
            begin, end = left, right
            if right - left > 8:
                # Only columns between the leftmost and the rightmost edge at this row, with a pixel to spare.
                low, high = np.inf, -np.inf
                for x0, y0, x1, y1 in ((xa, ya, xb, yb), (xb, yb, xc, yc), (xc, yc, xa, ya)):
                    if min(y0, y1) <= y <= max(y0, y1) and y0 != y1:
                        x = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
                        low, high = min(low, x), max(high, x)
                if low <= high:
                    begin, end = int(max(low - 1.5, begin)), int(min(high + 0.5, end))
            for column in range(begin, end + 1):
                wa = start_a + slope_a * (column + 0.5)
                wb = start_b + slope_b * (column + 0.5)
                wc = 1.0 - wa - wb
                if wa < OUTSIDE or wb < OUTSIDE or wc < OUTSIDE:
                    continue
                near = wa * za + wb * zb + wc * zc
                if near > nearness[row, column]:
                    nearness[row, column] = near
                    number[row, column] = t
                    weights[row, column, 0] = wb
                    weights[row, column, 1] = wc
    return number, weights, nearness


@compiled
def vertex_normals(vertices, triangles):
    """Returns (V, 3) float32 unit normals, weighted by area; zero for vertices of no triangle."""
    total = np.zeros((vertices.shape[0], 3))
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        px, py, pz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        qx, qy, qz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for v in (a, b, c):
            total[v, 0] += nx
            total[v, 1] += ny
            total[v, 2] += nz
    result = np.zeros(total.shape, np.float32)
    for v in range(total.shape[0]):
        length = np.sqrt(total[v, 0] ** 2 + total[v, 1] ** 2 + total[v, 2] ** 2)
        if length > 0.0:
            for axis in range(3):
                result[v, axis] = total[v, axis] / length
    return result


@compiled
def add_offsets(vertices, start, index, offset, numbers, amounts):
    """Adds sparse targets to `vertices` (V, 3) in place: number n, rows start[n]:start[n + 1], by its amount."""
    for k in range(numbers.shape[0]):
        amount = amounts[k]
        for i in range(start[numbers[k]], start[numbers[k] + 1]):
            v = index[i]
            vertices[v, 0] += amount * offset[i, 0]
            vertices[v, 1] += amount * offset[i, 1]
            vertices[v, 2] += amount * offset[i, 2]
