"""Which head, expression, pose and camera put the mesh's points where the landmarker saw them: regularised least
squares, then a small smooth correction in the picture's plane that takes out what no head of the model can be."""

import dataclasses

import numpy as np
from scipy import linalg

from tfface import conventions
from tfface.conventions import ACTION_UNITS
from tfface.rerendering import shape
from tfface.synthetic import camera
from tfface.synthetic.scene import Camera, Pose

FIELD_OF_VIEW = 20.0  # degrees, of `scene.Camera`: one photo does not tell
_NOISE = 0.025  # dm, of a steady point of the landmarker
_SHAPE_WEIGHT, _UNIT_WEIGHT = 2.5, 1.5  # of the priors; neighbouring points err together
_UNIT_DEVIATION = 0.35  # of full strength
_DEPTH_NOISE = 0.25  # dm; the landmarker's depth tells little more than which way the face is turned
_LARGEST_CORRECTION = 0.25  # dm
_STEP = 1e-5
_ITERATIONS, _ENOUGH = 30, 1e-4  # the last: share of the sum of squares that a step must take away


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A head laid over a square picture.

    Attributes:
        neutral: (5495, 3) surface without expression, dm about the pivot.
        correction: (5495, 3) dm, added to the surface in every expression.
        action_units: 17 intensities 0-1.
        pose, camera: as `synthetic.camera.project` takes them, for the unit picture.
        error: root mean square distance of the points before the correction, dm.
    """

    neutral: np.ndarray
    correction: np.ndarray
    action_units: np.ndarray
    pose: Pose
    camera: Camera
    error: float

    def surface(self, action_units=None):
        """Returns (5495, 3) vertices wearing an expression (17 intensities 0-1), by default the picture's."""
        worn = self.action_units if action_units is None else action_units
        return shape.express(self.neutral, worn) + self.correction


def fit(points, size, pose):
    """Fits the head to one face.

    Args:
        points: (468 or more, 3) of the landmarker in pixels of a square picture, depth growing away from the camera.
        size: side of the picture in pixels.
        pose: (yaw, pitch, roll) in degrees to begin with.

    Returns:
        `Fit`.
    """
    matrix, spread = shape.points()
    model = shape.point_model()
    seen = np.asarray(points, np.float64)[: matrix.shape[0]] / size
    across = np.linalg.norm(np.ptp(seen[:, :2], axis=0)) / np.linalg.norm(np.ptp(model.mean[:, :2], axis=0))
    weight = 1 / (_NOISE + spread)
    count, units = len(model.components), len(ACTION_UNITS)

    basis = np.concatenate([model.components, model.units])
    far = camera.BOX / 2 / np.tan(np.deg2rad(FIELD_OF_VIEW) / 2)
    prior = np.concatenate([np.full(count, _SHAPE_WEIGHT), np.full(units, _UNIT_WEIGHT / _UNIT_DEVIATION)])
    depth_weight = 1 / (_DEPTH_NOISE + spread)

    def unpack(x):
        return Pose(*np.clip(x[:3] * 10, -89, 89)), Camera(across * np.exp(x[3]), x[4], x[5], FIELD_OF_VIEW), x[6:]

    def data_residuals(x):
        pose, lens, rest = unpack(x)
        at, turned, _ = camera.project(model.mean + np.tensordot(rest, basis, 1), 0.0, pose, lens)
        off = (at - seen[:, :2]) / lens.scale * weight[:, None]
        depth = turned[:, 2] + seen[:, 2] / lens.scale
        return np.concatenate([off.ravel(), (depth - depth.mean()) * depth_weight])

    def residuals(x):
        return np.concatenate([data_residuals(x), prior * x[6:]])

    def jacobian(x):
        """Of pose and camera by differences, of the many others exactly."""
        here = data_residuals(x)
        few = [(data_residuals(x + step) - here) / _STEP for step in _STEP * np.eye(len(x))[:6]]
        pose, lens, rest = unpack(x)
        rotation = conventions.rotation_matrix(pose.yaw, pose.pitch, pose.roll)
        turned = (model.mean + np.tensordot(rest, basis, 1)) @ rotation.T
        moved = basis @ rotation.T
        distance = far - turned[:, 2]
        flat = far * (moved[..., :2] / distance[:, None] + turned[:, :2] * (moved[..., 2] / distance**2)[..., None])
        flat *= np.array([1, -1]) * weight[:, None]
        depth = (moved[..., 2] - moved[..., 2].mean(1, keepdims=True)) * depth_weight
        many = np.concatenate([flat.reshape(len(basis), -1), depth], 1)
        below = np.column_stack([np.zeros((len(prior), 6)), np.diag(prior)])
        return np.vstack([np.column_stack([*few, many.T]), below])

    middle = seen[:, :2].mean(0) - 0.5
    start = np.concatenate([np.asarray(pose) / 10, [0.0], middle, np.zeros(count), np.full(units, 0.02)])
    low = np.concatenate([np.full(6 + count, -np.inf), np.zeros(units)])
    high = np.concatenate([np.full(6 + count, np.inf), np.ones(units)])
    x = _least_squares(residuals, jacobian, start, low, high)
    pose, lens, rest = unpack(x)
    pose = Pose(*(round(angle, 4) for angle in (pose.yaw, pose.pitch, pose.roll)))
    worn = np.clip(rest[count:], 0, 1)
    neutral = shape.model().neutral(rest[:count])
    surface = shape.express(neutral, worn)
    at, _, distance = camera.project(matrix @ surface, 0.0, pose, lens)
    off = (seen[:, :2] - at) / lens.scale * (distance / far)[:, None]
    error = float(np.sqrt((off**2).sum(1).mean()))
    length = np.linalg.norm(off, axis=1, keepdims=True)
    off *= np.minimum(1, _LARGEST_CORRECTION / np.maximum(length, 1e-9)) * (_NOISE / (_NOISE + spread))[:, None]
    moved = shape.spreading() @ (off * (1, -1))
    rotation = conventions.rotation_matrix(pose.yaw, pose.pitch, pose.roll)
    correction = np.column_stack([moved, np.zeros(len(moved))]) @ rotation
    return Fit(neutral, correction, worn, pose, lens, error)


def _least_squares(residuals, jacobian, x, low, high):
    """Returns the x within bounds with the least sum of squares (Levenberg-Marquardt, steps cut off at the bounds).

    SciPy's own decomposes the tall Jacobian in each step, which on a busy machine takes a hundred times as long as
    the normal equations of these few unknowns.
    """
    damping, now = 1e-3, residuals(x)
    for _ in range(_ITERATIONS):
        slope = jacobian(x)
        gradient, curvature = slope.T @ now, slope.T @ slope
        free = ~((x <= low) & (gradient > 0) | (x >= high) & (gradient < 0))
        while damping < 1e6:
            inner = curvature[np.ix_(free, free)]
            step = np.zeros_like(x)
            step[free] = linalg.solve(inner + damping * np.diag(np.diag(inner)), -gradient[free], assume_a="pos")
            tried = np.clip(x + step, low, high)
            then = residuals(tried)
            if then @ then < now @ now:
                break
            damping *= 8
        else:
            return x
        gained = 1 - (then @ then) / (now @ now)
        x, now, damping = tried, then, max(damping / 8, 1e-7)
        if gained < _ENOUGH:
            return x
    return x
