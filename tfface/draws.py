"""Random numbers that depend on what they are for and on nothing else: the same on any device, with and without XLA.

XLA draws other numbers from a seed than TensorFlow's kernels do, so that a compiled training would be another one. Here
each number is a hash of its counter, in integers, which wrap around alike everywhere.
"""

import math

import tensorflow as tf


def uniform(places, shape, *keys):
    """Returns (batch, *shape) numbers in [0, 1), multiples of 2^-24.

    Args:
        places: (batch,) integers, the example's place; each has numbers of its own, whatever else is in the batch.
        shape: of each example's numbers.
        keys: integers or integer tensors, such as seed, step and number of the use.
    """
    count = math.prod(shape)
    counters = tf.cast(places, tf.uint32)[:, None] * _word(count) + tf.cast(tf.range(count), tf.uint32)[None]
    key = _word(0)
    for value in keys:
        value = tf.cast(value, tf.int64)
        for half in (value, tf.bitwise.right_shift(value, tf.constant(32, tf.int64))):
            key = _mixed(tf.bitwise.bitwise_xor(key, tf.cast(half, tf.uint32)) + _word(0x9E3779B9))
    # A second round with another key: streams of two keys are then no shifted copies of each other.
    bits = _mixed(tf.bitwise.bitwise_xor(_mixed(counters + key), _mixed(key + _word(0x9E3779B9))))
    numbers = tf.cast(tf.bitwise.right_shift(bits, _word(8)), tf.float32) * 2.0**-24
    return tf.reshape(numbers, (-1, *shape))


def normal(places, shape, *keys):
    """Returns (batch, *shape) standard normal numbers (Box and Muller 1958); arguments as `uniform`."""
    pairs = uniform(places, (2, *shape), *keys)
    return tf.sqrt(-2.0 * tf.math.log(1.0 - pairs[:, 0])) * tf.cos(2.0 * math.pi * pairs[:, 1])


def _word(value):
    return tf.constant(value, tf.uint32)


def _mixed(word):
    """Returns uint32 words whose every bit depends on all of the argument's (the finalizer of MurmurHash3, Appleby)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        word = tf.bitwise.bitwise_xor(word, tf.bitwise.right_shift(word, _word(shift))) * _word(factor)
    return word
