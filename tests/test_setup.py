"""train.sh, test.sh and the environment they make: installed once, never half, from any folder. Nothing is downloaded.

The real `uv`, `nvidia-smi` and odd interpreters are stood in for by small scripts on PATH; the rest is the real thing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ("train.sh", "test.sh", "docs.sh", ".ci/run", "scripts/ensure_env.sh")
TOOLS = ("bash", "sh", "cat", "dirname", "grep", "rm", "sed", "env")


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_parse_and_can_be_run(script):
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
    assert os.access(ROOT / script, os.X_OK)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(ROOT / script)], check=True)


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class Checkout:
    """A copy of the scripts in a folder with a blank in its name, and a PATH that holds only what a test puts there."""

    def __init__(self, tmp_path):
        self.root = tmp_path / "a check out"
        self.bin = tmp_path / "bin"
        self.log = tmp_path / "uv.log"
        for name in (*SCRIPTS, "requirements.txt", "pyproject.toml"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.uv_exits_with(0)
        self.environment = {"PATH": str(self.bin), "HOME": str(tmp_path)}

    def uv_exits_with(self, status):
        executable(self.bin / "uv", f'echo "$@" >> "{self.log}"\nexit {status}')

    def activate(self, path):
        """A real virtual environment (without pip, which takes seconds) made active."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
        self.environment["VIRTUAL_ENV"] = str(path)
        return path / "bin" / "python"

    def run(self, script, *arguments, cwd=None):
        command = ["bash", str(self.root / script), *arguments]
        return subprocess.run(command, env=self.environment, cwd=cwd or "/", capture_output=True, text=True)

    def ensure(self, *extras):
        result = self.run("scripts/ensure_env.sh", *extras)
        assert result.returncode == 0, result.stderr
        return result.stdout.removesuffix("\n")

    @property
    def installs(self):
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_an_active_environment_is_used_and_installed_into_once(checkout, tmp_path):
    python = checkout.activate(tmp_path / "my env")
    assert checkout.ensure() == str(python)
    assert checkout.installs == [f"pip install --python {python} -e ."]
    assert checkout.ensure() == str(python)
    assert len(checkout.installs) == 1
    assert not (checkout.root / ".venv").exists()


def test_a_conda_environment_is_used(checkout, tmp_path):
    checkout.activate(tmp_path / "conda")
    checkout.environment["CONDA_PREFIX"] = checkout.environment.pop("VIRTUAL_ENV")
    assert checkout.ensure() == str(tmp_path / "conda" / "bin" / "python")


def test_colab_uses_its_own_python(checkout):
    checkout.environment["COLAB_RELEASE_TAG"] = "release-colab_1"
    python = executable(checkout.bin / "python3", f'exec "{sys.executable}" "$@"')
    # The stamp would land in this interpreter's own prefix: the failing installer keeps it from being written.
    checkout.uv_exits_with(1)
    checkout.run("scripts/ensure_env.sh")
    assert f"--python {python}" in checkout.installs[0]


def test_a_failed_install_is_tried_again(checkout, tmp_path):
    checkout.activate(tmp_path / "env")
    checkout.uv_exits_with(1)
    assert checkout.run("scripts/ensure_env.sh").returncode != 0
    assert not (tmp_path / "env" / "tfface-installed").exists()
    checkout.uv_exits_with(0)
    checkout.ensure()
    checkout.ensure()
    assert len(checkout.installs) == 2


def test_a_failed_update_takes_the_old_stamp_away(checkout, tmp_path):
    checkout.activate(tmp_path / "env")
    checkout.ensure()
    checkout.uv_exits_with(1)
    assert checkout.run("scripts/ensure_env.sh", "test").returncode != 0
    assert not (tmp_path / "env" / "tfface-installed").exists()


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_changed_requirements_are_installed(checkout, tmp_path, name):
    checkout.activate(tmp_path / "env")
    checkout.ensure("test")
    with open(checkout.root / name, "a") as stream:
        stream.write("\n# changed\n")
    checkout.ensure()
    checkout.ensure()
    assert len(checkout.installs) == 2
    checkout.ensure("test")  # the test extra was installed from the requirements before
    assert len(checkout.installs) == 3


def test_extras_are_added_and_then_serve_training_too(checkout, tmp_path):
    checkout.activate(tmp_path / "env")
    checkout.ensure()
    checkout.ensure("test", "parity")
    assert checkout.installs[-1].endswith("-e .[test,parity]")
    checkout.ensure()
    checkout.ensure("parity")
    assert len(checkout.installs) == 2


def test_an_environment_that_another_checkout_used_is_installed_into(tmp_path):
    first, second = Checkout(tmp_path / "first"), Checkout(tmp_path / "second")
    first.activate(tmp_path / "env")
    second.environment["VIRTUAL_ENV"] = first.environment["VIRTUAL_ENV"]
    first.ensure()
    second.ensure()
    assert len(second.installs) == 1


@pytest.mark.parametrize("status, extra", [(0, ".[cuda]"), (9, "-e .")])
def test_cuda_is_installed_where_the_driver_answers(checkout, tmp_path, status, extra):
    checkout.activate(tmp_path / "env")
    executable(checkout.bin / "nvidia-smi", f"exit {status}")
    checkout.ensure()
    assert checkout.installs[0].endswith(extra)


def test_an_old_python_is_refused_in_one_line(checkout, tmp_path):
    executable(tmp_path / "env" / "bin" / "python", 'case "$2" in *platform*) echo 3.9.7 ;; *) exit 1 ;; esac')
    checkout.environment["VIRTUAL_ENV"] = str(tmp_path / "env")
    result = checkout.run("train.sh", "ganimation")
    assert result.returncode == 2
    assert result.stderr == f"error: tfface needs Python 3.11, 3.12 or 3.13; {tmp_path}/env/bin/python is 3.9.7\n"
    assert checkout.installs == []


def test_without_any_python_there_is_one_line(checkout):
    executable(checkout.bin / "python3.11", "echo 'not installed' >&2; exit 127")  # a version manager's shim
    result = checkout.run("test.sh")
    assert result.returncode == 2
    assert result.stderr.startswith("error: tfface needs Python 3.11, 3.12 or 3.13") and result.stderr.count("\n") == 1


def test_a_folder_of_its_own_is_made_and_mended(checkout):
    executable(checkout.bin / "python3.11", "exit 127")
    executable(checkout.bin / "python3", f'exec "{sys.executable}" "$@"')
    python = checkout.root / ".venv" / "bin" / "python"
    executable(python, "exit 1")  # what an interrupted `python -m venv` may leave
    assert checkout.ensure() == str(python)
    subprocess.run([str(python), "-m", "pip", "--version"], check=True, stdout=subprocess.DEVNULL)
    assert checkout.ensure() == str(python)
    assert len(checkout.installs) == 1


def test_train_passes_arguments_folder_and_exit_status_on(checkout, tmp_path):
    checkout.activate(tmp_path / "env")
    stand_in = tmp_path / "packages" / "tfface" / "__main__.py"
    stand_in.parent.mkdir(parents=True)
    shown = "os.getcwd(), sys.argv[1:], os.environ['TF_CPP_MIN_LOG_LEVEL']"
    stand_in.write_text(f"import os, sys\nprint({shown})\nsys.exit(5)\n")
    elsewhere = tmp_path / "some where"
    elsewhere.mkdir()
    checkout.environment |= {"PYTHONPATH": str(tmp_path / "packages"), "CDPATH": str(tmp_path)}
    result = checkout.run("train.sh", "ganimation", "--set", "a=b c", cwd=elsewhere)
    assert result.returncode == 5
    assert result.stdout == f"{elsewhere} ['train', 'ganimation', '--set', 'a=b c'] 3\n"
    assert checkout.run("train.sh").stdout.endswith("['train', '--help'] 3\n")


def test_an_environment_without_pip_is_completed_where_there_is_no_uv(checkout):
    (checkout.bin / "uv").unlink()
    executable(checkout.bin / "python3", f'exec "{sys.executable}" "$@"')
    (checkout.root / "pyproject.toml").write_text("not TOML")  # so that pip ends at once instead of downloading
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(checkout.root / ".venv")], check=True)
    result = checkout.run("scripts/ensure_env.sh")
    assert result.returncode != 0
    subprocess.run([str(checkout.root / ".venv/bin/python"), "-m", "pip", "--version"], check=True)
