"""Blocks that two or more papers share. All of them are NHWC and serialisable."""

import contextlib
import contextvars

import keras
import numpy as np
import tensorflow as tf

_PACKAGE = "tfface"
_PLAIN = contextvars.ContextVar("plain convolutions", default=False)


@contextlib.contextmanager
def plain_convolutions():
    """What is traced inside holds plain convolutions, the same sums in another order: for converters to other runtimes,
    which do not know the operations that are faster on CPUs."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def _plain():
    return _PLAIN.get() or bool(tf.config.list_physical_devices("GPU"))


@keras.saving.register_keras_serializable(package=_PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalises each channel of each picture over height and width, then scales and shifts it.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with the biased variance, as torch.nn.InstanceNorm2d
    (affine) and tensorflow-addons' layer do. Statistics are taken in float32 whatever the compute type.

    Source: Ulyanov et al. 2016, "Instance Normalization: The Missing Ingredient for Fast Stylization".

    Input and output: (batch, height, width, channels).
    """

    def __init__(self, epsilon=1e-5, affine=True, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.affine = affine

    def build(self, input_shape):
        if self.affine:
            self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")
            self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros")

    def call(self, inputs):
        x = tf.cast(inputs, tf.float32)
        # Not tf.nn.moments: it stops the gradient at the mean, which is right once, and wrong in a gradient penalty.
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), [1, 2], keepdims=True)
        scale = tf.math.rsqrt(variance + self.epsilon)
        if self.affine:
            scale *= tf.cast(self.gamma, tf.float32)
            return tf.cast(x * scale + (tf.cast(self.beta, tf.float32) - mean * scale), inputs.dtype)
        return tf.cast((x - mean) * scale, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "affine": self.affine}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class ConcatenateCondition(keras.layers.Layer):
    """Repeats a condition vector at every pixel and appends it to the picture's channels.

    A constant plane is a bias after the first convolution and InstanceNormalization removes it but for what zero
    padding leaves at the border: this is the published conditioning, `FeatureModulation` the one that keeps control.

    Inputs: picture (batch, height, width, channels) and condition (batch, length).
    Output: (batch, height, width, channels + length).
    """

    def call(self, image, condition):
        shape = tf.shape(image)
        planes = tf.broadcast_to(condition[:, None, None, :], [shape[0], shape[1], shape[2], condition.shape[-1]])
        return tf.concat([image, tf.cast(planes, image.dtype)], -1)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FeatureModulation(keras.layers.Layer):
    """Scales and shifts each channel by a linear function of a condition vector (FiLM).

    ``y = x * (1 + W_g c) + W_b c``. Placed after a normalisation, so that the condition survives it.

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer".

    Inputs: features (batch, height, width, channels) and condition (batch, length). Output: as the features.
    """

    def build(self, features_shape, condition_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(condition_shape[-1], 2 * features_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
        )

    def call(self, features, condition):
        gain, shift = tf.split(tf.matmul(tf.cast(condition, self.compute_dtype), self.kernel), 2, axis=-1)
        return features * (1 + gain[:, None, None, :]) + shift[:, None, None, :]


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Downsample(keras.layers.Conv2D):
    """A 4x4 convolution of stride 2 and padding 1; halves height and width (both must be even).

    On CPUs, small pictures with many channels are convolved as one matrix product over exact patches: the same sum in
    another order, where the strided kernel's backward and double backward (gradient penalty) are several times slower
    (`python -m benchmarks.convolutions`). The kernel keeps its shape (4, 4, channels_in, filters), so weights move
    freely between devices.
    """

    # Output pixels up to which the product wins; above it the patches' memory traffic costs more than it saves.
    largest_product = 16

    def __init__(self, filters, **kwargs):
        kwargs.update(kernel_size=4, strides=2, padding="same")
        super().__init__(filters, **kwargs)

    def convolution_op(self, inputs, kernel):
        height, width, channels = inputs.shape[1:]
        small = height and width and height * width // 4 <= self.largest_product
        if not small or _plain():
            return super().convolution_op(inputs, kernel)
        padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
        patches = tf.image.extract_patches(padded, [1, 4, 4, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
        product = tf.matmul(tf.reshape(patches, [-1, 16 * channels]), tf.reshape(kernel, [-1, self.filters]))
        return tf.reshape(product, [-1, height // 2, width // 2, self.filters])

    def get_config(self):
        config = super().get_config()
        for key in ("kernel_size", "strides", "padding"):
            del config[key]
        return config


@keras.saving.register_keras_serializable(package=_PACKAGE)
class WideConvolution(keras.layers.Conv2D):
    """A convolution of stride 1 with a wide odd kernel and few channels, as at a generator's two ends.

    On CPUs it runs on 2x2 blocks of pixels as channels: a kernel of about half the width on four times the channels on
    both sides, which computes the same sum. That doubles the products, but native kernels for 3 or 4 channels leave the
    processor idle, most of all backward (`python -m benchmarks.convolutions`). The kernel keeps its shape.
    """

    block = 2
    most_channels = 16  # on the narrower side; above it the native kernel is the faster one

    def __init__(self, filters, kernel_size, **kwargs):
        kwargs.update(strides=1, padding="same")
        super().__init__(filters, kernel_size, **kwargs)

    def convolution_op(self, inputs, kernel):
        height, width, channels = inputs.shape[1:]
        even = height and width and not (height % self.block or width % self.block)
        if not even or min(channels, self.filters) > self.most_channels or _plain():
            return super().convolution_op(inputs, kernel)
        taps = tf.constant(block_taps(kernel.shape[0], self.block), kernel.dtype)
        # Rows first, then columns: (tap, in row, tap, in column, channel, out row, out column, filter).
        wide = tf.einsum("airk,kmcf->airmcf", taps, kernel)
        wide = tf.einsum("bjsm,airmcf->abijcrsf", taps, wide)
        square = self.block * self.block
        wide = tf.reshape(wide, [taps.shape[0], taps.shape[0], square * channels, square * self.filters])
        blocks = tf.nn.conv2d(tf.nn.space_to_depth(inputs, self.block), wide, 1, "SAME")
        return tf.nn.depth_to_space(blocks, self.block)

    def get_config(self):
        config = super().get_config()
        for key in ("strides", "padding"):
            del config[key]
        return config


def block_taps(size, block):
    """Returns which tap of an odd kernel joins a pixel of an input block to one of an output block.

    Returns:
        (2 n + 1, block, block, size) of 0 and 1: offset of the input block, pixel in it, pixel in the output block,
        tap.
    """
    reach = -(-(size // 2) // block)
    taps = np.zeros((2 * reach + 1, block, block, size), np.float32)
    for offset in range(-reach, reach + 1):
        for source in range(block):
            for target in range(block):
                tap = block * offset + source - target + size // 2
                if 0 <= tap < size:
                    taps[offset + reach, source, target, tap] = 1
    return taps


@keras.saving.register_keras_serializable(package=_PACKAGE)
class UnpoolConvolution(keras.layers.Conv2D):
    """Doubles height and width by repeating each value, then convolves with stride 1 and an odd kernel.

    On CPUs the convolution runs before the doubling: each of the four pixels that a value becomes sees the same few
    values under its own sums of taps, so that a 5x5 kernel costs 3x3 products a pixel. The sum and the kernel's shape
    stay the same (`benchmarks.convolutions` has other layers of this kind).

    Input: (batch, height, width, channels). Output: (batch, 2 height, 2 width, filters), with ``padding="valid"`` less
    by the kernel's width minus one.
    """

    def __init__(self, filters, kernel_size, **kwargs):
        kwargs.update(strides=1)
        super().__init__(filters, kernel_size, **kwargs)

    def convolution_op(self, inputs, kernel):
        if _plain():
            return super().convolution_op(tf.repeat(tf.repeat(inputs, 2, 1), 2, 2), kernel)
        taps = tf.constant(unpooled_taps(kernel.shape[0]), kernel.dtype)
        # (offset down, offset across, channel, out row, out column, filter), as depth_to_space wants it.
        merged = tf.einsum("apt,bqu,tucf->abcpqf", taps, taps, kernel)
        merged = tf.reshape(merged, [taps.shape[0], taps.shape[0], inputs.shape[-1], 4 * self.filters])
        outputs = tf.nn.depth_to_space(tf.nn.conv2d(inputs, merged, 1, "SAME"), 2)
        if self.padding == "same":
            return outputs
        edge = kernel.shape[0] // 2  # zeros took part in what lies nearer to the border
        return outputs[:, edge:-edge, edge:-edge] if edge else outputs

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        doubled = (side and 2 * side for side in (height, width))
        return super().compute_output_shape((batch, *doubled, channels))

    def get_config(self):
        config = super().get_config()
        del config["strides"]
        return config


def unpooled_taps(size):
    """Returns which taps of an odd kernel fall on a value beside a doubled one.

    Returns:
        (2 n + 1, 2, size) of 0 and 1: offset of the value, which of the two pixels it became, tap.
    """
    reach = (size // 2 + 1) // 2
    taps = np.zeros((2 * reach + 1, 2, size), np.float32)
    for pixel in range(2):
        for tap in range(size):
            taps[(pixel + tap - size // 2) // 2 + reach, pixel, tap] = 1
    return taps


@keras.saving.register_keras_serializable(package=_PACKAGE)
class LeakyReLU(keras.layers.LeakyReLU):
    """Keras' own layer for critics with a gradient penalty: the same values and gradients, the penalty's for less.

    TensorFlow's operation has a second derivative of zeros, and the penalty's double backward takes these through all
    convolutions below once more. This one is a product with a mask, which has none.
    """

    def call(self, inputs):
        if _PLAIN.get():
            return super().call(inputs)
        slope = tf.cast(self.negative_slope, inputs.dtype)
        return inputs * tf.where(inputs > 0, tf.ones_like(slope), slope)
