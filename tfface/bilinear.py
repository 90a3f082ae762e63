"""Convolutions and their gradients as functions that are each other's gradients.

A convolution is linear in the picture and in the kernel, and so are its two gradients. Whoever writes the three has all
derivatives of any order (the gradient penalty's), made of the same fast products. XLA compiles each into few passes
over memory, also inside a graph that is not compiled as a whole.
"""

import tensorflow as tf


class Convolution:
    """A convolution and its two gradients, differentiable in all arguments as often as asked.

    A subclass has ``forward(x, kernel)``, ``backward(y, kernel)`` (by the picture) and ``by_kernel(x, y)``.

    Args:
        compiled: whether XLA compiles them; takes a third of a second for every new shape.
    """

    def __init__(self, compiled=True):
        def made(function):
            return tf.function(function, jit_compile=True) if compiled else function

        self._forward, self._backward, self._by_kernel = map(made, (self.forward, self.backward, self.by_kernel))

    def apply(self, x, kernel):
        """Returns the convolution, (batch, height, width, filters).

        Args:
            x: (batch, height, width, channels).
            kernel: (down, across, channels, filters).
        """
        x, kernel = tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)

        @tf.custom_gradient
        def function(x, kernel):
            return self._forward(x, kernel), lambda y: (self.apply_backward(y, kernel), self.apply_by_kernel(x, y))

        return function(x, kernel)

    def apply_backward(self, y, kernel):
        """Returns the transposed convolution, the gradient by the picture, (batch, height, width, channels).

        Args:
            y: (batch, height, width, filters).
            kernel: (down, across, channels, filters), as keras.layers.Conv2DTranspose has it.
        """
        y, kernel = tf.convert_to_tensor(y), tf.convert_to_tensor(kernel)

        @tf.custom_gradient
        def function(y, kernel):
            return self._backward(y, kernel), lambda x: (self.apply(x, kernel), self.apply_by_kernel(x, y))

        return function(y, kernel)

    def apply_by_kernel(self, x, y):
        """Returns the gradient by the kernel, (down, across, channels, filters), of the sum of y times convolution."""

        @tf.custom_gradient
        def function(x, y):
            return self._by_kernel(x, y), lambda kernel: (self.apply_backward(y, kernel), self.apply(x, kernel))

        return function(x, y)


class StridedProduct4(Convolution):
    """4x4, stride 2, padding 1, of even height and width, as one matrix product over patches.

    For few pixels: their kernels are larger than the pictures, and here they are read once and as they are.
    """

    def forward(self, x, kernel):
        products = tf.matmul(self._patches(x), tf.reshape(kernel, [-1, kernel.shape[-1]]))
        return tf.reshape(products, [-1, x.shape[1] // 2, x.shape[2] // 2, kernel.shape[-1]])

    def backward(self, y, kernel):
        height, width, filters = y.shape[1:]
        channels = kernel.shape[2]
        products = tf.matmul(tf.reshape(y, [-1, filters]), tf.reshape(kernel, [-1, filters]), transpose_b=True)
        x = tf.reshape(products, [-1, height, width, 2, 2, 2, 2, channels])  # (block, pixel) down and across
        x = self._overlap(x[:, :, :, 0], x[:, :, :, 1], 1)
        x = self._overlap(x[:, :, :, :, 0], x[:, :, :, :, 1], 2)
        x = tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 2 * height + 2, 2 * width + 2, channels])
        return x[:, 1:-1, 1:-1]

    def by_kernel(self, x, y):
        gradient = tf.matmul(self._patches(x), tf.reshape(y, [-1, y.shape[-1]]), transpose_a=True)
        return tf.reshape(gradient, [4, 4, x.shape[-1], y.shape[-1]])

    @staticmethod
    def _patches(x):
        height, width, channels = x.shape[1:]
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        rows = tf.stack([x[:, i : i + height - 1 : 2] for i in range(4)], 2)
        patches = tf.stack([rows[:, :, :, j : j + width - 1 : 2] for j in range(4)], 3)
        # (batch, down, row, column, across, channels)
        return tf.reshape(tf.transpose(patches, [0, 1, 4, 2, 3, 5]), [-1, 16 * channels])

    @staticmethod
    def _overlap(first, second, axis):
        def shifted(x, before):
            return tf.pad(x, [[before, 1 - before] if each == axis else [0, 0] for each in range(len(x.shape))])

        return shifted(first, 0) + shifted(second, 1)


strided_product4, small_strided_product4 = StridedProduct4(), StridedProduct4(compiled=False)
