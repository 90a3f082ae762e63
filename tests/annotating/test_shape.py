"""EmotioNet's shape features: how many there are, what they are, and that turning the head does not change them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfface import faces
from tfface.annotating import shape
from tfface.conventions import rotation_matrix

# A mesh as the landmarker gives it: pixels, y down, z away; with ten points for the irises.
AVERAGE = np.concatenate([faces.average_mesh(), np.zeros((10, 3))]) * (1, -1, -1)


def test_as_many_numbers_as_the_paper_has():
    p, t = len(shape.POINTS), len(shape.triangles())
    assert (p, t) == (66, 107)
    assert len(shape.features(shape.frontal(AVERAGE)[0])) == p * (p - 1) // 2 + 3 * t == 2466


def test_distances_and_angles_by_hand():
    points, _ = shape.frontal(AVERAGE)
    marks = shape.landmarks(points)[shape.POINTS, :2]
    found = shape.features(points)
    assert found[0] == pytest.approx(np.linalg.norm(marks[0] - marks[1]), abs=1e-5)
    assert found[2144] == pytest.approx(np.linalg.norm(marks[64] - marks[65]), abs=1e-5)
    a, b, c = marks[shape.triangles()[0]]
    cosine = (b - a) @ (c - a) / np.linalg.norm(b - a) / np.linalg.norm(c - a)
    assert found[2145] == pytest.approx(np.arccos(cosine), abs=1e-4)
    np.testing.assert_allclose(found[2145:].reshape(-1, 3).sum(1), np.pi, rtol=1e-4)


def test_triangles_cover_the_hull_once():
    marks = shape.landmarks(faces.average_mesh())[shape.POINTS, :2]
    a, b, c = (marks[shape.triangles()[:, k]] for k in range(3))
    (abx, aby), (acx, acy) = (b - a).T, (c - a).T
    from scipy.spatial import ConvexHull

    assert np.abs(abx * acy - aby * acx).sum() / 2 == pytest.approx(ConvexHull(marks).volume)


@given(
    st.floats(-60, 60), st.floats(-40, 40), st.floats(-170, 170), st.floats(20, 900), st.floats(-1000, 1000),
)  # fmt: skip
def test_pose_size_and_place_do_not_matter(yaw, pitch, roll, size, place):
    turn = np.diag([1, -1, -1]) @ rotation_matrix(yaw, pitch, roll) @ np.diag([1, -1, -1])
    moved = AVERAGE @ turn.T * size + place
    points, pose = shape.frontal(moved)
    np.testing.assert_allclose(pose, (yaw, pitch, roll), atol=1e-3)
    np.testing.assert_allclose(points, shape.frontal(AVERAGE)[0], atol=1e-3)
    eyes = shape.landmarks(points)[36:48].mean(0)
    np.testing.assert_allclose(eyes, 0, atol=1e-4)
