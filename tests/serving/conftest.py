"""One stand-in server in a process of its own, with toy models and a tiny GANimation, for the tests of this folder."""

import contextlib
import re
import signal
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from tfface import checkpoints, export, models, training
from tfface.config import RunSettings
from tfface.data.records import RecordWriter

SIZE = 16


class HalfPlusThree(tf.Module):
    """The example of TensorFlow Serving's guide; its other signature takes three named inputs, as the guide's does."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def half(self, x):
        return {"y": x / 2 + 3}

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.string, name="tag"),
            tf.TensorSpec((None, 5), tf.int64, name="signal"),
            tf.TensorSpec((None, 2, 2), tf.float32, name="sensor"),
        ]
    )
    def named(self, tag, signal, sensor):
        return {"caption": tf.strings.upper(tag), "total": tf.reduce_sum(signal, 1), "image_bytes": tag, "same": sensor}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def slow(self, x):
        matrix = tf.eye(300) * x[0]
        for _ in tf.range(400):
            matrix = tf.matmul(matrix, tf.eye(300))
        return {"y": matrix[:1, 0]}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run directory of a tiny GANimation whose edits are visible."""
    path = tmp_path_factory.mktemp("run")
    random = np.random.default_rng(3)
    with RecordWriter(path / "data", image_size=SIZE, source="noise", licence="CC0 1.0") as writer:
        for number in range(4):
            writer.write({"image": random.integers(0, 256, (SIZE, SIZE, 3), np.uint8), "source": str(number)})
    settings = models.get("ganimation").Config.from_preset(
        "smoke", image_size=SIZE, generator_width=4, residual_blocks=1, discriminator_width=4
    )
    opened = training.Run(path / "ganimation-test", "ganimation", settings, RunSettings(), path / "data")
    opened.path.mkdir()
    opened.save()
    model = training.build_model(opened, jit=False)
    for variable in model.ema_generator.trainable_variables:
        variable.assign_add(random.normal(0, 0.05, variable.shape))
    checkpoints.save(model, opened.path / "checkpoints", keep=2)
    return opened.path


@pytest.fixture(scope="session")
def exports(run, tmp_path_factory):
    """A folder of two models, the toy one as version 123."""
    folder = tmp_path_factory.mktemp("exports")
    toy = HalfPlusThree()
    signatures = {"serving_default": toy.half, "named": toy.named, "slow": toy.slow}
    tf.saved_model.save(toy, str(folder / "half_plus_three" / "123"), signatures=signatures)
    export.export_run(run, folder / "ganimation")
    return folder


@contextlib.contextmanager
def serving(folder, *flags):
    """Runs ``tfface serve`` on free ports; gives the process and its addresses, and stops it at the end."""
    command = [sys.executable, "-m", "tfface", "serve", str(folder), "--port", "0", "--grpc-port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.match(r"REST http://(\S+)/v1/models  gRPC (\S+) ", line):
                break
        assert found, said
        yield types.SimpleNamespace(process=process, rest=found[1], grpc=found[2], said="".join(said))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="session")
def server(exports):
    pytest.importorskip("aiohttp", reason="tfface serve needs the serving extra")
    pytest.importorskip("tensorflow_serving", reason="tfface serve needs the serving extra")
    with serving(exports, "--max-request-mb", "1") as started:
        yield started
