"""From the head's rest space to the picture, and the camera under which a head fills the picture in a known way.

The camera looks along -z at a pivot inside the head; pose turns the head about the pivot. The picture is a square of
width 1, x to the right and y down. Because scale and shift act in the picture, after perspective, they never change how
the head looks, only where it lies.
"""

import numpy as np

from tfface import alignment, conventions
from tfface.synthetic import head, landmarks
from tfface.synthetic.scene import Camera, Pose

BOX = 4.0  # dm that fill the field of view at the pivot
PIVOT = np.array([0.0, -0.15, -0.75])  # dm from the point between the eyes: the middle of the head
CENTRED_SCALE = 0.285  # picture widths per dm: an average head with hair and chin fills nine tenths of the height
# How an aligned crop of margin 1 lies in the picture of a `centred` average person looking straight ahead: its side is
# 1 / ALIGNED_ZOOM picture widths, and its middle lies ALIGNED_BELOW of them below the middle.
ALIGNED_ZOOM, ALIGNED_BELOW = 1.577, 0.0575


def pivot(neutral):
    """Returns the (3,) point that poses turn about, from a person's neutral (5495, 3) vertices."""
    parts = head.template().part_vertices
    eyes = neutral[parts["helper-l-eye"]].mean(0) + neutral[parts["helper-r-eye"]].mean(0)
    return eyes.astype(np.float64) / 2 + PIVOT


def project(vertices, centre, pose, camera):
    """Projects (V, 3) rest-space vertices.

    Returns:
        points (V, 2) in the unit picture, turned (V, 3) vertices in dm about the pivot (camera axes), distance (V,)
        from the camera in dm along its axis.
    """
    turned = (vertices - centre) @ conventions.rotation_matrix(pose.yaw, pose.pitch, pose.roll).T
    far = BOX / 2 / np.tan(np.deg2rad(camera.field_of_view) / 2)
    distance = far - turned[:, 2]
    scale = camera.scale * far / distance
    points = np.stack([0.5 + camera.x + scale * turned[:, 0], 0.5 + camera.y - scale * turned[:, 1]], 1)
    return points, turned, distance


def aligned(shape, pose, field_of_view=20.0, margin=1.0):
    """Frames a person as `alignment.alignment_matrix` would crop the same person and pose without expression.

    An aligned crop is upright, so that its roll follows from yaw and pitch: only those two of `pose` are used.

    Returns:
        (Pose, Camera): the pose as seen in the crop and the camera.
    """
    neutral = head.neutral(shape)
    upright = Pose(pose.yaw, pose.pitch, 0.0)
    plain = Camera(1.0, 0.0, 0.0, field_of_view)
    points, _, _ = project(neutral[landmarks.VERTICES], pivot(neutral), upright, plain)
    matrix = alignment.alignment_matrix(points, 1.0, margin)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    roll = float(np.rad2deg(np.arctan2(matrix[0, 1], matrix[0, 0])))
    x, y = alignment.apply(matrix, np.array([0.5, 0.5])) - 0.5
    return Pose(pose.yaw, pose.pitch, roll), Camera(scale, float(x), float(y), field_of_view)


def centred(field_of_view=20.0):
    """Returns the camera at a fixed distance with the head's middle in the picture's middle, for any pose."""
    return Camera(CENTRED_SCALE, 0.0, 0.0, field_of_view)


def steady(margin=1.0, field_of_view=20.0):
    """Returns the camera at a fixed distance, for any pose, that frames an average frontal face as `aligned` does."""
    zoom = ALIGNED_ZOOM / margin
    return Camera(CENTRED_SCALE * zoom, 0.0, -ALIGNED_BELOW * zoom, field_of_view)
