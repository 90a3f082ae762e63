"""The loss terms of `tfface.models.rotator`, pure functions."""

import tensorflow as tf


def real_or_not(logits, real):
    """Mean of ``-log D`` for logits that should say real, of ``-log(1 - D)`` for the others."""
    return tf.reduce_mean(tf.nn.softplus(-logits if real else logits))


def pose_error(a, b):
    """Squared difference of (batch, 3) poses, summed over angles, mean over the batch (eqs. 6 and 7)."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(a - b), -1))


def attribute_error(logits, target, known):
    """Cross entropy of (batch, 40) logits and targets in 0-1, summed over the `known` ones, mean over the batch."""
    each = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
    return tf.reduce_mean(tf.reduce_sum(known * each, -1))
