"""Where a face sits in its square crop: one similarity transform from 68 landmarks, for photos and renders alike.

Only points that expressions hardly move are used (eyes and nose base, not mouth or brows), so that asking for a smile
does not shift the crop. Scale is the larger of what the eyes and what the nose's length say, which keeps the crop's
size when the head turns (half the eye distance shrinks with the cosine of yaw) or nods (the nose's length does). No
TensorFlow.
"""

import numpy as np

# Lengths in units of half the eye distance ("h"), chosen so that forehead and chin stay inside with the jaw dropped.
NOSE_LENGTH = 1.55  # eye line to nose base of a frontal average face
CENTRE_BELOW_EYES = 1.05
HALF_SIZE = 3.4


def alignment_matrix(landmarks, size, margin=1.0):
    """Returns the 2x3 similarity transform from picture to crop pixels.

    Args:
        landmarks: (68, 2) array in picture pixels, y down, iBUG 300-W order. Pixel centres are at integers + 0.5.
        size: side of the square crop in pixels.
        margin: 1.0 frames forehead to dropped chin; larger shows more surroundings.
    """
    landmarks = np.asarray(landmarks, np.float64)
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    eyes, nose = (left + right) / 2, landmarks[31:36].mean(0)
    across, down = right - left, nose - eyes
    half = max(np.linalg.norm(across) / 2, np.linalg.norm(down) / NOSE_LENGTH)
    # Both vectors vote on the direction: across turned by 90 degrees is down.
    axis = across + np.array([down[1], -down[0]]) * (2 / NOSE_LENGTH)
    x_axis = axis / np.linalg.norm(axis)
    y_axis = np.array([-x_axis[1], x_axis[0]])
    centre = eyes + CENTRE_BELOW_EYES * half * y_axis
    scale = size / (2 * HALF_SIZE * margin * half)
    rotation = scale * np.stack([x_axis, y_axis])
    return np.column_stack([rotation, size / 2 - rotation @ centre])


def apply(matrix, points):
    """Applies a 2x3 transform to (..., 2) points."""
    matrix = np.asarray(matrix)
    return np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix):
    """Returns the inverse of a 2x3 affine transform."""
    matrix = np.asarray(matrix, np.float64)
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])
