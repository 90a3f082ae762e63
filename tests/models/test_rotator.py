import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.appearance_flow import flow_error
from tfface.conventions import mirror_landmarks
from tfface.errors import InputError
from tfface.models.rotator import Rotator, RotatorConfig

TINY = dict(
    image_size=16, batch_size=4, steps=100, warmup_steps=5, pretrain_steps=5, width=4, latent=8, features="identity",
    published_init=False, ema_decay=0.9,
)  # fmt: skip
OFF = dict(lambda_rec=0.0, lambda_code=0.0, lambda_img=0.0, lambda_pose=0.0, lambda_attr=0.0)


@functools.cache
def built(warp):
    """A model and its first weights."""
    keras.utils.set_random_seed(0)
    model = Rotator(RotatorConfig(**TINY, warp=warp, mirror=warp))
    return model, model.get_weights()


def tiny(rate=None, warp=False, **settings):
    """The tiny model as it was built, with other settings; building seven networks for each test takes too long.

    With a `rate`, its optimizers are plain gradient descent of that rate, else they are the model's own.
    """
    model, weights = built(warp)
    model.config = RotatorConfig(**{**TINY, "warp": warp, "mirror": warp, **settings})
    model.set_weights(weights)
    if rate is None:
        model.compile()
    else:
        for name in ("p_optimizer", "d1_optimizer", "d2_optimizer", "g_optimizer"):
            setattr(model, name, keras.optimizers.SGD(rate))
    return model


def batch(count=4, size=16, seed=0, **more):
    random = np.random.default_rng(seed)
    values = {
        "image": random.uniform(-1, 1, (count, size, size, 3)),
        "pose": random.uniform(-60, 60, (count, 3)),
        "target_pose": random.uniform(-60, 60, (count, 3)),
        "attributes": random.choice([0.0, 0.5, 1.0], (count, 40)),
    }
    values = {key: tf.constant(value, tf.float32) for key, value in values.items()}
    return {**values, "index": tf.range(count, dtype=tf.int64), **more}


def answered(count=4):
    values = batch(count)
    return {**values, "target_image": values["image"][:, ::-1]}


GROUPS = ("encoder", "generator", "predictor", "latent_discriminator", "image_discriminator")


def snapshot(model):
    return {name: [v.numpy() for v in getattr(model, name).trainable_variables] for name in GROUPS}


def moves(model, before):
    """Returns {group: what each of its variables moved by}."""
    now = snapshot(model)
    return {name: [a - b for a, b in zip(now[name], before[name], strict=True)] for name in GROUPS}


def moved(model, before):
    return {name for name, group in moves(model, before).items() if any(np.abs(x).max() > 0 for x in group)}


@pytest.fixture
def model():
    return tiny(rate=0.0)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_paper_preset():
    c = RotatorConfig.from_preset("paper")
    assert (c.image_size, c.batch_size, c.width, c.latent, c.learning_rate) == (96, 32, 32, 128, 1e-4)
    assert (c.lambda_rec, c.lambda_img, c.lambda_code, c.lambda_pose, c.lambda_attr) == (3e-5, 1e-3, 1, 1, 1)
    assert (c.lambda_answer, c.warp, c.turned, c.features, c.published_init) == (0, False, "drawn", "vgg16", True)
    assert (c.conv2_kernel, c.encoder_pool, c.activate_sum, c.upsampling) == (1, "flatten", False, "nearest")
    assert (c.pose_sampling, c.latent_pairs, c.code_loss, c.noise) == ("shuffle", True, "nonsaturating", 1.0)
    assert (c.pose_range, c.discriminator_slope, c.discriminator_norm) == (45, 0.2, True)


@pytest.mark.parametrize(
    "settings",
    [
        dict(image_size=20),
        dict(width=0),
        dict(pose_range=0.0),
        dict(pose_sampling="same", lambda_answer=1.0),
        dict(lambda_flow=1.0, warp=True),
        dict(mirror=True),
    ],
)
def test_settings_that_cannot_work_are_input_errors(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        RotatorConfig(**settings)


def test_phases_are_those_of_the_settings():
    assert [tuple(p) for p in tiny(0.0).phases()] == [("warmup", 5), ("pretrain", 10), ("adversarial", 100)]
    assert [p.name for p in tiny(0.0, warmup_steps=0, pretrain_steps=0).phases()] == ["adversarial"]


def test_rates_fall_at_the_end_where_asked():
    model = tiny(learning_rate=1e-3, constant_share=0.5)
    model.g_optimizer.iterations.assign(75)
    assert float(model.g_optimizer.learning_rate) == pytest.approx(5e-4)
    model = tiny()
    constant = model.g_optimizer
    constant.iterations.assign(99)
    assert float(constant.learning_rate) == pytest.approx(1e-4)
    assert (constant.beta_1, constant.beta_2) == (0.9, 0.999)


# -- formulas, by hand -------------------------------------------------------------------------------------------------


def test_unknown_attributes_teach_nothing(model):
    image, pose = batch()["image"], tf.zeros((4, 3))
    terms = model.predictor_losses(image, pose, tf.fill((4, 40), 0.5))
    assert float(terms["p_attr"]) == 0.0
    one = np.full((4, 40), 0.5, np.float32)
    one[:, 3] = 1.0
    logits = model.predictor({"image": image}, training=True)["attributes"].numpy()[:, 3]
    known = model.predictor_losses(image, pose, tf.constant(one))
    assert float(known["p_attr"]) == pytest.approx(np.log1p(np.exp(-logits)).mean(), rel=1e-4)


def test_all_terms_are_the_papers_equations(model):
    values = batch()
    c, image, attributes = model.config, values["image"], values["attributes"]
    terms = {key: float(value) for key, value in model.all_losses(values, with_images=True).items()}
    own, target = (tf.clip_by_value(values[key] / 45.0, -1, 1) for key in ("pose", "target_pose"))
    noise, z = model.normal(values, draw=0, shape=(16, 16, 1)), model.normal(values, draw=1, shape=(8,))
    z_x = model.encoder({"image": image, "noise": noise}, training=True)["latent"]
    code = {
        "latent": tf.concat([z_x, z_x], 0),
        "pose": tf.concat([target, own], 0),
        "attributes": tf.concat([attributes] * 2, 0),
    }
    turned, same = tf.split(model.generator(code, training=True)["image"], 2)
    drawn = model.generator({"latent": z, "pose": target, "attributes": attributes}, training=True)["image"]

    def log_d(logits):
        return -np.logaddexp(0, -logits).mean()

    known = attributes.numpy() != 0.5
    # Eq. 6
    seen = model.predictor({"image": image}, training=True)
    p = 1 / (1 + np.exp(-seen["attributes"].numpy()))
    entropy = -(attributes * np.log(p) + (1 - attributes) * np.log(1 - p)).numpy()
    assert terms["p_pose"] == pytest.approx(np.square(seen["pose"] - own).sum(1).mean(), rel=1e-3)
    assert terms["p_attr"] == pytest.approx((entropy * known).sum(1).mean(), rel=1e-3)
    # Eq. 1
    rec = sum(
        np.square(a - b).sum((1, 2, 3)).mean() for a, b in zip(model.features(same), model.features(image), strict=True)
    )
    assert terms["g_rec"] == pytest.approx(rec, rel=1e-3)
    # Eqs. 2 and 4
    on_z, on_z_x = (
        model.latent_discriminator({"image": image, "latent": x}, training=True)["realism"].numpy() for x in (z, z_x)
    )
    assert terms["d1_loss"] == pytest.approx(-log_d(on_z) - log_d(-on_z_x), rel=1e-3)
    assert terms["g_code"] == pytest.approx(-log_d(on_z_x), rel=1e-3)
    # Eqs. 3 and 5
    on_real, on_fake = (
        model.image_discriminator({"image": x}, training=True)["realism"].numpy() for x in (image, drawn)
    )
    assert terms["d2_loss"] == pytest.approx(-log_d(on_real) - log_d(-on_fake), rel=1e-3)
    assert terms["g_img"] == pytest.approx(-log_d(on_fake), rel=1e-3)
    # Eqs. 7 and 8: P as it is when editing. Its statistics were moved twice by what is computed above.
    model = tiny(rate=0.0)
    model.predictor_losses(image, own, attributes)
    read = {name: model.predictor({"image": x}) for name, x in (("x", image), ("turned", turned), ("drawn", drawn))}
    assert terms["g_pose"] == pytest.approx(np.square(read["drawn"]["pose"] - target).sum(1).mean(), rel=1e-3)
    before, after = (1 / (1 + np.exp(-read[name]["attributes"].numpy())) for name in ("x", "turned"))
    entropy = -(before * np.log(after) + (1 - before) * np.log(1 - after))
    assert terms["g_attr"] == pytest.approx((entropy * known).sum(1).mean(), rel=1e-3)
    # Algorithm 1, line 16
    total = c.lambda_rec * terms["g_rec"] + terms["g_code"] + c.lambda_img * terms["g_img"]
    assert terms["g_loss"] == pytest.approx(total + terms["g_pose"] + terms["g_attr"], rel=1e-4)


def test_true_answers_take_the_place_of_the_reconstruction():
    model, values = tiny(0.0, lambda_answer=10.0, warp=True, **{**OFF, "lambda_rec": 0.1}), answered()
    terms = model.all_losses(values, with_images=False)
    own, target = model.poses(values)
    painted = model.generate({"turned": (model.encode(values), target, values["attributes"], own)})
    picture = model.shown(painted["turned"], values["image"])
    difference = np.abs(picture - values["target_image"]).mean()
    assert float(terms["g_answer"]) == pytest.approx(difference, rel=1e-4)
    assert float(terms["g_loss"]) == pytest.approx(
        10 * float(terms["g_answer"]) + 0.1 * float(terms["g_rec"]), rel=1e-4
    )
    assert "g_answer" not in model.all_losses(batch(), with_images=False)  # photos have none


def test_adversarial_variational_bayes_takes_the_logit():
    values = batch()
    model = tiny(0.0, code_loss="avb", **OFF)
    logits = model.judged(model.encode(values), values["image"])
    assert float(model.all_losses(values, False)["g_code"]) == pytest.approx(-np.mean(logits), rel=1e-3, abs=1e-6)


def test_flow_is_taught_where_it_is_asked_for():
    values = answered()
    landmarks = np.random.default_rng(0).uniform(2, 14, (2, 4, 68, 2)).astype(np.float32)
    values |= dict(zip(("landmarks", "target_landmarks"), map(tf.constant, landmarks), strict=True))
    model = tiny(0.0, warp=True, lambda_answer=1.0, lambda_flow=2.0, **OFF)
    assert "landmarks" in model.batch_options()["keys"] and "landmarks" in model.batch_options()["partners"]
    terms = model.all_losses(values, with_images=False)
    assert float(terms["g_loss"]) == pytest.approx(float(terms["g_answer"] + 2 * terms["g_flow"]), rel=1e-4)
    own, target = model.poses(values)
    painted = model.generate({"turned": (model.encode(values), target, values["attributes"], own)})["turned"]
    mirrored = np.float32([mirror_landmarks(each, 16) for each in landmarks[0]])
    both = [
        flow_error(painted[name], tf.constant(source), values["target_landmarks"])
        for name, source in (("flow", landmarks[0]), ("mirror_flow", mirrored))
    ]
    assert float(terms["g_flow"]) == pytest.approx(float(both[0] + both[1]), rel=1e-4)
    quiet = tiny(0.0, warp=True, lambda_answer=1.0)
    assert quiet.batch_options()["keys"] == ("image", "pose", "attributes")


# -- Algorithm 1 -------------------------------------------------------------------------------------------------------

JUDGES = {"predictor", "latent_discriminator", "image_discriminator"}


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("lambda_rec", {"encoder", "generator"}),
        ("lambda_code", {"encoder"}),
        ("lambda_img", {"generator"}),  # of codes that were drawn, so that E has no part in it
        ("lambda_pose", {"generator"}),
        ("lambda_attr", {"encoder", "generator"}),
    ],
)
def test_what_each_loss_of_line_16_moves(weight, expected):
    model = tiny(rate=1e-3, **{**OFF, weight: 1.0})
    before = snapshot(model)
    model.adversarial_step(batch())
    assert moved(model, before) == expected | JUDGES


def test_turned_photos_reach_the_encoder_too():
    for weight in ("lambda_img", "lambda_pose"):
        model = tiny(rate=1e-3, turned="encoded", **{**OFF, weight: 1.0})
        before = snapshot(model)
        model.adversarial_step(batch())
        assert moved(model, before) == {"encoder", "generator"} | JUDGES


def test_judges_move_by_their_own_losses_alone():
    # Whatever E and G minimise, P, D1 and D2 move by exactly the gradient of their own loss.
    values = batch()
    own = tiny(rate=0.0)
    with tf.GradientTape(persistent=True) as tape:
        terms = own.all_losses(values, with_images=True)
    gradients = {
        name: tape.gradient(terms[loss], getattr(own, name).trainable_variables)
        for name, loss in (
            ("predictor", "p_loss"),
            ("latent_discriminator", "d1_loss"),
            ("image_discriminator", "d2_loss"),
        )
    }
    for settings in (OFF, dict(lambda_rec=1.0, lambda_code=7.0, lambda_img=7.0, lambda_pose=7.0, lambda_attr=7.0)):
        model = tiny(rate=1.0, **settings)
        before = snapshot(model)
        model.adversarial_step(values)
        changes = moves(model, before)
        for name, group in gradients.items():
            for change, gradient in zip(changes[name], group, strict=True):
                np.testing.assert_allclose(change, -gradient, rtol=1e-3, atol=1e-5, err_msg=name)


def test_pretraining_leaves_d2_and_its_loss_out():
    model = tiny(rate=1e-3, **{**OFF, "lambda_img": 1.0})
    before = snapshot(model)
    terms = model.pretrain_step(batch())
    assert moved(model, before) == {"predictor", "latent_discriminator"}
    assert not {"d2_loss", "g_img"} & set(terms)


def test_warm_up_moves_p_and_with_answers_e_and_g():
    model = tiny(rate=1e-3)
    before = snapshot(model)
    model.warmup_step(answered())
    assert moved(model, before) == {"predictor"}  # answers count only where they are asked for
    model = tiny(rate=1e-3, lambda_answer=1.0)
    before = snapshot(model)
    terms = model.warmup_step(answered())
    assert moved(model, before) == {"predictor", "encoder", "generator"}
    assert {"g_answer", "g_rec", "p_pose", "p_attr"} <= set(terms)


def test_statistics_of_p_follow_real_pictures_alone():
    values = batch()
    model = tiny(rate=0.0)
    start = [v.numpy() for v in model.predictor.non_trainable_variables]
    model.warmup_step(values)
    alone = [v.numpy() for v in model.predictor.non_trainable_variables]
    assert all(np.abs(a - b).max() > 0 for a, b in zip(alone, start, strict=True))
    model = tiny(rate=0.0, **OFF)
    model.adversarial_step(values)
    for a, b in zip(alone, model.predictor.non_trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6, err_msg=b.path)


# -- poses and random numbers ------------------------------------------------------------------------------------------


def test_asked_poses():
    values = batch()
    own = np.clip(values["pose"] / 45, -1, 1)
    shuffled = tiny(0.0).poses(values)
    np.testing.assert_allclose(shuffled[0], own)
    np.testing.assert_allclose(shuffled[1], np.clip(values["target_pose"] / 45, -1, 1))
    np.testing.assert_allclose(tiny(0.0, pose_sampling="same").poses(values)[1], own)
    uniform = tiny(0.0, pose_sampling="uniform").poses(values)[1].numpy()
    np.testing.assert_allclose(uniform[:, 1:], own[:, 1:])
    assert np.abs(uniform[:, 0]).max() <= 1 and not np.allclose(uniform[:, 0], own[:, 0])
    assert Rotator.partner_keys == ("pose",)  # what "shuffle" takes: the pose of another example


def test_random_numbers_are_normal_and_belong_to_the_example():
    model = tiny(0.0, batch_size=4000)
    values = {"image": tf.zeros((4000, 16, 16, 3)), "index": tf.range(4000, 8000, dtype=tf.int64)}
    numbers = model.normal(values, draw=0, shape=(3,)).numpy()
    assert numbers.shape == (4000, 3) and abs(numbers.mean()) < 0.03 and abs(numbers.std() - 1) < 0.03
    assert np.abs(np.corrcoef(numbers.T) - np.eye(3)).max() < 0.06
    half = model.normal({"image": values["image"][:2], "index": values["index"][1:3]}, draw=0, shape=(3,))
    np.testing.assert_array_equal(half, numbers[1:3])
    assert not np.allclose(model.normal(values, draw=1, shape=(3,)), numbers)
    model.step.assign(1)
    assert not np.allclose(model.normal(values, draw=0, shape=(3,)), numbers)


def test_noise_is_a_channel_of_training_alone():
    values = batch()
    quiet = tiny(0.0, noise=0.0)
    expected = quiet.encoder({"image": values["image"], "noise": tf.zeros((4, 16, 16, 1))}, training=True)["latent"]
    np.testing.assert_allclose(quiet.encode(values), expected, atol=1e-6)
    assert not np.allclose(tiny(0.0).encode(values), expected, atol=1e-4)


# -- edit --------------------------------------------------------------------------------------------------------------


def test_edits_are_repeatable_and_clip_what_was_not_learnt(model):
    values = batch()
    asked = {"image": values["image"], "pose": tf.fill((4, 3), 45.0)}
    first = model.edit(asked)["image"]
    np.testing.assert_array_equal(model.edit(asked)["image"], first)
    np.testing.assert_allclose(model.edit({**asked, "pose": tf.fill((4, 3), 80.0)})["image"], first, atol=1e-6)
    assert np.abs(model.edit({**asked, "pose": tf.zeros((4, 3))})["image"] - first).max() > 1e-6
    alone = model.edit({key: value[1:2] for key, value in asked.items()})["image"]
    np.testing.assert_allclose(alone[0], first[1], atol=1e-5)


def test_attributes_are_estimated_where_they_are_not_given(model):
    values = batch()
    asked = {"image": values["image"], "pose": values["target_pose"]}
    estimate = model.estimate_attributes(values["image"])
    assert estimate.shape == (4, 40) and 0 <= np.min(estimate) and np.max(estimate) <= 1
    np.testing.assert_allclose(
        model.edit(asked)["image"], model.edit({**asked, "attributes": estimate})["image"], atol=1e-6
    )
    np.testing.assert_allclose(model.editor()(asked)["image"], model.edit(asked)["image"], atol=1e-6)


def test_estimated_poses_are_degrees(model):
    image = batch()["image"]
    shares = model.predictor({"image": image}, training=False)["pose"]
    np.testing.assert_allclose(model.estimate_pose(image), 45 * shares.numpy(), rtol=1e-5)


def test_warped_edits_keep_the_picture_where_g_says_so():
    model, values = tiny(0.0, warp=True), batch()
    left = np.arange(16).reshape(1, 1, 16, 1) * np.ones((4, 16, 1, 1), np.float32)
    painted = {
        "image": tf.ones((4, 16, 16, 3)),
        "flow": tf.zeros((4, 16, 16, 2)),
        "keep": tf.constant(left < 6, tf.float32),
        "mirror_flow": tf.zeros((4, 16, 16, 2)),
        "mirror_keep": tf.constant(left >= 12, tf.float32),
    }
    shown = model.shown(painted, values["image"])
    np.testing.assert_allclose(shown[:, :, :6], values["image"][:, :, :6], atol=1e-6)
    np.testing.assert_array_equal(shown[:, :, 6:12], 1.0)
    np.testing.assert_allclose(shown[:, :, 12:], values["image"][:, :, 3::-1], atol=1e-6)
    own, target = model.poses(values)
    outputs = model.generate({"turned": (model.encode(values), target, values["attributes"], own)})["turned"]
    shares = outputs["keep"] + outputs["mirror_keep"]
    assert float(tf.reduce_min(shares)) > 0 and float(tf.reduce_max(shares)) < 1
    edit = model.edit({"image": values["image"], "pose": values["target_pose"]})["image"]
    assert float(tf.reduce_max(tf.abs(edit))) <= 1.0
    # What the picture shows now is told or seen.
    told = {"image": values["image"], "pose": values["target_pose"], "source_pose": values["pose"]}
    seen = {**told, "source_pose": model.estimate_pose(values["image"])}
    np.testing.assert_allclose(model.edit(seen)["image"], edit, atol=1e-6)
    assert np.abs(model.edit(told)["image"] - edit).max() > 1e-6
    np.testing.assert_allclose(model.editor()(told)["image"], model.edit(told)["image"], atol=1e-6)


def test_the_average_follows_e_and_g():
    model = tiny(rate=1e-3, **OFF)
    start = [v.numpy() for v in (*model.ema_encoder.weights, *model.ema_generator.weights)]
    model.adversarial_step(batch())
    averages = (*model.ema_encoder.weights, *model.ema_generator.weights)
    for average, old, source in zip(averages, start, (*model.encoder.weights, *model.generator.weights), strict=True):
        np.testing.assert_allclose(average, 0.1 * old + 0.9 * source, atol=1e-5, err_msg=average.path)


def test_config_is_immutable_and_plain():
    config = RotatorConfig.from_preset("laptop")
    assert RotatorConfig(**dataclasses.asdict(config)) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.steps = 1
