"""Kernels that cannot draw a checkerboard."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfface import config, models
from tfface.constraints import EvenPhases


def phase_sums(kernel, stride=2):
    return np.stack(
        [kernel[row::stride, column::stride].sum((0, 1)) for row in range(stride) for column in range(stride)]
    )


def kernel(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def held(value, stride=2):
    return keras.ops.convert_to_numpy(EvenPhases(stride)(keras.ops.convert_to_tensor(value)))


@pytest.mark.parametrize(("shape", "stride"), [((4, 4, 3, 5), 2), ((2, 2, 1, 1), 2), ((6, 3, 2, 4), 3)])
def test_phases_become_even_by_the_smallest_change(shape, stride):
    before, other = kernel(*shape), held(kernel(*shape, seed=1), stride)
    after = held(before, stride)
    sums = phase_sums(after, stride)
    np.testing.assert_allclose(sums, np.broadcast_to(sums[:1], sums.shape), atol=1e-5)
    np.testing.assert_allclose(after.sum((0, 1)), before.sum((0, 1)), atol=1e-5)
    np.testing.assert_allclose(held(after, stride), after, atol=1e-6)
    # A projection: what was taken away has no share in any kernel that is allowed.
    assert abs(np.sum((before - after) * other)) < 1e-5


def test_hand_computed():
    # Phases of one tap each: the mean is left.
    np.testing.assert_allclose(held(np.reshape([1.0, 2.0, 3.0, 6.0], (2, 2, 1, 1))), np.full((2, 2, 1, 1), 3.0))


def test_an_even_area_stays_even():
    layer = layers.Conv2DTranspose(3, 4, 2, "same", kernel_constraint=EvenPhases())
    layer.build((None, 8, 8, 5))
    features = np.tile(kernel(1, 1, 1, 5), (1, 8, 8, 1))
    free = layer(features)[0, 2:-2, 2:-2].numpy()
    layer.kernel.assign(held(layer.kernel))
    even = layer(features)[0, 2:-2, 2:-2].numpy()
    assert np.ptp(free, (0, 1)).min() > 1e-2
    assert np.ptp(even, (0, 1)).max() < 1e-6
    np.testing.assert_allclose(even.mean((0, 1)), free.mean((0, 1)), atol=1e-6)


def doubling(network):
    """Yields the transposed convolutions of a network."""
    for layer in network._flatten_layers(include_self=False):
        if isinstance(layer, layers.Conv2DTranspose):
            yield layer


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("name", ["attgan", "ganimation"])
def test_training_keeps_every_doubling_layer_even(name, even):
    kind = models.get(name)
    settings = {"image_size": 32, "batch_size": 2, "warmup_steps": 0, "even_phases": even}
    model = kind(config.from_preset(kind.Config, "smoke", settings))
    model.compile()
    count, size = model.examples_per_step, model.config.image_size
    random = np.random.default_rng(0)
    conditions = {
        key: random.integers(0, 2, (count, width)) for key, width in (("attributes", 40), ("action_units", 17))
    }
    conditions |= {f"target_{key}": value[::-1] for key, value in conditions.items()}
    batch = {"image": random.uniform(-1, 1, (count, size, size, 3)), **conditions}
    batch = {key: tf.constant(value.copy(), tf.float32) for key, value in batch.items()}
    model.set_phase("adversarial")
    model.train_step({**batch, "index": tf.range(count, dtype=tf.int64)})
    found = list(doubling(model.generator))
    assert len(found) == {"attgan": 4, "ganimation": 2}[name]
    for layer in found:
        sums = phase_sums(layer.kernel.numpy())
        assert (np.ptp(sums, 0).max() < 1e-5) == even


def test_presets_for_short_runs_cannot_draw_a_checkerboard_and_published_ones_are_as_published():
    for name in ("attgan", "ganimation"):
        kind = models.get(name)
        presets = {preset: config.from_preset(kind.Config, preset, {}).even_phases for preset in kind.Config.PRESETS}
        assert presets == {"paper": False, "laptop": True, "finetune": True, "smoke": True}


def test_goes_through_a_saved_config():
    layer = layers.Conv2DTranspose(3, 4, 2, kernel_constraint=EvenPhases(2))
    again = layers.Conv2DTranspose.from_config(layer.get_config())
    assert isinstance(again.kernel_constraint, EvenPhases) and again.kernel_constraint.stride == 2
