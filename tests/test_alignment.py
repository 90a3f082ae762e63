"""Framing of faces: one similarity transform, the same for every size, turn and place of the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfface import alignment


def face(half=10.0):
    """68 points of an upright face whose eyes are `half` left and right of (50, 40); only eyes and nose base count."""
    points = np.full((68, 2), np.nan)
    points[36:42], points[42:48] = (50 - half, 40), (50 + half, 40)
    points[31:36] = 50, 40 + alignment.NOSE_LENGTH * half
    return points


def test_an_upright_face_lies_where_the_constants_say():
    matrix = alignment.alignment_matrix(face(), 68)
    eyes = alignment.apply(matrix, [[40, 40], [60, 40]])
    scale = 68 / (2 * alignment.HALF_SIZE)  # pixels for half the eye distance
    assert np.allclose(
        eyes, [[34 - scale, 34 - alignment.CENTRE_BELOW_EYES * scale]] + np.array([[0, 0], [2 * scale, 0]])
    )


def test_margin_shows_more():
    near, far = (alignment.alignment_matrix(face(), 64, margin) for margin in (1.0, 2.0))
    assert np.allclose(near[:, :2], 2 * far[:, :2])


def test_eyes_that_draw_together_do_not_change_the_size():
    turned = face()
    turned[36:42, 0], turned[42:48, 0] = 45, 55  # yaw of 60 degrees halves their distance
    assert np.allclose(alignment.alignment_matrix(turned, 64), alignment.alignment_matrix(face(), 64))


def test_mouth_brows_and_jaw_do_not_count():
    known = face()
    moved = np.where(np.isnan(known), 7.0, known)
    assert np.array_equal(alignment.alignment_matrix(known, 64), alignment.alignment_matrix(moved, 64))


@given(st.floats(-180, 180), st.floats(0.2, 5), st.floats(-100, 100), st.floats(-100, 100))
def test_the_crop_follows_the_face(angle, zoom, x, y):
    turn = np.deg2rad(angle)
    similarity = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]]) * zoom
    similarity[:, 2] = x, y
    moved = alignment.apply(similarity, face())
    points = face()[36:48]
    here = alignment.apply(alignment.alignment_matrix(face(), 64), points)
    there = alignment.apply(alignment.alignment_matrix(moved, 64), moved[36:48])
    assert np.allclose(here, there, atol=1e-6)


def test_inverse():
    matrix = alignment.alignment_matrix(face(), 64)
    points = np.array([[1.0, 2.0], [-3.0, 40.0]])
    assert alignment.apply(alignment.invert(matrix), alignment.apply(matrix, points)) == pytest.approx(points)
