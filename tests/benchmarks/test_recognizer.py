"""Telling people apart: by hand, and the command on a tiny recognizer's held-out people."""

import numpy as np
import pytest

from benchmarks import recognizer
from tfface import training


def test_scores_by_hand():
    people = ["a", "a", "a", "b", "b"]
    directions = np.radians([0, 10, 75, 90, 60])  # of the probes a is right, a is wrong, b is right
    descriptors = np.stack([np.cos(directions), np.sin(directions)], 1) * np.array([[1], [2], [3], [4], [5]])
    count, probes, rank1, area = recognizer.scores(descriptors, people)
    assert (count, probes) == (2, 3)
    assert rank1 == pytest.approx(2 / 3)
    # From the right one: 10, 75, 30 degrees; from the wrong one: 80, 15, 60. 10 is less than 3 of these, 75 than 1, 30
    # than 2.
    assert area == pytest.approx(6 / 9)


def test_command_prints_a_row_for_each_network(synthetic_data, tmp_path, capsys):
    settings = {"image_size": 32, "batch_size": 4, "steps": 2, "width": 6, "embedding": 8, "classes": 10}
    run = training.new_run("recognizer", "smoke", settings, {}, data=synthetic_data, output=tmp_path / "run")
    training.train(run, progress=False)
    assert recognizer.main([str(run.path)]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["recognizer", "shipped identity network"]
    assert all(row.split(" | ")[2:4] == ["2", "2"] for row in rows)
    assert recognizer.main([str(tmp_path)]) == 2
