"""Emotion categories follow the prototypes of Du, Tao & Martinez."""

import numpy as np
import pytest

from tfface import emotions
from tfface.conventions import ACTION_UNITS


def units(**shown):
    return np.array([shown.get(name, 0.0) for name in ACTION_UNITS])


@pytest.mark.parametrize(
    ("shown", "category"),
    [
        ({}, "neutral"),
        ({"AU12": 3, "AU25": 2}, "happy"),
        ({"AU12": 3, "AU25": 2, "AU06": 4}, "happy"),
        ({"AU12": 2, "AU06": 1}, "happy"),  # with closed lips
        ({"AU01": 2, "AU02": 2, "AU25": 3, "AU26": 3}, "surprised"),
        ({"AU01": 2, "AU02": 2, "AU12": 3, "AU25": 3, "AU26": 1}, "happily_surprised"),
        ({"AU04": 2, "AU15": 2, "AU17": 2}, "sad"),
        ({"AU04": 3, "AU07": 2, "AU23": 2}, "angry"),
        ({"AU09": 3, "AU10": 2, "AU17": 2}, "disgusted"),
        ({"AU01": 3, "AU04": 2, "AU20": 2, "AU25": 2}, "fearful"),
        ({"AU14": 3}, ""),
        ({"AU12": 0.9, "AU25": 0.9}, "neutral"),  # below level A
    ],
)
def test_prototypes(shown, category):
    assert emotions.category(units(**shown)) == category


def test_unknown_action_units_have_no_category():
    some = units(AU12=3, AU25=3)
    some[0] = np.nan
    assert emotions.category(some) == ""


def test_each_prototype_is_its_own_category():
    for name, (most, some) in emotions._PROTOTYPES.items():
        for also in ((), some):
            shown = {f"AU{number:02d}": 3.0 for number in (*most, *also)}
            assert emotions.category(units(**shown)) in (name, *_same(shown))


def _same(shown):
    """Categories that the same action units fully explain."""
    for name, (most, some) in emotions._PROTOTYPES.items():
        numbers = {int(unit[2:]) for unit in shown}
        if set(most) <= numbers <= {*most, *some}:
            yield name
