"""The load benchmark runs, counts its requests and says what failed."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import serving
from tfface.models.ganimation import GANimation

pytest.importorskip("aiohttp", reason="tfface serve needs the serving extra")
pytest.importorskip("tensorflow_serving", reason="tfface serve needs the serving extra")


def test_load_is_counted(tmp_path, capsys, monkeypatch):
    from tfface import export

    config = GANimation.Config.from_preset(
        "smoke", image_size=16, generator_width=4, residual_blocks=1, discriminator_width=4
    )
    export.export_model(GANimation(config), tmp_path / "ganimation")
    in_process = serving._in_process
    monkeypatch.setattr(serving, "_in_process", lambda *arguments: in_process(*arguments, seconds=0.2))
    assert serving.main([str(tmp_path / "ganimation"), "--clients", "2", "--seconds", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "a loop in process" in said[0] and "2 clients, rest" in said[1] and "errors 0" in said[2]


def test_examples_are_valid_requests():
    card = {
        "inputs": {"image": {"shape": [16, 16, 3]}, "pose": {"shape": [3], "range": [-90, 90]}, "landmarks": {}},
        "crop_margin": 1.0,
    }
    example = serving.example(card)
    assert tf.io.decode_jpeg(example["files"][0]).shape == (16, 16, 3)
    assert example["landmarks"].shape == (1, 68, 2)
    np.testing.assert_array_equal(example["pose"], np.zeros((1, 3)))


def test_nothing_exported(tmp_path, capsys):
    assert serving.main([str(tmp_path)]) == 2
    assert "holds no version" in capsys.readouterr().err
