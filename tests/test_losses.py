"""Losses against numbers worked by hand, and against the mistakes of published code that they must not repeat."""

import numpy as np
import pytest
import tensorflow as tf

from tfface import losses

BATCHES = [1, 2, 3, 8]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def alphas(batch):
    return np.linspace(0.0, 1.0, batch + 2, dtype=np.float32)[1:-1].reshape(-1, 1, 1, 1)


def penalty(critic, *arrays):
    return losses.gradient_penalty(critic, *map(tf.constant, arrays))


# -- adversarial -------------------------------------------------------------------------------------------------------


def test_wasserstein_by_hand():
    real = tf.constant([[[[1.0], [2.0]]], [[[3.0], [6.0]]]])  # mean 3
    fake = tf.constant([[[[-1.0], [0.0]]], [[[2.0], [7.0]]]])  # mean 2
    assert losses.wasserstein_critic(real, fake) == -1.0
    assert losses.wasserstein_generator(fake) == -2.0


# -- gradient penalty --------------------------------------------------------------------------------------------------


def linear_critic(w):
    """f(x) = w . x with a map of one pixel: its gradient is w at every picture."""
    return lambda x: tf.reduce_sum(x * w, [1, 2, 3], keepdims=True)


@pytest.mark.parametrize("batch", BATCHES)
def test_penalty_of_a_linear_critic(batch):
    w = 0.3 * normal(4, 6, 3)
    value = penalty(linear_critic(w), normal(batch, 4, 6, 3), normal(batch, 4, 6, 3, seed=1), alphas(batch))
    np.testing.assert_allclose(value, (np.linalg.norm(w) - 1.0) ** 2, rtol=1e-5)


def test_penalty_of_the_mean_of_the_map():
    # A map of 2x2 patches, each with its own weights: the score is their mean, and so is its gradient.
    w = normal(4, 5, 5, 2)
    critic = lambda x: tf.reshape(tf.einsum("bhwc,phwc->bp", x, w), (-1, 2, 2, 1))  # noqa: E731
    value = penalty(critic, normal(3, 5, 5, 2), normal(3, 5, 5, 2, seed=1), alphas(3))
    np.testing.assert_allclose(value, (np.linalg.norm(w.mean(0)) - 1.0) ** 2, rtol=1e-5)


@pytest.mark.parametrize("batch", BATCHES)
def test_penalty_of_a_quadratic_critic(batch):
    # f(x) = |x|^2 / 2 has the gradient x: the norm of each picture's own point between real and fake.
    real, fake, alpha = normal(batch, 3, 4, 2), normal(batch, 3, 4, 2, seed=1), alphas(batch)
    value = penalty(lambda x: tf.reduce_sum(x * x, [1, 2, 3], keepdims=True) / 2, real, fake, alpha)
    points = (1 - alpha) * real + alpha * fake
    norms = np.sqrt((points**2).sum((1, 2, 3)))
    np.testing.assert_allclose(value, ((norms - 1.0) ** 2).mean(), rtol=1e-5)


def test_penalty_has_the_right_gradient():
    # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
    w = tf.Variable(normal(3, 3, 2))
    with tf.GradientTape() as tape:
        value = penalty(linear_critic(w), normal(2, 3, 3, 2), normal(2, 3, 3, 2, seed=1), alphas(2))
    norm = np.linalg.norm(w)
    np.testing.assert_allclose(tape.gradient(value, w), 2 * (norm - 1) * w / norm, rtol=1e-4)


def test_penalty_where_the_critic_is_flat():
    w = tf.Variable(np.zeros((3, 3, 2), np.float32))
    with tf.GradientTape() as tape:
        value = penalty(linear_critic(w), normal(2, 3, 3, 2), normal(2, 3, 3, 2, seed=1), alphas(2))
    np.testing.assert_allclose(value, 1.0, rtol=1e-5)
    assert np.isfinite(tape.gradient(value, w)).all()  # the root alone would give NaN


def test_penalty_is_not_the_norm_over_one_axis():
    # The slides sum over axis 1 alone: with a picture that is height of the image, with a list of gradients the batch.
    batch, w = 5, normal(4, 6, 3)
    value = penalty(linear_critic(w), normal(batch, 4, 6, 3), normal(batch, 4, 6, 3, seed=1), alphas(batch))
    gradients = np.broadcast_to(w, (batch, 4, 6, 3))
    over_height = ((np.sqrt((gradients**2).sum(1)) - 1) ** 2).mean()
    over_batch = ((np.sqrt((gradients[None] ** 2).sum(1)) - 1) ** 2).mean()
    assert abs(value - over_height) > 1 and abs(value - over_batch) > 1


def test_penalty_of_one_picture_knows_no_other():
    critic = lambda x: tf.reduce_sum(x**3, [1, 2, 3], keepdims=True)  # noqa: E731
    real, fake, alpha = normal(4, 3, 3, 1), normal(4, 3, 3, 1, seed=1), alphas(4)
    each = [penalty(critic, real[i : i + 1], fake[i : i + 1], alpha[i : i + 1]) for i in range(4)]
    np.testing.assert_allclose(penalty(critic, real, fake, alpha), np.mean(each), rtol=1e-5)


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_total_variation_by_hand():
    x = tf.constant([[0.0, 1.0], [3.0, -6.0]])[None, :, :, None]
    assert losses.total_variation(x) == (3 + 7) / 2 + (1 + 9) / 2


def test_total_variation_is_free_of_size():
    stripes = lambda size: np.tile([0.0, 1.0], (1, size, size // 2))[..., None].astype(np.float32)  # noqa: E731
    assert losses.total_variation(stripes(8)) == losses.total_variation(stripes(64)) == 1.0


def test_total_variation_at_the_papers_size():
    # The authors' code sums |dA| x 1e-5 over pixels and batch; ours has the same value at 128 px and 25 pictures.
    a = normal(25, 128, 128, 1)
    summed = 1e-5 * (np.abs(a[:, 1:] - a[:, :-1]).sum() + np.abs(a[:, :, 1:] - a[:, :, :-1]).sum())
    np.testing.assert_allclose(4.064 * losses.total_variation(a), summed, rtol=1e-4)


def test_l1_and_mse_by_hand():
    a, b = tf.constant([[1.0, -2.0], [0.0, 4.0]]), tf.constant([[0.0, 0.0], [0.0, 1.0]])
    assert losses.l1(a, b) == 6 / 4
    assert losses.mse(a, b) == 14 / 4


def test_cross_entropy_by_hand():
    probability, target = tf.constant([0.25, 0.5]), tf.constant([1.0, 0.5])
    np.testing.assert_allclose(losses.cross_entropy(probability, target), (np.log(4) + np.log(2)) / 2, rtol=1e-6)
    certain = tf.constant([0.0, 1.0])
    np.testing.assert_allclose(losses.cross_entropy(certain, certain), 0.0, atol=1e-5)
    assert np.isfinite(losses.cross_entropy(certain, 1.0 - certain))


@pytest.mark.parametrize("times", [4, 7])
def test_no_loss_depends_on_the_batch_size(times):
    real, fake, alpha = normal(2, 4, 4, 3), normal(2, 4, 4, 3, seed=1), alphas(2)
    critic = lambda x: tf.reduce_mean(x**3, [3], keepdims=True)  # noqa: E731

    def values(*tensors):
        real, fake, alpha = tensors
        return [
            losses.wasserstein_critic(real, fake),
            losses.wasserstein_generator(fake),
            penalty(critic, real, fake, alpha),
            losses.total_variation(fake),
            losses.l1(real, fake),
            losses.mse(real, fake),
        ]

    tiled = [np.tile(x, (times, 1, 1, 1)) for x in (real, fake, alpha)]
    np.testing.assert_allclose(values(*tiled), values(real, fake, alpha), rtol=1e-5)


def test_change_is_marked_with_its_edge():
    image = np.zeros((1, 8, 8, 3), np.float32)
    truth = image.copy()
    truth[0, 2, 2], truth[0, 6, 6] = 0.5, 0.1  # more than a tenth of full contrast, and half of it
    expected = np.zeros((8, 8))
    expected[1:4, 1:4], expected[5:8, 5:8] = 1.0, 0.5
    change = losses.change(tf.constant(image), tf.constant(truth))
    np.testing.assert_allclose(change.numpy()[0, :, :, 0], expected, atol=1e-6)
