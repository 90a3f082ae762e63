import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import checkpoints, config
from tfface.errors import InputError
from tfface.models.recognizer import LightCNN, MaxFeatureMap, Recognizer, RecognizerConfig, load_frozen

TINY = dict(image_size=16, batch_size=4, steps=10, width=6, embedding=8, classes=10, head="margin", ema_decay=0.9)


def tiny(**settings):
    keras.utils.set_random_seed(0)
    model = Recognizer(RecognizerConfig(**{**TINY, **settings}))
    model.compile()
    return model


def batch(people=(3, 13, 7, 2**40 + 1)):
    images = np.random.default_rng(0).uniform(-1, 1, (len(people), 16, 16, 3)).astype(np.float32)
    return {"image": tf.constant(images), "identity": tf.constant(people, tf.int64)}


def test_parameter_count_of_the_paper():
    config = RecognizerConfig.from_preset("paper")
    network = LightCNN(config.image_size, config.width, config.embedding)
    groups = {1: 5 * 5 * 3 * 96 + 96, 2: 48 * 96 + 96 + 9 * 48 * 192 + 192, 3: 96 * 192 + 192 + 9 * 96 * 384 + 384}
    last = 192 * 384 + 384 + 9 * 192 * 256 + 256 + 128 * 256 + 256 + 9 * 128 * 256 + 256
    dense = 8 * 8 * 128 * 256 + 256
    assert network.count_params() == sum(groups.values()) + last + dense == 3_388_256
    assert network.output["features"].shape == (None, 8, 8, 128) and network.output["embedding"].shape == (None, 128)


def test_max_feature_map_keeps_the_larger_half():
    np.testing.assert_array_equal(MaxFeatureMap()(tf.constant([[1.0, 5.0, 3.0, 2.0]])), [[3.0, 5.0]])


@pytest.mark.parametrize("settings", [dict(image_size=40), dict(classes=0), dict(width=0)])
def test_settings_that_cannot_work_are_input_errors(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        RecognizerConfig(**settings)


def test_the_right_person_must_win_by_the_margin():
    model = tiny(embedding=2, classes=3, margin=0.2, scale=10.0)
    model.people.kernel.assign([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]])
    logits = model.logits(tf.constant([[3.0, 4.0]]), tf.constant([1], tf.int64))
    np.testing.assert_allclose(logits, [[6.0, 10 * (0.8 - 0.2), -6.0]], atol=1e-5)
    plain = tiny(embedding=2, classes=3, head="softmax")
    plain.people.kernel.assign([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(plain.logits(tf.constant([[3.0, 4.0]]), None), [[6.0, 12.0, -3.0]], atol=1e-5)


def test_people_are_classes_by_remainder_and_the_loss_is_their_cross_entropy():
    model, values = tiny(), batch()
    embedding = model.network({"image": values["image"]})["embedding"]
    logits = model.logits(embedding, [3, 3, 7, (2**40 + 1) % 10]).numpy()
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(4), [3, 3, 7, (2**40 + 1) % 10]]
    terms = model.adversarial_step(values)
    assert float(terms["loss"]) == pytest.approx(expected.mean(), rel=1e-4)
    assert float(terms["accuracy"]) == np.mean(logits.argmax(1) == [3, 3, 7, (2**40 + 1) % 10])


def test_a_step_moves_network_people_and_average():
    model = tiny()
    groups = {"network": model.network.weights, "people": model.people.weights, "average": model.ema_network.weights}
    before = {name: [v.numpy() for v in group] for name, group in groups.items()}
    model.adversarial_step(batch())
    for name, group in groups.items():
        assert all(not np.array_equal(v, old) for v, old in zip(group, before[name], strict=True)), name


def test_it_learns_to_tell_a_few_people_apart():
    model, values = tiny(learning_rate=3e-3, steps=60), batch((1, 2, 3, 4))
    first = float(model.adversarial_step(values)["loss"])
    step = tf.function(model.adversarial_step)
    for _ in range(40):
        terms = step(values)
    assert float(terms["loss"]) < first / 2 and float(terms["accuracy"]) == 1.0


def test_embeddings_have_length_one_and_do_not_depend_on_others():
    model, images = tiny(), batch()["image"]
    embeddings = model.embed(images)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(model.embed(images[1:2])[0], embeddings[1], atol=1e-5)


def test_a_trained_run_serves_as_frozen_features(tmp_path):
    model = tiny()
    model.adversarial_step(batch())
    checkpoints.save(model, tmp_path / "checkpoints", keep=2)
    config.write_json(tmp_path / "config.json", {"model": "recognizer", "settings": config.to_json(model.config)})
    look = load_frozen(tmp_path)
    images = batch()["image"]
    np.testing.assert_allclose(look(images)["embedding"], model.embed(images), atol=1e-6)
    assert look(images)["features"].shape == (4, 1, 1, 16)
    assert look(tf.zeros((2, 24, 24, 3)))["embedding"].shape == (2, 8)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(look(images)["features"])
    assert float(tf.reduce_max(tf.abs(tape.gradient(total, images)))) > 0


def test_what_is_no_recognizer_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no run directory"):
        load_frozen(tmp_path)
    config.write_json(tmp_path / "config.json", {"model": "ganimation", "settings": {}})
    with pytest.raises(InputError, match="a run of ganimation"):
        load_frozen(tmp_path)
