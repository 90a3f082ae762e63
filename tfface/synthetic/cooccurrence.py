"""Action units drawn together as faces show them: a Gaussian copula over OpenFace's 17, thinned to sparse faces.

Independent action units make faces nobody has seen, and a model trained on them never learns that raised cheeks come
with a smile. Each face is one of three kinds:

* neutral (`NEUTRAL`): all zero;
* one action unit alone (`SINGLE`), any intensity: the edits that users ask for;
* else a draw from the copula: 17 normal variates with the correlations below, of which those above the unit's
  threshold are active; how far above sets the intensity. Pairs that exclude each other keep the stronger.

The signs of the correlations are those that coding studies of spontaneous faces agree on: prototypes of Ekman &
Friesen's EMFACS (joy 6+12, sadness 1+4+15+17, surprise 1+2+5+26, anger 4+5+7+23, disgust 9+10+17, fear 1+2+4+5+20+25)
and the co-occurrences of BP4D and DISFA (6 with 7, 10 and 12; 12 with 25; 15 with 17; 17 with 23 and 24; 12 against
15). Their sizes are rounded choices in the range that one OpenFace-coded clip of a talking person showed (1 with 2
0.63, 4 with 7 0.58, 4 with 9 0.60, 6 with 10 0.58, 6 with 12 0.67, 9 with 10 0.66, 12 with 25 0.68, 17 with 25 -0.41);
they are no estimate of a population.
"""

import functools
import statistics

import numpy as np

from tfface import conventions

NEUTRAL = 0.08
SINGLE = 0.10
INTENSITY_POWER = 1.3  # intensity = 5 q^power for a uniform q: more weak than strong, as in coded data

_CORRELATIONS = {
    ("AU01", "AU02"): 0.6, ("AU01", "AU04"): 0.2, ("AU01", "AU05"): 0.3, ("AU01", "AU15"): 0.15, ("AU02", "AU05"): 0.4,
    ("AU02", "AU26"): 0.15, ("AU04", "AU07"): 0.5, ("AU04", "AU09"): 0.45, ("AU04", "AU15"): 0.2, ("AU04", "AU23"): 0.2,
    ("AU05", "AU26"): 0.25, ("AU05", "AU45"): -0.5, ("AU06", "AU07"): 0.4, ("AU06", "AU09"): 0.2, ("AU06", "AU10"): 0.4,
    ("AU06", "AU12"): 0.65, ("AU06", "AU25"): 0.3, ("AU07", "AU09"): 0.4, ("AU07", "AU12"): 0.15, ("AU09", "AU10"): 0.6,
    ("AU10", "AU12"): 0.2, ("AU10", "AU25"): 0.3, ("AU12", "AU14"): 0.2, ("AU12", "AU15"): -0.4, ("AU12", "AU17"): -0.2,
    ("AU12", "AU25"): 0.45, ("AU14", "AU17"): 0.2, ("AU15", "AU17"): 0.5, ("AU17", "AU23"): 0.35,
    ("AU17", "AU25"): -0.3, ("AU17", "AU26"): -0.15, ("AU20", "AU25"): 0.3, ("AU23", "AU25"): -0.35,
    ("AU23", "AU26"): -0.25, ("AU25", "AU26"): 0.55,
}  # fmt: skip

# Muscles that cannot both show: lids wide and shut, lip corners up and down, lips pressed and parted, chin pushed up
# against a dropped jaw.
EXCLUSIVE = (
    ("AU05", "AU45"), ("AU12", "AU15"), ("AU23", "AU25"), ("AU23", "AU26"), ("AU17", "AU26"),
)  # fmt: skip

# How often each is active in a copula draw. Those that lose to others in the exclusions start higher, so that after all
# of it each unit exceeds intensity 1 in at least 15 % of faces (measured in the tests).
_ACTIVE = {
    "AU01": 0.33, "AU05": 0.32, "AU06": 0.42, "AU12": 0.55, "AU15": 0.40, "AU17": 0.40, "AU23": 0.46, "AU25": 0.52,
    "AU26": 0.42, "AU45": 0.34,
}  # fmt: skip
_ACTIVE_OTHERWISE = 0.30


def sample_action_units(rng):
    """Draws one face -> tuple of 17 intensities, 0 or in (0, 5], in the order of `conventions.ACTION_UNITS`."""
    kind = rng.uniform()
    which = rng.integers(len(conventions.ACTION_UNITS))
    strength = rng.uniform()
    normal = rng.standard_normal(len(conventions.ACTION_UNITS))
    intensities = np.zeros(len(conventions.ACTION_UNITS))
    if kind < NEUTRAL:
        return tuple(intensities.tolist())
    if kind < NEUTRAL + SINGLE:
        intensities[which] = conventions.MAX_INTENSITY * strength
        return tuple(intensities.tolist())
    factor, active = _copula()
    uniform = np.array([statistics.NormalDist().cdf(z) for z in factor @ normal])
    excess = np.clip((uniform - (1 - active)) / active, 0, 1)
    intensities = conventions.MAX_INTENSITY * excess**INTENSITY_POWER
    exclude(intensities)
    return tuple(intensities.tolist())


def exclude(intensities, asked=()):
    """Sets one of each pair of `EXCLUSIVE` to 0, in place: the weaker, or the one that was not asked for.

    Args:
        intensities: (17,) float array in the order of `conventions.ACTION_UNITS`.
        asked: places of the action units that were asked for; they win where they are active.
    """

    def claim(place):
        return place in asked and intensities[place] > 0, intensities[place]

    for first, second in EXCLUSIVE:
        a, b = conventions.ACTION_UNITS.index(first), conventions.ACTION_UNITS.index(second)
        intensities[a if claim(a) < claim(b) else b] = 0.0


@functools.cache
def _copula():
    """Lower factor of the correlation matrix, made positive definite, and the chances to be active."""
    names = conventions.ACTION_UNITS
    matrix = np.eye(len(names))
    for (first, second), value in _CORRELATIONS.items():
        a, b = names.index(first), names.index(second)
        matrix[a, b] = matrix[b, a] = value
    values, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(values, 0.05)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(matrix))
    active = np.array([_ACTIVE.get(name, _ACTIVE_OTHERWISE) for name in names])
    return np.linalg.cholesky(matrix * np.outer(scale, scale)), active
