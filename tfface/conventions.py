"""Names, order, axes and signs that every part of tfface agrees on, and converters from other tools' conventions.

Axes: x to the image's right, y up, z toward the camera (right-handed). A head pose is
``R = Rz(roll) @ Ry(yaw) @ Rx(pitch)``.

* positive yaw: the nose moves to the image's right;
* positive pitch: the nose goes down;
* positive roll: the top of the head tips to the image's left;
* positive light azimuth: lit from the image's right; positive elevation: lit from above.

A mirror flip of the picture negates yaw, roll and light azimuth. No TensorFlow is imported here.
"""

import numpy as np

# OpenFace's order of 17; intensities are 0-5 in records and 0-1 inside models.
ACTION_UNITS = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12",
    "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26", "AU45",
)  # fmt: skip
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
