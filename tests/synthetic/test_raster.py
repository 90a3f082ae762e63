import numpy as np
import pytest

from tfface.synthetic import raster


def by_hand(points, triangles, two_sided, size):
    """The definition, pixel by pixel and with barycentric coordinates from a linear system."""
    number = np.full((size, size), -1)
    nearness = np.full((size, size), -np.inf)
    weights = np.zeros((size, size, 2))
    for row in range(size):
        for column in range(size):
            for t, corners in enumerate(triangles):
                p = points[corners]
                across, down = p[1, :2] - p[0, :2], p[2, :2] - p[0, :2]
                area = across[0] * down[1] - across[1] * down[0]
                if area == 0 or (area > 0 and not two_sided[t]):
                    continue
                b, c = np.linalg.solve(np.stack([across, down], 1), [column + 0.5 - p[0, 0], row + 0.5 - p[0, 1]])
                a = 1 - b - c
                near = a * p[0, 2] + b * p[1, 2] + c * p[2, 2]
                if min(a, b, c) >= 0 and near > nearness[row, column]:
                    number[row, column], nearness[row, column], weights[row, column] = t, near, (b, c)
    return number, weights, nearness


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    size = 17
    points = np.column_stack([rng.uniform(-6, size + 6, (36, 2)), rng.uniform(0.1, 1, 36)])
    triangles = rng.permutation(36).reshape(12, 3).astype(np.int32)
    two_sided = rng.uniform(size=12) < 0.5
    number, weights, nearness = raster.rasterize(points, triangles, two_sided, size)
    expected = by_hand(points, triangles, two_sided, size)
    np.testing.assert_array_equal(number, expected[0])
    np.testing.assert_allclose(weights, expected[1], atol=1e-6)
    np.testing.assert_allclose(nearness, expected[2], rtol=1e-9)
    assert (number >= 0).any()
    assert (number < 0).any()


def test_a_shared_edge_leaves_no_hole_and_the_first_of_equals_wins():
    points = np.array([[0, 0, 1.0], [8, 0, 1], [8, 8, 1], [0, 8, 1]])
    square = np.array([[0, 3, 2], [0, 2, 1]], np.int32)
    number, _, _ = raster.rasterize(points, square, np.zeros(2, bool), 8)
    assert set(number.ravel()) == {0, 1}
    twice = np.concatenate([square, square])
    again, _, _ = raster.rasterize(points, twice, np.zeros(4, bool), 8)
    np.testing.assert_array_equal(again, number)


def test_backs_are_drawn_only_when_two_sided():
    points = np.array([[0, 0, 1.0], [8, 0, 1], [0, 8, 1]])
    back = np.array([[0, 1, 2]], np.int32)
    assert (raster.rasterize(points, back, np.array([False]), 8)[0] == -1).all()
    assert (raster.rasterize(points, back, np.array([True]), 8)[0] == 0).any()


def test_normals_of_a_cube_corner_and_of_loose_vertices():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5]], np.float32)
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2]], np.int32)
    normals = raster.vertex_normals(vertices, triangles)
    np.testing.assert_allclose(normals[0], -np.ones(3) / np.sqrt(3), atol=1e-6)
    np.testing.assert_array_equal(normals[4], 0)
