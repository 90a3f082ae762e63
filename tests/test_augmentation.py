"""What happens to pictures on their way to a discriminator."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfface import augmentation


def numbered(batch, size):
    """Pictures in which each pixel has a number of its own."""
    values = np.arange(batch * size * size, dtype=np.float32).reshape(batch, size, size, 1)
    return np.repeat(values, 3, -1)


def test_by_hand():
    row = np.array([[[[1.0], [2.0], [3.0], [4.0]]] * 4], np.float32)
    # A quarter of four pixels: one to the left, not at all, one to the right.
    for number, expected in ((0.0, [2, 3, 4, 3]), (0.5, [1, 2, 3, 4]), (0.99, [2, 1, 2, 3])):
        moved = augmentation.shift(row, 0.25, tf.constant([[0.5, number]]))
        np.testing.assert_array_equal(moved[0, :, :, 0], [expected] * 4)
    down = augmentation.shift(np.transpose(row, (0, 2, 1, 3)), 0.25, tf.constant([[0.99, 0.5]]))
    np.testing.assert_array_equal(down[0, :, 0, 0], [2, 1, 2, 3])


SHARES = st.floats(0, 1, exclude_max=True, width=32)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=3))
def test_each_picture_goes_its_own_way_no_further_than_the_share(moves):
    pictures = numbered(len(moves), 8)
    moved = augmentation.shift(pictures, 0.25, tf.constant(moves, tf.float32)).numpy()
    for n, (down, across) in enumerate(np.minimum(np.floor(np.float32(moves) * 5), 4).astype(int) - 2):
        inner = pictures[n, max(0, -down) : 8 - max(0, down), max(0, -across) : 8 - max(0, across)]
        there = moved[n, max(0, down) : 8 + min(0, down), max(0, across) : 8 + min(0, across)]
        np.testing.assert_array_equal(there, inner)
        assert set(moved[n].ravel()) <= set(pictures[n].ravel())


def test_gradients_come_back_to_where_a_pixel_was():
    picture = tf.Variable(numbered(1, 4))
    with tf.GradientTape() as tape:
        moved = augmentation.shift(picture, 0.25, tf.constant([[0.99, 0.5]]))
        loss = tf.reduce_sum(moved[:, 3])
    gradient = tf.convert_to_tensor(tape.gradient(loss, picture)).numpy()
    np.testing.assert_array_equal(gradient[0, :, 0, 0], [0, 0, 1, 0])
