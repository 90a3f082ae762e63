import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.models.ganimation import GANimationConfig
from tfface.models.ganimation_networks import Discriminator, Generator


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def asked(count, size=16):
    """Returns the generator's inputs."""
    random = np.random.default_rng(0)
    values = {"image": random.uniform(-1, 1, (count, size, size, 3)), "action_units": random.uniform(0, 1, (count, 17))}
    return {key: tf.constant(value, tf.float32) for key, value in values.items()}


# -- networks ----------------------------------------------------------------------------------------------------------


def test_parameter_counts_of_the_paper():
    config = GANimationConfig.from_preset("paper")
    generator = Generator(config.image_size, config.generator_width, config.residual_blocks, config.conditioning)
    assert generator.count_params() == 8_471_296
    discriminator = Discriminator(config.image_size, config.discriminator_width, config.discriminator_layers)
    assert discriminator.count_params() == 44_860_352


@pytest.mark.parametrize(("size", "map_size", "depth"), [(64, 1, 6), (96, 3, 5), (128, 2, 6), (192, 3, 6), (256, 4, 6)])
def test_shapes_at_other_sizes(size, map_size, depth):
    discriminator = Discriminator(size, width=2)
    assert discriminator.output["realism"].shape == (None, map_size, map_size, 1)
    assert discriminator.output["action_units"].shape == (None, 17)
    assert discriminator.get_layer("units").kernel.shape == (map_size, map_size, 2**depth, 17)
    output = Generator(size, width=2, residual_blocks=1).output
    assert output["image"].shape == output["color"].shape == (None, size, size, 3)
    assert output["attention"].shape == (None, size, size, 1)


def test_a_picture_alone_and_among_others():
    for network, inputs in ((Generator(16, 4, 1), asked(5)), (Discriminator(16, 4, 3), {"image": asked(5)["image"]})):
        together = network(inputs)
        alone = network({key: value[2:3] for key, value in inputs.items()})
        for name, value in alone.items():
            assert value.shape == (1, *together[name].shape[1:])
            np.testing.assert_allclose(value, together[name][2:3], atol=1e-5, err_msg=name)


def test_layers_of_one_shape_start_differently():
    by_shape = {}
    for variable in (*Generator(16, 4, 3).weights, *Discriminator(16, 4, 3).weights):
        if len(variable.shape) > 1:
            by_shape.setdefault(tuple(variable.shape), []).append(variable.numpy())
    groups = [values for values in by_shape.values() if len(values) > 1]
    assert max(map(len, groups)) == 6  # the convolutions of three residual blocks
    for values in groups:
        for i, value in enumerate(values):
            assert all(np.abs(value - other).mean() > 1e-3 for other in values[:i])


def test_convolutions_start_with_the_papers_spread():
    generator = Generator(64, width=16, residual_blocks=2)
    for layer in generator.layers:
        if "Conv" in type(layer).__name__ or type(layer).__name__ == "Downsample":
            assert abs(float(np.std(layer.kernel)) - 0.02) < 2e-3
            assert layer.bias is None


def test_narrow_discriminators_can_start_with_he_weights():
    discriminator = Discriminator(32, width=16, depth=3, published_init=False)
    for name, fan_in in (("down1", 16 * 3), ("down2", 16 * 16), ("down3", 16 * 32)):
        assert np.std(discriminator.get_layer(name).kernel) == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)
    published = Discriminator(32, width=16, depth=3)
    assert np.std(published.get_layer("down3").kernel) == pytest.approx(0.02, rel=0.1)


def test_attention_one_keeps_the_picture():
    inputs = asked(2)
    keeps = Generator(16, 4, 1, "film", attention_bias=40.0)(inputs)
    np.testing.assert_array_equal(keeps["attention"], 1.0)
    np.testing.assert_array_equal(keeps["image"], inputs["image"])
    paints = Generator(16, 4, 1, "film", attention_bias=-40.0)(inputs)
    np.testing.assert_allclose(paints["image"], paints["color"], atol=1e-6)


def test_output_is_the_blend():
    inputs = asked(2)
    out = Generator(16, 4, 1)(inputs)
    blend = out["attention"] * inputs["image"] + (1 - out["attention"]) * out["color"]
    np.testing.assert_allclose(out["image"], blend, atol=1e-6)
    assert 0 <= float(tf.reduce_min(out["attention"])) and float(tf.reduce_max(out["attention"])) <= 1
    assert float(tf.reduce_max(tf.abs(out["color"]))) <= 1


def test_mixed_precision_ends_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator, discriminator = Generator(16, 4, 1, "film", attention_bias=40.0), Discriminator(16, 4, 3)
    finally:
        keras.config.set_dtype_policy(before)
    inputs = asked(2)
    edit = generator(inputs)
    judged = discriminator({"image": inputs["image"]})
    assert {value.dtype for value in (*edit.values(), *judged.values())} == {tf.float32}
    assert generator.get_layer("residual1a").compute_dtype == "bfloat16"
    np.testing.assert_array_equal(edit["image"], inputs["image"])  # what is kept was never rounded to bfloat16


# -- conditioning ------------------------------------------------------------------------------------------------------


INTERIOR = slice(8, -8)  # of the 64 pixels of the pictures below


def features(conditioning, layer):
    """Returns what a layer makes of one picture with all action units at 1 and at 0, both (64, 64, channels)."""
    keras.utils.set_random_seed(1)
    generator = Generator(64, 8, 2, conditioning)
    until = keras.Model(generator.inputs, generator.get_layer(layer).output)
    image = asked(1, size=64)["image"]
    return [until({"image": image, "action_units": tf.fill((1, 17), value)}).numpy()[0] for value in (1.0, 0.0)]


def influence(high, low):
    """Returns how far apart features are: (in the interior, at the border)."""
    difference = np.abs(high - low).mean(-1) / np.std(low)
    interior = difference[INTERIOR, INTERIOR].mean()
    difference[INTERIOR, INTERIOR] = np.nan
    return interior, np.nanmean(difference)


def test_after_the_first_normalisation_planes_only_rescale_channels():
    # A constant plane is a bias after the convolution; all that is left inside is what the padded border did to the
    # statistics: one affine map a channel, the same at every pixel.
    high, low = features("concat", "stem_norm")
    interior, border = influence(high, low)
    assert interior < 0.5 * border
    for channel in range(high.shape[-1]):
        x, y = low[INTERIOR, INTERIOR, channel].ravel(), high[INTERIOR, INTERIOR, channel].ravel()
        slope, shift = np.polyfit(x, y, 1)
        np.testing.assert_allclose(y, slope * x + shift, atol=1e-4)


def test_film_conditions_the_interior_more_than_planes_do():
    interior, border = influence(*features("concat", "up1_relu"))
    film_interior, film_border = influence(*features("film", "up1_relu"))
    assert interior < border and film_interior > film_border
    assert film_interior > 1.4 * interior
