"""Where the light of a photo comes from, and how much brighter a part of the face gets that turns toward it.

The skin of a face has nearly one colour, so that its brightness tells the light: a constant and a part linear in the
surface's normal (spherical harmonics of order 1; Ramamoorthi & Hanrahan 2001 give their share of a distant light's).
"""

import dataclasses

import numpy as np

_LEAST, _MOST = 0.45, 1.8  # of brightness between two normals: beyond, the model is not to be trusted
_GAMMA = 2.2
_FRONTAL = 0.6  # slope in depth per constant, of a usual light


@dataclasses.dataclass(frozen=True, eq=False)
class Light:
    """`constant` and `slope` (3,) of linear brightness over unit normals in camera axes."""

    constant: float
    slope: np.ndarray

    @property
    def direction(self):
        """(azimuth, elevation) in degrees, signs as in `tfface.conventions`."""
        x, y, z = self.slope / max(np.linalg.norm(self.slope), 1e-9)
        return float(np.rad2deg(np.arctan2(x, z))), float(np.rad2deg(np.arcsin(np.clip(y, -1, 1))))

    def gain(self, before, after):
        """Returns (N,) factors for sRGB values where normals (N, 3) before become others."""
        floor = 0.3 * self.constant
        old, new = (np.maximum(self.constant + normals @ self.slope, floor) for normals in (before, after))
        return np.clip(new / old, _LEAST, _MOST) ** (1 / _GAMMA)


def estimate(colors, normals):
    """Returns the `Light` of skin seen with sRGB colours (N, 3) 0-1 and unit normals (N, 3) in camera axes."""
    brightness = (np.clip(colors, 0, 1) ** _GAMMA) @ [0.3, 0.59, 0.11]
    design = np.column_stack([np.ones(len(normals)), normals])
    weight = np.ones(len(normals))
    # A head shows only normals that look this way, so that constant and slope in depth are hardly told apart.
    pull = np.array([-_FRONTAL, 0.0, 0.0, 1.0])
    prior = len(normals) * (0.1 * np.outer(pull, pull) + np.diag([0.0, 0.01, 0.01, 0.0]))
    for _ in range(6):
        weighted = design * weight[:, None]
        answer = np.linalg.solve(weighted.T @ design + prior, weighted.T @ brightness)
        off = np.abs(brightness - design @ answer)
        weight = 1 / np.maximum(off, 0.5 * np.median(off) + 1e-6)
        weight /= weight.mean()
    constant = max(float(answer[0]), 1e-3)
    slope = answer[1:]
    length = np.linalg.norm(slope)
    return Light(constant, slope * min(1.0, 0.9 * constant / max(length, 1e-9)))
