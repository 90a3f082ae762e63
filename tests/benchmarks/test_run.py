import json
import sys

import pytest

from benchmarks import run
from benchmarks.speed import machine, processes, tables

MEASURED = {
    "model": "ganimation",
    "batch": 4,
    "precision": "float32",
    "operations": 6e11,
    "sides": {
        "tfface": {"seconds": [4.0, 5.0, 6.0], "memory_mb": 900.0},
        "PyTorch channels_last": {"seconds": [8.0, 5.0, 9.0], "memory_mb": 800.0},
        "PyTorch contiguous": {"seconds": [12.0, 20.0, 12.0], "memory_mb": 700.0},
    },
    "products": {"tfface": [2.0e11, 1.5e11, 1.0e11], "numpy": [1.9e11, 1.9e11, 1.9e11], "PyTorch channels_last": []},
}


def test_figures_by_hand():
    found = tables.summarize(MEASURED)
    assert found["faster"]["PyTorch channels_last"] == pytest.approx([1.5, 1.0, 2.0])
    assert found["faster"]["PyTorch contiguous"] == pytest.approx([3.0, 2.0, 4.0])
    assert found["peak"] == {"by": "tfface", "gflops": pytest.approx(200.0)}
    assert found["share"]["tfface"] == pytest.approx(6e11 / 4.0 / 2e11)
    assert found["share_median"]["tfface"] == pytest.approx(6e11 / 5.0 / 1.9e11)
    assert found["pictures_per_second"]["PyTorch channels_last"] == pytest.approx(4 / 8.0)


def test_the_page_gives_ratios_first():
    results = {
        "command": "python -m benchmarks.run", "date": "2026-01-01", "quick": False, "machine": machine.describe(),
        "iterations": [
            {**MEASURED, "summary": tables.summarize(MEASURED)},
            {"model": "attgan", "batch": 4, "precision": "bfloat16", "skipped": "not on this machine: no such unit"},
        ],
    }  # fmt: skip
    page = tables.document(results)
    ratios = "1.50 (1.00 to 2.00) | 3.00 (2.00 to 4.00)"
    row = f"| ganimation, batch 4, float32 | {ratios} | 75 % (63 %) | 60 % | 200 (tfface) |"
    assert row in page and page.index(row) < page.index("| 5.000 (4.000 to 6.000) |")
    assert "| attgan, batch 4, bfloat16 | not on this machine: no such unit |" in page
    assert f"{machine.cores()} cores" in page


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--batch", "4", "0"], ["--critics", "-1"]])
def test_wrong_values_end_with_a_line(wrong, tmp_path, capsys):
    assert run.main([*wrong, "-o", tmp_path / "out"]) == 2
    assert wrong[0] in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_without_pytorch_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run.main(["--quick", "-o", tmp_path / "out"]) == 2
    assert "pip install" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_side_runs_elsewhere_and_keeps_its_state():
    with processes.Side("collections:deque", [1]) as side:
        side.call("append", 2)
        assert (side.call("pop"), side.call("pop")) == (2, 1)
        assert side.seconds("append", 3) >= 0 and side.peak_memory() > 1
        assert side.call("pop") == 3
        with pytest.raises(RuntimeError, match="IndexError"):
            side.call("pop")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        processes.Side("fractions:Fraction", 1, 0)


@pytest.mark.slow
def test_the_command_measures_and_writes_everything(tmp_path):
    pytest.importorskip("torch", reason="compares with PyTorch: pip install -e '.[benchmarks]'")
    pytest.importorskip("tf2onnx")
    assert run.main(["--quick", "--batch", "2", "-o", tmp_path]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert {"iterations", "latency", "feeding", "growth"} <= results.keys() and results["quick"]
    assert [each["model"] for each in results["iterations"] if "summary" in each][:1] == ["ganimation"]
    assert "--quick" in (tmp_path / "results.md").read_text()
