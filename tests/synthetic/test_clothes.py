import numpy as np

from tfface.synthetic import clothes, head


def test_the_shirt_covers_the_end_of_the_mesh_and_leaves_the_face_free():
    neutral = head.neutral({})
    [shirt] = clothes.meshes(5, neutral)
    assert shirt.vertices[:, 1].min() < neutral[:, 1].min() - 2
    assert shirt.vertices[:, 1].max() < 6.6  # below the chin
    assert shirt.triangles.max() < len(shirt.vertices)
    assert np.isfinite(shirt.vertices).all()


def test_its_colour_belongs_to_the_person():
    neutral = head.neutral({})
    colors = [clothes.meshes(identity, neutral)[0].texture for identity in (5, 5, 6)]
    np.testing.assert_array_equal(colors[0], colors[1])
    assert np.abs(colors[0] - colors[2]).max() > 0.01
    assert (colors[0] >= 0).all() and (colors[0] <= 1).all()
