"""Faster ways of computing the networks change nothing but the order of sums: against plain convolutions, losses agree
to 1e-5 and gradients to 1e-4 of their norm, in float64 to 1e-9 with the double backward of a gradient penalty."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import bilinear, convolutions, models, winograd
from tfface.convolutions import (
    Conv2DTranspose,
    Downsample,
    UnpoolConvolution,
    WideConvolution,
    plain_convolutions,
    training_convolutions,
)
from tfface.layers import LeakyReLU


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def assert_close(found, expected, tolerance):
    for ours, theirs in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours - theirs) <= tolerance * np.linalg.norm(theirs)


# -- convolutions and their gradients, float64 -------------------------------------------------------------------------


def native(way, x, kernel):
    if way is winograd.same3:
        return tf.nn.conv2d(x, kernel, 1, "SAME")
    return tf.nn.conv2d(x, kernel, 2, "SAME")


def native_transposed(way, y, kernel):
    stride = 1 if way is winograd.same3 else 2
    shape = [y.shape[0], stride * y.shape[1], stride * y.shape[2], kernel.shape[2]]
    return tf.nn.conv2d_transpose(y, kernel, shape, stride, "SAME")


def derivatives(function, *arguments):
    """Returns a value, its gradients, and gradients of a function of these."""
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = function(*arguments)
            total = tf.reduce_sum(tf.sin(value))
        gradients = inner.gradient(total, arguments)
        mixed = sum(tf.reduce_sum(each * tf.cos(each)) for each in gradients)
    return [value, *gradients, *outer.gradient(mixed, arguments)]


WAYS = {
    "tiles 3x3": (winograd.same3, 3, 1),
    "tiles 4x4": (winograd.strided4, 4, 2),
    "product": (bilinear.strided_product4, 4, 2),
    "product, not compiled": (bilinear.small_strided_product4, 4, 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_convolutions_and_all_their_derivatives(way):
    (way, side, stride), random = WAYS[way], np.random.default_rng(0)
    size = (6, 5)  # tiles are 2 pixels wide for 3x3 kernels and 3 for 4x4 ones: the last one across is unfinished
    x = tf.constant(random.normal(size=(2, stride * size[0], stride * size[1], 3)))
    y, kernel = tf.constant(random.normal(size=(2, *size, 5))), tf.constant(random.normal(size=(side, side, 3, 5)))
    expected = derivatives(lambda x, kernel: native(way, x, kernel), x, kernel)
    assert_close(derivatives(way.apply, x, kernel), expected, 1e-12)
    expected = derivatives(lambda y, kernel: native_transposed(way, y, kernel), y, kernel)
    assert_close(derivatives(way.apply_backward, y, kernel), expected, 1e-12)
    by_kernel = derivatives(way.apply_by_kernel, x, y)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = native(way, x, kernel)
    assert_close(by_kernel[:1], [tape.gradient(value, kernel, y)], 1e-12)


def test_a_tile_by_hand():
    # One row of 4 inputs and 2 or 3 taps: 4 products give the 3 or 2 sums.
    inputs = np.array([1.0, 2.0, 3.0, 5.0])
    for taps, expected in (([1.0, -2.0], [-3.0, -4.0, -7.0]), ([1.0, -2.0, 3.0], [6.0, 11.0])):
        products = (winograd._INPUTS @ inputs) * (winograd._TAPS[len(taps)] @ taps)
        np.testing.assert_array_equal(winograd._PRODUCTS[len(taps)] @ products, expected)


def test_rounding_of_tiles_is_that_of_another_order_of_sums():
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(1, 16, 16, 256)), random.normal(size=(3, 3, 256, 64))
    exact = native(winograd.same3, tf.constant(x), tf.constant(kernel)).numpy()
    x, kernel = tf.constant(x, tf.float32), tf.constant(kernel, tf.float32)
    error, usual = (
        np.linalg.norm(found - exact) / np.linalg.norm(exact)
        for found in (winograd.same3.apply(x, kernel), native(winograd.same3, x, kernel))
    )
    assert error < 1e-6
    assert error < 10 * usual


# -- layers, float64 ---------------------------------------------------------------------------------------------------

CASES = {
    "few pixels": (lambda: Downsample(5, dtype="float64"), (2, 8, 8, 3)),
    "few pixels, up": (lambda: Conv2DTranspose(5, 4, 2, "same", dtype="float64"), (2, 4, 4, 3)),
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
    with training_convolutions():
        found = values(layer, x, layer.trainable_variables)
    with plain_convolutions():
        expected = values(layer, x, layer.trainable_variables)
    assert_close(found, expected, 1e-9)


@pytest.fixture
def any_channels(monkeypatch):
    monkeypatch.setattr(convolutions, "_FEWEST_CHANNELS", 1)


@pytest.fixture
def critic():
    """Strided convolutions in float64, without biases, which no penalty depends on."""
    parts = [keras.Input((16, 16, 3), dtype="float64")]
    for width in (4, 8, 16):
        parts += [Downsample(width, use_bias=False, dtype="float64"), LeakyReLU(0.2, dtype="float64")]
    return keras.Sequential(parts)


@pytest.mark.usefixtures("any_channels")
def test_a_critic_in_float64(critic, monkeypatch):
    monkeypatch.setattr(convolutions, "_FEWEST_PIXELS", 32)  # tiles in the first two layers, a product in the third
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 16, 16, 3)), tf.float64)
    with training_convolutions():
        found = values(critic, x, critic.trainable_variables)
    with plain_convolutions():
        expected = values(critic, x, critic.trainable_variables)
    assert_close(found, expected, 1e-9)


@pytest.mark.usefixtures("any_channels")
def test_a_critic_compiled_by_xla(critic):
    # Whole train steps of all models: tests/conformance, with -m slow.
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 16, 16, 3)), tf.float64)
    compiled = tf.function(lambda x: values(critic, x, critic.trainable_variables), jit_compile=True)
    with training_convolutions():
        found = compiled(x)
    assert_close(found, values(critic, x, critic.trainable_variables), 1e-9)


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


def losses_and_gradients(model, network, part, compiled=False):
    method = model.discriminator_losses if network == "discriminator" else model.generator_losses

    def both(*part):
        with tf.GradientTape() as tape:
            terms = method(*part)
        return terms, tape.gradient(terms[f"{network[0]}_loss"], getattr(model, network).trainable_variables)

    terms, gradients = tf.function(both, jit_compile=True)(*part) if compiled else both(*part)
    return {name: float(value) for name, value in terms.items()}, np.concatenate([g.numpy().ravel() for g in gradients])


@pytest.mark.usefixtures("any_channels")
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("network", ["discriminator", "generator"])
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "xla"])
def test_losses_and_gradients_of_models(name, network, compiled, monkeypatch):
    monkeypatch.setattr(convolutions, "_FEWEST_PIXELS", 64)  # tiles in large pictures, products in small ones
    cls = models.get(name)
    model, random = cls(cls.Config.from_preset("paper", **SETTINGS[name]), seed=0), np.random.default_rng(0)
    size, count = model.config.image_size, 17 if name == "ganimation" else 13
    shapes = {"image": (4, size, size, 3), "labels": (4, count), "target": (4, count), "alpha": (4, 1, 1, 1)}
    part = {key: random.uniform(0, 1, shape).astype(np.float32) for key, shape in shapes.items()}
    part["image"] = part["image"] * 2 - 1
    part = [tf.constant(value) for value in part.values()][: 4 if network == "discriminator" else 3]
    with training_convolutions():
        terms, gradients = losses_and_gradients(model, network, part, compiled)
    with plain_convolutions():
        expected_terms, expected = losses_and_gradients(model, network, part)
    for term, value in expected_terms.items():
        # A critic's score starts near 0 as a sum of larger ones: to 1e-5 of what the terms add up to.
        assert terms[term] == pytest.approx(value, rel=1e-5, abs=1e-5 * abs(expected_terms[f"{network[0]}_loss"])), term
    assert np.linalg.norm(gradients - expected) <= 1e-4 * np.linalg.norm(expected)
