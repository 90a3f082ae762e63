"""Shape of a face from its mesh: turned to the front, then distances and angles between 66 of its landmarks.

The features are those of EmotioNet's annotator (Benitez-Quiroz, Srinivasan & Martinez 2016): with p landmarks and t
triangles of a Delaunay triangulation, all p(p-1)/2 distances and all 3t angles. The triangulation is made once, on the
average face, so that a number always means the same. Here p = 66 (iBUG's 68 without the inner corners of the mouth,
which fall together with the outer ones) and t = 107: 2,145 + 321 = 2,466 numbers, as many as the paper has. Distances
are in units of the distance between the eyes (the paper's 300 pixels). What differs: the landmarks
come from a mesh with depth, so the head is turned to the front first, which takes the pose out of them. No TensorFlow.
"""

import functools

import numpy as np

from tfface import faces
from tfface.conventions import rotation_matrix

POINTS = np.array([i for i in range(68) if i not in (60, 64)])
_EYES = (slice(36, 42), slice(42, 48))  # of the 68
_TO_OUR_AXES = np.array([1.0, -1.0, -1.0])


def frontal(mesh):
    """Turns a face to the front.

    Args:
        mesh: (478, 3), as `faces.Face.mesh`.

    Returns:
        (478, 3) float32: x to the right, y up, z toward the viewer, the middle between the eyes at the origin, the
        distance between the eyes 1; and (yaw, pitch, roll) in degrees.
    """
    pose = faces.head_pose(mesh)
    points = (np.asarray(mesh, np.float64) * _TO_OUR_AXES) @ rotation_matrix(*pose)  # R^T applied to rows
    marks = landmarks(points)
    left, right = (marks[eye].mean(0) for eye in _EYES)
    distance = np.linalg.norm(right[:2] - left[:2])
    return ((points - (left + right) / 2) / distance).astype(np.float32), pose


def landmarks(points):
    """Returns the (68, D) landmarks of (478, D) mesh points."""
    return faces.mapping_68() @ np.asarray(points)[:468]


def features(points):
    """Returns the (p(p-1)/2 + 3t,) float32 distances and angles (radians) of (478, 3) `frontal` mesh points."""
    marks = landmarks(points)[POINTS, :2]
    first, second = np.triu_indices(len(POINTS), 1)
    distances = np.linalg.norm(marks[first] - marks[second], axis=1)
    return np.concatenate([distances, angles(marks)]).astype(np.float32)


def angles(marks):
    """Returns the (3t,) angles in radians of the `triangles` of (66, 2) points; they sum to pi for each triangle."""
    corners = marks[triangles()]
    ahead, behind = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    across = ahead[..., 0] * behind[..., 1] - ahead[..., 1] * behind[..., 0]
    return np.arctan2(np.abs(across), (ahead * behind).sum(-1)).ravel()


@functools.cache
def triangles():
    """Returns the (t, 3) triangles, by places among `POINTS`, of the Delaunay triangulation of the average face."""
    from scipy.spatial import Delaunay

    average = landmarks(faces.average_mesh())[POINTS, :2]
    found = np.sort(Delaunay(average).simplices, 1)
    return found[np.lexsort(found.T[::-1])]
