import contextlib
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import chips, conventions, patches
from tfface.errors import InputError
from tfface.models import tpgan
from tfface.models.tpgan import TPGAN, TPGANConfig, identity_features, laplacian, log_loss, symmetry

TINY = dict(
    image_size=32, batch_size=3, steps=20, width=8, noise_size=4, normalization="none", edge_kernel=3, code_blocks=1,
    stage_blocks=1, local_levels=1, local_blocks=1, squeeze=True, published_init=False, generator_updates=1,
    learning_rate=1e-3, identities=5, lambda_id=0.0, lambda_adv=0.1, ema_decay=0.9,
)  # fmt: skip


def tiny(seed=0, **settings):
    keras.utils.set_random_seed(seed)
    model = TPGAN(TPGANConfig(**{**TINY, **settings}), seed=seed)
    model.compile()
    return model


def landmarks(count, size=32, turn=0.5, seed=0):
    """Landmarks of faces that are turned to the image's right, the last one to the left."""
    five = np.repeat(patches.FRONTAL[None].astype(np.float64) * size, count, 0)
    five[:, 2, 0] += 6 * turn
    five += np.random.default_rng(seed).uniform(-0.4, 0.4, five.shape)
    points = np.full((count, 68, 2), size / 2.0)
    points[:, 36:42], points[:, 42:48] = five[:, None, 0], five[:, None, 1]
    points[:, 30], points[:, 48], points[:, 54] = five[:, 2], five[:, 3], five[:, 4]
    points[-1] = conventions.mirror_landmarks(points[-1], size)
    return points.astype(np.float32)


def batch(count=3, size=32, seed=0):
    random = np.random.default_rng(seed)
    return {
        "image": tf.constant(random.uniform(-1, 1, (count, size, size, 3)), tf.float32),
        "target_image": tf.constant(random.uniform(-1, 1, (count, size, size, 3)), tf.float32),
        "landmarks": tf.constant(landmarks(count, size)),
        "target_landmarks": tf.constant(landmarks(count, size, turn=0.0, seed=1)),
        "identity": tf.constant(random.integers(0, 2**40, count)),
        "index": tf.range(count, dtype=tf.int64),
    }


def snapshot(variables):
    return [v.numpy().copy() for v in variables]


def changed(variables, before):
    return {v.path for v, old in zip(variables, before, strict=True) if not np.array_equal(v.numpy(), old)}


@pytest.fixture(scope="module")
def model():
    """A model that tests may ask but not change."""
    return tiny(lambda_ce=0.2, lambda_tv=0.3, warp=True, lambda_flow=0.5)


@pytest.fixture(scope="module")
def learner():
    """A model that tests may train."""
    return tiny(lambda_ce=0.2, warmup_steps=1, generator_updates=2, batch_size=2, normalization="batch")


@contextlib.contextmanager
def settings(model, **changes):
    """The model with other settings of its losses or batches for a while; its networks stay."""
    before = model.config
    model.config = dataclasses.replace(before, **changes)
    try:
        yield model
    finally:
        model.config = before


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [dict(image_size=48), dict(image_size=8), dict(generator_updates=0), dict(width=4), dict(batch_size=0),
     dict(image_size=16, local_levels=5), dict(lambda_flow=1.0)],
)  # fmt: skip
def test_settings_that_cannot_work_are_input_errors(settings):
    with pytest.raises(InputError, match=list(settings)[-1]):
        TPGANConfig(**{"local_levels": 1, **settings})


def test_weights_of_the_paper_and_of_the_blog():
    paper = TPGANConfig.from_preset("paper")
    assert (paper.lambda_ce, paper.lambda_sym, paper.lambda_adv, paper.lambda_id, paper.lambda_tv) == (
        1e-3, 0.3, 1e-3, 3e-3, 1e-4,
    )  # fmt: skip
    assert (paper.weight_half, paper.weight_quarter, paper.lambda_local) == (1, 1.5, 3)
    assert (paper.batch_size, paper.learning_rate, paper.beta_1, paper.generator_updates) == (10, 1e-4, 0.9, 2)
    assert (paper.adversarial, paper.label_smoothing, paper.noise_size, paper.noise_scale) == ("log", 0.9, 100, 0.02)
    assert paper.examples_per_step == 20 and paper.warmup_steps == 0 and not paper.squeeze
    # The official code's weights go with sums over 128 x 128 pixels.
    np.testing.assert_allclose(np.array([20, 10, 40]) / 128**2, [paper.lambda_adv, paper.lambda_ce, paper.lambda_id],
                               rtol=0.4)  # fmt: skip
    blog = TPGANConfig.from_preset("blog")
    assert (blog.lambda_ce, blog.lambda_sym, blog.lambda_adv, blog.lambda_id, blog.lambda_tv) == (
        10, 0.3, 1e-3, 30, 1e-3,
    )  # fmt: skip
    assert (blog.adversarial, blog.normalization, blog.noise, blog.noise_size) == ("wgan-gp", "none", "uniform", 64)
    assert (blog.batch_size, blog.identities, blog.mirror_input, blog.lambda_gp) == (50, 347, False, 10)


# -- what goes in ------------------------------------------------------------------------------------------------------


def test_left_turned_faces_are_mirrored_with_their_answer(model):
    values = batch()
    seen = model.examples(values)
    np.testing.assert_array_equal(seen["image"][:2], values["image"][:2])
    np.testing.assert_array_equal(seen["image"][2], values["image"][2, :, ::-1])
    np.testing.assert_array_equal(seen["target"][2], values["target_image"][2, :, ::-1])
    mirrored = conventions.mirror_landmarks(values["target_landmarks"][2], 32).astype(np.float32)
    np.testing.assert_allclose(seen["target_landmarks"][2], mirrored, atol=1e-5)
    np.testing.assert_array_equal(seen["landmarks"][0], values["landmarks"][0])
    np.testing.assert_allclose(
        seen["landmarks"][2], conventions.mirror_landmarks(values["landmarks"][2], 32), rtol=1e-5
    )
    np.testing.assert_allclose(seen["target_points"][2], patches.five_points(tf.constant(mirrored)), atol=1e-5)
    assert (seen["points"][:, 2, 0] > tf.reduce_mean(seen["points"][:, :2, 0], 1)).numpy().all()


def test_edits_of_a_mirrored_picture_are_mirrored(model):
    values = batch(2)
    edit = model.edit(values)
    assert set(edit) == {"image", "local"}
    turned = {
        "image": tf.reverse(values["image"], [2]),
        "landmarks": tf.constant(
            np.stack([conventions.mirror_landmarks(p, 32) for p in values["landmarks"].numpy()]), tf.float32
        ),
    }
    for key, value in model.edit(turned).items():
        np.testing.assert_allclose(value, tf.reverse(edit[key], [2]), atol=1e-5)


def test_an_edit_does_not_depend_on_its_batch_mates_or_on_chance(learner):
    learner.train_step(batch(4))  # batch statistics have moved
    values = batch()
    whole = learner.edit(values)["image"]
    np.testing.assert_array_equal(learner.edit(values)["image"], whole)  # noise is zero
    np.testing.assert_allclose(learner.edit({k: v[1:2] for k, v in values.items()})["image"], whole[1:2], atol=1e-5)


def test_the_editor_is_what_edit_does(model):
    values = batch()
    answers = model.editor()({key: values[key] for key in ("image", "landmarks")})
    for key, value in model.edit(values).items():
        np.testing.assert_allclose(answers[key], value, atol=1e-5)


def many(count):
    """One example many times, each with its own place in the batch."""
    values = {key: tf.repeat(value[:1], count, 0) for key, value in batch(1).items()}
    return values | {"index": tf.range(count, dtype=tf.int64)}


@pytest.mark.parametrize(("kind", "scale"), [("normal", 0.02), ("uniform", 1.0)])
def test_noise_is_the_examples_own(model, kind, scale):
    values = many(256)
    with settings(model, noise=kind, noise_scale=scale, batch_size=256):
        noise = model.examples(values)["noise"].numpy()
        deviation = scale if kind == "normal" else scale / 3**0.5
        assert noise.std() == pytest.approx(deviation, rel=0.1) and abs(noise.mean()) < 0.1 * deviation
        later = {key: value[5:9] for key, value in values.items()}
        np.testing.assert_array_equal(model.examples(later)["noise"], noise[5:9])
        model.step.assign_add(1)
        assert np.abs(model.examples(values)["noise"] - noise).min() > 0
        model.step.assign_add(-1)


def test_the_head_drops_seven_tenths_of_the_code(model):
    with settings(model, batch_size=256):
        kept = model.examples(many(256))["kept"].numpy()
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.3)}
    assert (kept > 0).mean() == pytest.approx(0.3, abs=0.02)


# -- losses ------------------------------------------------------------------------------------------------------------


def test_laplacian_of_a_point():
    x = np.zeros((1, 5, 5, 1), np.float32)
    x[0, 2, 2] = 8.0
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = -1.0
    expected[2, 2] = 8.0
    np.testing.assert_allclose(laplacian(tf.constant(x))[0, ..., 0], expected, atol=1e-6)
    ramp = tf.constant(np.tile(np.arange(7.0, dtype=np.float32), (7, 1))[None, :, :, None])
    np.testing.assert_allclose(laplacian(ramp)[0, 1:-1, 1:-1], 0, atol=1e-5)


def test_symmetry_compares_and_moves_the_occluded_half_alone():
    x = np.zeros((1, 4, 8, 1), np.float32)
    x[0, :, 4:] = 1.0
    # Values differ by 1 everywhere, Laplacians in one column of four alone: -3/8 left of the middle, 3/8 right of it.
    assert float(symmetry(tf.constant(x))) == pytest.approx((1 + 0.75 / 4) / 2, rel=1e-5)
    image = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = symmetry(image)
    gradient = tape.gradient(loss, image).numpy()
    assert np.abs(gradient[:, :, 5:]).min() > 0
    assert not gradient[:, :, :3].any()  # column 3 is a neighbour of the right half
    halves = tf.concat([image[:, :, :4], tf.reverse(image[:, :, :4], [2])], 2)
    assert float(symmetry(halves)) == pytest.approx(0, abs=1e-6)


def test_symmetry_ignores_a_change_of_light_in_its_laplacian():
    x = np.random.default_rng(0).uniform(-0.2, 0.2, (1, 16, 8, 1))
    x = np.concatenate([x, x[:, :, ::-1] + 0.6], 2).astype(np.float32)  # the right half is lighter
    both, value = float(symmetry(tf.constant(x))), 0.6
    assert both == pytest.approx(value / 2, rel=0.2)  # half of it from values, next to none from Laplacians


def test_log_loss_by_hand():
    logits = tf.constant([[0.0], [np.log(3.0)]], tf.float32)  # probabilities 1/2 and 3/4
    expected = -np.mean([0.9 * np.log(0.5) + 0.1 * np.log(0.5), 0.9 * np.log(0.75) + 0.1 * np.log(0.25)])
    assert float(log_loss(logits, 0.9)) == pytest.approx(expected, rel=1e-5)
    assert float(log_loss(logits, 0.0)) == pytest.approx(-np.mean([np.log(0.5), np.log(0.25)]), rel=1e-5)


def test_generator_loss_is_the_weighted_sum(model):
    part = model.examples(batch())
    made = model.generate(part)
    terms = {key: float(value) for key, value in model.generator_losses(part, made).items()}
    c, target = model.config, part["target"]
    halves = {1: target, 2: tf.nn.avg_pool2d(target, 2, 2, "VALID"), 4: tf.nn.avg_pool2d(target, 4, 4, "VALID")}
    rec = [np.abs(made[name] - halves[n]).mean() for name, n in (("image", 1), ("half", 2), ("quarter", 4))]
    assert terms["g_rec"] == pytest.approx(rec[0] + rec[1] + 1.5 * rec[2], rel=1e-5)
    pooled = tf.nn.avg_pool2d(made["image"], 2, 2, "VALID")
    sym = symmetry(pooled) + symmetry(made["half"]) + 1.5 * symmetry(made["quarter"])
    assert terms["g_sym"] == pytest.approx(float(sym), rel=1e-5)
    true = patches.crop_parts(target, part["target_points"], 2)
    assert terms["g_local"] == pytest.approx(sum(np.abs(made[k] - true[k]).mean() for k in patches.PARTS), rel=1e-5)
    scores = model.discriminator({"image": made["image"]})["realism"]
    assert terms["g_adv"] == pytest.approx(float(np.log1p(np.exp(-scores)).mean()), rel=1e-4)
    logits = model.identity_head(made["code"] * part["kept"]).numpy()
    label = (batch()["identity"] % 5).numpy()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert terms["g_ce"] == pytest.approx(-np.log(shares[range(3), label]).mean(), rel=1e-4)
    total = (
        terms["g_rec"] + c.lambda_sym * terms["g_sym"] + c.lambda_local * terms["g_local"]
        + c.lambda_tv * terms["g_tv"] + c.lambda_ce * terms["g_ce"] + c.lambda_adv * terms["g_adv"]
        + c.lambda_flow * terms["g_flow"]
    )  # fmt: skip
    assert terms["g_loss"] == pytest.approx(total, rel=1e-5)


def test_losses_do_not_depend_on_the_size_of_batch_or_picture(model):
    one = model.examples(batch(1))
    two = {key: tf.repeat(value, 2, 0) for key, value in one.items()}
    for name, value in model.generator_losses(one, model.generate(one)).items():
        again = model.generator_losses(two, model.generate(two))[name]
        assert float(again) == pytest.approx(float(value), rel=1e-4), name


def test_identity_is_compared_in_features_of_a_frozen_network(model):
    part = model.examples(batch())
    made = model.generate(part)
    weights = tf.constant(np.random.default_rng(0).normal(size=(32 * 32 * 3, 6)), tf.float32)

    def look(pictures):
        flat = tf.reshape(pictures, [-1, 32 * 32 * 3])
        return {"embedding": flat @ weights, "features": tf.square(pictures)}

    count = len(model.trainable_variables)
    model.use_features(look)
    with settings(model, lambda_id=2.0), tf.GradientTape() as tape:
        tape.watch([made["image"], part["target"]])
        g_id = model.generator_losses(part, made)["g_id"]
    fake, real = (look(x) for x in (made["image"], part["target"]))
    expected = sum(np.abs(fake[key] - real[key]).mean() for key in fake)
    assert float(g_id) == pytest.approx(float(expected), rel=1e-5)
    moved, still = tape.gradient(g_id, [made["image"], part["target"]])
    assert np.abs(moved).max() > 0 and still is None
    assert len(model.trainable_variables) == count


def test_the_shipped_identity_network_sees_frontal_crops_as_its_own_chips():
    # Where average eyes and nose base lie in its chips, against where they lie in a frontal crop.
    five = patches.FRONTAL
    assert tpgan._CHIP_SIDE == pytest.approx((five[1] - five[0])[0] / 0.3503, abs=0.01)
    places = (chips.PADDING + chips.PLACES) / (2 * chips.PADDING + 1)
    eyes = (places[:2].mean(0) + places[2:4].mean(0)) / 2
    ours = (five[:2].mean(0) - [tpgan._CHIP_LEFT, tpgan._CHIP_TOP]) / tpgan._CHIP_SIDE
    np.testing.assert_allclose(ours, eyes, atol=0.01)


def test_identity_features_are_differentiable_descriptors():
    picture = tf.constant(np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        (descriptor,) = identity_features(picture)
        loss = tf.reduce_sum(tf.square(descriptor))
    assert descriptor.shape == (1, 128)
    assert np.abs(tape.gradient(loss, picture)).max() > 0


def test_gradient_norms_are_of_single_pictures(model):
    # The blog's code takes one norm for the whole batch.
    real, fake = (batch(4, seed=n)["image"] for n in (0, 1))
    alpha = tf.fill((4, 1, 1, 1), 0.5)
    with settings(model, adversarial="wgan-gp", lambda_gp=7.0):
        terms = model.discriminator_losses(real, fake, alpha)
    norms = []
    for n in range(4):
        middle = (real[n : n + 1] + fake[n : n + 1]) / 2
        with tf.GradientTape() as tape:
            tape.watch(middle)
            score = tf.reduce_mean(model.discriminator({"image": middle})["realism"])
        norms.append(np.linalg.norm(tape.gradient(score, middle)))
    assert float(terms["d_gp"]) == pytest.approx(np.mean(np.square(np.array(norms) - 1)), rel=1e-4)
    real_scores, fake_scores = (model.discriminator({"image": x})["realism"].numpy().mean() for x in (real, fake))
    assert float(terms["d_adv"]) == pytest.approx(fake_scores - real_scores, abs=1e-5)
    assert float(terms["d_loss"]) == pytest.approx(float(terms["d_adv"] + 7 * terms["d_gp"]), rel=1e-5)


# -- steps -------------------------------------------------------------------------------------------------------------


def test_each_loss_moves_its_own_networks(learner):
    learner.step.assign(0)
    groups = {
        "generator": learner.generator.trainable_variables,
        "ema_generator": learner.ema_generator.trainable_variables,
        "discriminator": learner.discriminator.trainable_variables,
        "head": learner.identity_head.trainable_variables,
    }
    expected = {"warmup": {"generator", "ema_generator", "head"}, "adversarial": set(groups)}
    for phase, moving in expected.items():
        before = {name: snapshot(variables) for name, variables in groups.items()}
        counts = [int(optimizer.iterations) for optimizer in (learner.g_optimizer, learner.d_optimizer)]
        terms = learner.train_step(batch(4))
        assert ("d_loss" in terms) == (phase == "adversarial")
        moved = {name for name, variables in groups.items() if changed(variables, before[name])}
        assert moved == moving, phase
        still = {v.path for v in groups["generator"]} - changed(groups["generator"], before["generator"])
        assert not still, still
        counts = np.subtract([int(o.iterations) for o in (learner.g_optimizer, learner.d_optimizer)], counts)
        assert counts.tolist() == [2, int(phase == "adversarial")]  # of the generator two, each on its own examples


def test_the_average_follows_the_generator(learner):
    learner.step.assign(100)
    before = snapshot(learner.ema_generator.weights)
    learner.train_step(batch(4))
    pairs = zip(learner.ema_generator.weights, before, learner.generator.weights, strict=True)
    for average, old, new in pairs:
        np.testing.assert_allclose(average, 0.9 * old + 0.1 * new.numpy(), atol=1e-5)


def test_the_discriminator_learns_from_held_pictures(model):
    part = model.examples(batch())
    with tf.GradientTape() as tape:
        made = model.generate(part)
        loss = model.discriminator_losses(part["target"], made["image"], part["alpha"])["d_loss"]
    gradients = tape.gradient(loss, model.generator.trainable_variables)
    assert all(gradient is None for gradient in gradients)


@pytest.mark.slow
def test_pairs_are_learned(learner):
    # Half a minute would show faces; a few steps show that the answer is approached.
    values = batch(4)
    values["target_image"] = tf.image.resize(tf.image.resize(values["target_image"], (4, 4)), (32, 32))
    step = tf.function(learner.warmup_step)
    found = [float(step(values)["g_rec"]) for _ in range(25)]
    assert found[-1] < 0.75 * found[0]


def test_batches_bring_frontal_pairs(model):
    options = model.batch_options()
    assert options["pairs"] == "frontal" and options["answers"] is False
    assert "landmarks" in options["partners"] and set(options["keys"]) == {"image", "landmarks", "identity"}
