"""Action units as the command line writes them."""

import pytest

from tfface import tasks
from tfface.errors import InputError


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["AU11=0.5"], "did you mean 'AU1"),
        (["AU12=4"], "OpenFace's 4 of 5 is 0.8"),
        (["AU12=-1"], "outside 0 to 1"),
        (["AU12=nan"], "outside"),
        (["AU12"], "no intensity"),
        (["smile=1"], "unknown action unit"),
        (["AU12=0", "AU12=1"], "twice"),
    ],
)
def test_bad_requests_are_named(texts, expected):
    with pytest.raises(InputError, match=expected) as caught:
        tasks.get("expression").parse(texts, model=None)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"--au {texts[-1]}")


def test_names_in_any_case_and_values_from_0_to_1():
    assert tasks.get("expression").parse(["au12=0.8", "AU04=1"], model=None) == {"AU12": 0.8, "AU04": 1.0}
