"""Backgrounds: in range, deterministic, structured, the same layout at every size."""

import cv2
import numpy as np
import pytest

from tfface.errors import InputError
from tfface.synthetic import background


@pytest.mark.parametrize("kind", background.DRAWN)
def test_pictures_are_deterministic_in_range_and_not_flat(kind):
    one, again, other = (background.paint(kind, seed, 64) for seed in (1, 1, 2))
    assert one.shape == (64, 64, 3) and one.dtype == np.float32 and 0 <= one.min() and one.max() <= 1
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).mean() > 0.01
    spread = np.mean([background.paint(kind, seed, 64).std((0, 1)).mean() for seed in range(8)])
    assert spread > 0.02


@pytest.mark.parametrize("kind", background.DRAWN)
def test_layout_does_not_depend_on_size(kind):
    small, large = background.paint(kind, 3, 64), background.paint(kind, 3, 256)
    shrunk = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - small).mean() < 0.06


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="background: kind 'beach' is unknown, expected one of gradient"):
        background.paint("beach", 0, 32)
