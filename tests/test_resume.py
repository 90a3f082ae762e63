"""Runs killed at random moments and resumed end with the weights, numbers and pictures of one that was left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tfface import training

EVERY = {"checkpoint_every": 2, "log_every": 1, "sample_every": 4}
# What each process runs; its argument is the run directory.
CHILD = "import sys; from tfface import training; training.train(training.open_run(sys.argv[1]), progress=False)"


def start(tiny_settings, data, output, **run_values):
    values = EVERY | run_values
    return training.new_run("ganimation", "smoke", tiny_settings, values, data=data, output=output)


def lines(run):
    path = run.path / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def kill_after(run, step, delay):
    """Trains in a process of its own and kills it with SIGKILL `delay` seconds after it logged `step`."""
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(run.path)], stderr=subprocess.PIPE)
    while process.poll() is None and not any(json.loads(x)["step"] >= step for x in lines(run) if x.endswith("}")):
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0), errors.decode()[-2000:]


def assert_same(run, reference):
    ours, theirs = training.load_model(run.path), training.load_model(reference.path)
    assert int(ours.step) == ours.total_steps
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    strip = [{k: v for k, v in json.loads(x).items() if k != "images_per_second"} for x in lines(run)]
    assert strip == [{k: v for k, v in json.loads(x).items() if k != "images_per_second"} for x in lines(reference)]
    for path in sorted((reference.path / "samples").iterdir()):
        assert (run.path / "samples" / path.name).read_bytes() == path.read_bytes(), path.name


def test_killed_and_resumed(tiny_settings, synthetic_data, trained_run, tmp_path):
    run = start(tiny_settings, synthetic_data, tmp_path / "killed")
    kill_after(run, step=3, delay=0.0)
    assert not (run.path / "samples" / "step-000008.png").exists()
    with open(run.path / "metrics.jsonl", "a") as file:  # as if killed in the middle of a line
        file.write('{"step": 4, "d_co')
    training.train(run, progress=False)
    assert_same(run, trained_run)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_killed_five_times_at_random(tiny_settings, synthetic_data, tmp_path, precision):
    longer = tiny_settings | {"steps": 30, "warmup_steps": 10}
    values = {"precision": precision, "checkpoint_every": 3, "log_every": 1}
    reference = start(longer, synthetic_data, tmp_path / "reference", **values)
    training.train(reference, progress=False)
    run = start(longer, synthetic_data, tmp_path / "killed", **values)
    seed = int.from_bytes(os.urandom(4))
    print("kills drawn with seed", seed)
    chance = random.Random(seed)
    for step in sorted(chance.sample(range(1, 30), 5)):
        kill_after(run, step, delay=chance.uniform(0, 0.3))
    training.train(run, progress=False)
    assert_same(run, reference)


@pytest.mark.slow
def test_killed_and_resumed_compiled_by_xla(tiny_settings, synthetic_data, tmp_path):
    reference = start(tiny_settings, synthetic_data, tmp_path / "reference", jit="on")
    training.train(reference, progress=False)
    run = start(tiny_settings, synthetic_data, tmp_path / "killed", jit="on")
    kill_after(run, step=3, delay=0.0)
    training.train(run, progress=False)
    assert_same(run, reference)
