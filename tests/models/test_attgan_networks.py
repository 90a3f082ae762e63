import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.models.attgan import AttGANConfig, Discriminator, Generator


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def small(**settings):
    return Generator(**{"image_size": 16, "attributes": 5, "width": 4, "depth": 3, **settings})


def asked(count, size=16, attributes=5):
    """Returns the generator's inputs."""
    random = np.random.default_rng(0)
    image, values = random.uniform(-1, 1, (count, size, size, 3)), random.integers(0, 2, (count, attributes))
    return {"image": tf.constant(image, tf.float32), "attributes": tf.constant(values, tf.float32)}


def size_of(variables):
    return sum(int(np.prod(v.shape)) for v in variables)


def test_parameter_counts_of_the_paper():
    c = AttGANConfig.from_preset("paper")
    count = len(c.attributes)
    generator = Generator(c.image_size, count, c.generator_width, c.depth, c.shortcuts, c.injections, c.norm_momentum)
    assert (c.image_size, count) == (128, 13)
    assert size_of(generator.trainable_variables) == 43_459_203
    discriminator = Discriminator(c.image_size, count, c.discriminator_width, c.depth, c.discriminator_units)
    assert discriminator.count_params() == 44_718_990
    # The second layer sees its own 1024 channels, one shortcut of 512 and the 13 attributes.
    assert generator.get_layer("decoder").get_layer("up2").kernel.shape == (4, 4, 512, 1549)
    norm = generator.get_layer("encoder").get_layer("down1_norm")
    assert (norm.momentum, norm.epsilon, norm.synchronized) == (0.999, 1e-3, True)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_shapes_at_all_sizes(size):
    generator, discriminator = Generator(size, 13, width=2), Discriminator(size, 13, width=2, units=4)
    assert generator.output["image"].shape == (None, size, size, 3)
    assert generator.get_layer("encoder").output["features5"].shape == (None, size // 32, size // 32, 32)
    assert discriminator.output["realism"].shape == (None, 1)
    assert discriminator.output["attributes"].shape == (None, 13)


@pytest.mark.parametrize(("shortcuts", "injections"), [(0, 0), (1, 1), (2, 0), (0, 2), (2, 2)])
def test_shortcuts_and_injections_widen_the_next_layer(shortcuts, injections):
    decoder = small(shortcuts=shortcuts, injections=injections).get_layer("decoder")
    # Encoder channels 4, 8, 16; the decoder's are 16, 8, 3. Kernels are (4, 4, out, in).
    ins = [decoder.get_layer(name).kernel.shape[-1] for name in ("up1", "up2", "color")]
    assert ins[0] == 16 + 5
    assert ins[1] == 16 + 8 * (shortcuts > 0) + 5 * (injections > 0)
    assert ins[2] == 8 + 4 * (shortcuts > 1) + 5 * (injections > 1)


def test_no_is_minus_one_yes_is_one_and_unknown_nothing():
    decoder = small().get_layer("decoder")
    condition = keras.Model(decoder.inputs, decoder.get_layer("condition").output)
    features = {name: tf.zeros((1, *x.shape[1:])) for name, x in decoder.input.items() if name != "attributes"}
    planes = condition({**features, "attributes": tf.constant([[0.0, 1.0, 0.5, 1.5, -0.5]])})[..., -5:].numpy()
    assert planes.shape == (1, 2, 2, 5)
    np.testing.assert_allclose(planes, np.broadcast_to([-1, 1, 0, 2, -2], planes.shape), atol=1e-6)


def test_every_attribute_reaches_every_pixel():
    generator = Generator(32, 5, width=4, depth=3)
    inputs = asked(1, 32)
    before = generator(inputs)["image"].numpy()
    for name in range(5):
        flipped = inputs["attributes"].numpy()
        flipped[0, name] = 1 - flipped[0, name]
        after = generator({**inputs, "attributes": tf.constant(flipped)})["image"].numpy()
        assert (np.abs(after - before).max(-1) > 0).mean() > 0.99


@pytest.mark.parametrize("attention", [False, True])
def test_encode_and_decode_are_the_generator(attention):
    generator, inputs = small(shortcuts=2, injections=2, attention=attention), asked(3)
    image = generator.decode(generator.encode(inputs["image"]), inputs["attributes"])
    np.testing.assert_array_equal(image, generator(inputs)["image"])


def test_attention_keeps_a_share_of_the_picture():
    generator, inputs = small(attention=True), asked(3)
    decoder = generator.get_layer("decoder")
    keep, color = (decoder.get_layer(name) for name in ("keep", "color"))
    parts = keras.Model(decoder.input, {"keep": keep.output, "color": color.output})
    said = parts({**generator.encode(inputs["image"]), "attributes": inputs["attributes"]})
    by_hand = said["keep"] * inputs["image"] + (1 - said["keep"]) * np.tanh(said["color"])
    np.testing.assert_allclose(generator(inputs)["image"], by_hand, atol=1e-6)
    keep.bias.assign([50.0])  # all of it
    np.testing.assert_allclose(generator(inputs)["image"], inputs["image"], atol=1e-6)


def test_once_trained_a_picture_knows_no_other():
    for network, inputs in ((small(), asked(5)), (Discriminator(16, 5, 4, 3, 8), {"image": asked(5)["image"]})):
        together = network(inputs, training=False)
        alone = network({key: value[2:3] for key, value in inputs.items()}, training=False)
        for name, value in alone.items():
            np.testing.assert_allclose(value, together[name][2:3], atol=1e-5, err_msg=name)


def test_moving_averages_follow_the_batches():
    generator = small(norm_momentum=0.9)
    encoder = generator.get_layer("encoder")
    image = asked(4)["image"]
    generator.encode(image, training=True)
    norm, x = encoder.get_layer("down1_norm"), encoder.get_layer("down1")(image).numpy()
    np.testing.assert_allclose(norm.moving_mean, 0.1 * x.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * x.var((0, 1, 2)), rtol=1e-4)
    before = norm.moving_mean.numpy()
    generator.encode(image)
    np.testing.assert_array_equal(norm.moving_mean, before)


def test_layers_of_one_shape_start_differently():
    by_shape = {}
    for variable in (*small().trainable_variables, *Discriminator(16, 5, 4, 3, 8).trainable_variables):
        if len(variable.shape) > 1:
            by_shape.setdefault(tuple(variable.shape), []).append(variable.numpy())
    for values in by_shape.values():
        for i, value in enumerate(values):
            assert all(np.abs(value - other).mean() > 1e-3 for other in values[:i])


def test_mixed_precision_ends_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator, discriminator = small(), Discriminator(16, 5, 4, 3, 8)
    finally:
        keras.config.set_dtype_policy(before)
    edit, judged = generator(asked(2)), discriminator({"image": asked(2)["image"]})
    assert {value.dtype for value in (*edit.values(), *judged.values())} == {tf.float32}
    assert generator.get_layer("decoder").get_layer("up1").compute_dtype == "bfloat16"
