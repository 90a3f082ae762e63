import numpy as np
import pytest

from tfface import conventions
from tfface.synthetic import regions, surface, wrinkles
from tfface.synthetic.scene import action_units


def by_texel(**units):
    s = surface.surface()
    return wrinkles.creases(action_units(**units))[s.row, s.column]


def test_a_face_at_rest_has_no_folds():
    assert not wrinkles.creases(action_units()).any()


def test_folds_deepen_with_intensity_and_stay_within_limits():
    weak, strong = by_texel(AU04=2), by_texel(AU04=5)
    assert 0.1 < weak.max() < strong.max()
    everything = wrinkles.creases(np.full(17, 5.0))
    assert everything.max() <= 0.75 and everything.min() >= -0.3
    assert set(wrinkles._DEPTHS) <= set(conventions.ACTION_UNITS)


@pytest.mark.parametrize(("unit", "region"), [("AU01", "forehead"), ("AU12", "nasolabial"), ("AU17", "chin")])
def test_folds_lie_where_the_unit_works(unit, region):
    s, folds = surface.surface(), by_texel(**{unit: 5})
    deep = folds > 0.5 * folds.max()
    assert regions.regions()[region][deep].mean() > 0.15
    # both sides of the face
    assert (s.x[deep] > 0.1).any() and (s.x[deep] < -0.1).any()
