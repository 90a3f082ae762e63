"""What training holds weights to."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfface")
class EvenPhases(keras.constraints.Constraint):
    """Holds kernels of transposed convolutions to those that draw no checkerboard on an even area.

    With stride 2 the four pixels that come from one value sit under other taps each (they are the four phases), and may
    differ where all values are alike. A strided critic that normalises each channel over the picture hardly sees such a
    grid, while a classifier can be misled by it, so that adversarial training draws one. It cannot if the taps of each
    phase have the same sum (Sugawara, Shiota and Kiya 2018, "Super-Resolution using Convolutional Neural Networks
    without Any Checkerboard Artifacts", section 3). After each update, the kernel becomes the nearest of this kind.

    Kernel: (height, width, filters, channels), height and width multiples of `stride`.
    """

    def __init__(self, stride=2):
        self.stride = stride

    def __call__(self, kernel):
        rows, columns = (size // self.stride for size in kernel.shape[:2])
        phases = ops.reshape(kernel, (rows, self.stride, columns, self.stride, *kernel.shape[2:]))
        means = ops.mean(phases, (0, 2), keepdims=True)
        return ops.reshape(phases - means + ops.mean(means, (1, 3), keepdims=True), kernel.shape)

    def get_config(self):
        return {"stride": self.stride}
