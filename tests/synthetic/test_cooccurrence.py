import functools

import numpy as np
import pytest

from tfface import conventions
from tfface.synthetic import cooccurrence


@functools.cache
def faces():
    return np.array([cooccurrence.sample_action_units(np.random.default_rng([5, i])) for i in range(3000)])


def column(name):
    return faces()[:, conventions.ACTION_UNITS.index(name)]


def test_each_unit_is_active_often_enough_and_spans_its_range():
    assert faces().min() == 0 and faces().max() <= conventions.MAX_INTENSITY
    for name in conventions.ACTION_UNITS:
        assert (column(name) > 1).mean() >= 0.15, name
        assert column(name).max() > 4.5


def test_faces_are_sparse_and_some_are_neutral_or_single():
    active = (faces() > 0).sum(1)
    assert 0.06 < (active == 0).mean() < 0.12
    assert (active == 1).mean() > 0.06
    assert 2 < (faces() > 1).sum(1).mean() < 5


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ("AU06", "AU12", 0.3, 0.8), ("AU01", "AU02", 0.3, 0.8), ("AU01", "AU04", 0.05, 0.5), ("AU04", "AU07", 0.2, 0.7),
        ("AU25", "AU26", 0.2, 0.8), ("AU09", "AU10", 0.3, 0.8), ("AU15", "AU17", 0.2, 0.7), ("AU12", "AU25", 0.1, 0.6),
        ("AU12", "AU15", -0.5, -0.1), ("AU05", "AU45", -0.5, -0.1), ("AU23", "AU25", -0.5, -0.1),
    ],
)  # fmt: skip
def test_signs_of_co_occurrence(first, second, low, high):
    assert low < np.corrcoef(column(first), column(second))[0, 1] < high


@pytest.mark.parametrize(("first", "second"), cooccurrence.EXCLUSIVE)
def test_exclusive_pairs_never_meet(first, second):
    assert not np.any((column(first) > 0) & (column(second) > 0))


@pytest.mark.parametrize(
    ("shown", "asked", "left"),
    [
        ({"AU05": 1, "AU45": 4}, ("AU05",), {"AU05": 1}),
        ({"AU05": 1, "AU45": 4}, (), {"AU45": 4}),
        ({"AU05": 1, "AU45": 4}, ("AU05", "AU45"), {"AU45": 4}),
        ({"AU05": 0, "AU45": 4}, ("AU05",), {"AU45": 4}),  # asked to relax: what it excludes may stay
        ({"AU23": 1, "AU17": 3, "AU25": 2, "AU26": 4, "AU06": 5}, ("AU23",), {"AU23": 1, "AU17": 3, "AU06": 5}),
        ({"AU23": 3, "AU25": 4, "AU26": 2}, ("AU23", "AU25"), {"AU25": 4, "AU26": 2}),
    ],
)
def test_what_is_asked_for_wins_over_what_it_excludes(shown, asked, left):
    intensities = np.array([shown.get(name, 0) for name in conventions.ACTION_UNITS], float)
    cooccurrence.exclude(intensities, [conventions.ACTION_UNITS.index(name) for name in asked])
    assert {name: v for name, v in zip(conventions.ACTION_UNITS, intensities) if v} == left
