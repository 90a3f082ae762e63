"""Names, order, axes and signs that every part of tfface agrees on, and converters from other tools' conventions.

Axes: x to the image's right, y up, z toward the camera (right-handed). A head pose is
``R = Rz(roll) @ Ry(yaw) @ Rx(pitch)``.

* positive yaw: the nose moves to the image's right;
* positive pitch: the nose goes down;
* positive roll: the top of the head tips to the image's left;
* positive light azimuth: lit from the image's right; positive elevation: lit from above.

A mirror flip of the picture negates yaw, roll and light azimuth. No TensorFlow is imported here.
"""

import re

import numpy as np

# OpenFace's order of 17; intensities are 0-5 in records and 0-1 inside models.
ACTION_UNITS = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12",
    "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26", "AU45",
)  # fmt: skip
ACTION_UNIT_NAMES = {  # Ekman & Friesen's, as OpenFace lists them
    "AU01": "inner brow raiser", "AU02": "outer brow raiser", "AU04": "brow lowerer", "AU05": "upper lid raiser",
    "AU06": "cheek raiser", "AU07": "lid tightener", "AU09": "nose wrinkler", "AU10": "upper lip raiser",
    "AU12": "lip corner puller", "AU14": "dimpler", "AU15": "lip corner depressor", "AU17": "chin raiser",
    "AU20": "lip stretcher", "AU23": "lip tightener", "AU25": "lips part", "AU26": "jaw drop", "AU45": "blink",
}  # fmt: skip
MAX_INTENSITY = 5.0

# CelebA's 40, spelled and ordered as in list_attr_celeba.txt.
ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
)  # fmt: skip
UNKNOWN = -1  # of an attribute, an identity or a landmark's visibility; unknown floats are NaN

# The 13 that AttGAN edits (LynnHo/AttGAN-Tensorflow).
ATTGAN_ATTRIBUTES = (
    "Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Male",
    "Mouth_Slightly_Open", "Mustache", "No_Beard", "Pale_Skin", "Young",
)  # fmt: skip


def rotation_matrix(yaw, pitch, roll):
    """Returns the 3x3 rotation ``Rz(roll) @ Ry(yaw) @ Rx(pitch)``; angles in degrees."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    rx = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return rz @ ry @ rx


def pose_angles(rotation):
    """Returns ``(yaw, pitch, roll)`` in degrees of a 3x3 rotation matrix; the inverse of `rotation_matrix`."""
    r = np.asarray(rotation)
    yaw = np.arcsin(np.clip(-r[2, 0], -1.0, 1.0))
    pitch = np.arctan2(r[2, 1], r[2, 2])
    roll = np.arctan2(r[1, 0], r[0, 0])
    return tuple(float(a) for a in np.rad2deg([yaw, pitch, roll]))


def light_direction(azimuth, elevation):
    """Returns the unit vector from the head toward the light; angles in degrees."""
    a, e = np.deg2rad([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


# --- mirror ---------------------------------------------------------------------------------------------------------
# Where each of the 68 landmarks (iBUG 300-W order) comes from in the mirrored picture.
LANDMARK_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)


def mirror_pose(pose):
    """Returns (yaw, pitch, roll) of the mirrored picture; pose is (..., 3)."""
    return np.asarray(pose) * np.array([-1.0, 1.0, -1.0])


def mirror_light(light):
    """Returns (azimuth, elevation) of the mirrored picture; light is (..., 2)."""
    return np.asarray(light) * np.array([-1.0, 1.0])


def mirror_landmarks(landmarks, width):
    """Returns (68, 2) landmarks of the mirrored picture, in pixels (centres at + 0.5) of a picture of that width."""
    mirrored = np.asarray(landmarks)[LANDMARK_MIRROR]
    return mirrored * np.array([-1.0, 1.0]) + np.array([width, 0.0])


def pose_in_crop(pose, matrix):
    """Returns (yaw, pitch, roll) as seen in a crop.

    Args:
        pose: degrees, in the picture.
        matrix: 2x3 similarity from picture to crop pixels (`alignment.alignment_matrix`). It turns the picture in its
            plane, and as roll is the outermost rotation of a pose, that only changes roll.
    """
    yaw, pitch, roll = pose
    clockwise = np.rad2deg(np.arctan2(matrix[1][0], matrix[0][0]))
    return float(yaw), float(pitch), float((roll - clockwise + 180.0) % 360.0 - 180.0)


# --- other tools ----------------------------------------------------------------------------------------------------
def _pose_of_xyz(x, y, z):
    """Returns our angles of ``Rx(x) @ Ry(y) @ Rz(z)``, degrees, in our axes: the order of most pose tools."""
    rx, ry, rz = rotation_matrix(0, x, 0), rotation_matrix(y, 0, 0), rotation_matrix(0, 0, z)
    return pose_angles(rx @ ry @ rz)


def pose_from_openface(pose_rx, pose_ry, pose_rz):
    """Returns (yaw, pitch, roll) in degrees from OpenFace's pose_Rx, pose_Ry, pose_Rz in radians.

    OpenFace composes Rx @ Ry @ Rz in the camera's axes (x right, y down, z away from the camera). Turning these by 180
    degrees about x gives ours, which reverses the rotations about y and z and keeps the one about x.
    """
    x, y, z = np.rad2deg([pose_rx, pose_ry, pose_rz])
    return _pose_of_xyz(x, -y, -z)


def pose_to_openface(yaw, pitch, roll):
    """Returns OpenFace's (pose_Rx, pose_Ry, pose_Rz) in radians; the inverse of `pose_from_openface`."""
    r = rotation_matrix(yaw, pitch, roll)  # = Rx(x) @ Ry(y) @ Rz(z)
    x, y, z = np.arctan2(-r[1, 2], r[2, 2]), np.arcsin(np.clip(r[0, 2], -1, 1)), np.arctan2(-r[0, 1], r[0, 0])
    return float(x), float(-y), float(-z)


def pose_from_hopenet(yaw, pitch, roll):
    """Returns (yaw, pitch, roll) in degrees from Hopenet's, degrees too (CelebAMask-HQ's pose file is Hopenet's).

    Its drawing code (natanielruiz/deep-head-pose, utils.draw_axis) shows the angles: yaw is negated, then the axes of
    Rx @ Ry @ Rz are drawn in a picture with y down and the nose along +z, toward the viewer. Mirroring y gives our axes
    and reverses the rotations about x and z: all three are opposite to ours.
    """
    return _pose_of_xyz(-pitch, -yaw, -roll)


def light_from_yaleb(azimuth, elevation):
    """Returns (azimuth, elevation) in degrees from the numbers in an Extended Yale B file name.

    There a positive azimuth is the subject's right hand, which is the image's left.
    """
    return -float(azimuth), float(elevation)


def light_from_yaleb_name(name):
    """Returns (azimuth, elevation) in degrees of a picture named like ``yaleB06_P00A+035E-20.png``, None for others."""
    match = re.search(r"_P\d\dA([+-]\d{3})E([+-]\d{2})(?!\d)", str(name))
    return light_from_yaleb(int(match[1]), int(match[2])) if match else None
