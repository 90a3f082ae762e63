import numpy as np

from tfface.synthetic import camera, head, landmarks, raster, shading
from tfface.synthetic.scene import action_units


def openness(**units):
    geometry = head.deform({}, action_units(**units))
    template = head.template()
    vertices = (geometry.vertices - camera.pivot(geometry.neutral))[template.source]
    normals = head.normals(geometry.vertices)[template.source]
    both = np.zeros(len(template.triangles), bool)
    open_sky = shading.openness(vertices, normals, template.triangles, both, len(vertices))
    result = np.zeros(len(template.vertices))
    result[template.source] = open_sky
    return result


def test_hollows_are_less_open_than_what_stands_out():
    result = openness()
    assert (result >= 0).all() and (result <= 1).all()
    tip, brow, under_nose, corner = result[landmarks.VERTICES[[30, 19, 33, 39]]]
    assert min(tip, brow) > 0.84
    assert max(under_nose, corner) < 0.83


def test_an_open_mouth_lets_light_in():
    tongue = head.template().part_vertices["helper-tongue"]
    assert openness()[tongue].max() < 0.3
    assert openness(AU26=5)[tongue].max() > 0.3


def test_looking_along_a_direction_turns_it_to_the_camera():
    for direction in np.array([[0, 0, 1.0], [0.6, 0, 0.8], [0, 1, 0], [0, 0.96, 0.28], [-0.5, 0.5, -0.5]]):
        rotation = shading.look_along(direction)
        np.testing.assert_allclose(rotation @ direction / np.linalg.norm(direction), [0, 0, 1], atol=1e-12)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(rotation), 1)


def test_shadow_falls_behind_what_stands_in_the_light():
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    points, heights = shading.depth_view(square, faces, np.zeros(2, bool), np.eye(3), 32, 2.0)
    assert points[:, 2].tolist() == [0, 0, 0, 0]
    assert shading.lit_share(heights, 16.0, 16.0, -0.5, 0.01) == 0
    np.testing.assert_allclose(shading.lit_share(heights, 16.0, 16.0, 0.0, 0.01), 1)
    np.testing.assert_allclose(shading.lit_share(heights, 2.0, 2.0, -0.5, 0.01), 1)
    edge = shading.lit_share(heights, 8.0, 16.0, -0.5, 0.01)
    assert 0.2 < edge < 0.8
    assert raster.rasterize(points, faces, np.zeros(2, bool), 32)[0].max() >= 0
