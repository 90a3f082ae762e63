import numpy as np
import pytest

from benchmarks import repeats
from tfface.errors import InputError


def test_results_are_kept_by_kind_and_seed(tmp_path):
    kept = repeats.Results(tmp_path / "new", {"steps": 3})
    assert kept.get("concat, relative", 0) is None
    kept.put("concat, relative", 0, {"icc": 0.5})
    assert kept.get("concat, relative", 0) == {"icc": 0.5} and kept.get("concat, relative", 1) is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["concat-relative-0.json"]
    with pytest.raises(InputError, match="choose another -o"):
        repeats.Results(tmp_path / "new", {"steps": 4}).get("concat, relative", 0)


def test_intervals_are_students():
    assert repeats.interval(np.array([0.1, 0.2, 0.3])) == "0.200 ± 0.248"  # 4.303 * 0.1 / sqrt(3)
    assert repeats.interval([30.0, 31.0], digits=1) == "30.5 ± 6.4"
    assert repeats.interval(np.array([0.5])) == "0.500"


def test_markdown():
    assert repeats.markdown(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
