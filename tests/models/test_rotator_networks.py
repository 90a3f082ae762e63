import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.models.rotator_networks import (
    Blocks,
    Encoder,
    Generator,
    ImageDiscriminator,
    LatentDiscriminator,
    Predictor,
)

SMALL = Blocks(width=4, published_init=False)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def trained(network):
    """Number of a network's trained parameters: those of the paper's layers, without running statistics."""
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    ("kernel", "counts"),
    [
        (1, (9_989_856, 9_971_651, 530_283, 683_840, 519_489)),  # as the tables print the second convolution
        (3, (10_677_984, 10_143_683, 1_218_411, 1_371_968, 1_207_617)),
    ],
)
def test_parameter_counts_of_the_tables(kernel, counts):
    networks = Encoder, Generator, Predictor, LatentDiscriminator, ImageDiscriminator
    assert tuple(trained(network(96, Blocks(conv2_kernel=kernel))) for network in networks) == counts


def test_sizes_row_by_row():
    encoder, generator = Encoder(96, SMALL), Generator(96, SMALL)
    for network, rows in (
        (encoder, {"conv1": (96, 4), "block2": (48, 8), "block3": (24, 16), "block4": (12, 32)}),
        (generator, {"maps": (12, 32), "block1": (24, 16), "block2": (48, 8), "block3": (96, 4), "conv4": (96, 3)}),
    ):
        for name, (size, channels) in rows.items():
            assert network.get_layer(name).output.shape == (None, size, size, channels), name
    assert encoder.get_layer("fc1").output.shape == (None, 32) and encoder.output["latent"].shape == (None, 128)
    assert generator.get_layer("input").output.shape == (None, 128 + 43)
    discriminator = LatentDiscriminator(96, SMALL)
    for name in ("fc1", "fc2", "fc3", "pool"):
        assert discriminator.get_layer(name).output.shape == (None, 32), name


def test_published_weights_start_with_the_papers_spread():
    for layer in Predictor(32, Blocks(width=16)).layers:
        if hasattr(layer, "kernel"):
            assert float(np.std(layer.kernel)) == pytest.approx(0.02, rel=0.15), layer.name


def test_residual_block_adds_a_shortcut_to_its_branch():
    image = keras.Input((8, 8, 2))
    for scale, size in ((0.5, 4), (2, 16)):
        network = keras.Model(image, SMALL.residual(image, 3, "b", scale, slope=0.2))
        x = tf.random.normal((2, 8, 8, 2))
        layer = network.get_layer
        if scale == 2:
            up = tf.repeat(tf.repeat(x, 2, 1), 2, 2)
            shortcut, branch = tf.nn.conv2d(up, layer("b_1a").kernel, 1, "SAME"), layer("b_1b")(up)
        else:
            shortcut, branch = tf.nn.conv2d(x, layer("b_1a").kernel, 2, "SAME"), layer("b_1b")(x)
        normal = branch / np.sqrt(1 + 1e-5)  # of a new normalisation's mean 0 and variance 1
        expected = shortcut + layer("b_2b")(tf.maximum(normal, 0.2 * normal))
        np.testing.assert_allclose(network(x, training=False), expected, atol=1e-5)
        assert network.output.shape == (None, size, size, 3)


def test_options_of_what_the_tables_leave_open():
    assert Encoder(32, SMALL).get_layer("fc1").kernel.shape == (4 * 4 * 32, 32)
    assert Encoder(32, SMALL, pool="average").get_layer("fc1").kernel.shape == (32, 32)
    assert Predictor(32, Blocks(4, activate_sum=True)).get_layer("block4_sum_relu")
    transposed = Generator(32, Blocks(4, upsampling="transposed"))
    assert transposed.get_layer("block1_1b").output.shape == (None, 8, 8, 16)
    assert trained(transposed) == trained(Generator(32, SMALL))
    plain = ImageDiscriminator(32, SMALL, slope=0.0, normalize=False)
    assert not any("norm" in layer.name for layer in plain.layers)
    assert plain.get_layer("conv1_relu").negative_slope == 0.0
    assert ImageDiscriminator(32, SMALL).get_layer("conv1_relu").negative_slope == pytest.approx(0.2)
    assert set(LatentDiscriminator(32, SMALL, pairs=False).input) == {"latent"}


def test_d1_is_an_inner_product():
    network = LatentDiscriminator(16, SMALL, latent=8)
    image, latent = tf.random.normal((3, 16, 16, 3)), tf.random.normal((3, 8))
    parts = keras.Model(network.input, [network.get_layer("pool").output, network.get_layer("fc3").output])
    a, b = parts({"image": image, "latent": latent})
    realism = network({"image": image, "latent": latent})["realism"]
    np.testing.assert_allclose(realism, np.sum(a.numpy() * b.numpy(), 1, keepdims=True), rtol=1e-5)


def test_a_picture_alone_and_among_others():
    image = tf.random.uniform((5, 16, 16, 3), -1, 1)
    code = {"latent": tf.random.normal((5, 8)), "pose": tf.zeros((5, 3)), "attributes": tf.fill((5, 40), 0.5)}
    for network, inputs in (
        (Encoder(16, SMALL, 8), {"image": image, "noise": tf.zeros((5, 16, 16, 1))}),
        (Generator(16, SMALL, 8), code),
        (Predictor(16, SMALL), {"image": image}),
    ):
        together = network(inputs, training=False)
        alone = network({key: value[2:3] for key, value in inputs.items()}, training=False)
        for name, value in alone.items():
            np.testing.assert_allclose(value, together[name][2:3], atol=1e-5, err_msg=name)


def test_networks_are_saved_as_their_arguments():
    for network in (
        Encoder(16, SMALL, 8, "average", name="e"),
        Generator(16, SMALL, 8, True),
        LatentDiscriminator(16, SMALL, 8, False, 0.1, False),
    ):
        again = type(network).from_config(network.get_config())
        assert again.get_config() == network.get_config() and again.name == network.name
        assert [v.shape for v in again.variables] == [v.shape for v in network.variables]


def test_mixed_precision_ends_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        networks = [Generator(16, SMALL, 8, warp=True), LatentDiscriminator(16, SMALL, 8), Predictor(16, SMALL)]
    finally:
        keras.config.set_dtype_policy(before)
    assert {output.dtype for network in networks for output in network.output.values()} == {"float32"}


# -- appearance flow ---------------------------------------------------------------------------------------------------


def test_a_warping_generator_starts_with_the_picture_as_it_is():
    generator = Generator(16, SMALL, 8, warp=True)
    code = {"latent": (4, 8), "pose": (4, 3), "attributes": (4, 40), "source_pose": (4, 3)}
    painted = generator({name: tf.random.normal(shape) for name, shape in code.items()})
    np.testing.assert_array_equal(painted["flow"], 0.0)
    np.testing.assert_allclose(painted["keep"], 1 / (1 + np.exp(-1.0)), rtol=1e-5)
    assert painted["image"].shape == (4, 16, 16, 3)
