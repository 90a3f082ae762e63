"""The head as a linear model: how people differ, what action units do, and where the landmarker's points lie on it.

Vertices are those of `synthetic.head` in decimetres, but about each person's pivot (`synthetic.camera.pivot`), so that
a pose turns them about the origin.
"""

import dataclasses
import functools
import pathlib

import numpy as np

from tfface.conventions import ACTION_UNITS
from tfface.synthetic import camera, expressions, head

ASSET = pathlib.Path(__file__).parent.parent / "assets" / "fit_model.npz"
_SMOOTHNESS = 0.22  # dm over which a correction of one point fades
_STIFFNESS = 0.05  # of corrections, against noise in the points


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """Mean (V, 3), components (K, V, 3) each scaled to unit variance, action units (17, V, 3) at full strength."""

    mean: np.ndarray
    components: np.ndarray
    units: np.ndarray

    def at(self, matrix):
        """Returns the model of points that are weighted sums of vertices; `matrix` is (N, V) sparse."""
        return Shape(
            matrix @ self.mean,
            np.stack([matrix @ component for component in self.components]),
            np.stack([matrix @ unit for unit in self.units]),
        )

    def neutral(self, coefficients):
        """Returns the (V, 3) surface of a person without expression."""
        return self.mean + np.tensordot(coefficients, self.components, 1)


@functools.cache
def model():
    """Returns the `Shape` of all vertices."""
    names = head.template().target_names
    with np.load(ASSET) as data:
        average, differences = data["mean"], data["components"]
    mean = _about_pivot(head.neutral(dict(zip(names, average.tolist(), strict=True))))
    moved = [_about_pivot(head.neutral(dict(zip(names, (average + row).tolist(), strict=True)))) for row in differences]
    units = np.stack([express(mean, strength) - mean for strength in np.eye(len(ACTION_UNITS))])
    return Shape(mean, np.stack(moved) - mean, units)


def express(neutral, action_units):
    """Returns (V, 3) vertices wearing 17 intensities 0-1, exactly as rendered heads wear them."""
    vertices = neutral.astype(np.float32)
    expressions.apply(head.template(), vertices, np.asarray(action_units, np.float64))
    return vertices.astype(np.float64)


def _about_pivot(vertices):
    return vertices.astype(np.float64) - camera.pivot(vertices)


@functools.cache
def points():
    """Returns (weights (468, V) sparse, spread (468,) dm): the landmarker's points on the surface, how steady each."""
    from scipy import sparse

    with np.load(ASSET) as data:
        vertices, weights, spread = data["vertices"], data["weights"], data["spread"]
    rows = np.repeat(np.arange(len(vertices)), 3)
    shape = len(vertices), len(head.template().vertices)
    return sparse.csr_matrix((weights.ravel().astype(np.float64), (rows, vertices.ravel())), shape), spread


@functools.cache
def point_model():
    """Returns the `Shape` of the landmarker's 468 points."""
    return model().at(points()[0])


@functools.cache
def spreading():
    """Returns (V, 468): what moves the whole surface smoothly when corrections of the points are given.

    Distances are those of a face with parted lips and wide eyes, or upper and lower lip would move as one.
    """
    apart = express(model().mean, [dict(AU05=1.0, AU25=1.0, AU26=1.0).get(name, 0.0) for name in ACTION_UNITS])
    at = points()[0] @ apart
    to_points, among = _kernel(apart, at), _kernel(at, at)
    return to_points @ np.linalg.inv(among + _STIFFNESS * np.eye(len(at)))


def _kernel(a, b):
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.exp(-np.sqrt(np.maximum(squared, 0)) / _SMOOTHNESS)


@functools.cache
def mirrored():
    """Returns (V,) the vertex at the same place on the other half of the face."""
    from scipy import spatial

    vertices = head.template().vertices
    return spatial.cKDTree(vertices).query(vertices * np.array([-1, 1, 1], np.float32))[1]
