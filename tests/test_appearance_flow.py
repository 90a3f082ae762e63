import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import appearance_flow, conventions
from tfface.appearance_flow import AppearanceFlow, flow_error


def flow(x, y, size=4):
    """Returns a flow of so many pixels right and down everywhere."""
    return tf.tile(tf.constant([[[[x / size, y / size]]]], tf.float32), [1, size, size, 1])


def test_flow_takes_pixels_from_elsewhere():
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    take = AppearanceFlow()
    np.testing.assert_allclose(take(image, flow(0, 0)), image)
    np.testing.assert_allclose(take(image, flow(1, 0))[0, :, :3], image[0, :, 1:])
    np.testing.assert_allclose(take(image, flow(1, 0))[0, :, 3], image[0, :, 3])  # outside: the border
    np.testing.assert_allclose(take(image, flow(0, -2))[0, 2:], image[0, :2])
    between = take(image, flow(0.25, 0.5))
    assert float(between[0, 1, 1, 0]) == pytest.approx(5 + 0.25 * 1 + 0.5 * 4)
    each = tf.concat([flow(1, 0), flow(0, 1)], 0)
    two = take(np.concatenate([image, image]), each)
    np.testing.assert_allclose(two[0], take(image, flow(1, 0))[0])
    np.testing.assert_allclose(two[1], take(image, flow(0, 1))[0])


def test_flow_learns_by_the_slope_of_the_picture():
    ramp = np.tile(np.arange(4, dtype=np.float32)[None, None, :, None], (1, 4, 1, 1))  # rises by 1 a pixel to the right
    where = flow(0.5, 0.5)
    with tf.GradientTape() as tape:
        tape.watch(where)
        value = AppearanceFlow()(ramp, where)[0, 1, 1, 0]
    gradient = tape.gradient(value, where).numpy()
    np.testing.assert_allclose(gradient[0, 1, 1], [4.0, 0.0], atol=1e-5)  # 4 pixels a picture width
    assert np.abs(gradient).sum() == pytest.approx(4.0)


def test_flow_error_is_how_far_landmarks_are_missed():
    source, target = np.full((2, 68, 2), 5.5, np.float32), np.full((2, 68, 2), 5.5, np.float32)
    source[0, 40] = [9.5, 2.5]
    target[0, 40] = [7.2, 3.9]  # comes from 2.3 to the right and 1.4 above
    source[:, :17] += 3.0  # the jaw does not count
    target[1, 50] = source[1, 50] = [40.0, -3.0]  # outside: the border's
    flow = np.zeros((2, 16, 16, 2), np.float32)
    flow[0, 3, 7] = [1.3 / 16, -1.4 / 16]
    error = flow_error(tf.constant(flow), tf.constant(source), tf.constant(target))
    assert float(error) == pytest.approx(1.0 / 16 / (2 * 51 * 2), rel=1e-4)


def test_flow_loss_asks_both_sources():
    random = np.random.default_rng(0)
    source, target = random.uniform(2, 14, (2, 3, 68, 2)).astype(np.float32)
    said = {name: tf.constant(random.normal(0, 0.1, (3, 16, 16, 2)), tf.float32) for name in ("flow", "mirror_flow")}
    mirrored = np.float32([conventions.mirror_landmarks(each, 16) for each in source])
    one = flow_error(said["flow"], tf.constant(source), tf.constant(target))
    other = flow_error(said["mirror_flow"], tf.constant(mirrored), tf.constant(target))
    both = appearance_flow.flow_loss(said, tf.constant(source), tf.constant(target))
    assert float(both) == pytest.approx(float(one + other), rel=1e-5)
    alone = appearance_flow.flow_loss({"flow": said["flow"]}, tf.constant(source), tf.constant(target))
    assert float(alone) == pytest.approx(float(one), rel=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
def test_what_is_shown_is_taken_and_painted_by_shares(mirror):
    random = np.random.default_rng(0)
    image, painted = random.uniform(-1, 1, (2, 2, 8, 8, 3)).astype(np.float32)
    size = (2, 8, 8)
    shares = random.dirichlet((1, 1, 1), size).astype(np.float32)
    said = {"flow": np.zeros((*size, 2), np.float32), "keep": shares[..., :1]}
    expected = shares[..., :1] * image
    if mirror:
        # Two pixels further right in the mirrored picture are two further left in the picture.
        said |= {"mirror_flow": np.float32([0.25, 0.0]) + np.zeros((*size, 2), np.float32)}
        said |= {"mirror_keep": shares[..., 1:2]}
        places = np.minimum(np.arange(8) + 2, 7)
        expected = expected + shares[..., 1:2] * image[:, :, ::-1][:, :, places] + shares[..., 2:] * painted
    else:
        expected = expected + (1 - shares[..., :1]) * painted
    shown = appearance_flow.shown(said, painted, image, AppearanceFlow())
    np.testing.assert_allclose(shown, expected, atol=1e-6)


@pytest.mark.parametrize("mirror", [False, True])
def test_heads_start_with_the_picture_as_it_is(mirror):
    maps = keras.Input((8, 8, 4))
    model = keras.Model(maps, appearance_flow.heads(maps, mirror))
    said = model(tf.random.normal((2, 8, 8, 4)))
    assert set(said) == {"flow", "keep"} | ({"mirror_flow", "mirror_keep"} if mirror else set())
    for name, value in said.items():
        assert value.shape == (2, 8, 8, 2 if "flow" in name else 1)
    np.testing.assert_array_equal(said["flow"], 0.0)
    likes = np.exp([1.0, 0.0, 0.0] if mirror else [1.0, 0.0])
    np.testing.assert_allclose(said["keep"], likes[0] / likes.sum(), rtol=1e-5)
