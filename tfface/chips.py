"""Face chips: the face turned upright and cut to 150 pixels with a quarter of padding, as dlib's networks see it.

What `tfface.identity` describes; apart from it, so that chips are cut where there is no TensorFlow.
"""

import cv2
import numpy as np

CHIP = 150
PADDING = 0.25

# Average places of eye corners and nose base in the unit square of dlib's face chips, and their iBUG-68 numbers:
# outer and inner corner of the eye at image left, inner and outer of the other, nose base.
_POINTS = (36, 39, 42, 45, 33)
PLACES = np.array(
    [[0.1205750620789, 0.2137274526848], [0.3340850613712, 0.2290642403242], [0.6460604764104, 0.2289674387677],
     [0.8595674595992, 0.2134981538014], [0.4901123135679, 0.6277975316475]]
)  # fmt: skip


def chip_matrix(landmarks):
    """Returns the 2x3 similarity from picture to chip pixels of (68, 2) landmarks (pixel centres at +0.5)."""
    source = np.asarray(landmarks, np.float64)[list(_POINTS)]
    target = (PADDING + PLACES) / (2 * PADDING + 1) * CHIP
    a, b = source - source.mean(0), target - target.mean(0)
    # Least squares over scaled rotations, which complex numbers multiply by.
    a, b = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    turn = np.vdot(a, b) / np.vdot(a, a)
    rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([rotation, target.mean(0) - rotation @ source.mean(0)])


def chip(image, landmarks):
    """Cuts the (150, 150, 3) uint8 RGB chip of a face out of an (H, W, 3) uint8 RGB picture."""
    matrix = chip_matrix(landmarks)
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    if scale < 0.75:  # average what would otherwise be skipped
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV's pixel centres are at integers
    return cv2.warpAffine(image, matrix, (CHIP, CHIP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
