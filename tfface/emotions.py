"""Emotion categories from action units, as EmotioNet's annotations are queried by. No TensorFlow.

The prototypes are those of Du, Tao & Martinez (2014), "Compound facial expressions of emotion", table 1: action units
that most people use for a category, and those that some add. Of their 21 categories these are EmotioNet's 16. AU24
(lip pressor), which is not among the 17, is read from AU23 (lip tightener), its close neighbour; AU11 is left out.
"""

import numpy as np

from tfface.conventions import ACTION_UNITS

ACTIVE = 1.0  # intensity, 0-5, from which an action unit counts as shown
NEUTRAL = "neutral"

# Category: (shown by most, added by some).
_PROTOTYPES = {
    "happy": ((12, 25), (6,)),
    "sad": ((4, 15), (1, 6, 17)),
    "fearful": ((1, 4, 20, 25), (2, 5, 26)),
    "angry": ((4, 7, 23), (10, 17)),
    "surprised": ((1, 2, 25, 26), (5,)),
    "disgusted": ((9, 10, 17), (4, 23)),
    "happily_surprised": ((1, 2, 12, 25), (5, 26)),
    "happily_disgusted": ((10, 12, 25), (4, 6, 9)),
    "sadly_angry": ((4, 15), (6, 7, 17)),
    "sadly_disgusted": ((4, 10), (1, 6, 9, 15, 17, 25)),
    "fearfully_angry": ((4, 20, 25), (5, 7, 10)),
    "fearfully_surprised": ((1, 2, 5, 20, 25), (4, 10, 26)),
    "angrily_surprised": ((4, 25, 26), (5, 7, 10)),
    "angrily_disgusted": ((4, 10, 17), (7, 9, 23)),
    "appalled": ((4, 10), (6, 9, 17, 23)),
    "awed": ((1, 2, 5, 25), (4, 20, 26)),
}
CATEGORIES = (NEUTRAL, *_PROTOTYPES)


def _places(numbers):
    return [ACTION_UNITS.index(f"AU{number:02d}") for number in numbers]


_PLACES = {name: (_places(most), _places(some)) for name, (most, some) in _PROTOTYPES.items()}


def prototype(name):
    """Returns the action units' names of one of `CATEGORIES` but neutral: (those most people show, those some add)."""
    return tuple([f"AU{number:02d}" for number in numbers] for numbers in _PROTOTYPES[name])


def category(action_units):
    """Returns which of `CATEGORIES` (17,) intensities (0-5) show, or "" for none of them or unknown ones (NaN).

    A category needs all that most people show. Among several, that which leaves the fewest shown action units without
    a reason is taken, then that with more needed ones, then the earlier one of the table. Smiles with closed lips are
    happy too: only for AU12 with nothing else but AU06 is AU25 not asked for.
    """
    action_units = np.asarray(action_units, np.float64)
    if np.isnan(action_units).any():
        return ""
    shown = set(np.flatnonzero(action_units >= ACTIVE).tolist())
    if not shown:
        return NEUTRAL
    smile, *cheeks = _places((12, 6))
    if smile in shown and shown <= {smile, *cheeks}:
        return "happy"
    best, least = "", None
    for name, (most, some) in _PLACES.items():
        if shown.issuperset(most):
            rank = (len(shown - set(most) - set(some)), -len(most))
            if least is None or rank < least:
                best, least = name, rank
    return best
