"""Signs of every tool against pictures: where the nose, the eyes and the light really are."""

import csv
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfface import alignment, conventions, faces

ANGLE = st.floats(-80, 80)


@given(ANGLE, ANGLE, ANGLE)
def test_pose_angles_inverts_rotation_matrix(yaw, pitch, roll):
    assert conventions.pose_angles(conventions.rotation_matrix(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll))


def test_signs_of_pose_and_light():
    nose, top = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    assert (conventions.rotation_matrix(20, 0, 0) @ nose)[0] > 0.3  # to the image's right
    assert (conventions.rotation_matrix(0, 20, 0) @ nose)[1] < -0.3  # down
    assert (conventions.rotation_matrix(0, 0, 20) @ top)[0] < -0.3  # to the image's left
    assert conventions.light_direction(30, 0)[0] > 0.4
    assert conventions.light_direction(0, 30)[1] > 0.4


@given(ANGLE, ANGLE, ANGLE)
def test_mirror_of_a_pose_is_the_mirrored_rotation(yaw, pitch, roll):
    mirror = np.diag([-1, 1, 1])
    expected = mirror @ conventions.rotation_matrix(yaw, pitch, roll) @ mirror
    np.testing.assert_allclose(
        conventions.rotation_matrix(*conventions.mirror_pose((yaw, pitch, roll))), expected, atol=1e-9
    )


@given(ANGLE, ANGLE)
def test_mirror_of_a_light_is_the_mirrored_direction(azimuth, elevation):
    expected = conventions.light_direction(azimuth, elevation) * (-1, 1, 1)
    mirrored = conventions.light_direction(*conventions.mirror_light((azimuth, elevation)))
    np.testing.assert_allclose(mirrored, expected, atol=1e-9)


def test_mirrored_landmarks_keep_their_meaning(frontal_landmarks):
    points = conventions.mirror_landmarks(frontal_landmarks, 100)
    np.testing.assert_allclose(points, frontal_landmarks)  # a symmetric face in the middle is its own mirror image
    assert sorted(conventions.LANDMARK_MIRROR) == list(range(68))
    np.testing.assert_array_equal(conventions.LANDMARK_MIRROR[conventions.LANDMARK_MIRROR], np.arange(68))


@pytest.fixture
def frontal_landmarks():
    """A symmetric face of 68 points in a picture 100 wide, drawn from the definition of the iBUG order."""
    right = {8: (0, 40), 27: (0, -10), 28: (0, -5), 29: (0, 0), 30: (0, 5), 33: (0, 10), 51: (0, 18), 57: (0, 26),
             62: (0, 20), 66: (0, 23)}  # fmt: skip
    for i in range(8):  # jaw, from the ear down
        right[16 - i] = (30 - i * 2, -10 + i * 6)
    for i in range(5):  # brow, from the outer end in
        right[26 - i] = (25 - 4 * i, -20 - i % 3)
    right |= {35: (6, 9), 34: (3, 10)}
    right |= {45: (20, -10), 44: (17, -12), 43: (13, -12), 42: (10, -10), 47: (13, -8), 46: (17, -8)}
    right |= {54: (12, 21), 53: (8, 19), 52: (4, 18), 55: (8, 24), 56: (4, 26)}
    right |= {64: (9, 21), 63: (4, 20), 65: (4, 23)}
    partner = {16 - i: i for i in range(8)} | {26 - i: 17 + i for i in range(5)} | {35: 31, 34: 32}
    partner |= {45: 36, 44: 37, 43: 38, 42: 39, 47: 40, 46: 41}
    partner |= {54: 48, 53: 49, 52: 50, 55: 59, 56: 58, 64: 60, 63: 61, 65: 67}
    points = np.full((68, 2), np.nan)
    for i, (x, y) in right.items():
        points[i] = 50 + x, 50 + y
        if i in partner:
            points[partner[i]] = 50 - x, 50 + y
    assert not np.isnan(points).any()
    return points


def test_pose_in_a_crop_turns_with_the_crop(frontal_landmarks):
    turn = 25.0  # the picture shows the head tipped to the image's left
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    picture = (frontal_landmarks - 50) @ np.array([[c, -s], [s, c]]) + 50
    matrix = alignment.alignment_matrix(picture, 128)
    assert conventions.pose_in_crop((3, 4, turn), matrix) == pytest.approx((3, 4, 0), abs=1e-6)


@pytest.mark.parametrize("converter", [conventions.pose_from_hopenet, conventions.pose_from_openface])
def test_converted_single_angles_keep_their_size(converter):
    one = math.radians(20) if converter is conventions.pose_from_openface else 20
    for axis in range(3):
        angles = [0, 0, 0]
        angles[axis] = one
        assert sorted(np.abs(converter(*angles))) == pytest.approx([0, 0, 20], abs=1e-9)


def test_hopenet_draws_what_we_call_the_same_pose():
    """The three axes as deep-head-pose's draw_axis puts them in the picture, against ours."""
    yaw, pitch, roll = 25.0, -15.0, 10.0
    p, y, r = np.deg2rad([pitch, -yaw, roll])
    drawn = [
        (np.cos(y) * np.cos(r), np.cos(p) * np.sin(r) + np.cos(r) * np.sin(p) * np.sin(y)),  # to the head's right side
        (-np.cos(y) * np.sin(r), np.cos(p) * np.cos(r) - np.sin(p) * np.sin(y) * np.sin(r)),  # down
        (np.sin(y), -np.cos(y) * np.sin(p)),  # out of the face
    ]
    ours = conventions.rotation_matrix(*conventions.pose_from_hopenet(yaw, pitch, roll))
    picture = ours[:2] * [[1], [-1]]  # y down
    np.testing.assert_allclose(picture @ [1, 0, 0], drawn[0], atol=1e-9)
    np.testing.assert_allclose(picture @ [0, -1, 0], drawn[1], atol=1e-9)
    np.testing.assert_allclose(picture @ [0, 0, 1], drawn[2], atol=1e-9)


def appearance(landmarks):
    """Returns numbers that grow with yaw, pitch and roll, from the picture alone."""
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    across = right - left
    angle = math.atan2(across[1], across[0])
    c, s = math.cos(angle), math.sin(angle)
    upright = (landmarks - left) @ np.array([[c, -s], [s, c]])
    sideways = upright[30, 0] - (upright[0, 0] + upright[16, 0]) / 2  # nose tip against the middle of the jaw's ends
    down = (upright[30, 1] - upright[27, 1]) / (upright[8, 1] - upright[27, 1])  # nose tip's place from brow to chin
    return sideways / np.linalg.norm(across), down, -math.degrees(angle)


def correlations(ours, seen):
    return [np.corrcoef(a, b)[0, 1] for a, b in zip(np.transpose(ours), np.transpose(seen), strict=True)]


def test_openface_pose_on_a_real_clip(real_data):
    with open(real_data / "openface/clip_00116/00116.csv", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    ours = [conventions.pose_from_openface(*(float(r[f"pose_R{a}"]) for a in "xyz")) for r in rows]
    seen = [appearance(np.array([(float(r[f"x_{i}"]), float(r[f"y_{i}"])) for i in range(68)])) for r in rows]
    yaw, pitch, roll = correlations(ours, seen)
    assert yaw > 0.9 and pitch > 0.5 and roll > 0.95
    assert np.polyfit(np.array(seen)[:, 2], np.array(ours)[:, 2], 1)[0] == pytest.approx(1, abs=0.15)


def test_celeba_pose_estimates_have_our_signs(real_data):
    landmarker = faces.Landmarker()
    names = ("yaw", "pitch", "roll")
    with open(real_data / "celeba_pose/pose_estimates.csv", newline="") as file:
        rows = [(row["file"], [float(row[name]) for name in names]) for row in csv.DictReader(file)]
    for axis, name in enumerate(names):
        # The other two small: a turned head that nods has a slanted eye line without any roll.
        alone = [row for row in rows if all(abs(a) < 12 for i, a in enumerate(row[1]) if i != axis)]
        alone.sort(key=lambda row: row[1][axis])
        ours, seen = [], []
        for file, pose in alone[:10] + alone[-10:]:
            picture = cv2.imread(str(real_data / "celeba_pose/images" / file))[..., ::-1]
            if found := landmarker.find(picture):
                ours.append(pose[axis])
                seen.append(appearance(max(found, key=lambda face: face.size).landmarks)[axis])
        assert len(ours) > 15
        assert np.corrcoef(ours, seen)[0, 1] > 0.8, name


def test_yale_b_light_on_real_pictures(real_data):
    pictures = sorted((real_data / "yaleb").glob("*.png"))
    sideways, azimuths, upward, elevations = [], [], [], []
    for path in pictures:
        azimuth, elevation = conventions.light_from_yaleb_name(path.name)
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float)[:, 24:-24]  # without the background
        left, right = np.array_split(pixels, 2, axis=1)
        top, bottom = np.array_split(pixels, 2, axis=0)
        if abs(azimuth) >= 20:
            sideways.append((right.mean() - left.mean()) / pixels.mean())
            azimuths.append(azimuth)
        if abs(azimuth) < 20 and abs(elevation) >= 20:
            upward.append((top.mean() - bottom.mean()) / pixels.mean())
            elevations.append(elevation)
    assert np.mean(np.sign(sideways) == np.sign(azimuths)) > 0.97
    assert np.corrcoef(upward, elevations)[0, 1] > 0.5


def test_names_without_a_light():
    assert conventions.light_from_yaleb_name("yaleB06_P00A-020E+65.png") == (20, 65)
    assert conventions.light_from_yaleb_name("yaleB06_P00_Ambient.pgm") is None
