"""Queries choose what they say, and never what is unknown."""

import numpy as np
import pytest

from data_tools import queries
from tfface.conventions import ACTION_UNITS, ATTRIBUTES
from tfface.errors import InputError

COUNT = 5


@pytest.fixture
def labels():
    units = np.zeros((COUNT, 17))
    units[:, ACTION_UNITS.index("AU12")] = (0, 1, 2, 3, np.nan)
    units[:, ACTION_UNITS.index("AU25")] = (0, 0, 2, 3, 0)
    attributes = np.full((COUNT, 40), -1)
    attributes[:, ATTRIBUTES.index("Male")] = (1, 0, 1, -1, 1)
    attributes[:, ATTRIBUTES.index("5_o_Clock_Shadow")] = (1, 0, 0, 0, 0)
    pose = np.array([[-30, 0, 0], [-5, 0, 0], [0, 0, 0], [20, 5, 0], [np.nan] * 3])
    return {
        "action_units": units, "attributes": attributes, "pose": pose, "light": np.full((COUNT, 2), np.nan),
        "identity": np.array([7, 7, 8, -1, -1]), "confidence": np.array([0.9, 0.8, np.nan, 1, 1]),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("AU12>0.5", [1, 2, 3]),
        ("AU12 > 0.5 and emotion=happy", [1, 2, 3]),
        ("emotion == neutral", [0]),
        ("emotion != happy", [0]),  # the last is unknown
        ("au12>=2 or yaw<-10", [0, 2, 3]),
        ("Male", [0, 2, 4]),
        ("not Male", [1]),  # neither the unknown one
        ("Male=0", [1]),
        ("not (AU12>0.5)", [0]),
        ("Male and AU12<1", [0]),
        ("Male or AU12>2", [0, 2, 3, 4]),
        ("5_o_Clock_Shadow=1", [0]),
        ("yaw >= -5 and pitch<=5", [1, 2, 3]),
        ("identity=7", [0, 1]),
        ("identity!=7", [2]),
        ("confidence>0.85", [0, 3, 4]),
        ("azimuth<100", []),
    ],
)
def test_choice(labels, query, chosen):
    assert np.flatnonzero(queries.select(query, labels)).tolist() == chosen


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("AU12>", "cannot be read"),
        ("", "cannot be read"),
        ("__import__('os')", "cannot be read"),
        ("0<AU12<3", "cannot be read"),
        ("AU13>1", "unknown 'AU13'.*did you mean"),
        ("emotion=hapy", "an emotion is"),
        ("emotion>happy", "an emotion is"),
        ("AU12>big", "big is no number"),
        ("yaw", "compare it"),
    ],
)
def test_bad_queries(labels, query, message):
    with pytest.raises(InputError, match=message):
        queries.select(query, labels)
