"""Faces are found, all of them, at any size and turn, with landmarks where they belong and poses in our signs."""

import csv

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from tfface import alignment, images
from tfface.errors import InputError
from tfface.faces import Landmarker

# Corners of eyes and mouth, nose tip, lips and chin of scikit-image's astronaut, read off the picture by eye (x, y).
BY_EYE = {
    36: (194, 101), 39: (212, 102), 42: (236, 104), 45: (257, 103), 30: (224, 126),
    48: (204, 140), 54: (246, 140), 51: (224, 140), 57: (224, 157), 8: (225, 178),
}  # fmt: skip


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture(scope="module")
def astronaut(landmarker):
    (face,) = landmarker.find(data.astronaut())
    return face


def moved(photo, matrix, size):
    return images.warp(photo, matrix, size, border="black")


def similarity(scale, angle, centre, place):
    """2x3 matrix: `centre` goes to `place`; positive angles turn counterclockwise, as the eye sees it."""
    c, s = np.cos(np.deg2rad(angle)) * scale, np.sin(np.deg2rad(angle)) * scale
    rotation = np.array([[c, s], [-s, c]])
    return np.column_stack([rotation, np.asarray(place) - rotation @ centre])


def test_astronaut(astronaut):
    for index, place in BY_EYE.items():
        assert np.linalg.norm(astronaut.landmarks[index] - place) < 5, index
    left, top, right, bottom = astronaut.box
    assert (astronaut.landmarks >= (left, top)).all() and (astronaut.landmarks <= (right, bottom)).all()
    assert astronaut.score > 0.8 and astronaut.presence > 0.9
    assert astronaut.blendshape("mouthSmileLeft") > 0.5 > astronaut.blendshape("jawOpen")


def test_landmarks_are_in_ibug_order(astronaut):
    points = astronaut.landmarks
    assert (np.diff(points[:17, 0]) > -3).all() and points[8, 1] == points[:17, 1].max()  # jaw, image left to right
    assert (np.diff(points[17:27, 0]) > 0).all()  # eyebrows
    assert (np.diff(points[27:31, 1]) > 0).all()  # bridge, downwards
    for eye in (36, 42):
        assert points[eye, 0] < points[eye + 1, 0] < points[eye + 2, 0] < points[eye + 3, 0]
        assert points[eye + 1 : eye + 3, 1].mean() < points[eye + 4 : eye + 6, 1].mean()
    assert points[51, 1] < points[62, 1] <= points[66, 1] < points[57, 1]  # lips, from the top
    assert points[27:36, 1].max() < points[48:, 1].min() + 3


def test_signs_of_the_pose(landmarker, astronaut):
    yaw, pitch, roll = astronaut.pose
    mirrored = landmarker.find(np.ascontiguousarray(data.astronaut()[:, ::-1]))[0].pose
    np.testing.assert_allclose(mirrored, (-yaw, pitch, -roll), atol=2.5)
    # Turned counterclockwise the top of the head tips to the image's left: positive roll.
    turned = moved(data.astronaut(), similarity(1, 20, (224, 120), (256, 256)), 512)
    np.testing.assert_allclose(landmarker.find(turned)[0].pose, (yaw, pitch, roll + 20), atol=2.5)


@pytest.mark.parametrize("turn", [90, 180, 215])
def test_turned_photos(landmarker, astronaut, turn):
    photo = moved(data.astronaut(), similarity(0.8, turn, (224, 120), (256, 256)), 512)
    (face,) = landmarker.find(photo)
    assert abs((face.pose[2] - astronaut.pose[2] - turn + 180) % 360 - 180) < 4


def test_every_face_of_a_group_from_left_to_right(landmarker):
    portrait = data.astronaut()[:220, 110:340]
    photo = np.full((900, 1400, 3), 120, np.uint8)
    places = [(1150, 500, 1.0), (20, 40, 1.4), (450, 600, 0.5), (700, 100, 0.35), (900, 700, 0.7)]
    for x, y, scale in places:
        part = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        photo[y : y + part.shape[0], x : x + part.shape[1]] = part
    faces = landmarker.find(photo)
    middles = [(face.box[:2] + face.box[2:]) / 2 for face in faces]
    expected = sorted((x + 114 * scale, y + 118 * scale) for x, y, scale in places)
    assert len(faces) == len(places)
    assert np.abs(np.array(middles) - expected).max() < 20


@settings(max_examples=8, deadline=None)
@given(scale=st.floats(0.6, 3), angle=st.floats(-40, 40), x=st.integers(-40, 40), y=st.integers(-40, 40))
def test_the_crop_does_not_depend_on_how_the_photo_was_taken(landmarker, astronaut, scale, angle, x, y):
    before = images.warp(data.astronaut(), alignment.alignment_matrix(astronaut.landmarks, 96), 96)
    photo = moved(data.astronaut(), similarity(scale, angle, (224, 120), (320 + x, 320 + y)), 640)
    (face,) = [
        face for face in landmarker.find(photo) if np.abs(face.landmarks.mean(0) - (320 + x, 320 + y)).max() < 60
    ]
    after = images.warp(photo, alignment.alignment_matrix(face.landmarks, 96), 96)
    inner = np.s_[28:80, 22:74]  # the face without what the turned photo may have lost
    before, after = (cv2.GaussianBlur(crop[inner], (0, 0), 1.5).astype(int) for crop in (before, after))
    assert np.abs(after - before).mean() < 6
    moved_points = alignment.apply(alignment.alignment_matrix(face.landmarks, 96), face.landmarks)
    points = alignment.apply(alignment.alignment_matrix(astronaut.landmarks, 96), astronaut.landmarks)
    assert np.linalg.norm(moved_points - points, axis=1).mean() < 1.2


def test_alignment_inverse_and_frame(astronaut):
    matrix = alignment.alignment_matrix(astronaut.landmarks, 128)
    back = alignment.apply(alignment.invert(matrix), alignment.apply(matrix, astronaut.landmarks))
    np.testing.assert_allclose(back, astronaut.landmarks, atol=1e-3)
    inside = alignment.apply(matrix, astronaut.landmarks)
    assert inside.min() > 8 and inside.max() < 120
    eyes = inside[36:48].reshape(2, 6, 2).mean(1)
    assert abs(eyes[0, 1] - eyes[1, 1]) < 4  # level, but for what the nose says


def test_no_face_and_bad_arrays(landmarker):
    assert landmarker.find(data.coffee()) == []
    assert landmarker.find(np.zeros((5, 900, 3), np.uint8)) == []
    for shape, kind in (((8, 8), np.uint8), ((8, 8, 4), np.uint8), ((8, 8, 3), np.float32)):
        with pytest.raises(InputError, match="uint8 RGB"):
            landmarker.find(np.zeros(shape, kind))


def test_follow(landmarker, astronaut):
    shifted = np.roll(data.astronaut(), (4, -6), (0, 1))
    face = landmarker.follow(shifted, astronaut)
    assert np.abs(face.landmarks - astronaut.landmarks - (-6, 4)).max() < 2.5
    assert landmarker.follow(np.zeros((512, 512, 3), np.uint8), astronaut) is None


def test_every_real_face_is_found(landmarker, real_data):
    photos = [*sorted(real_data.glob("portraits/*/*.jpg"))[::5], *sorted(real_data.glob("london/*/*.jpg"))[::6]]
    photos += sorted(real_data.glob("celeba/img_align_celeba/*"))[::75]
    assert len(photos) > 50
    missed = [path.name for path in photos if not landmarker.find(images.read_image(path))]
    assert missed == []


def test_pose_agrees_with_other_estimates(landmarker, real_data):
    rows = list(csv.DictReader((real_data / "celeba_pose" / "pose_estimates.csv").open()))[::30]
    pairs = []
    for row in rows:
        faces = landmarker.find(images.read_image(real_data / "celeba_pose" / "images" / row["file"]))
        if faces:
            largest = max(faces, key=lambda face: face.size)
            pairs.append((largest.pose, [float(row[angle]) for angle in ("yaw", "pitch", "roll")]))
    ours, theirs = np.array(pairs).transpose(1, 0, 2)
    assert len(pairs) >= 0.96 * len(rows)
    assert (np.abs(ours - theirs).mean(0) < 2.5).all()
