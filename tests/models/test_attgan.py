import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import attribute_rules, augmentation, losses
from tfface.conventions import ATTGAN_ATTRIBUTES, ATTRIBUTES
from tfface.errors import InputError
from tfface.models.attgan import AttGAN, AttGANConfig, answer_loss, attribute_loss
from tfface.models.base import average_weights

NAMES = ("Eyeglasses", "Bald", "Bangs", "Male")
TINY = dict(
    attributes=NAMES, image_size=16, batch_size=2, steps=100, generator_width=4, discriminator_width=4,
    discriminator_units=8, depth=3, n_critic=2, warmup_steps=10, ema_decay=0.9, norm_momentum=0.9,
)  # fmt: skip


def tiny(seed=0, **settings):
    keras.utils.set_random_seed(seed)
    model = AttGAN(AttGANConfig(**{**TINY, **settings}), seed=seed)
    model.compile()
    return model


def batch(count, size=16, seed=0, **more):
    random = np.random.default_rng(seed)
    values = {
        "image": random.uniform(-1, 1, (count, size, size, 3)),
        "attributes": random.integers(0, 2, (count, 40)),
        "target_attributes": random.integers(0, 2, (count, 40)),
    }
    values = {key: tf.constant(value, tf.float32) for key, value in values.items()}
    return {**values, "index": tf.range(count, dtype=tf.int64), **more}


def with_values(values, key, **columns):
    """Returns a batch in which some attributes of `key` are as given."""
    array = values[key].numpy()
    for name, column in columns.items():
        array[:, ATTRIBUTES.index(name)] = column
    return {**values, key: tf.constant(array)}


def alphas(count):
    return tf.reshape(tf.linspace(0.1, 0.9, count), (-1, 1, 1, 1))


def snapshot(variables):
    return [v.numpy().copy() for v in variables]


def changed(variables, before):
    """Returns the paths of those variables that are no longer as `snapshot` found them."""
    return [v.path for v, old in zip(variables, before, strict=True) if not np.array_equal(v.numpy(), old)]


def floats(terms):
    return {name: float(value) for name, value in terms.items()}


def edits(model, values):
    image, _, target = model.labelled(values)
    return model.generator.decode(model.generator.encode(image, training=True), target, training=True)


@pytest.fixture(scope="module")
def model():
    """A model that tests may ask but not change."""
    return tiny()


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(image_size=20), "image_size=20: expected a multiple of 8, 16 or more"),
        (dict(image_size=8), "image_size=8"),
        (dict(batch_size=0), "batch_size=0"),
        (dict(n_critic=0), "n_critic=0"),
        (dict(depth=1), "depth=1"),
        (dict(augment=1.0), "augment=1.0: expected 0 .off. to less than 1"),
        (dict(shortcuts=3), "shortcuts=3: expected 0 to 2"),
        (dict(injections=-1), "injections=-1"),
        (dict(attributes=("Eyeglases",)), "Eyeglases: .*did you mean 'Eyeglasses'"),
        (dict(attributes=("Male", "Male")), "Male,Male: expected one name or more, each once"),
        (dict(attributes=()), "attributes="),
    ],
)
def test_settings_that_cannot_work_are_input_errors(settings, words):
    with pytest.raises(InputError, match=words):
        AttGANConfig(**{**TINY, **settings})


def test_paper_settings():
    c = AttGANConfig.from_preset("paper")
    assert c.attributes == ATTGAN_ATTRIBUTES
    assert (c.lambda_adv, c.lambda_gp, c.lambda_cond_real, c.lambda_cond, c.lambda_rec) == (1, 10, 1, 10, 100)
    assert (c.lambda_answer, c.warmup_steps, c.n_critic, c.batch_size, c.epochs) == (0, 0, 5, 32, 60)
    assert c.examples_per_step == 6 * 32  # five batches for the discriminator, one for the generator
    assert c.with_examples(182000).steps == 60 * 182000 // 192


def test_rates_are_constant_to_half_way_and_fall_to_nothing():
    config = AttGANConfig(**{**TINY, "warmup_steps": 0, "steps": 0, "epochs": 60})
    config = config.with_examples(60)  # 10 steps an epoch
    model = AttGAN(config)
    model.compile()
    for optimizer, updates_per_step in ((model.g_optimizer, 1), (model.d_optimizer, 2)):
        for epoch, share in ((0, 1), (29, 1), (30, 1), (31, 29 / 30), (45, 0.5), (59, 1 / 30)):
            for step in (10 * epoch, 10 * epoch + 9):
                optimizer.iterations.assign(step * updates_per_step)
                np.testing.assert_allclose(optimizer.learning_rate, 2e-4 * share, rtol=1e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)


# -- what the networks see ---------------------------------------------------------------------------------------------


def test_the_networks_see_the_chosen_attributes_in_their_order(model):
    values = batch(3)
    image, source, target = model.labelled(values)
    places = [ATTRIBUTES.index(name) for name in NAMES]
    np.testing.assert_array_equal(source, values["attributes"].numpy()[:, places])
    np.testing.assert_array_equal(target, values["target_attributes"].numpy()[:, places])
    assert image is values["image"]


# -- losses of the model -----------------------------------------------------------------------------------------------


def test_discriminator_loss_is_the_weighted_sum(model):
    values = batch(3)
    image, source, target = model.labelled(values)
    terms = floats(model.discriminator_losses(image, source, target, alphas(3)))
    c = model.config
    assert terms["d_loss"] == pytest.approx(terms["d_adv"] + 10 * terms["d_gp"] + terms["d_cond"], rel=1e-5)
    assert (c.lambda_adv, c.lambda_gp, c.lambda_cond_real) == (1, 10, 1)
    fake = edits(model, values)
    real_out, fake_out = (model.discriminator({"image": x}) for x in (image, fake))
    assert terms["d_adv"] == pytest.approx(float(np.mean(fake_out["realism"]) - np.mean(real_out["realism"])), abs=1e-6)
    p = 1 / (1 + np.exp(-real_out["attributes"].numpy()))
    expected = -np.mean(np.where(source.numpy() == 1, np.log(p), np.log(1 - p)))
    assert terms["d_cond"] == pytest.approx(expected, rel=1e-5)
    points = image + alphas(3) * (fake - image)
    with tf.GradientTape() as tape:
        tape.watch(points)
        scores = tf.reduce_sum(model.discriminator({"image": points})["realism"])
    norms = np.sqrt(np.square(tape.gradient(scores, points)).sum((1, 2, 3)))
    assert terms["d_gp"] == pytest.approx(np.square(norms - 1).mean(), rel=1e-4)


def test_the_discriminator_sees_shifted_pictures_and_the_generator_whole_ones():
    model, values = tiny(augment=0.25), batch(2)
    labelled, moves = model.labelled(values), tf.constant([[0.0, 0.99], [0.6, 0.0]])
    terms = floats(model.discriminator_losses(*labelled, alphas(2), moves))
    image, fake = (augmentation.shift(x, 0.25, moves) for x in (values["image"], edits(model, values)))
    real, edited = (model.discriminator({"image": x}) for x in (image, fake))
    assert terms["d_adv"] == pytest.approx(float(np.mean(edited["realism"]) - np.mean(real["realism"])), abs=1e-6)
    assert terms["d_cond"] == pytest.approx(float(attribute_loss(real["attributes"], labelled[1])), rel=1e-5)
    whole, moved = (floats(model.generator_losses(*labelled, moves=m)) for m in (None, moves))
    assert moved["g_adv"] == pytest.approx(-float(np.mean(edited["realism"])), abs=1e-6)
    assert moved["g_rec"] == pytest.approx(whole["g_rec"], rel=1e-6) and moved["g_cond"] != whole["g_cond"]


def test_generator_loss_is_the_weighted_sum():
    model = tiny(lambda_answer=7.0)
    values = batch(3)
    image, source, target = model.labelled(values)
    truth, counts = image[:, ::-1], tf.constant([1.0, 0.0, 1.0])
    terms = floats(model.generator_losses(image, source, target, truth, counts))
    features = model.generator.encode(image, training=True)
    same = model.generator.decode(features, source, training=True)
    edit = model.generator.decode(features, target, training=True)
    judged = model.discriminator({"image": edit})
    p = 1 / (1 + np.exp(-judged["attributes"].numpy()))
    expected = {
        "g_adv": -np.mean(judged["realism"]),
        "g_cond": -np.mean(np.where(target.numpy() == 1, np.log(p), np.log(1 - p))),  # of the edit, with what was asked
        "g_rec": np.abs(same - image).mean(),
        "g_answer": answer_loss(edit, truth, image, counts),
    }
    for name, value in expected.items():
        assert terms[name] == pytest.approx(float(value), rel=1e-4, abs=1e-6), name
    total = terms["g_adv"] + 10 * terms["g_cond"] + 100 * terms["g_rec"] + 7 * terms["g_answer"]
    assert terms["g_loss"] == pytest.approx(total, rel=1e-5)


def test_without_answers_the_loss_is_the_papers(model):
    values = batch(2, target_image=tf.zeros((2, 16, 16, 3)))
    assert model.answered(values) == (None, None)
    assert "g_answer" not in model.generator_losses(*model.labelled(values), *model.answered(values))
    paired = tiny(lambda_answer=1.0)
    assert paired.answered(batch(2)) == (None, None)


def test_answers_that_show_more_than_was_asked_do_not_count():
    model = tiny(lambda_answer=1.0)
    values = batch(3, target_image=tf.zeros((3, 16, 16, 3)))
    values["target_attributes"] = values["attributes"]
    values = with_values(values, "target_attributes", Eyeglasses=[0, 1, 0])
    values = with_values(values, "attributes", Smiling=[0, 0, 1], Wavy_Hair=0.5)
    values = with_values(values, "target_attributes", Smiling=[0, 1, 1], Wavy_Hair=0.5)
    truth, counts = model.answered(values)
    assert truth is values["target_image"]
    np.testing.assert_array_equal(counts, [1, 0, 1])


def test_the_critic_prefers_pictures_and_the_generator_what_the_critic_prefers():
    # The slides have both signs the other way round.
    model = tiny(lambda_gp=0.0, lambda_cond=0.0, lambda_cond_real=0.0, lambda_rec=0.0)
    values = batch(4)
    labelled = model.labelled(values)

    def realism():
        return [
            float(np.mean(model.discriminator({"image": x})["realism"])) for x in (labelled[0], edits(model, values))
        ]

    def step(loss, variables):
        with tf.GradientTape() as tape:
            value = loss()
        for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
            if gradient is not None:
                variable.assign_sub(0.01 * gradient)

    real, fake = realism()
    step(lambda: model.discriminator_losses(*labelled, alphas(4))["d_loss"], model.discriminator.trainable_variables)
    real_after, fake_after = realism()
    assert real_after - fake_after > real - fake
    step(lambda: model.generator_losses(*labelled)["g_loss"], model.generator.trainable_variables)
    assert realism()[1] > fake_after and realism()[0] == real_after


def test_unknown_attributes_count_in_no_loss(model):
    values = with_values(batch(3), "attributes", Eyeglasses=0.5)
    values = with_values(values, "target_attributes", Eyeglasses=0.5)
    labelled = model.labelled(values)
    before = floats({**model.discriminator_losses(*labelled, alphas(3)), **model.generator_losses(*labelled)})
    bias = model.discriminator.get_layer("attributes").bias
    start = bias.numpy()
    for place, name in enumerate(NAMES):
        bias.assign(start + np.eye(4)[place])
        after = floats({**model.discriminator_losses(*labelled, alphas(3)), **model.generator_losses(*labelled)})
        for term in ("d_cond", "g_cond"):
            assert (after[term] == pytest.approx(before[term], abs=1e-6)) == (name == "Eyeglasses"), name
    bias.assign(start)


def test_penalty_is_of_the_critic_alone():
    model = tiny()
    labelled = model.labelled(batch(2))
    before = floats(model.discriminator_losses(*labelled, alphas(2)))
    for head, moved in (("attributes", "d_cond"), ("realism", "d_gp")):
        layer = model.discriminator.get_layer(head)
        layer.kernel.assign(layer.kernel * 100.0)
        after = floats(model.discriminator_losses(*labelled, alphas(2)))
        assert after[moved] != before[moved]
        assert (after["d_gp"] == before["d_gp"]) == (head == "attributes")


def test_no_term_depends_on_the_batch_size():
    times = 5
    model = tiny(lambda_answer=1.0)
    values = with_values(batch(2), "attributes", Male=[0.5, 1.0])
    values["target_attributes"] = with_values(values, "attributes", Bangs=[1.0, 0.0])["attributes"]
    values["target_image"] = values["image"][:, ::-1]
    tiled = {key: tf.tile(value, [times] + [1] * (len(value.shape) - 1)) for key, value in values.items()}
    results = []
    for v, alpha in ((values, alphas(2)), (tiled, tf.tile(alphas(2), (times, 1, 1, 1)))):
        labelled = model.labelled(v)
        terms = {
            **model.discriminator_losses(*labelled, alpha),
            **model.generator_losses(*labelled, *model.answered(v)),
        }
        results.append(floats(terms))
    assert "g_answer" in results[0]
    for name in results[0]:
        assert results[1][name] == pytest.approx(results[0][name], rel=1e-4, abs=1e-6), name


# -- gradients and steps -----------------------------------------------------------------------------------------------

# Real and edited pictures shift the critic's score alike, so its last bias has no gradient.
UNREACHED = ["realism/bias"]


def test_gradients_reach_what_they_should(model):
    labelled = model.labelled(batch(3))
    generator, discriminator = model.generator.trainable_variables, model.discriminator.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        d_loss = model.discriminator_losses(*labelled, alphas(3))["d_loss"]
        g_loss = model.generator_losses(*labelled)["g_loss"]
    assert all(gradient is None for gradient in tape.gradient(d_loss, generator))
    for loss, variables in ((d_loss, discriminator), (g_loss, generator)):
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            if variable.path not in UNREACHED:
                assert np.abs(gradient).max() > 0, variable.path


def test_after_a_warm_up_the_critic_starts_small():
    warm, cold = tiny(), tiny(warmup_steps=0)
    image = {"image": batch(2)["image"]}
    small, large = warm.discriminator(image), cold.discriminator(image)
    np.testing.assert_allclose(small["realism"], 0.1 * large["realism"], rtol=1e-5)
    np.testing.assert_array_equal(small["attributes"], large["attributes"])


def test_warm_up_moves_classifier_and_generator():
    for answers in (0.0, 5.0):
        model = tiny(lambda_answer=answers)
        values = batch(6, target_image=tf.zeros((6, 16, 16, 3)))
        values["target_attributes"] = values["attributes"]
        trained = [*model.generator.trainable_variables, *model.discriminator.trainable_variables]
        before = snapshot(trained)
        terms = model.warmup_step(values)
        assert changed(trained, before) == [v.path for v in trained if "realism" not in v.path]
        assert set(terms) == {"d_cond", "g_rec"} | ({"g_answer"} if answers else set())
        assert int(model.g_optimizer.iterations) == int(model.d_optimizer.iterations) == 0


def test_warm_up_reads_all_attributes_and_draws_the_last_micro_batch():
    model, by_hand = tiny(lambda_answer=2.0), tiny(lambda_answer=2.0)
    values = batch(6)
    values["target_image"], values["target_attributes"] = values["image"][:, ::-1], values["attributes"]
    model.warmup_step(values)
    image, source, _ = by_hand.labelled(values)
    with tf.GradientTape() as tape:
        loss = attribute_loss(by_hand.discriminator({"image": image})["attributes"], source)
    variables = by_hand.warmup_variables
    by_hand.d_warmup_optimizer.apply(tape.gradient(loss, variables), variables)
    last = {key: value[2::3] for key, value in values.items()}
    with tf.GradientTape() as tape:
        image, source, target = by_hand.labelled(last)
        features = by_hand.generator.encode(image, training=True)
        features = {name: tf.concat([value, value[:1]], 0) for name, value in features.items()}  # a quarter, at least 1
        made = by_hand.generator.decode(features, tf.concat([target, source[:1]], 0), training=True)
        loss = 100 * losses.l1(made[2:], image[:1])
        loss += 2 * answer_loss(made[:2], last["target_image"], image, tf.ones(2))
    variables = by_hand.generator.trainable_variables
    by_hand.g_warmup_optimizer.apply(tape.gradient(loss, variables), variables)
    average_weights(by_hand.ema_generator, by_hand.generator, 0.9, by_hand.step)
    for ours, theirs in zip(model.variables, by_hand.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=ours.path)


@pytest.mark.parametrize("augment", [0.0, 0.25])
def test_adversarial_step_is_n_critic_updates_and_one_of_the_generator_on_examples_of_its_own(augment):
    model, by_hand = (tiny(lambda_answer=2.0, augment=augment) for _ in range(2))
    values = batch(6)
    values["target_image"], values["target_attributes"] = values["image"][:, ::-1], values["attributes"]
    trained = [*model.generator.variables, *model.discriminator.trainable_variables]
    before = snapshot(trained)
    terms = model.adversarial_step(values)
    assert {v.path for v in trained} - set(changed(trained, before)) <= set(UNREACHED)
    alpha, moves = by_hand.uniform(values, draw=0), by_hand.moves(values)
    shares = [None if moves is None else moves[first::3] for first in range(3)]
    parts = [{key: value[first::3] for key, value in values.items()} for first in range(3)]
    discriminator, generator = by_hand.discriminator.trainable_variables, by_hand.generator.trainable_variables
    for first in range(2):
        with tf.GradientTape() as tape:
            labelled = by_hand.labelled(parts[first])
            d_terms = by_hand.discriminator_losses(*labelled, alpha[first::3], shares[first])
        by_hand.d_optimizer.apply(tape.gradient(d_terms["d_loss"], discriminator), discriminator)
    with tf.GradientTape() as tape:
        truth, counts = parts[2]["target_image"], tf.ones(2)
        g_terms = by_hand.generator_losses(*by_hand.labelled(parts[2]), truth, counts, shares[2])
    by_hand.g_optimizer.apply(tape.gradient(g_terms["g_loss"], generator), generator)
    average = snapshot(by_hand.ema_generator.weights)
    average_weights(by_hand.ema_generator, by_hand.generator, 0.9, by_hand.step)
    for ours, theirs in zip(model.variables, by_hand.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=ours.path)
    for name, value in {**d_terms, **g_terms}.items():
        assert float(terms[name]) == pytest.approx(float(value), rel=1e-3, abs=1e-5), name
    assert (int(model.d_optimizer.iterations), int(model.g_optimizer.iterations)) == (2, 1)
    # The average takes the moving statistics along; the first average forgets faster than ema_decay.
    assert any("moving_mean" in v.path for v in model.ema_generator.weights)
    for now, start, source in zip(model.ema_generator.weights, average, model.generator.weights, strict=True):
        np.testing.assert_allclose(now, start / 10 + 0.9 * source, atol=1e-5, err_msg=now.path)


# -- edit --------------------------------------------------------------------------------------------------------------


def request(count):
    values = batch(count)
    return {"image": values["image"], "attributes": values["attributes"][:, : len(NAMES)]}


def test_an_edit_does_not_depend_on_its_batch():
    model = tiny()
    for weight in model.ema_generator.weights:  # moving statistics of a trained one among them
        weight.assign(weight + tf.random.stateless_uniform(weight.shape, (1, 2)))
    whole = request(6)
    together = model.edit(whole)["image"].numpy()
    for i in (0, 3, 5):
        alone = model.edit({key: value[i : i + 1] for key, value in whole.items()})["image"]
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


def test_edit_uses_the_average_and_takes_numpy():
    model = tiny()
    asked = request(2)
    before = model.edit(asked)["image"].numpy()
    for weight in model.generator.weights:
        weight.assign(weight * 3.0)
    np.testing.assert_array_equal(model.edit({key: value.numpy() for key, value in asked.items()})["image"], before)
    np.testing.assert_array_equal(model.editor()(asked, training=False)["image"], before)
    for weight in model.ema_generator.weights:
        weight.assign(weight * 3.0)
    assert np.abs(model.edit(asked)["image"] - before).max() > 0


def test_estimates_are_chances_of_the_chosen_attributes(model):
    image = batch(3)["image"]
    estimate = model.estimate_attributes(image).numpy()
    logits = model.discriminator({"image": image})["attributes"].numpy()
    np.testing.assert_allclose(estimate, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert estimate.shape == (3, 4)
    assert model.conditions() == {"attributes": {"labels": list(NAMES), "range": [0, 1]}}


def test_relative_conditioning_sees_only_the_change():
    model = tiny(relative=True)
    values = batch(2)
    image, source, target = model.labelled(values)
    features = model.generator.encode(image)
    moved = model.generator.decode(features, model.condition(source + 0.3, target + 0.3))
    np.testing.assert_allclose(model.generator.decode(features, model.condition(source, target)), moved, atol=1e-5)
    known = model.edit({"image": image, "attributes": target, "source_attributes": source})
    asked = {"image": image, "attributes": target - source + 0.5}
    np.testing.assert_allclose(known["image"], model.ema_generator(asked)["image"], atol=1e-6)


def test_relative_editor_settles_what_it_sees():
    model = tiny(relative=True)
    values = batch(3)
    image, _, target = model.labelled(values)
    seen = model.estimate_attributes(image).numpy()
    source = [list(attribute_rules.settled(dict(zip(NAMES, row.tolist(), strict=True))).values()) for row in seen]
    known = model.edit({"image": image, "attributes": target, "source_attributes": tf.constant(source, tf.float32)})
    np.testing.assert_array_equal(model.edit({"image": image, "attributes": target})["image"], known["image"])
    np.testing.assert_allclose(
        model.editor()({"image": image, "attributes": target})["image"], known["image"], atol=1e-6
    )
