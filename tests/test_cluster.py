import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tfface import cli, cluster
from tfface.errors import InputError

EXAMPLES = Path(__file__).parents[1] / "examples"


def place(cluster_, role="worker", index=0):
    text = json.dumps({"cluster": cluster_, "task": {"type": role, "index": index}, "environment": "cloud"})
    return cluster.place({"TF_CONFIG": text})


def test_places_are_counted_from_the_chief_on():
    workers = {"worker": ["a:1", "b:1", "c:1"]}
    assert [place(workers, index=index).number for index in range(3)] == [0, 1, 2]
    assert [place(workers, index=index).chief for index in range(3)] == [True, False, False]
    both = {"worker": ["b:1", "c:1"], "chief": ["a:1"]}
    assert place(both, "chief") == (0, {"chief": 1, "worker": 2}) and place(both, "chief").chief
    assert place(both, "worker", 1) == (2, {"chief": 1, "worker": 2})


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "is not set"),
        ("{", "is not what was expected"),
        ("[]", "is not what was expected"),
        ('{"cluster": {"worker": ["a:1"]}}', "is not what was expected"),
        ('{"cluster": ["a:1"], "task": {"type": "worker", "index": 0}}', "is not what was expected"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "no worker number 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}', "no worker number 0"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', "no chief number 0"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', "names ps"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "an address twice"),
    ],
)
def test_a_missing_or_wrong_tf_config_is_one_line(text, message, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=message):
        cluster.place()
    output = tmp_path / "run"
    assert cli.main(["train", "ganimation", "--strategy", "multiworker", "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: TF_CONFIG: ") and message in error and error.count("\n") == 1
    assert not output.exists()


def test_slurm_has_one_task_on_each_host():
    variables = {"SLURM_JOB_ID": "123456", "SLURM_NTASKS": "2", "SLURM_PROCID": "1"}
    assert cluster.from_slurm(["n1", "n2"], variables) == {
        "cluster": {"worker": ["n1:23456", "n2:23456"]},
        "task": {"type": "worker", "index": 1},
    }
    with pytest.raises(InputError, match="one task on each of 1 hosts"):
        cluster.from_slurm(["n1"], variables)
    with pytest.raises(InputError, match="set by srun"):
        cluster.from_slurm(["n1"], {"SLURM_JOB_ID": "7"})


def program(folder, name, text):
    """Puts a program on PATH that stands for one of the machine room's."""
    (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def slurm(tmp_path):
    """Runs train.sbatch as SLURM would on two hosts; gives its exit code and what it called, with which TF_CONFIG."""
    programs, called = tmp_path / "bin", tmp_path / "called"
    programs.mkdir()
    program(programs, "python", f'exec {sys.executable} "$@"')
    program(programs, "tfface", f'echo "$SLURM_PROCID|$TF_CONFIG|$*" >> {called}\nexit "${{CODE:-0}}"')
    program(programs, "srun", 'shift\ncode=0\nfor id in 0 1; do SLURM_PROCID=$id "$@" || code=$?; done\nexit $code')
    program(
        programs,
        "scontrol",
        f'if [ "$1" = show ]; then printf "n7\\nn9\\n"; else echo "scontrol $*" >> {called}; fi',
    )

    def run(*arguments, code=0):
        called.unlink(missing_ok=True)
        variables = {"SLURM_JOB_ID": "42", "SLURM_NTASKS": "2", "SLURM_JOB_NODELIST": "n[7,9]", "CODE": str(code)}
        variables["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        variables["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
        command = ["bash", EXAMPLES / "slurm" / "train.sbatch", *arguments]
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
        return done.returncode, called.read_text().splitlines() if called.exists() else done.stderr

    return run


def test_the_slurm_example_starts_each_process_with_its_place(slurm, tmp_path):
    run = tmp_path / "run"
    code, lines = slurm("ganimation", str(run), "--preset", "smoke", "--set", "batch_size=8")
    assert code == 0 and len(lines) == 2
    for number, line in enumerate(lines):
        process, tf_config, arguments = line.split("|")
        assert process == str(number)
        assert cluster.place({"TF_CONFIG": tf_config}) == (number, {"worker": 2})
        assert json.loads(tf_config)["cluster"]["worker"] == ["n7:20042", "n9:20042"]
        assert arguments == (
            f"train ganimation --output {run} --strategy multiworker --preset smoke --set batch_size=8"
        )
        cli.build_parser().parse_args(arguments.split())


def test_the_slurm_example_goes_on_and_asks_to_be_started_again(slurm, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    code, lines = slurm("ganimation", str(tmp_path), code=cli.LOST_WORKER)
    assert code == cli.LOST_WORKER and lines[-1] == "scontrol requeue 42"
    assert all(line.endswith("--strategy multiworker --resume") for line in lines[:-1])
    code, lines = slurm("ganimation", str(tmp_path), code=2)
    assert code == 2 and "requeue" not in "".join(lines)


def test_the_kubernetes_example_runs_a_command_that_is_understood(tmp_path):
    job = yaml.safe_load((EXAMPLES / "kubernetes" / "tfjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow" and worker["restartPolicy"] == "ExitCode"
    program(tmp_path, "tfface", 'printf "%s\\n" "$@"')
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    for resumed in (False, True):
        script = [part.replace("/faces/", f"{tmp_path}/") for part in (*container["command"], *container["args"])]
        words = subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
        parsed = cli.build_parser().parse_args(words)
        assert (parsed.model, parsed.strategy, parsed.resume) == ("ganimation", "multiworker", resumed)
        assert (
            int(parsed.set[0].removeprefix("batch_size="))
            % (worker["replicas"] * container["resources"]["limits"]["nvidia.com/gpu"])
            == 0
        )
        (tmp_path / "runs" / "ganimation").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / "ganimation" / "config.json").write_text("{}")
