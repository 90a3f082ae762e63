"""Jobs of two processes on this machine, against one process with the same batches."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tfface import checkpoints, cli, config, distribution, training
from tfface.data import pipeline, records
from tfface.errors import InputError
from tfface.synthetic.sampler import FACTORS

JOB = Path(__file__).with_name("job.py")
EVERY = {"log_every": 1, "checkpoint_every": 2, "sample_every": 4, "precision": "float32"}


class Job:
    """The processes of one run: two with TF_CONFIG, or one."""

    def __init__(self, output, data, preset="smoke", settings=None, processes=2, **options):
        values = EVERY | {"strategy": "multiworker" if processes > 1 else "none"}
        asked = {"preset": preset, "settings": settings or {}, "values": values, "data": data, "output": output}
        self.path = Path(output)
        variables = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
        variables["PYTHONPATH"] = os.pathsep.join([str(JOB.parents[1]), os.environ.get("PYTHONPATH", "")])
        addresses = free_addresses(processes)
        self.processes, self.said = [], []
        for number in range(processes):
            if processes > 1:
                task = {"type": "worker", "index": number}
                variables["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
            command = [sys.executable, JOB, json.dumps(asked | options, default=str)]
            said = tempfile.TemporaryFile("w+")
            self.processes.append(subprocess.Popen(command, env=variables, stderr=said))
            self.said.append(said)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            process.kill()
            process.wait()
        for said in self.said:
            said.close()

    def codes(self, timeout=None):
        """Waits for all processes and returns their exit codes."""
        return [process.wait(timeout) for process in self.processes]

    def errors(self):
        """Returns the end of what each process said."""
        for said in self.said:
            said.seek(0)
        return [said.read()[-3000:] for said in self.said]

    def until(self, step):
        """Waits until the run has logged `step`."""
        while all(process.poll() is None for process in self.processes):
            if any(line["step"] >= step for line in lines(self.path)):
                return
            time.sleep(0.005)
        pytest.fail(f"ended before step {step}: {self.errors()}")


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def lines(path):
    """The lines of metrics.jsonl without the times."""
    path = path / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    whole = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [{key: value for key, value in line.items() if key != "images_per_second"} for line in whole]


def finished(output, data, **options):
    with Job(output, data, **options) as job:
        assert not any(job.codes()), job.errors()
    return output


def assert_same_curve(path, reference, tolerance):
    ours, theirs = lines(path), lines(reference)
    assert [list(line) for line in ours] == [list(line) for line in theirs]
    for a, b in zip(ours, theirs, strict=True):
        for key, value in b.items():
            expected = value if isinstance(value, str) else pytest.approx(value, rel=tolerance, abs=tolerance)
            assert a[key] == expected, (b["step"], key)


def assert_same_run(path, reference):
    assert lines(path) == lines(reference)
    a, b = training.load_model(path), training.load_model(reference)
    for ours, theirs in zip(a.variables, b.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)
    names = sorted(picture.name for picture in (reference / "samples").iterdir())
    assert sorted(picture.name for picture in (path / "samples").iterdir()) == names
    for name in names:
        assert (path / "samples" / name).read_bytes() == (reference / "samples" / name).read_bytes(), name


# -- two processes -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(synthetic_data, tiny_settings, tmp_path_factory):
    """The run of a job of two processes, which nothing disturbed."""
    return finished(tmp_path_factory.mktemp("two") / "run", synthetic_data, settings=tiny_settings)


def test_two_processes_train_as_one_does(two, trained_run, tiny_settings):
    tolerance = 1e-3 if trained_run.run.precision == "float32" else 0.05
    assert_same_curve(two, trained_run.path, tolerance)
    run = training.open_run(two)
    assert (run.run.strategy, run.settings) == ("multiworker", trained_run.settings)
    # Written once, by the first process.
    assert [step for step, _ in checkpoints.found(two / "checkpoints")] == [4, 6, 8]
    names = [picture.name for picture in (trained_run.path / "samples").iterdir()]
    assert sorted(picture.name for picture in (two / "samples").iterdir()) == sorted(names)
    assert len(list((two / "logs").glob("events.*"))) == 1 and not list(two.rglob("*.part*"))
    assert int(training.load_model(two).step) == tiny_settings["steps"]


def networks(run):
    """Returns ``{name: array}`` of the newest checkpoint's weights, of networks alone: a model has other optimizers."""
    weights = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset) and "optimizer" not in name:
            weights[name] = item[()]

    with h5py.File(checkpoints.newest(run / "checkpoints")) as file:
        file.visititems(take)
    return weights


@pytest.mark.slow
@pytest.mark.parametrize("sgd, warmup", [(False, 17), (True, 10)])
def test_twenty_steps_of_smoke_are_those_of_one_process(synthetic_data, tmp_path, sgd, warmup):
    # Adam divides by gradients: of the critic, rounding errors grow a hundredfold in each of its first steps, to 1e-3
    # in the fourth. With SGD they do not, and weights are compared, too.
    job = {"settings": {"steps": 20, "warmup_steps": warmup}, "sgd": sgd}
    one = finished(tmp_path / "one", synthetic_data, processes=1, **job)
    several = finished(tmp_path / "two", synthetic_data, **job)
    assert len(lines(one)) == 20
    assert_same_curve(several, one, 1e-3)
    if sgd:
        ours, theirs = networks(several), networks(one)
        assert ours.keys() == theirs.keys() and len(ours) > 50
        for name, weight in ours.items():
            np.testing.assert_allclose(weight, theirs[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_job_which_goes_on_bit_for_bit(two, synthetic_data, tiny_settings, tmp_path, killed):
    path = tmp_path / "run"
    with Job(path, synthetic_data, settings=tiny_settings) as job:
        job.until(3)
        job.processes[killed].send_signal(signal.SIGKILL)
        codes = job.codes(timeout=10 * distribution.PATIENCE_SECONDS)
        assert (codes[killed], codes[1 - killed]) == (-signal.SIGKILL, cli.LOST_WORKER), job.errors()
        assert "another process of this job is gone" in job.errors()[1 - killed]
    assert 2 <= max(step for step, _ in checkpoints.found(path / "checkpoints")) < tiny_settings["steps"]
    finished(path, synthetic_data, settings=tiny_settings, resume=True)
    assert_same_run(path, two)


@pytest.mark.slow
@pytest.mark.parametrize("asked", [0, 1])
def test_a_signal_to_one_process_stops_and_saves_the_job(two, synthetic_data, tiny_settings, tmp_path, asked):
    path = tmp_path / "run"
    with Job(path, synthetic_data, settings=tiny_settings) as job:
        job.until(2)
        job.processes[asked].send_signal(signal.SIGTERM)
        assert job.codes() == [130, 130], job.errors()
    (*_, (step, _)) = checkpoints.found(path / "checkpoints")
    assert 2 <= step < tiny_settings["steps"] and lines(path)[-1]["step"] == step
    finished(path, synthetic_data, settings=tiny_settings, resume=True)
    assert_same_run(path, two)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_all_processes(synthetic_data, tiny_settings, tmp_path):
    with Job(tmp_path / "run", synthetic_data, settings=tiny_settings | {"learning_rate": 1e30}) as job:
        assert job.codes() == [1, 1]
        assert all("is not finite after step" in error for error in job.errors())


@pytest.mark.slow
def test_what_the_first_process_refuses_ends_all(synthetic_data, tiny_settings, tmp_path):
    with Job(tmp_path / "run", synthetic_data, settings=tiny_settings | {"batch_size": 3}) as job:
        assert job.codes() == [1, 1]  # an exception; the command says one line
        assert "batch_size=3: cannot be shared by 2 replicas" in job.errors()[0]
        assert "the first process of this job could not start" in job.errors()[1]
    assert not (tmp_path / "run").exists()


# -- shares of a batch -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """A data set of batches of 4 in which one factor varies."""
    folder, random = tmp_path_factory.mktemp("grouped"), np.random.default_rng(0)
    with records.RecordWriter(folder, image_size=16) as writer:
        for number in range(32):
            picture = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            view = f"{FACTORS[number // 4 % len(FACTORS)]}/{number // 4}"
            writer.write({"image": picture, "identity": number // 4, "view": view})
    return records.open_dataset(folder)


@pytest.mark.parametrize("kind", ["plain", "answers", "groups"])
def test_shares_and_parts_are_the_batch_cut(kind, synthetic_data, grouped):
    options = {
        "plain": dict(keys=("image", "action_units", "landmarks"), partners=("action_units",), shift=2),
        "answers": dict(keys=("image", "action_units"), partners=("action_units",), answers=True),
        "groups": dict(keys=("image",), partners=(), groups=4, shift=1),
    }[kind]
    dataset = grouped if kind == "groups" else records.open_dataset(synthetic_data)

    def batches(count, **share):
        made = pipeline.training_batches(dataset, 4, image_size=16, seed=5, first_step=3, **options, **share)
        return list(made.take(count).as_numpy_iterator())

    whole = batches(3)
    for count, parts in ((2, 1), (1, 2), (2, 2)):
        shares = [batches(3 * parts, share=(number, count), parts=parts) for number in range(count)]
        for step, batch in enumerate(whole):
            cut = [part for share in shares for part in share[step * parts : (step + 1) * parts]]
            assert len(cut) == count * parts
            for key, value in batch.items():
                np.testing.assert_array_equal(np.concatenate([part[key] for part in cut]), value, err_msg=key)
    with pytest.raises(ValueError, match="2 shares of 4 parts"):
        batches(1, share=(0, 2), parts=4)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--strategy", "horovod"], "expected one of none, mirrored, multiworker"),
        (["--strategy", "multiworker"], "needs --output"),
        (["--strategy", "mirrored", "--jit", "on"], "jit=on: XLA compiles the step of one device only"),
    ],
)
def test_bad_flags_are_one_line(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "ganimation", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and re.search(message, error) and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_one_mirrored_device_is_one_device(synthetic_data, tiny_settings, trained_run, tmp_path):
    values = EVERY | {"strategy": "mirrored", "precision": trained_run.run.precision}
    run = training.new_run("ganimation", "smoke", tiny_settings, values, data=synthetic_data, output=tmp_path / "run")
    training.train(run, progress=False)
    assert_same_curve(run.path, trained_run.path, 1e-5)
    again = training.resumed_run("ganimation", None, {}, {"strategy": "none"}, output=run.path)
    assert again.run.strategy == "none"  # where a run is trained may change from one start to the next


def test_settings_of_runs_made_before_there_were_strategies_are_read():
    assert config.build(config.RunSettings, {"seed": 3}).strategy == "none"
    with pytest.raises(InputError, match="strategy='all'"):
        config.build(config.RunSettings, {"strategy": "all"})
