"""Convolutions that are the same sums as Keras' layers, computed in ways that are faster where they are used.

Kernels keep the shapes of Keras' layers, so that weights move freely between devices and ways of computing. On GPUs,
and inside `plain_convolutions`, all of them are Keras' own. `python -m benchmarks.convolutions` times them.
"""

import contextlib
import contextvars

import keras
import numpy as np
import tensorflow as tf

from tfface import bilinear, winograd

_PACKAGE = "tfface"
_USE = contextvars.ContextVar("what is traced now", default=None)


@contextlib.contextmanager
def _used_for(use):
    token = _USE.set(use)
    try:
        yield
    finally:
        _USE.reset(token)


def plain_convolutions():
    """What is traced inside holds plain convolutions, the same sums in another order: for converters to other runtimes,
    which do not know the operations that are faster on CPUs."""
    return _used_for("conversion")


def training_convolutions():
    """What is traced inside may hold parts compiled by XLA, which pay where gradients are taken: for train steps. A
    SavedModel of it would need a server that has XLA."""
    return _used_for("training")


def plain():
    """Whether what is traced now goes to another runtime."""
    return _USE.get() == "conversion"


def _native():
    return plain() or bool(tf.config.list_physical_devices("GPU"))


def _trains_on_cpu(x):
    """Whether this runs in a train step on a CPU, on a picture of known size in a type that XLA multiplies fast."""
    known = None not in x.shape[1:]
    return known and _USE.get() == "training" and x.dtype in (tf.float32, tf.float64) and not _native()


# Channels on both sides from which products compiled by XLA beat native kernels.
_FEWEST_CHANNELS = 64
# Pixels of a picture up to which the derivatives of a native strided kernel are slow however few its channels are.
_SMALL_PICTURE = 16
# Pixels of a batch from which Winograd's sums of kernels pay; of fewer, the kernel is the largest thing that is read.
_FEWEST_PIXELS = 512
_TYPICAL_BATCH = 8  # where it is not known


def _worth_products(pixels, channels, filters):
    """Whether a kernel runs faster as products in a train step on a CPU, and whether these are best Winograd's.

    Args:
        pixels: (batch, height, width) on the side of the smaller picture.
    """
    batch, height, width = pixels
    wide = min(channels, filters) >= _FEWEST_CHANNELS
    return wide, (batch or _TYPICAL_BATCH) * height * width >= _FEWEST_PIXELS


def _strided(pixels, channels, filters):
    """Returns how to compute a 4x4 kernel with stride 2, or None for natively."""
    products, tiled = _worth_products(pixels, channels, filters)
    if products:
        return winograd.strided4 if tiled else bilinear.strided_product4
    return bilinear.small_strided_product4 if pixels[1] * pixels[2] <= _SMALL_PICTURE else None


def _without(config, *keys):
    return {key: value for key, value in config.items() if key not in keys}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Downsample(keras.layers.Conv2D):
    """A 4x4 convolution of stride 2 and padding 1; halves height and width (both must be even).

    In train steps on CPUs, where the native kernel's derivatives are slow, most of all those of a gradient penalty, it
    is computed with Winograd's fewer products (`winograd`), and of few pixels as one product (`bilinear`).
    """

    def __init__(self, filters, **kwargs):
        kwargs.update(kernel_size=4, strides=2, padding="same")
        super().__init__(filters, **kwargs)

    def convolution_op(self, inputs, kernel):
        batch, height, width, channels = inputs.shape
        way = None
        if _trains_on_cpu(inputs) and not (height % 2 or width % 2):
            way = _strided((batch, height // 2, width // 2), channels, self.filters)
        return way.apply(inputs, kernel) if way else super().convolution_op(inputs, kernel)

    def get_config(self):
        return _without(super().get_config(), "kernel_size", "strides", "padding")


# Keras' names, because weights files know layers by the names of their classes.


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' own layer; 4x4 kernels with stride 2, which double height and width, are computed as `Downsample` is."""

    def call(self, inputs):
        inputs = tf.convert_to_tensor(inputs)
        doubles = (self.kernel_size, self.strides, self.dilation_rate) == ((4, 4), (2, 2), (1, 1))
        way = None
        if doubles and self.padding == "same" and _trains_on_cpu(inputs):
            way = _strided(inputs.shape[:3], inputs.shape[-1], self.filters)
        if way is None:
            return super().call(inputs)
        outputs = way.apply_backward(inputs, self.kernel)
        if self.use_bias:
            outputs += self.bias
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Conv2D(keras.layers.Conv2D):
    """Keras' own layer; 3x3 kernels that keep the size are computed as `Downsample` is."""

    def convolution_op(self, inputs, kernel):
        keeps = (self.kernel_size, self.strides, self.dilation_rate, self.groups) == ((3, 3), (1, 1), (1, 1), 1)
        if keeps and self.padding == "same" and _trains_on_cpu(inputs):
            if all(_worth_products(inputs.shape[:3], inputs.shape[-1], self.filters)):
                return winograd.same3.apply(inputs, kernel)
        return super().convolution_op(inputs, kernel)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class WideConvolution(keras.layers.Conv2D):
    """A convolution of stride 1 with a wide odd kernel and few channels, as at a generator's two ends.

    On CPUs it runs on 2x2 blocks of pixels as channels: a kernel of about half the width on four times the channels on
    both sides, which computes the same sum. That doubles the products, but native kernels for 3 or 4 channels leave the
    processor idle, most of all backward.
    """

    block = 2
    most_channels = 16  # on the narrower side; above it the native kernel is the faster one

    def __init__(self, filters, kernel_size, **kwargs):
        kwargs.update(strides=1, padding="same")
        super().__init__(filters, kernel_size, **kwargs)

    def convolution_op(self, inputs, kernel):
        height, width, channels = inputs.shape[1:]
        even = height and width and not (height % self.block or width % self.block)
        if not even or min(channels, self.filters) > self.most_channels or _native():
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
        return _without(super().get_config(), "strides", "padding")


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
    values under its own sums of taps, so that a 5x5 kernel costs 3x3 products a pixel.

    Input: (batch, height, width, channels). Output: (batch, 2 height, 2 width, filters), with ``padding="valid"`` less
    by the kernel's width minus one.
    """

    def __init__(self, filters, kernel_size, **kwargs):
        kwargs.update(strides=1)
        super().__init__(filters, kernel_size, **kwargs)

    def convolution_op(self, inputs, kernel):
        if _native():
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
        return _without(super().get_config(), "strides")


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
