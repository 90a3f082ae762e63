"""DC-IGN: published sizes, the clamp and its gradient by hand, what training does to latents, the code's units."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.errors import InputError
from tfface.models import dcign
from tfface.models.dcign import DCIGN, DCIGNConfig

TINY = dict(
    image_size=16, batch_size=20, steps=10, latents=6, encoder_filters=(4, 6), encoder_kernel=3, decoder_filters=(4,),
    decoder_kernel=3, padding="same", published_init=False, ema_decay=0.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def tiny(**settings):
    model = DCIGN(DCIGNConfig(**{**TINY, **settings}))
    model.compile()
    return model


def batch(factor, seed=0, count=20):
    """Bars whose place goes by the picture's number: something varies, whatever the batch is said to vary."""
    random = np.random.default_rng(seed)
    image = random.uniform(-0.2, 0.2, (1, 16, 16, 3)).repeat(count, 0)
    angles = random.uniform(-60, 60, count)
    for number, angle in enumerate(angles):
        image[number, :, int(8 + angle / 10)] += 0.8
    pose, light = np.zeros((count, 3)), np.zeros((count, 2))
    (light if factor == 2 else pose)[:, 1 if factor == 1 else 0] = angles
    arrays = {"image": image, "pose": pose, "light": light}
    return {key: tf.constant(value, tf.float32) for key, value in arrays.items()} | {
        "factor": tf.fill([count], tf.constant(factor, tf.int64)),
        "index": tf.range(count, dtype=tf.int64),
    }


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "encoded", "parameters"), [("paper", 7200, 4_991_473), ("repository", 5400, 4_131_137)]
)
def test_published_networks(preset, encoded, parameters):
    config = DCIGNConfig.from_preset(preset)
    encoder, decoder = dcign.encoder(config), dcign.decoder(config)
    assert encoder.get_layer("flat").output.shape == (None, encoded)
    assert decoder.get_layer("linear").output.shape == (None, encoded)
    assert decoder.output["logits"].shape == (None, 150, 150, 1)
    assert encoder.count_params() + decoder.count_params() == parameters
    for network, name in ((encoder, "mean"), (encoder, "log_variance"), (decoder, "linear")):
        layer = network.get_layer(name)
        assert np.std(layer.kernel) == pytest.approx(0.01, rel=0.05) and np.std(layer.bias) > 0.005


@pytest.mark.parametrize(
    "settings",
    [dict(padding="valid"), dict(image_size=18), dict(encoder_kernel=4), dict(latents=3), dict(shape_weight=0)],
)
def test_settings_that_fit_nothing_are_named(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        DCIGNConfig(**{**TINY, **settings})


def test_pictures_are_seen_and_painted_in_grey():
    image = np.zeros((3, 2, 2, 3), np.float32) - 1
    image[range(3), :, :, range(3)] = 1.0  # red, green, blue
    np.testing.assert_allclose(dcign.to_grey(image)[:, 0, 0, 0], [0.21, 0.72, 0.07], atol=1e-6)
    painted = tiny().decode(np.zeros((2, 6), np.float32)).numpy()
    assert painted.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(painted[..., 0], painted[..., 1])
    np.testing.assert_array_equal(painted[..., 0], painted[..., 2])


# -- clamp -------------------------------------------------------------------------------------------------------------


def test_clamp_by_hand():
    values = tf.constant([[1.0, 10.0], [3.0, 20.0], [8.0, 60.0]])
    active = tf.constant([[True, False]] * 3)
    with tf.GradientTape() as tape:
        tape.watch(values)
        clamped = dcign.clamp_inactive(values, active, 0.01)
        loss = tf.reduce_sum(clamped * [[5.0, 7.0], [6.0, 8.0], [1.0, 2.0]])
    np.testing.assert_allclose(clamped, [[1, 30], [3, 30], [8, 30]])
    # Active: what came from above. Inactive: 0.01 (z - mean) over the three pictures, whatever came from above.
    np.testing.assert_allclose(tape.gradient(loss, values), [[5, -0.2 / 3], [6, -0.1 / 3], [1, 0.3 / 3]], rtol=1e-6)


def test_descending_the_clamps_gradient_contracts():
    values = tf.Variable([[1.0], [3.0], [8.0]])
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(dcign.clamp_inactive(values, tf.constant(False), 1.0))
        values.assign_sub(0.3 * tape.gradient(loss, values))
    assert np.std(values) < 0.4 * np.std([1, 3, 8]) and np.mean(values) == pytest.approx(4.0, abs=1e-5)


@pytest.mark.parametrize(
    ("factor", "active"),
    [(0, "x....."), (1, ".x...."), (2, "..x..."), (3, "...xxx")],
    ids=["azimuth", "elevation", "light", "shape"],
)
def test_which_latents_are_active(factor, active):
    found = dcign.active_latents(tf.constant([factor, factor]), 6).numpy()
    assert found.tolist() == [[letter == "x" for letter in active]] * 2


def test_inactive_latents_neither_reach_the_picture_nor_the_kl_term():
    model, data = tiny(invariance=0.0), batch(0)
    with tf.GradientTape() as tape:
        posterior = model.encoder({"image": data["image"]})
        clamped = [
            dcign.clamp_inactive(posterior[key], dcign.active_latents(data["factor"], 6), 0.0) for key in posterior
        ]
        loss = tf.reduce_sum(dcign.kl_divergence(*clamped)) + tf.reduce_sum(
            model.decoder({"code": clamped[0]})["logits"]
        )
    gradients = tape.gradient(loss, posterior)
    for gradient in gradients.values():
        assert np.abs(gradient[:, 0]).min() > 0 and not np.abs(gradient[:, 1:]).any()


def test_kl_divergence_by_hand():
    kl = dcign.kl_divergence(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, np.log(4.0)]], tf.float32))
    assert float(kl[0]) == pytest.approx(0.5 + 0.5 * (4 - 1 - np.log(4)), rel=1e-6)


def test_bound_by_hand():
    # A decoder that says 0.5 everywhere: log 2 a pixel, whatever the picture.
    model = tiny(lambda_kl=0.0)
    for weight in model.decoder.get_layer("logits").weights:
        weight.assign(tf.zeros_like(weight))
    terms, _ = model.sgvb(batch(3)["image"], batch(3)["factor"], tf.zeros((20, 6)))
    assert float(terms["g_rec"]) == pytest.approx(256 * np.log(2), rel=1e-5)
    assert float(terms["g_loss"]) == pytest.approx(float(terms["g_rec"]))


# -- training ----------------------------------------------------------------------------------------------------------


def spread(model, data):
    return np.std(model.encoder({"image": data["image"]})["mean"], 0)


def test_training_contracts_inactive_latents_and_plain_sgvb_does_not():
    data, ratios = batch(0), {}
    for clamp in (True, False):
        keras.utils.set_random_seed(1)
        model = tiny(clamp=clamp, invariance=20.0, steps=1000, learning_rate=3e-3)
        before = spread(model, data)
        step = tf.function(model.sgvb_step)
        for _ in range(150):
            step(data)
        ratios[clamp] = spread(model, data) / before
    assert ratios[True][1:].max() < 0.3 and ratios[True][0] > 1.0
    assert ratios[False][1:].max() > 1.0


def test_a_step_moves_both_networks_and_only_the_seen_row_of_the_statistics():
    model = tiny()
    before = [v.numpy() for v in model.learned]
    model.train_step(batch(1))
    assert all(
        np.abs(v - b).max() > 0 for v, b in zip(model.learned, before, strict=True) if "logits/bias" not in v.path
    )
    rows = np.abs(model.factor_variance.numpy()).max(1)
    assert rows[1] > 0 and not rows[[0, 2]].any()


# -- the code ----------------------------------------------------------------------------------------------------------


def test_latents_count_in_signed_spreads_and_a_set_one_is_read_back():
    model = tiny()
    model.latent_mean.assign([1.0, 2.0, 3.0, 0.0, 0.0, 0.0])
    model.latent_square.assign([1.0 + 4.0, 4.0 + 0.25, 9.0 + 1.0, 1.0, 1.0, 1.0])  # spreads 2, 0.5, 1
    model.factor_covariance.assign([[-3.0, 0, 0, 9, 0, 0], [0, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    code = tf.constant([[1.0, 2.5, 3.0, 7.0, 8.0, 9.0]])
    np.testing.assert_allclose(model.read(code), [[0.0, 1.0, 0.0]], atol=1e-6)
    changed = model.set(code, tf.constant([[1.0, -2.0, 5.0]]), tf.constant([[1.0, 1.0, 0.0]]))
    np.testing.assert_allclose(changed, [[-1.0, 1.0, 3.0, 7.0, 8.0, 9.0]], atol=1e-5)  # azimuth counts backward
    np.testing.assert_allclose(model.read(changed), [[1.0, -2.0, 0.0]], atol=1e-5)


def test_statistics_follow_the_batches():
    model, data = tiny(learning_rate=0.0), batch(2)
    step = tf.function(model.sgvb_step)
    for _ in range(100):
        step(data)
        model.step.assign_add(1)
    codes = model.encoder({"image": data["image"]})["mean"].numpy()
    np.testing.assert_allclose(model.latent_mean, codes.mean(0), atol=1e-4)
    centre, signed = (value.numpy() for value in model.scale())
    np.testing.assert_allclose(np.abs(signed), codes.std(0)[:3], rtol=0.02)
    assert np.sign(signed[2]) == np.sign(np.cov(codes[:, 2], data["light"][:, 0])[0, 1])
    np.testing.assert_allclose(model.factor_variance[2], codes.var(0), rtol=0.01)


def test_without_the_clamp_the_latents_that_vary_most_are_named():
    model = tiny(clamp=False)
    model.factor_variance.assign([[0, 1, 5, 0, 0, 0], [0, 0, 0, 0, 0, 3], [1, 9, 0, 0, 0, 0]])
    assert model.places().numpy().tolist() == [2, 5, 1]
    model.factor_covariance.assign([[0, 0, -1, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0]])
    assert np.sign(model.scale()[1]).tolist() == [-1, 1, 1]


def test_edits_keep_what_is_not_asked_and_the_export_computes_the_same():
    model, image = tiny(), batch(0)["image"][:3]
    for variable in model.ema_encoder.weights + model.ema_decoder.weights:
        variable.assign_add(tf.random.normal(variable.shape, stddev=0.05))
    nothing = model.edit({"image": image, "latents": tf.ones((3, 3)), "asked": tf.zeros((3, 3))})["image"]
    np.testing.assert_allclose(nothing, model.decode(model.encode(image)), atol=1e-6)
    inputs = {"image": image, "latents": tf.ones((3, 3)), "asked": tf.constant([[1.0, 0.0, 1.0]] * 3)}
    edited = model.edit(inputs)["image"]
    assert np.abs(edited - nothing).max() > 1e-3
    np.testing.assert_allclose(model.editor()(inputs)["image"], edited, atol=1e-5)
