"""`attribute_rules` for batches of a model's chosen attributes."""

import keras
import numpy as np
import tensorflow as tf


def known_targets(target, source, exclusions):
    """Returns (batch, n) targets in which what is unknown (0.5) stays as the source has it.

    Args:
        target, source: (batch, n) attributes 0-1.
        exclusions: (n, n) of 0 and 1: what a target shows takes away what it excludes.
    """
    shown = tf.cast(target > 0.5, tf.float32)
    excluded = tf.matmul(shown, tf.cast(exclusions, tf.float32)) > 0
    return tf.where(tf.equal(target, 0.5), tf.where(excluded, 0.0, source), target)


def settled(probabilities, exclusions):
    """Returns 0 or 1 for each of (batch, n) probabilities, tensors of Keras too, as `attribute_rules.settled` does.

    What is likely and what nothing likelier excludes is shown. Whether that likelier one is itself excluded takes
    another look, and so on: each look settles one more link of such a chain, none of which is longer than n.
    """
    ops = keras.ops
    likely = ops.cast(probabilities > 0.5, "float32")
    likelier = ops.cast(probabilities[:, :, None] > probabilities[:, None, :], "float32")
    excluding = likelier * np.asarray(exclusions, np.float32)[None]
    shown = likely
    for _ in range(_longest_chain(exclusions)):
        excluded = ops.max(shown[:, :, None] * excluding, axis=1)
        shown = likely * (1.0 - excluded)
    return shown


def _longest_chain(exclusions):
    """An upper bound of how many attributes a chain of exclusions runs through."""
    return int(np.count_nonzero(np.asarray(exclusions).any(1)))
