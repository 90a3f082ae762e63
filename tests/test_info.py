"""`tfface info` on this machine: every line is there, and damaged folders are described instead of raising."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tfface import info, perceptual
from tfface.data.records import RecordWriter


@pytest.fixture
def root(tmp_path):
    with RecordWriter(tmp_path / "runs" / "synthetic-a", image_size=8) as writer:
        writer.write({"image": np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(KeyboardInterrupt), RecordWriter(tmp_path / "runs" / "synthetic-b", image_size=8):
        raise KeyboardInterrupt
    with RecordWriter(tmp_path / "data" / "mine", image_size=8) as writer:
        writer.write({"image": np.zeros((8, 8, 3), np.uint8)})
    (tmp_path / "runs" / "ganimation-1").mkdir()
    (tmp_path / "runs" / "ganimation-1" / "config.json").write_text("{}")
    return tmp_path


def test_report_names_versions_devices_and_folders(root):
    lines = info.report(root)
    values = dict(lines)
    assert values["tensorflow"].startswith("2.") and values["keras"].startswith("3.")
    assert values["XLA"] == "works"
    assert "ganimation-1" in values["run"]
    data = [value for what, value in lines if what == "data set"]
    assert "mine" in data[0] and "1 records" in data[1] and "unfinished" in data[2]
    assert all(value and "\n" not in value for _, value in lines)


def test_missing_package_is_said_with_what_to_do(monkeypatch, root):
    monkeypatch.setattr(info, "PACKAGES", ("no-such-package-of-any-kind",))
    assert "pip install -r requirements.txt" in dict(info.report(root))["no-such-package-of-any-kind"]


@pytest.mark.parametrize(
    "script, expected",
    [(None, "no nvidia-smi"), ("echo no driver; exit 9", "no driver"), ("echo GPU 0", "tensorflow[and-cuda]")],
)
def test_why_there_is_no_gpu(monkeypatch, tmp_path, script, expected):
    if script:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert expected in info._why_no_gpu()


def test_importing_it_does_not_import_tensorflow():
    code = "import sys, tfface.info; sys.exit('tensorflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_caches_are_named_with_their_size(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    caches = dict(info._caches())
    assert str(tmp_path) in caches["cache of VGG16"] and "not there" in caches["cache of VGG16"]
    assert caches["cache of the renderer"].endswith("MB compiled)")
    perceptual.cached_vgg16().parent.mkdir()
    perceptual.cached_vgg16().write_bytes(bytes(3_000_000))
    assert dict(info._caches())["cache of VGG16"].endswith("(3.0 MB)")
