import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import augmentation, losses
from tfface.errors import InputError
from tfface.models.base import average_weights
from tfface.models.ganimation import GANimation, GANimationConfig, true_attention

TINY = dict(
    image_size=16, batch_size=2, steps=100, generator_width=4, residual_blocks=1, discriminator_width=4,
    discriminator_layers=3, conditioning="film", n_critic=3, warmup_steps=10, lambda_edit=0.3, ema_decay=0.9,
)  # fmt: skip


def tiny(seed=0, **settings):
    keras.utils.set_random_seed(seed)
    model = GANimation(GANimationConfig(**{**TINY, **settings}), seed=seed)
    model.compile()
    return model


def batch(count, size=16, seed=0, **more):
    random = np.random.default_rng(seed)
    values = {
        "image": random.uniform(-1, 1, (count, size, size, 3)),
        "action_units": random.uniform(0, 1, (count, 17)),
        "target_action_units": random.uniform(0, 1, (count, 17)),
    }
    values = {key: tf.constant(value, tf.float32) for key, value in values.items()}
    return {**values, "index": tf.range(count, dtype=tf.int64), **more}


def labelled(values):
    return values["image"], values["action_units"], values["target_action_units"]


def alphas(count):
    return tf.reshape(tf.linspace(0.1, 0.9, count), (-1, 1, 1, 1))


def snapshot(variables):
    return [v.numpy().copy() for v in variables]


def changed(variables, before):
    """Returns the paths of those variables that are no longer as `snapshot` found them."""
    return [v.path for v, old in zip(variables, before, strict=True) if not np.array_equal(v.numpy(), old)]


@pytest.fixture(scope="module")
def model():
    """A model that tests may ask but not change."""
    return tiny()


# -- settings and conditioning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [dict(image_size=100), dict(image_size=8), dict(batch_size=0), dict(n_critic=0)])
def test_settings_that_cannot_work_are_input_errors(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        GANimationConfig(**settings)


def test_relative_conditioning_sees_only_the_change():
    model = tiny(relative=True)
    values = batch(2)
    image, source, target = labelled(values)
    np.testing.assert_allclose(
        model.generate(image, source, target)["image"],
        model.generate(image, source + 0.3, target + 0.3)["image"],
        atol=1e-5,
    )
    edit = model.edit({"image": image, "action_units": target, "source_action_units": source})
    np.testing.assert_allclose(edit["image"], model.generate(image, source, target)["image"], atol=1e-6)
    estimated = model.edit({"image": image, "action_units": target})
    known = model.edit(
        {"image": image, "action_units": target, "source_action_units": model.estimate_action_units(image)}
    )
    np.testing.assert_array_equal(estimated["image"], known["image"])


# -- losses ------------------------------------------------------------------------------------------------------------


def test_paper_weights():
    config = GANimationConfig.from_preset("paper")
    assert (config.lambda_adv, config.lambda_gp, config.lambda_cyc, config.lambda_mask) == (1, 10, 10, 0.1)
    assert config.lambda_cond == 4000 / 25  # the authors' 4000 is divided by the batch, ours stands on the plain mean
    np.testing.assert_allclose(config.lambda_tv, 1e-5 * 25 * 128 * 127)
    assert (config.lambda_rec, config.lambda_edit, config.warmup_steps, config.attention_bias) == (0, 0, 0, 0)
    assert (config.conditioning, config.relative, config.n_critic, config.batch_size) == ("concat", False, 5, 25)


def test_discriminator_loss_is_the_weighted_sum(model):
    values = batch(3)
    terms = {k: float(v) for k, v in model.discriminator_losses(*labelled(values), alphas(3)).items()}
    c = model.config
    assert terms["d_loss"] == pytest.approx(
        c.lambda_adv * terms["d_adv"] + c.lambda_gp * terms["d_gp"] + c.lambda_cond * terms["d_cond"], rel=1e-5
    )
    fake = model.generate(*labelled(values))["image"]
    real_out, fake_out = (model.discriminator({"image": x}) for x in (values["image"], fake))
    assert terms["d_adv"] == pytest.approx(float(np.mean(fake_out["realism"]) - np.mean(real_out["realism"])), abs=1e-6)
    wrong = np.square(real_out["action_units"] - values["action_units"])
    assert terms["d_cond"] == pytest.approx(wrong.mean(), rel=1e-5)
    # The authors' code: the mean over the batch and the 17, divided by the batch, times 4000 at their batch of 25.
    assert 160 * terms["d_cond"] == pytest.approx(4000 * wrong.mean() / 25, rel=1e-5)


def test_generator_loss_is_the_weighted_sum(model):
    values = batch(3)
    image, source, target = labelled(values)
    terms = {k: float(v) for k, v in model.generator_losses(image, source, target).items()}
    c = model.config
    edit = model.generate(image, source, target)
    back = model.generate(edit["image"], target, source)
    judged = model.discriminator({"image": edit["image"]})
    masks = edit["attention"].numpy(), back["attention"].numpy()
    expected = {
        "g_adv": -np.mean(judged["realism"]),
        "g_cond": np.square(judged["action_units"] - target).mean(),
        "g_cyc": np.abs(back["image"] - image).mean(),
        "g_mask": masks[0].mean() + masks[1].mean(),
        "g_tv": sum(float(losses.total_variation(tf.constant(mask))) for mask in masks),
    }
    for name, value in expected.items():
        assert terms[name] == pytest.approx(float(value), rel=1e-4, abs=1e-6), name
    total = (
        c.lambda_adv * terms["g_adv"] + c.lambda_cond * terms["g_cond"] + c.lambda_cyc * terms["g_cyc"]
        + c.lambda_mask * terms["g_mask"] + c.lambda_edit * (2 - terms["g_mask"]) + c.lambda_tv * terms["g_tv"]
    )  # fmt: skip
    assert terms["g_loss"] == pytest.approx(total, rel=1e-5)


def test_the_discriminator_sees_shifted_pictures_and_the_generator_whole_ones():
    model, values = tiny(augment=0.25), batch(2)
    moves = tf.constant([[0.0, 0.99], [0.6, 0.0]])
    terms = model.discriminator_losses(*labelled(values), alphas(2), moves)
    edit = model.generate(*labelled(values))["image"]
    image, fake = (augmentation.shift(x, 0.25, moves) for x in (values["image"], edit))
    real, edited = (model.discriminator({"image": x}) for x in (image, fake))
    assert float(terms["d_adv"]) == pytest.approx(np.mean(edited["realism"]) - np.mean(real["realism"]), abs=1e-6)
    assert float(terms["d_cond"]) == pytest.approx(float(losses.mse(real["action_units"], values["action_units"])))
    whole, moved = (model.generator_losses(*labelled(values), moves=m) for m in (None, moves))
    assert float(moved["g_adv"]) == pytest.approx(-np.mean(edited["realism"]), abs=1e-6)
    assert float(moved["g_cyc"]) == pytest.approx(float(whole["g_cyc"]), rel=1e-6)


def test_true_answers_take_the_place_of_the_cycle():
    plain, paired = tiny(lambda_cyc=0.0), tiny(lambda_rec=7.0)
    values = batch(2)
    truth = tf.zeros_like(values["image"])
    without = plain.generator_losses(*labelled(values), truth)
    with_truth = paired.generator_losses(*labelled(values), truth)
    unanswered = paired.generator_losses(*labelled(values))
    assert "g_rec" not in without and "g_rec" not in unanswered
    assert "g_cyc" in unanswered and "g_cyc" not in with_truth
    edit = paired.generate(*labelled(values))["image"]
    assert float(with_truth["g_rec"]) == pytest.approx(float(np.abs(edit).mean()), rel=1e-5)
    assert float(with_truth["g_loss"] - without["g_loss"]) == pytest.approx(7 * float(with_truth["g_rec"]), rel=1e-4)


def test_penalty_is_of_the_critic_head_alone():
    model = tiny()
    values = batch(2)
    before = model.discriminator_losses(*labelled(values), alphas(2))
    units = model.discriminator.get_layer("units")
    units.kernel.assign(units.kernel * 100.0)
    after = model.discriminator_losses(*labelled(values), alphas(2))
    assert float(after["d_gp"]) == float(before["d_gp"])
    assert float(after["d_cond"]) != float(before["d_cond"])
    realism = model.discriminator.get_layer("realism")
    realism.kernel.assign(realism.kernel * 100.0)
    assert float(model.discriminator_losses(*labelled(values), alphas(2))["d_gp"]) != float(before["d_gp"])


@pytest.mark.parametrize("times", [4, 7])
def test_no_term_depends_on_the_batch_size(model, times):
    values = batch(2)
    tiled = {key: tf.tile(value, [times] + [1] * (len(value.shape) - 1)) for key, value in values.items()}
    pairs = (
        (model.discriminator_losses(*labelled(values), alphas(2)),
         model.discriminator_losses(*labelled(tiled), tf.tile(alphas(2), (times, 1, 1, 1)))),
        (model.generator_losses(*labelled(values)), model.generator_losses(*labelled(tiled))),
    )  # fmt: skip
    for once, often in pairs:
        for name in once:
            assert float(often[name]) == pytest.approx(float(once[name]), rel=1e-4, abs=1e-6), name


# -- gradients and steps -----------------------------------------------------------------------------------------------


def test_gradients_reach_what_they_should(model):
    values = batch(2)
    generator, discriminator = model.generator.trainable_variables, model.discriminator.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        d_loss = model.discriminator_losses(*labelled(values), alphas(2))["d_loss"]
        g_loss = model.generator_losses(*labelled(values))["g_loss"]
    assert all(gradient is None for gradient in tape.gradient(d_loss, generator))
    for loss, variables in ((d_loss, discriminator), (g_loss, generator)):
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            assert np.abs(gradient).max() > 0, variable.path


def test_warm_up_moves_the_discriminator_without_its_critic_head():
    model = tiny()
    generators = [*model.generator.variables, *model.ema_generator.variables]
    before = snapshot(generators), snapshot(model.discriminator.variables)
    terms = model.warmup_step(batch(6))
    assert changed(generators, before[0]) == []
    expected = [v.path for v in model.discriminator.variables if v.path != "realism/kernel"]
    assert changed(model.discriminator.variables, before[1]) == expected
    assert len(expected) == len(model.discriminator.variables) - 1
    assert set(terms) == {"d_cond"}


def test_warm_up_with_true_answers_moves_the_generator_too():
    model = tiny(lambda_rec=5.0)
    variables = [*model.generator.variables, *model.discriminator.variables]
    before = snapshot(variables)
    values = batch(6)
    terms = model.warmup_step({**values, "target_image": values["image"] * 0.5})
    assert changed(variables, before) == [v.path for v in variables if v.path != "realism/kernel"]
    assert {"d_cond", "g_rec"} <= set(terms)


def test_true_attention_keeps_what_the_answer_leaves_alone():
    image = np.zeros((1, 8, 8, 3), np.float32)
    truth = image.copy()
    truth[0, 2, 2] = 0.5  # more than a tenth of full contrast
    truth[0, 6, 6] = 0.1  # half of it
    attention = true_attention(tf.constant(image), tf.constant(truth)).numpy()[0, :, :, 0]
    expected = np.ones((8, 8))
    expected[1:4, 1:4], expected[5:8, 5:8] = 0.0, 0.5
    np.testing.assert_allclose(attention, expected, atol=1e-6)


def test_warm_up_of_one_picture_knows_no_other():
    # With stochastic descent the move of a batch is the mean of the moves of its pictures.
    values = batch(2)
    values["target_image"] = tf.stack([values["image"][0], -values["image"][1]])  # one hardly asks for color, one does

    def moves(part):
        model = tiny(n_critic=1, batch_size=2, lambda_rec=1.0)
        model.g_warmup_optimizer = keras.optimizers.SGD(1.0)
        before = snapshot(model.generator.trainable_variables)
        model.warmup_step(part)
        return [now - old for now, old in zip(model.generator.trainable_variables, before, strict=True)]

    each = [moves({key: value[i : i + 1] for key, value in values.items()}) for i in range(2)]
    for both, a, b in zip(moves(values), *each, strict=True):
        np.testing.assert_allclose(both, (a + b) / 2, atol=1e-5)


@pytest.mark.parametrize("augment", [0.0, 0.25])
def test_adversarial_step_is_n_critic_updates_and_one_of_the_generator(augment):
    model, by_hand = (tiny(lambda_rec=2.0, augment=augment) for _ in range(2))
    values = batch(6)
    values["target_image"] = values["image"][:, ::-1]
    terms = model.adversarial_step(values)
    alpha, moves = by_hand.uniform(values, draw=0), by_hand.moves(values)
    shares = [None if moves is None else moves[first::3] for first in range(3)]
    discriminator, generator = by_hand.discriminator.trainable_variables, by_hand.generator.trainable_variables
    for first in range(3):
        part = [value[first::3] for value in labelled(values)]
        with tf.GradientTape() as tape:
            d_terms = by_hand.discriminator_losses(*part, alpha[first::3], shares[first])
        by_hand.d_optimizer.apply(tape.gradient(d_terms["d_loss"], discriminator), discriminator)
    with tf.GradientTape() as tape:
        g_terms = by_hand.generator_losses(*part, values["target_image"][2::3], shares[2])
    by_hand.g_optimizer.apply(tape.gradient(g_terms["g_loss"], generator), generator)
    average_weights(by_hand.ema_generator, by_hand.generator, by_hand.config.ema_decay, by_hand.step)
    for ours, theirs in zip(model.variables, by_hand.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=ours.path)
    for name, value in {**d_terms, **g_terms}.items():
        assert float(terms[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), name
    assert (int(model.d_optimizer.iterations), int(model.g_optimizer.iterations)) == (3, 1)


def test_adversarial_step_moves_every_trainable_weight_and_the_average_follows():
    model = tiny()
    trained = [*model.generator.trainable_variables, *model.discriminator.trainable_variables]
    before, average = snapshot(trained), snapshot(model.ema_generator.weights)
    model.adversarial_step(batch(6))
    assert len(changed(trained, before)) == len(trained)
    keep = 1 / 10  # the first average forgets faster than ema_decay
    for now, start, source in zip(model.ema_generator.weights, average, model.generator.weights, strict=True):
        np.testing.assert_allclose(now, keep * start + (1 - keep) * source, atol=1e-6, err_msg=now.path)


def test_rates_of_both_optimizers_follow_the_papers_table():
    config = GANimationConfig(**{**TINY, "n_critic": 5, "batch_size": 2, "steps": 0, "warmup_steps": 0, "epochs": 30})
    config = config.with_examples(700)  # 70 steps an epoch
    model = GANimation(config)
    model.compile()
    for optimizer, updates_per_step in ((model.g_optimizer, 1), (model.d_optimizer, 5)):
        for epoch in (1, 21, 22, 26, 30):
            expected = 1e-4 if epoch <= 21 else 1e-5 * (31 - epoch)
            for step in (70 * (epoch - 1), 70 * epoch - 1):
                optimizer.iterations.assign(step * updates_per_step)
                np.testing.assert_allclose(optimizer.learning_rate, expected, rtol=1e-4, err_msg=f"epoch {epoch}")
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)


# -- edit --------------------------------------------------------------------------------------------------------------


def test_edit_uses_the_averaged_generator():
    model = tiny()
    values = batch(2)
    request = {"image": values["image"], "action_units": values["target_action_units"]}
    before = model.edit(request)["image"].numpy()
    for weight in model.generator.weights:
        weight.assign(weight * 3.0)
    np.testing.assert_array_equal(model.edit(request)["image"], before)
    for weight in model.ema_generator.weights:
        weight.assign(weight * 3.0)
    assert np.abs(model.edit(request)["image"] - before).max() > 0


def test_estimated_action_units_are_clipped():
    model = tiny()
    units = model.discriminator.get_layer("units")
    units.kernel.assign(units.kernel * 1e6)
    estimate = model.estimate_action_units(batch(4)["image"]).numpy()
    assert estimate.shape == (4, 17) and estimate.min() == 0.0 and estimate.max() == 1.0


def test_config_is_immutable_and_plain():
    config = GANimationConfig.from_preset("laptop")
    assert GANimationConfig(**dataclasses.asdict(config)) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.steps = 1
