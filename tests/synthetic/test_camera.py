import numpy as np
import pytest

from tfface import alignment
from tfface.synthetic import attributes, camera, head, landmarks, people
from tfface.synthetic.scene import Camera, Pose

SHAPE = people.person(4, attributes.default_attributes(4)).shape


def project(pose, crop):
    neutral = head.neutral(SHAPE)
    points, _, distance = camera.project(neutral[landmarks.VERTICES], camera.pivot(neutral), pose, crop)
    return points, distance


@pytest.mark.parametrize("pose", [Pose(), Pose(35, 0, 0), Pose(-20, 15, 0), Pose(10, -20, 8)])
@pytest.mark.parametrize("margin", [1.0, 1.3])
def test_an_aligned_view_is_what_alignment_would_crop(pose, margin):
    upright, crop = camera.aligned(SHAPE, pose, field_of_view=25, margin=margin)
    assert (upright.yaw, upright.pitch) == (pose.yaw, pose.pitch)
    points, _ = project(upright, crop)
    matrix = alignment.alignment_matrix(points * 128, 128, margin)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-4)


def test_scale_and_shift_act_in_the_picture():
    plain, _ = project(Pose(20), Camera(0.3, 0, 0, 20))
    moved, _ = project(Pose(20), Camera(0.6, 0.1, -0.2, 20))
    np.testing.assert_allclose(moved - 0.5, 2 * (plain - 0.5) + [0.1, -0.2], atol=1e-12)


def test_perspective_enlarges_what_is_near():
    wide, distance = project(Pose(), Camera(0.3, 0, 0, 50))
    narrow, _ = project(Pose(), Camera(0.3, 0, 0, 2))
    eyes = [36, 45]
    assert np.ptp(wide[eyes, 0]) > 1.1 * np.ptp(narrow[eyes, 0])
    assert distance[30] < distance[0]


def test_centred_puts_the_head_in_the_middle_for_any_yaw():
    neutral = head.neutral(SHAPE)
    skull = neutral[head.template().skin_vertices]
    skull = skull[skull[:, 1] > neutral[landmarks.VERTICES[8], 1]]
    for yaw in (-90, -40, 0, 90):
        points, _, _ = camera.project(skull, camera.pivot(neutral), Pose(yaw), camera.centred())
        assert (np.abs((points.max(0) + points.min(0)) / 2 - 0.5) < 0.1).all()
        assert points.min() > 0.05
        assert points.max() < 0.95


def test_steady_frames_an_average_frontal_face_as_a_crop_does():
    found = []
    for identity in range(12):
        neutral = head.neutral(people.person(identity, attributes.default_attributes(identity)).shape)
        for margin in (1.0, 1.3):
            points, _, _ = camera.project(
                neutral[landmarks.VERTICES], camera.pivot(neutral), Pose(), camera.steady(margin)
            )
            found.append(alignment.alignment_matrix(points, 1.0, margin))
    np.testing.assert_allclose(np.mean(found, 0), [[1, 0, 0], [0, 1, 0]], atol=0.06)
