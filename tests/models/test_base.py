import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import models
from tfface.errors import InputError
from tfface.models import ganimation
from tfface.models.base import ConstantThenLinear, FaceModel, ModelConfig, Phase, average_weights


class Line(FaceModel):
    """The smallest model with the life cycle: one weight, two phases that pull it up and down."""

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)
        self.slope = self.add_weight(name="slope", shape=(1,), initializer="zeros")
        self.built = True

    def build_optimizers(self):
        self.optimizer_of_slope = keras.optimizers.SGD(1.0)
        self.optimizer_of_slope.build([self.slope])

    def phases(self):
        return [Phase("up", 2), Phase("down", self.total_steps)]

    def up_step(self, batch):
        return self._move(batch, -1.0)

    def down_step(self, batch):
        return self._move(batch, 1.0)

    def _move(self, batch, sign):
        with tf.GradientTape() as tape:
            loss = sign * tf.reduce_mean(self.slope * tf.reduce_mean(batch["image"], [1, 2, 3]))
        self.minimize(self.optimizer_of_slope, tape, loss, [self.slope])
        return {"loss": loss}


def line(**settings):
    model = Line(ModelConfig(**{"image_size": 8, "batch_size": 2, "steps": 5, **settings}))
    model.compile()
    return model


def ones():
    return tf.data.Dataset.from_tensors({"image": tf.ones((2, 8, 8, 3))}).repeat()


# -- settings ----------------------------------------------------------------------------------------------------------


def test_unknown_names_are_input_errors():
    with pytest.raises(InputError, match="nobody.*ganimation"):
        models.get("nobody")
    with pytest.raises(InputError, match="'huge'.*paper.*laptop.*smoke"):
        ganimation.GANimationConfig.from_preset("huge")


def test_preset_with_overrides():
    config = ganimation.GANimationConfig.from_preset("smoke", steps=7)
    assert (config.preset, config.steps) == ("smoke", 7)
    assert config.image_size == ganimation.GANimationConfig.PRESETS["smoke"]["image_size"]


def test_steps_follow_from_the_epochs():
    paper = ganimation.GANimationConfig.from_preset("paper")
    assert paper.examples_per_step == 125  # five critic updates of 25 pictures, then one of the generator
    assert paper.with_examples(200000).steps == 48000
    assert paper.with_examples(1).steps == 1
    given = dataclasses.replace(paper, steps=9)
    assert given.with_examples(200000) is given


# -- phases ------------------------------------------------------------------------------------------------------------


def test_phase_at_each_step():
    model = line()
    assert [model.phase_at(step).name for step in range(7)] == ["up", "up"] + 5 * ["down"]
    assert model.phase_at(3) == Phase("down", 5)


def test_fit_runs_the_phase_of_the_saved_step():
    model = line()
    model.fit(ones(), steps_per_epoch=2, shuffle=False, verbose=0)
    assert model.slope.numpy() == 2.0
    model.fit(ones(), steps_per_epoch=3, shuffle=False, verbose=0)
    assert model.slope.numpy() == -1.0
    assert int(model.step) == 5


def test_a_loaded_model_goes_on_in_its_phase(tmp_path):
    model = line()
    model.fit(ones(), steps_per_epoch=2, shuffle=False, verbose=0)
    model.save_weights(tmp_path / "line.weights.h5")
    fresh = line()
    fresh.load_weights(tmp_path / "line.weights.h5")
    fresh.fit(ones(), steps_per_epoch=1, shuffle=False, verbose=0)
    assert (fresh.slope.numpy(), int(fresh.step)) == (1.0, 3)


def test_a_chosen_phase_stays():
    model = line()
    model.set_phase("down")
    model.fit(ones(), steps_per_epoch=1, shuffle=False, verbose=0)
    assert model.slope.numpy() == -1.0
    model.set_phase("up")
    model.fit(ones(), steps_per_epoch=3, shuffle=False, verbose=0)
    assert model.slope.numpy() == 2.0


def test_train_step_runs_eagerly_too():
    model = line()
    for _ in range(3):
        terms = model.train_step({"image": tf.ones((2, 8, 8, 3))})
    assert (float(terms["loss"]), model.slope.numpy(), int(model.step)) == (2.0, 1.0, 3)


# -- learning rate and averages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("updates_per_epoch", [1600, 8000])  # of the generator, of the discriminator
def test_learning_rate_is_the_papers_table(updates_per_epoch):
    total = 30 * updates_per_epoch
    rate = ConstantThenLinear(1e-4, 2 / 3 * total, total, plateau=total / 30)
    for epoch in range(1, 31):
        expected = 1e-4 if epoch <= 21 else 1e-5 * (31 - epoch)
        first = (epoch - 1) * updates_per_epoch
        for update in (first, first + updates_per_epoch // 2, first + updates_per_epoch - 1):
            np.testing.assert_allclose(
                rate(tf.constant(update, tf.int64)), expected, rtol=1e-4, err_msg=f"epoch {epoch}"
            )


def test_learning_rate_falls_to_nothing_and_never_below():
    rate = ConstantThenLinear(1.0, 2, 6)
    np.testing.assert_allclose([rate(update) for update in range(9)], [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0], atol=1e-6)
    again = ConstantThenLinear.from_config(rate.get_config())
    assert [again(update) for update in range(9)] == [rate(update) for update in range(9)]


@pytest.mark.parametrize(("step", "keep"), [(1, 2 / 11), (90, 0.91), (100000, 0.999)])
def test_average_moves_by_the_formula(step, keep):
    average, source = keras.layers.Dense(2), keras.layers.Dense(2)
    for layer, value in ((average, 3.0), (source, 5.0)):
        layer.build((None, 4))
        layer.set_weights([np.full(w.shape, value, np.float32) for w in layer.weights])
    average_weights(average, source, 0.999, tf.constant(step, tf.int64))
    for weight in average.weights:
        np.testing.assert_allclose(weight, 3.0 * keep + 5.0 * (1 - keep), rtol=1e-6)
    for weight in source.weights:
        np.testing.assert_array_equal(weight, 5.0)


# -- randomness --------------------------------------------------------------------------------------------------------


def indexed(*places):
    return {"image": tf.zeros((len(places), 8, 8, 3)), "index": tf.constant(places, tf.int64)}


def test_uniform_belongs_to_the_example_not_to_the_batch():
    model = line(batch_size=6)
    whole = model.uniform(indexed(*range(6)), draw=0).numpy()
    parts = [model.uniform(indexed(0, 1, 2), draw=0), model.uniform(indexed(3, 4, 5), draw=0)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(model.uniform(indexed(4), draw=0), whole[4:5])
    without_index = {"image": tf.zeros((6, 8, 8, 3))}
    np.testing.assert_array_equal(model.uniform(without_index, draw=0), whole)


def test_uniform_differs_with_example_step_draw_and_seed():
    model = line(batch_size=64)
    batch = indexed(*range(64))
    first = model.uniform(batch, draw=0).numpy()
    assert first.shape == (64, 1, 1, 1) and first.min() >= 0 and first.max() < 1
    assert len(np.unique(first)) == 64
    assert np.abs(model.uniform(batch, draw=1).numpy() - first).min() > 0
    model.step.assign_add(1)
    assert np.abs(model.uniform(batch, draw=0).numpy() - first).min() > 0
    model.step.assign_add(-1)
    np.testing.assert_array_equal(model.uniform(batch, draw=0), first)
    model.seed = 1
    assert np.abs(model.uniform(batch, draw=0).numpy() - first).min() > 0


def test_uniform_takes_large_seeds_and_steps():
    model = line()
    model.seed = 20240229235959
    model.step.assign(2**40)
    assert np.isfinite(model.uniform(indexed(0, 1), draw=3)).all()


def test_micro_batches_hold_every_example_once():
    batch = {"image": tf.reshape(tf.range(12.0), (12, 1)), "index": tf.range(12)}
    parts = FaceModel.micro_batches(batch, 3)
    assert [part["index"].shape for part in parts] == 3 * [(4,)]
    assert sorted(np.concatenate([part["index"] for part in parts])) == list(range(12))
    for part in parts:
        np.testing.assert_array_equal(part["image"][:, 0], tf.cast(part["index"], tf.float32))


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_micro_batches_are_the_same_on_any_number_of_replicas(replicas):
    batch = {"index": tf.range(24)}
    shares = [{"index": share} for share in tf.split(batch["index"], replicas)]
    dealt = [FaceModel.micro_batches(share, 3) for share in shares]
    for number, whole in enumerate(FaceModel.micro_batches(batch, 3)):
        together = np.concatenate([parts[number]["index"] for parts in dealt])
        assert sorted(together) == sorted(whole["index"].numpy())
