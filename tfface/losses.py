"""Formulas that two or more papers share: pure functions of tensors, all reduced to scalars, float32.

Every mean is over the batch and whatever else is named, so that no value depends on the batch size. The scores of a
patch critic are (batch, height, width, 1); pictures are (batch, height, width, channels) in [-1, 1].
"""

import tensorflow as tf


def wasserstein_critic(real_scores, fake_scores):
    """``mean(D(fake)) - mean(D(real))``: what the critic minimises (Arjovsky et al. 2017, eq. 2)."""
    return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)


def wasserstein_generator(fake_scores):
    """``-mean(D(fake))``: what the generator minimises."""
    return -tf.reduce_mean(fake_scores)


def gradient_penalty(critic, real, fake, alpha):
    """Mean over pictures of ``(||d mean(critic(x)) / dx||_2 - 1)^2`` (Gulrajani et al. 2017, eq. 3).

    The score of a picture is the mean of its critic map, and the norm is taken per picture over height, width and
    channels. The epsilon stands inside the root because the root's own gradient is infinite at zero.

    Args:
        critic: function of a picture batch to its score map alone; a second head must not be in it.
        real, fake: picture batches of one shape.
        alpha: (batch, 1, 1, 1) in [0, 1], where between the two each picture is probed.
    """
    points = real + alpha * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(points)
        scores = tf.reduce_sum(tf.reduce_mean(critic(points), [1, 2, 3]))
    gradients = tf.cast(tape.gradient(scores, points), tf.float32)
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradients), [1, 2, 3]) + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1.0))


def total_variation(x):
    """Mean absolute difference of vertical neighbours plus that of horizontal ones: per pixel, so free of size."""
    down = tf.reduce_mean(tf.abs(x[:, 1:] - x[:, :-1]))
    across = tf.reduce_mean(tf.abs(x[:, :, 1:] - x[:, :, :-1]))
    return down + across


def l1(a, b):
    """Mean absolute difference."""
    return tf.reduce_mean(tf.abs(a - b))


def change(image, truth):
    """Returns how much the true answer to an edit changes of a picture, (batch, height, width, 1).

    0 where it leaves the picture alone, 1 where it changes by a tenth of full contrast or more. Pictures are in
    [-1, 1]; the edges of a change are widened by a pixel.
    """
    difference = tf.reduce_mean(tf.abs(truth - image), -1, keepdims=True)
    return tf.clip_by_value(tf.nn.max_pool2d(difference, 3, 1, "SAME") / 0.2, 0.0, 1.0)


def mse(a, b):
    """Mean squared difference."""
    return tf.reduce_mean(tf.square(a - b))


def cross_entropy(probability, target):
    """Mean binary cross entropy of probabilities and targets, both in 0-1."""
    p = tf.clip_by_value(probability, 1e-6, 1.0 - 1e-6)
    return -tf.reduce_mean(target * tf.math.log(p) + (1.0 - target) * tf.math.log(1.0 - p))
