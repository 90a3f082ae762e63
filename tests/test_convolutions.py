import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import convolutions
from tfface.convolutions import Conv2D, Conv2DTranspose, Downsample, WideConvolution, training_convolutions


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def values_and_gradients(layer, x):
    """Returns output, gradients of its sum of squares, and those of the squared gradient with respect to `x`."""
    x = tf.constant(x)
    with tf.GradientTape() as second:
        with tf.GradientTape() as first:
            first.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y * y)
        slope = first.gradient(total, x)
        penalty = tf.reduce_sum(slope * slope)
    double = second.gradient(penalty, [layer.kernel, layer.bias])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x) ** 2)
    return [y, slope, *tape.gradient(total, [layer.kernel, layer.bias]), *double]


@pytest.fixture
def any_channels(monkeypatch):
    monkeypatch.setattr(convolutions, "_FEWEST_CHANNELS", 1)


KINDS = {
    "down": (lambda filters: Downsample(filters), lambda filters: keras.layers.Conv2D(filters, 4, 2, "same")),
    "up": (
        lambda filters: Conv2DTranspose(filters, 4, 2, "same"),
        lambda filters: keras.layers.Conv2DTranspose(filters, 4, 2, "same"),
    ),
    "same": (
        lambda filters: Conv2D(filters, 3, padding="same"),
        lambda filters: keras.layers.Conv2D(filters, 3, 1, "same"),
    ),
}


@pytest.mark.usefixtures("any_channels")
@pytest.mark.parametrize("fewest_pixels", [1, 10**9], ids=["tiles", "product"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "filters"), [((2, 4, 12, 3), 5), ((3, 2, 2, 4), 2)])
def test_layers_of_a_train_step_are_keras_layers(kind, shape, filters, fewest_pixels, monkeypatch):
    monkeypatch.setattr(convolutions, "_FEWEST_PIXELS", fewest_pixels)
    layer, reference = (make(filters) for make in KINDS[kind])
    layer.build(shape), reference.build(shape)
    assert layer.kernel.shape == reference.kernel.shape
    layer.set_weights([normal(*layer.kernel.shape, seed=1), normal(filters, seed=2)])
    reference.set_weights(layer.get_weights())
    x = normal(*shape)
    with training_convolutions():
        ours = values_and_gradients(layer, x)
    for a, b in zip(ours, values_and_gradients(reference, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


# -- Downsample --------------------------------------------------------------------------------------------------------


def test_downsample_pads_one_on_each_side():
    # As torch with padding=1, and as SAME on even sizes. A kernel of one tap shows which pixel it reads.
    for tap, expected in (((0, 0), 0.0), ((1, 1), 1.0)):
        layer = Downsample(1)
        layer.build((1, 4, 4, 1))
        kernel = np.zeros((4, 4, 1, 1), np.float32)
        kernel[tap] = 1.0
        layer.set_weights([kernel, np.zeros(1, np.float32)])
        x = np.arange(1.0, 17.0, dtype=np.float32).reshape(1, 4, 4, 1)
        assert layer(x)[0, 0, 0, 0] == expected
    assert layer(x)[0, 1, 1, 0] == 11.0


def test_downsample_takes_any_size_when_it_is_unknown():
    layer = Downsample(2)
    layer.build((None, None, None, 3))
    step = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 3))])
    assert step(normal(1, 8, 6, 3)).shape == (1, 4, 3, 2)


def kinds(layer, shape):
    layer.build(shape)
    with training_convolutions():
        graph = tf.function(layer).get_concrete_function(tf.TensorSpec(shape)).graph
    return {operation.type for operation in graph.get_operations()}


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU always takes the native kernel")
@pytest.mark.parametrize(
    ("layer", "shape", "operation"),
    [
        (Downsample(64), (None, 32, 32, 64), "PartitionedCall"),
        (Downsample(8), (None, 32, 32, 64), "Conv2D"),  # few filters
        (Downsample(8), (None, 8, 8, 4), "MatMul"),  # few pixels
        (Downsample(8, dtype="bfloat16"), (None, 8, 8, 4), "Conv2D"),
        (Downsample(64), (None, None, None, 64), "Conv2D"),
        (Conv2DTranspose(64, 4, 2, "same"), (2, 4, 4, 128), "PartitionedCall"),
        (Conv2DTranspose(3, 4, 2, "same"), (2, 16, 16, 128), "Conv2DBackpropInput"),
        (Conv2DTranspose(64, 4, 2), (2, 4, 4, 128), "Conv2DBackpropInput"),
        (Conv2D(64, 3, padding="same"), (2, 16, 16, 64), "PartitionedCall"),
        (Conv2D(64, 3), (2, 16, 16, 64), "Conv2D"),
        (Conv2D(64, 3, padding="same"), (2, 8, 8, 64), "Conv2D"),  # few pixels, of which no patches are made
    ],
)
def test_layers_of_a_train_step_choose_by_size(layer, shape, operation):
    found = kinds(layer, shape) & {"PartitionedCall", "Conv2D", "Conv2DBackpropInput", "MatMul"}
    assert found == {operation}


def test_outside_of_train_steps_are_native_kernels():
    layer = Downsample(64)
    layer.build((None, 32, 32, 64))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, 32, 32, 64))).graph
    assert "Conv2D" in {operation.type for operation in graph.get_operations()}


# -- WideConvolution ---------------------------------------------------------------------------------------------------


def wide(most_channels, filters, size, shape):
    layer = WideConvolution(filters, size)
    layer.most_channels = most_channels
    layer.build(shape)
    return layer


@pytest.mark.parametrize("most_channels", [10**9, 0], ids=["blocks", "native"])
@pytest.mark.parametrize(
    ("shape", "filters", "size"),
    [((2, 8, 12, 3), 5, 7), ((1, 6, 6, 4), 2, 3), ((2, 4, 4, 2), 3, 5), ((1, 6, 8, 1), 1, 9)],
)
def test_wide_convolution_is_keras_convolution(most_channels, shape, filters, size):
    layer = wide(most_channels, filters, size, shape)
    reference = keras.layers.Conv2D(filters, size, padding="same")
    reference.build(shape)
    assert layer.kernel.shape == reference.kernel.shape == (size, size, shape[-1], filters)
    layer.set_weights([normal(*layer.kernel.shape, seed=1), normal(filters, seed=2)])
    reference.set_weights(layer.get_weights())
    x = normal(*shape)
    for a, b in zip(values_and_gradients(layer, x), values_and_gradients(reference, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize("shape", [(1, 7, 8, 3), (1, 8, 7, 3)])
def test_wide_convolution_of_an_odd_picture(shape):
    layer = wide(10**9, 2, 5, shape)
    assert layer(normal(*shape)).shape == (*shape[:3], 2)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU always takes the native kernel")
@pytest.mark.parametrize(("channels", "filters", "blocks"), [(3, 64, True), (64, 4, True), (64, 64, False)])
def test_wide_convolution_chooses_by_channels(channels, filters, blocks):
    layer = WideConvolution(filters, 7)
    layer.build((None, 16, 16, channels))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, 16, 16, channels))).graph
    assert ("SpaceToDepth" in {op.type for op in graph.get_operations()}) == blocks
