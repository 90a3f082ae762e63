"""Networks of TP-GAN: the published counts, skips that reach the output, batch-mates that do not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import patches
from tfface.models.tpgan import TPGANConfig
from tfface.models.tpgan_networks import Discriminator, Generator, LocalPathway

SMALL = dict(
    image_size=32, width=8, noise_size=4, edge_kernel=3, code_blocks=1, stage_blocks=1, local_levels=1, local_blocks=1,
    normalization="none", published_init=False,
)  # fmt: skip


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def small(**settings):
    return Generator(**{**SMALL, **settings})


def asked(count=3, size=32, noise=4):
    random = np.random.default_rng(1)
    return {
        "image": tf.constant(random.uniform(-1, 1, (count, size, size, 3)), tf.float32),
        "points": tf.constant(patches.FRONTAL * size + random.uniform(-1, 1, (count, 5, 2)), tf.float32),
        "noise": tf.constant(random.normal(size=(count, noise)), tf.float32),
    }


def residual(channels, kernel):
    """Weights of a residual block: two convolutions without biases, two normalisations of four numbers a channel."""
    return 2 * kernel**2 * channels**2 + 8 * channels


def test_parameter_counts_of_the_paper():
    c = TPGANConfig.from_preset("paper")
    generator = Generator(c.image_size, c.width, c.noise_size, c.normalization, c.slope, c.edge_kernel)
    assert generator.count_params() == 157_471_198
    discriminator = Discriminator(c.image_size, c.width, c.normalization)
    assert discriminator.count_params() == 13_360_897
    assert discriminator.output["realism"].shape == (None, 4, 4, 1)
    shapes = {name: output.shape[1:] for name, output in generator.output.items()}
    assert shapes == {
        "image": (128, 128, 3), "half": (64, 64, 3), "quarter": (32, 32, 3), "left_eye": (40, 40, 3),
        "right_eye": (40, 40, 3), "nose": (32, 40, 3), "mouth": (32, 48, 3), "local": (128, 128, 3), "code": (256,),
    }  # fmt: skip

    def weights(name):
        return sum(layer.count_params() for layer in generator.layers if layer.name.startswith(name))

    # A few of the official code's layers by hand.
    assert weights("code_dense") == 8 * 8 * 512 * 512 + 512
    assert weights("grown16") == (256 + 100) * 8 * 8 * 64 + 8 * 8 * 64
    assert weights("conv4_res") == 4 * residual(512, 3)
    assert weights("select16") + weights("decode16") == 3 * residual(64 + 512, 2)
    assert weights("decode8") == 2 * residual(512 + 256, 3)
    assert weights("decode1_1") == residual(64 + 64 + 8 + 6 + 64 + 3 + 3, 5)
    assert weights("local_right_eye") - weights("local_left_eye") == 9 * 3 * 64  # sees the other eye as well


def test_a_picture_alone_and_among_others():
    for normalization in ("batch", "instance"):
        generator, inputs = small(normalization=normalization), asked()
        networks = [(generator, inputs), (Discriminator(32, 8, normalization), {"image": inputs["image"]})]
        for network, values in networks:
            network(values, training=True)
            together = network(values, training=False)
            alone = network({key: value[1:2] for key, value in values.items()}, training=False)
            for name, value in alone.items():
                np.testing.assert_allclose(value, together[name][1:2], atol=1e-4, err_msg=f"{normalization} {name}")


def test_batch_statistics_are_for_training_only():
    generator, inputs = small(normalization="batch"), asked()
    norms = [layer for layer in generator.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) > 10 and all(layer.synchronized for layer in norms)  # several devices train as one
    alone = {key: value[:1] for key, value in inputs.items()}
    assert np.abs(generator(inputs, training=True)["image"][:1] - generator(alone, training=True)["image"]).max() > 1e-3
    before = [v.numpy() for v in generator.non_trainable_variables]
    generator(inputs, training=False)
    for old, variable in zip(before, generator.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_the_last_skip_reaches_the_features():
    pathway = LocalPathway((8, 8, 3), 8, 1, 1, "none", 0.2, False)
    patch = tf.random.stateless_uniform((1, 8, 8, 3), seed=[0, 1], minval=-1, maxval=1)
    features, picture = pathway(patch)
    assert features.shape == (1, 8, 8, 8) and picture.shape == (1, 8, 8, 3)
    below = pathway.get_layer("up0")  # cut off all that comes from it: the skip is what is left
    below.set_weights([np.zeros_like(w) for w in below.get_weights()])
    with tf.GradientTape() as tape:
        tape.watch(patch)
        features, _ = pathway(patch)
    gradient = tape.gradient(features, patch)
    assert np.abs(gradient).max() > 1e-4 and np.std(features) > 1e-3


def test_every_output_reads_what_it_should():
    generator = small(noise_size=4)
    inputs = asked()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        made = generator(inputs)
    reads = {
        name: {key for key, value in inputs.items() if key != "points" and
               (g := tape.gradient(made[name], value)) is not None and np.abs(g).max() > 0}
        for name in made
    }  # fmt: skip
    everything = {"image", "noise"}
    assert reads == {
        **dict.fromkeys(("image", "half", "quarter"), everything),
        **dict.fromkeys((*patches.PARTS, "local", "code"), {"image"}),
    }


def test_local_pathways_reach_the_picture_and_the_global_one_does_too():
    generator, inputs = small(), asked(1)
    for owner in ("local_nose", "conv2"):
        before = generator(inputs)["image"].numpy()
        layer = generator.get_layer(owner)
        layer.set_weights([w + 0.1 for w in layer.get_weights()])
        assert np.abs(generator(inputs)["image"] - before).max() > 1e-3, owner


def test_pathways_share_no_weights_and_start_differently():
    generator = small()
    first = [generator.get_layer(f"local_{part}").get_layer("conv1").kernel.numpy() for part in patches.PARTS]
    for n, kernel in enumerate(first):
        assert all(np.abs(kernel - other).mean() > 1e-3 for other in first[:n])


def test_networks_come_back_from_their_settings():
    for network in (small(squeeze=True, mirror_input=False, eye_hint=False), Discriminator(32, 8, "none")):
        again = type(network).from_config(network.get_config())
        assert [w.shape for w in again.weights] == [w.shape for w in network.weights]
        assert again.get_config() == network.get_config()


def test_mixed_precision_ends_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = small()
    finally:
        keras.config.set_dtype_policy(before)
    assert {value.dtype for value in generator(asked()).values()} == {tf.float32}
    assert generator.get_layer("conv2").compute_dtype == "bfloat16"
