"""Faster ways of computing the networks change nothing but the order of sums: against plain convolutions, losses agree
to 1e-5 and gradients to 1e-4 of their norm, in float64 to 1e-9 with the double backward of a gradient penalty."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import models
from tfface.layers import Downsample, LeakyReLU, UnpoolConvolution, WideConvolution, plain_convolutions


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def assert_close(found, expected, tolerance):
    for ours, theirs in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours - theirs) <= tolerance * np.linalg.norm(theirs)


# -- layers, float64 ---------------------------------------------------------------------------------------------------

CASES = {
    "product": (lambda: Downsample(5, dtype="float64"), (2, 8, 8, 3)),
    "blocks": (lambda: WideConvolution(4, 7, dtype="float64"), (2, 8, 6, 5)),
    "merged": (lambda: UnpoolConvolution(3, 5, padding="same", dtype="float64"), (2, 6, 4, 5)),
    "merged, valid": (lambda: UnpoolConvolution(3, 5, padding="valid", dtype="float64"), (2, 6, 6, 5)),
}


def values(network, x, variables):
    """Returns the output, gradients of a loss, and those of a penalty on the input's gradient."""
    with tf.GradientTape() as tape:
        y = network(x)
        loss = tf.reduce_sum(tf.sin(y))
    gradients = tape.gradient(loss, variables)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            score = tf.reduce_sum(tf.sin(network(x)))
        slope = inner.gradient(score, x)
        penalty = tf.reduce_sum(tf.square(tf.sqrt(tf.reduce_sum(slope**2, [1, 2, 3]) + 1e-12) - 1.0))
    return [y, slope, *gradients, *outer.gradient(penalty, variables)]


@pytest.mark.parametrize("case", CASES)
def test_layers_in_float64(case):
    make, shape = CASES[case]
    layer, random = make(), np.random.default_rng(0)
    layer.build(shape)
    layer.set_weights([random.normal(0, 0.3, weight.shape) for weight in layer.weights])
    x = tf.constant(random.normal(size=shape), tf.float64)
    found = values(layer, x, layer.trainable_variables)
    with plain_convolutions():
        expected = values(layer, x, layer.trainable_variables)
    assert_close(found, expected, 1e-9)


@pytest.fixture
def critic():
    """Strided convolutions in float64, without biases, which no penalty depends on."""
    parts = [keras.Input((16, 16, 3), dtype="float64")]
    for width in (4, 8, 16):
        parts += [Downsample(width, use_bias=False, dtype="float64"), LeakyReLU(0.2, dtype="float64")]
    return keras.Sequential(parts)


def test_a_critic_in_float64(critic):
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 16, 16, 3)), tf.float64)
    found = values(critic, x, critic.trainable_variables)
    with plain_convolutions():
        expected = values(critic, x, critic.trainable_variables)
    assert_close(found, expected, 1e-9)


def test_a_critic_compiled_by_xla(critic):
    # Whole train steps of all models: tests/conformance, with -m slow.
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 16, 16, 3)), tf.float64)
    compiled = tf.function(lambda x: values(critic, x, critic.trainable_variables), jit_compile=True)
    assert_close(compiled(x), values(critic, x, critic.trainable_variables), 1e-9)


# -- models, float32 ---------------------------------------------------------------------------------------------------

SETTINGS = {
    "ganimation": dict(
        image_size=16, batch_size=4, steps=8, generator_width=8, residual_blocks=1, discriminator_width=8,
        discriminator_layers=3, n_critic=1,
    ),
    "attgan": dict(
        image_size=32, batch_size=4, steps=8, generator_width=4, discriminator_width=4, discriminator_units=8, depth=3,
        n_critic=1,
    ),
}  # fmt: skip


def losses_and_gradients(model, network, part):
    method = model.discriminator_losses if network == "discriminator" else model.generator_losses
    with tf.GradientTape() as tape:
        terms = method(*part)
    gradients = tape.gradient(terms[f"{network[0]}_loss"], getattr(model, network).trainable_variables)
    return {name: float(value) for name, value in terms.items()}, np.concatenate([g.numpy().ravel() for g in gradients])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_losses_and_gradients_of_models(name, network):
    cls = models.get(name)
    model, random = cls(cls.Config.from_preset("paper", **SETTINGS[name]), seed=0), np.random.default_rng(0)
    size, count = model.config.image_size, 17 if name == "ganimation" else 13
    shapes = {"image": (4, size, size, 3), "labels": (4, count), "target": (4, count), "alpha": (4, 1, 1, 1)}
    part = {key: random.uniform(0, 1, shape).astype(np.float32) for key, shape in shapes.items()}
    part["image"] = part["image"] * 2 - 1
    part = [tf.constant(value) for value in part.values()][: 4 if network == "discriminator" else 3]
    terms, gradients = losses_and_gradients(model, network, part)
    with plain_convolutions():
        expected_terms, expected = losses_and_gradients(model, network, part)
    for term, value in expected_terms.items():
        # A critic's score starts near 0 as a sum of larger ones: to 1e-5 of what the terms add up to.
        assert terms[term] == pytest.approx(value, rel=1e-5, abs=1e-5 * abs(expected_terms[f"{network[0]}_loss"])), term
    assert np.linalg.norm(gradients - expected) <= 1e-4 * np.linalg.norm(expected)
