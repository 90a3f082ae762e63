"""Blocks that two or more papers share. All of them are NHWC and serialisable."""

import keras
import tensorflow as tf

from tfface import convolutions

_PACKAGE = "tfface"


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
class LeakyReLU(keras.layers.LeakyReLU):
    """Keras' own layer for critics with a gradient penalty: the same values and gradients, the penalty's for less.

    TensorFlow's operation has a second derivative of zeros, and the penalty's double backward takes these through all
    convolutions below once more. This one is a product with a mask, which has none.
    """

    def call(self, inputs):
        if convolutions.plain():
            return super().call(inputs)
        slope = tf.cast(self.negative_slope, inputs.dtype)
        return inputs * tf.where(inputs > 0, tf.ones_like(slope), slope)
