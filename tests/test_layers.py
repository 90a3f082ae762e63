import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.convolutions import Conv2D, Conv2DTranspose, Downsample, WideConvolution
from tfface.layers import ConcatenateCondition, FeatureModulation, InstanceNormalization


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def normal(*shape, scale=1.0, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * scale + shift).astype(np.float32)


# -- InstanceNormalization ---------------------------------------------------------------------------------------------


def instance_norm(x, gamma, beta, epsilon):
    x = x.astype(np.float64)
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)  # numpy's is the biased one
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_instance_normalization_is_the_formula(batch, epsilon):
    x, gamma, beta = normal(batch, 5, 7, 4, scale=0.05, shift=2.0), normal(4, seed=1), normal(4, seed=2)
    layer = InstanceNormalization(epsilon=epsilon)
    layer.build(x.shape)
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(x), instance_norm(x, gamma, beta, epsilon), atol=1e-4)


def test_instance_normalization_without_scale_and_shift():
    x = normal(2, 4, 4, 3)
    layer = InstanceNormalization(affine=False)
    np.testing.assert_allclose(layer(x), instance_norm(x, 1.0, 0.0, 1e-5), atol=1e-5)
    assert layer.weights == []


def test_instance_normalization_has_torchs_epsilon():
    assert InstanceNormalization().epsilon == 1e-5  # keras' own and tensorflow-addons' default is 1e-3


def test_instance_normalization_looks_at_one_picture_only():
    x, others = normal(2, 6, 6, 3), normal(2, 6, 6, 3, scale=9.0, seed=1)
    layer = InstanceNormalization()
    alone = layer(x[:1])
    np.testing.assert_allclose(layer(np.concatenate([x[:1], others]))[:1], alone, atol=1e-6)


def test_instance_normalization_removes_what_is_constant_over_the_picture():
    # Why a constant plane of action units, which is a bias after the first convolution, hardly conditions anything.
    x, bias = normal(2, 8, 8, 4), normal(2, 1, 1, 4, seed=1)
    layer = InstanceNormalization()
    np.testing.assert_allclose(layer(x + bias), layer(x), atol=1e-5)


def test_instance_normalization_of_a_constant_picture_has_finite_gradients():
    x = tf.Variable(np.full((1, 4, 4, 2), 0.7, np.float32))
    layer = InstanceNormalization()
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(y * normal(1, 4, 4, 2))
    np.testing.assert_allclose(y, 0.0, atol=1e-4)
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_instance_normalization_in_a_gradient_penalty():
    # The gradient's own gradient, against differences of the gradient's formula in float64.
    x, gamma, weight = normal(1, 3, 3, 2), normal(2, seed=1), normal(1, 3, 3, 2, seed=2)

    def penalty(x):
        x, g = x.astype(np.float64), (gamma * weight).astype(np.float64)
        mean, scale = x.mean((1, 2), keepdims=True), 1 / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
        y = (x - mean) * scale
        slope = scale * (g - g.mean((1, 2), keepdims=True) - y * (g * y).mean((1, 2), keepdims=True))
        return (slope**2).sum()

    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
    expected = np.reshape([(penalty(x + step) - penalty(x - step)) / 2e-5 for step in steps], x.shape)
    layer = InstanceNormalization()
    layer.build(x.shape)
    layer.set_weights([gamma, np.zeros(2, np.float32)])
    image = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(image)
        with tf.GradientTape() as inner:
            inner.watch(image)
            score = tf.reduce_sum(layer(image) * weight)
        squares = tf.reduce_sum(inner.gradient(score, image) ** 2)
    np.testing.assert_allclose(squares, penalty(x), rtol=1e-5)
    np.testing.assert_allclose(outer.gradient(squares, image), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_instance_normalization_takes_statistics_in_float32(mixed_bfloat16):
    x = tf.cast(normal(1, 64, 64, 2, shift=30.0), tf.bfloat16)
    y = InstanceNormalization()(x)
    assert y.dtype == tf.bfloat16
    # bfloat16 keeps 8 bits, so the result itself is exact to 1/256 of its size; statistics in it would be off by 0.1.
    np.testing.assert_allclose(
        tf.cast(y, tf.float32), instance_norm(tf.cast(x, tf.float32).numpy(), 1, 0, 1e-5), atol=0.02
    )


# -- conditions --------------------------------------------------------------------------------------------------------


def test_concatenated_condition_stands_at_every_pixel_after_the_picture():
    image, condition = normal(2, 4, 6, 3), normal(2, 5, seed=1)
    y = ConcatenateCondition()(image, condition).numpy()
    assert y.shape == (2, 4, 6, 8)
    np.testing.assert_array_equal(y[..., :3], image)
    for row in range(4):
        for column in range(6):
            np.testing.assert_array_equal(y[:, row, column, 3:], condition)


def test_feature_modulation_is_the_formula():
    x, condition = normal(2, 3, 3, 4), normal(2, 5, seed=1)
    layer = FeatureModulation()
    y = layer(x, condition)
    gain, shift = np.split(condition @ layer.kernel.numpy(), 2, axis=1)
    np.testing.assert_allclose(y, x * (1 + gain[:, None, None]) + shift[:, None, None], atol=1e-5)
    np.testing.assert_array_equal(layer(x, np.zeros((2, 5), np.float32)), x)


# -- all ---------------------------------------------------------------------------------------------------------------


def test_layers_survive_a_file(tmp_path):
    image, condition = keras.Input((8, 8, 3)), keras.Input((5,))
    x = ConcatenateCondition()(image, condition)
    x = Downsample(4, use_bias=False, activation="tanh")(x)
    x = InstanceNormalization(epsilon=1e-3)(x)
    x = FeatureModulation()(x, condition)
    x = InstanceNormalization(affine=False)(x)
    x = Conv2DTranspose(4, 4, 2, "same")(Conv2D(4, 3, padding="same", use_bias=False)(x))
    x = WideConvolution(3, 5)(x)
    model = keras.Model([image, condition], x)
    model.save(tmp_path / "layers.keras")
    loaded = keras.models.load_model(tmp_path / "layers.keras")
    inputs = [normal(2, 8, 8, 3), normal(2, 5, seed=1)]
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in model.layers]
