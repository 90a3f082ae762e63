"""Random numbers that are the same everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from tfface import draws

PLACES = tf.range(4096)


def mixed(word):
    word = (word ^ word >> 16) * 0x85EBCA6B % 2**32
    word = (word ^ word >> 13) * 0xC2B2AE35 % 2**32
    return word ^ word >> 16


def test_by_hand():
    key = 0
    for half in (7, 0, 3, 1):  # the keys 7 and 2^32 + 3, in halves
        key = mixed(((key ^ half) + 0x9E3779B9) % 2**32)
    for place in (0, 5):
        for number in range(3):
            first = mixed((3 * place + number + key) % 2**32)
            expected = (mixed(first ^ mixed((key + 0x9E3779B9) % 2**32)) >> 8) / 2**24
            assert float(draws.uniform([place], (3,), 7, 2**32 + 3)[0, number]) == expected


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal])
def test_xla_draws_the_same(draw):
    step = tf.Variable(2**33 + 1, dtype=tf.int64)

    def numbers():
        return draw(PLACES, (2, 1), 5, step, 1)

    plain, graph, compiled = numbers(), tf.function(numbers)(), tf.function(numbers, jit_compile=True)()
    assert plain.shape == (4096, 2, 1)
    exact = draw is draws.uniform  # logarithm and cosine differ in the last bit
    np.testing.assert_allclose(graph, plain, rtol=0, atol=0 if exact else 1e-6)
    np.testing.assert_allclose(compiled, plain, rtol=0, atol=0 if exact else 1e-5)


def test_uniform_numbers_are_spread_evenly():
    numbers = draws.uniform(PLACES, (8,), 1, 2, 3).numpy()
    assert numbers.min() >= 0 and numbers.max() < 1
    counts, _ = np.histogram(numbers, 64, (0, 1))
    assert np.abs(counts - 512).max() < 5 * np.sqrt(512)
    for axis in (0, 1):  # neighbours know nothing of each other
        first, second = np.split(np.moveaxis(numbers, axis, 0), 2)
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03


def test_normal_numbers_are_normal():
    numbers = np.sort(draws.normal(PLACES, (8,), 4).numpy().ravel())
    assert abs(numbers.mean()) < 0.02 and abs(numbers.std() - 1) < 0.02
    np.testing.assert_allclose(np.quantile(numbers, [0.0228, 0.1587, 0.8413, 0.9772]), [-2, -1, 1, 2], atol=0.05)


def test_each_key_has_numbers_of_its_own():
    streams = [draws.uniform(PLACES, (), *keys).numpy() for keys in ((0, 0), (0, 1), (1, 0), (1, 1), (2**32, 0))]
    for number, stream in enumerate(streams):
        for other in streams[:number]:
            assert abs(np.corrcoef(stream, other)[0, 1]) < 0.06
            assert np.intersect1d(stream, other).size < 10  # no part of one stream comes again in another
