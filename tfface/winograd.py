"""Convolutions with fewer products (Winograd), for training on CPUs.

Each output tile is computed from sums of inputs times sums of taps: 16 products where a 3x3 kernel takes 36 for 2x2
pixels, and a 2x2 one for 3x3. A 4x4 kernel with stride 2 is a 2x2 one on blocks of 2x2 pixels as channels. The products
of a tile's place are one matrix product over all tiles, which processors do best; the sums around it are compiled by
XLA into few passes over memory (`bilinear`). Rounding differs, about as much as another order of sums does.

Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; Winograd 1980.
"""

import functools

import numpy as np
import tensorflow as tf

from tfface.bilinear import Convolution

TILE = 4  # inputs along a tile's side; neighbours share all but `_outputs(taps)`

# Sums of a row of 4 inputs, of its taps, and of the 4 products that make its outputs: interpolation in 0, 1, -1, inf.
_INPUTS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64)
_TAPS = {
    2: np.array([[1, 0], [0.5, 0.5], [0.5, -0.5], [0, 1]], np.float64),
    3: np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float64),
}
_PRODUCTS = {
    2: np.array([[1, 1, 1, 0], [0, 1, -1, 0], [0, 1, 1, -1]], np.float64),
    3: np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64),
}


def _outputs(taps):
    """Outputs along a tile's side."""
    return TILE + 1 - taps


def _sums(parts, matrix):
    """Returns the matrix's rows as sums of the parts, stacked along a new first axis."""
    rows = []
    for row in matrix:
        terms = [part if weight == 1 else weight * part for weight, part in zip(row, parts, strict=True) if weight]
        rows.append(functools.reduce(tf.add, terms))
    return tf.stack(rows)


def _input_tiles(x, taps, padding):
    """Returns the sums of all tiles of (batch, height, width, channels), (16, tiles, channels)."""
    step = _outputs(taps)
    sizes = [side + 2 * padding - taps + 1 for side in x.shape[1:3]]
    tiles = [-(-size // step) for size in sizes]
    after = [(count - 1) * step + TILE - side - padding for count, side in zip(tiles, x.shape[1:3], strict=True)]
    x = tf.pad(x, [[0, 0], [padding, after[0]], [padding, after[1]], [0, 0]])
    (down, across), channels = tiles, x.shape[-1]
    x = _sums([x[:, i : i + (down - 1) * step + 1 : step] for i in range(TILE)], _INPUTS)
    x = _sums([x[:, :, :, j : j + (across - 1) * step + 1 : step] for j in range(TILE)], _INPUTS)
    return tf.reshape(x, [TILE * TILE, -1, channels])


def _output_pixels(products, size, taps):
    """Returns (batch, *size, filters) from the products of all tiles, (16, tiles, filters)."""
    step, filters = _outputs(taps), products.shape[-1]
    down, across = (-(-side // step) for side in size)
    x = tf.reshape(products, [TILE, TILE, -1, down, across, filters])  # columns first, as in `_input_tiles`
    x = _sums([x[j] for j in range(TILE)], _PRODUCTS[taps])
    x = _sums([x[:, i] for i in range(TILE)], _PRODUCTS[taps])
    x = tf.reshape(tf.transpose(x, [2, 3, 0, 4, 1, 5]), [-1, down * step, across * step, filters])
    return x[:, : size[0], : size[1]]


def _output_tiles(y, taps):
    """The adjoint of `_output_pixels`: (batch, height, width, filters) to (16, tiles, filters)."""
    step, filters = _outputs(taps), y.shape[-1]
    down, across = (-(-side // step) for side in y.shape[1:3])
    y = tf.pad(y, [[0, 0], [0, down * step - y.shape[1]], [0, across * step - y.shape[2]], [0, 0]])
    y = tf.reshape(y, [-1, down, step, across, step, filters])
    y = _sums([y[:, :, i] for i in range(step)], _PRODUCTS[taps].T)  # (row, batch, down, across, column, filters)
    y = _sums([y[:, :, :, :, j] for j in range(step)], _PRODUCTS[taps].T)
    return tf.reshape(y, [TILE * TILE, -1, filters])


def _kernel_tiles(kernel):
    """Returns the sums of taps of a (taps, taps, channels, filters) kernel, (16, channels, filters)."""
    matrix = _TAPS[kernel.shape[0]]
    x = _sums(tf.unstack(kernel), matrix)  # (row, tap across, channels, filters)
    x = _sums(tf.unstack(x, axis=1), matrix)  # columns first, as in `_input_tiles`
    return tf.reshape(x, [TILE * TILE, *kernel.shape[2:]])


def _kernel_taps(tiles, taps):
    """The adjoint of `_kernel_tiles`."""
    x = tf.reshape(tiles, [TILE, TILE, *tiles.shape[1:]])
    x = _sums(tf.unstack(x), _TAPS[taps].T)  # (tap across, row, channels, filters)
    return _sums(tf.unstack(x, axis=1), _TAPS[taps].T)


def _correlate(x, kernel, padding):
    """Returns the convolution of stride 1, the picture padded with zeros all around."""
    taps = kernel.shape[0]
    size = [side + 2 * padding - taps + 1 for side in x.shape[1:3]]
    return _output_pixels(tf.matmul(_input_tiles(x, taps, padding), _kernel_tiles(kernel)), size, taps)


def _correlate_back(y, kernel, padding):
    """Returns its gradient by the picture, from (batch, height, width, filters): as a convolution with the taps turned
    round."""
    taps = kernel.shape[0]
    around = taps - 1 - padding
    size = [side + 2 * around - taps + 1 for side in y.shape[1:3]]
    turned = _kernel_tiles(kernel[::-1, ::-1])
    return _output_pixels(tf.matmul(_input_tiles(y, taps, around), turned, transpose_b=True), size, taps)


def _correlate_by_kernel(x, y, taps, padding):
    """Returns the gradient of ``sum(y * _correlate(x, kernel, padding))`` by its kernel."""
    return _kernel_taps(tf.matmul(_input_tiles(x, taps, padding), _output_tiles(y, taps), transpose_a=True), taps)


class Same3(Convolution):
    """3x3, stride 1, padding 1."""

    def forward(self, x, kernel):
        return _correlate(x, kernel, 1)

    def backward(self, y, kernel):
        return _correlate_back(y, kernel, 1)

    def by_kernel(self, x, y):
        return _correlate_by_kernel(x, y, 3, 1)


class Strided4(Convolution):
    """4x4, stride 2, padding 1, of even height and width."""

    def forward(self, x, kernel):
        return _correlate(self._blocks(x), self._block_kernel(kernel), 0)

    def backward(self, y, kernel):
        return self._pixels(_correlate_back(y, self._block_kernel(kernel), 0))

    def by_kernel(self, x, y):
        gradient = _correlate_by_kernel(self._blocks(x), y, 2, 0)
        gradient = tf.reshape(gradient, [2, 2, 2, 2, x.shape[-1], y.shape[-1]])
        return tf.reshape(tf.transpose(gradient, [0, 2, 1, 3, 4, 5]), [4, 4, x.shape[-1], y.shape[-1]])

    @staticmethod
    def _blocks(x):
        height, width, channels = x.shape[1:]
        x = tf.reshape(
            tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, height // 2 + 1, 2, width // 2 + 1, 2, channels]
        )
        return tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, height // 2 + 1, width // 2 + 1, 4 * channels])

    @staticmethod
    def _pixels(blocks):
        height, width, channels = blocks.shape[1:]
        x = tf.transpose(tf.reshape(blocks, [-1, height, width, 2, 2, channels // 4]), [0, 1, 3, 2, 4, 5])
        return tf.reshape(x, [-1, 2 * height, 2 * width, channels // 4])[:, 1:-1, 1:-1]

    @staticmethod
    def _block_kernel(kernel):
        channels, filters = kernel.shape[2:]
        kernel = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, channels, filters]), [0, 2, 1, 3, 4, 5])
        return tf.reshape(kernel, [2, 2, 4 * channels, filters])


same3, strided4 = Same3(), Strided4()
