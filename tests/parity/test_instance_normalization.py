"""Our InstanceNormalization against tensorflow-addons', values and gradients.

tensorflow-addons is asked in a process of its own: it needs Keras 2 under the name it had in TensorFlow 2.15, and the
switch that brings it would reach every other test.
"""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import tensorflow as tf

from tfface.layers import InstanceNormalization

missing = [name for name in ("tensorflow_addons", "tf_keras") if find_spec(name) is None]
pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(
        bool(missing), reason=f"NOT COMPARED with tensorflow-addons: {missing} need the parity extra (Python 3.11)"
    ),
]

ADDONS = """
import sys
import numpy as np
import tensorflow as tf
import tf_keras.src.engine.keras_tensor as keras_tensor

sys.modules["keras.src.engine"] = sys.modules["tf_keras.src.engine"]
sys.modules["keras.src.engine.keras_tensor"] = keras_tensor
import tensorflow_addons as tfa

given, answer = np.load(sys.argv[1]), {}
for epsilon in given["epsilons"]:
    layer = tfa.layers.InstanceNormalization(axis=-1, epsilon=float(epsilon))
    layer.build(given["x"].shape)
    layer.set_weights([given["gamma"], given["beta"]])
    x = tf.constant(given["x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y * given["direction"])
    gradients = tape.gradient(loss, [x, layer.gamma, layer.beta])
    for name, value in zip(("y", "dx", "dgamma", "dbeta"), [y, *gradients]):
        answer[f"{name}-{epsilon}"] = value
np.savez(sys.argv[2], **answer)
"""
EPSILONS = (1e-5, 1e-3)


@pytest.fixture(scope="module")
def given():
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 9, 8, 5)) * np.array([1e-3, 1e-2, 0.1, 1.0, 10.0]) + random.normal(size=5)
    values = {
        "x": x,
        "gamma": random.normal(size=5),
        "beta": random.normal(size=5),
        "direction": random.normal(size=x.shape),
    }
    return {key: value.astype(np.float32) for key, value in values.items()}


@pytest.fixture(scope="module")
def addons(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("addons")
    np.savez(folder / "given.npz", epsilons=EPSILONS, **given)
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", ADDONS, folder / "given.npz", folder / "answer.npz"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(folder / "answer.npz")


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_values_and_gradients(given, addons, epsilon):
    layer = InstanceNormalization(epsilon=epsilon)
    layer.build(given["x"].shape)
    layer.set_weights([given["gamma"], given["beta"]])
    x = tf.constant(given["x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y * given["direction"])
    ours = [y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])]
    for name, value in zip(("y", "dx", "dgamma", "dbeta"), ours, strict=True):
        theirs = addons[f"{name}-{epsilon}"]
        np.testing.assert_allclose(value, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max(), err_msg=name)
