"""What every model must do, whatever its paper: train, save, resume, distribute, compile, edit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import models
from tfface.data import pipeline, records
from tfface.synthetic.sampler import FACTORS

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402

HERE = Path(__file__).parent
K = 3  # steps before and after an interruption; the phases of `small.SETTINGS` change between them


@pytest.fixture(scope="module", params=models.names())
def name(request):
    return request.param


def fresh(name, **compile_settings):
    keras.utils.set_random_seed(5)
    model = small.build(name)
    model.compile(**compile_settings)
    return model


class Trained:
    """A model after 2K steps, what each step said, and its files at the start, after K and after 2K steps."""

    def __init__(self, name, folder):
        self.model, self.traces = fresh(name), []
        for phase in self.model.phases():
            self._count_traces(f"{phase.name}_step")
        self.files = [folder / f"{number}.weights.h5" for number in range(3)]
        self.model.save_weights(self.files[0])
        self.history = small.fit(self.model, K)
        self.model.save_weights(self.files[1])
        self.history += small.fit(self.model, K)
        self.model.save_weights(self.files[2])

    def _count_traces(self, method):
        step = getattr(self.model, method)

        def counted(batch):
            self.traces.append(method)
            return step(batch)

        setattr(self.model, method, counted)


@pytest.fixture(scope="module")
def trained(name, tmp_path_factory):
    return Trained(name, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def resumed(name, trained):
    """Another model that loaded the weights after K steps and trained for K more; returns it and what it said."""
    model = fresh(name)
    for variable in model.variables:  # nothing may be left of its own start
        variable.assign(tf.cast(variable + tf.ones_like(variable), variable.dtype))
    model.load_weights(trained.files[1])
    return model, small.fit(model, K)


def everything(model):
    """Returns all saved state by a readable name: networks, averages, optimizers, step."""
    optimizers = {key: value for key, value in vars(model).items() if isinstance(value, keras.optimizers.Optimizer)}
    assert optimizers
    groups = {"model": model, **optimizers}
    return {
        f"{owner}[{number}] {v.name}": v.numpy()
        for owner, group in groups.items()
        for number, v in enumerate(group.variables)
    }


def assert_same_state(a, b, tolerance=0.0):
    a, b = everything(a), everything(b)
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=0, atol=tolerance, err_msg=key)


def assert_same_terms(a, b, tolerance):
    assert len(a) == len(b)
    for ours, theirs in zip(a, b, strict=True):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert ours[key] == pytest.approx(theirs[key], rel=tolerance, abs=tolerance), key


def request(name, model, count=2):
    if model.task is None:
        pytest.skip(f"{name} edits nothing")
    return {key: tf.constant(value) for key, value in small.request(name, model, count).items()}


# -- training ----------------------------------------------------------------------------------------------------------


def test_every_phase_trains_with_finite_named_terms(trained):
    model = trained.model
    assert int(model.step) == 2 * K and len(trained.history) == 2 * K
    assert {model.phase_at(step).name for step in range(2 * K)} == {phase.name for phase in model.phases()}
    for terms in trained.history:
        assert terms and all(isinstance(key, str) and np.isfinite(value) for key, value in terms.items())
    assert all(np.isfinite(value).all() for value in everything(model).values())


def test_nothing_is_traced_again_between_steps(trained):
    # K steps, a save, K more: the phases are entered once each (and what the second half goes on with is kept).
    assert sorted(trained.traces) == sorted(f"{phase.name}_step" for phase in trained.model.phases())


def test_phases_end_where_the_steps_do(name, trained):
    phases = trained.model.phases()
    ends = [phase.last_step for phase in phases]
    assert ends == sorted(set(ends)) and ends[-1] == trained.model.total_steps == trained.model.config.steps
    assert all(callable(getattr(trained.model, f"{phase.name}_step")) for phase in phases)


def test_stopping_and_resuming_changes_nothing(trained, resumed):
    model, history = resumed
    assert history == trained.history[K:]
    assert_same_state(model, trained.model)


@pytest.fixture(scope="module")
def data(trained, tmp_path_factory):
    """Scenes of two records each, or batches of one factor, every picture and label vector unlike all others."""
    group = trained.model.batch_options().get("groups")
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    with records.RecordWriter(folder, image_size=16) as writer:
        for number in range(40):
            writer.write(
                {
                    "image": random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
                    "action_units": random.uniform(0, 5, 17),
                    "attributes": random.integers(0, 2, 40),
                    "pose": random.uniform(-30, 30, 3),
                    "light": random.uniform(-30, 30, 2),
                    "landmarks": random.uniform(0, 16, (68, 2)),
                    "identity": number // 2,
                    "view": f"{FACTORS[number // group % 4]}/{number // group}" if group else f"answer/{number // 2}",
                }
            )
    return records.open_dataset(folder)


def pipeline_batches(model, data, **settings):
    return pipeline.training_batches(
        data,
        model.examples_per_step,
        image_size=model.config.image_size,
        seed=0,
        keys=model.batch_keys,
        partners=model.partner_keys,
        **settings,
    )


def test_the_pipeline_gives_what_the_model_takes(trained, data):
    # The batches that the checks train on have the names, types and shapes of the real ones.
    options = trained.model.batch_options()
    settings = {key: options[key] for key in ("groups", "ratio") if key in options} or {"answers": True}
    real = pipeline_batches(trained.model, data, **settings).element_spec
    assert real == small.batches(trained.model, 0).element_spec


def test_targets_are_whole_label_vectors_of_other_records(trained, data):
    # Shuffling labels after they were taken from their example mixes one face's values with each other.
    model = trained.model
    for key in model.partner_keys:
        spread = 5.0 if key == "action_units" else 1.0
        rows = {tuple(np.float32(record[key] / spread).round(5).flat) for record in data.records(None, images=False)}
        for batch in pipeline_batches(model, data, partner_noise=0.0).take(4).as_numpy_iterator():
            assert {tuple(row.flat) for row in batch[f"target_{key}"].round(5)} <= rows
            changes = np.abs(batch[f"target_{key}"] - batch[key]).reshape(len(batch[key]), -1)
            assert (changes.max(1) > 0).mean() > 0.5


# -- files -------------------------------------------------------------------------------------------------------------


def test_weights_file_carries_everything(name, trained, resumed):
    model, _ = resumed
    model.load_weights(trained.files[2])
    assert_same_state(model, trained.model)
    model.load_weights(trained.files[0])
    assert_same_state(model, fresh(name))


def test_keras_file_carries_everything(trained, tmp_path):
    trained.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(trained.model)
    assert (loaded.config, loaded.seed, loaded.jit_compile) == (trained.model.config, trained.model.seed, False)
    assert_same_state(loaded, trained.model)


def test_config_round_trip(name):
    model = small.build(name)
    again = type(model).from_config(json.loads(json.dumps(model.get_config())))
    assert again.get_config() == model.get_config()
    assert [v.shape for v in again.variables] == [v.shape for v in model.variables]


# -- edit --------------------------------------------------------------------------------------------------------------


def test_edit_gives_pictures(name, trained):
    for count in (1, 2):
        asked = request(name, trained.model, count)
        edits = trained.model.edit(asked)
        size = trained.model.config.image_size
        for key, value in edits.items():
            assert value.dtype == tf.float32 and value.shape[0] == count, key
            low = 0.0 if key == "attention" else -1.0
            assert low <= np.min(value) and np.max(value) <= 1.0, key
        assert edits["image"].shape == (count, size, size, 3)


def test_edit_uses_the_average(name, trained, resumed):
    model, _ = resumed
    model.load_weights(trained.files[2])
    asked = request(name, model)
    before = model.edit(asked)["image"].numpy()
    averaged = [key for key in vars(model) if key.startswith("ema_")]
    for key in averaged:
        for weight in getattr(model, key.removeprefix("ema_")).weights:
            weight.assign(weight + 1.0)
    np.testing.assert_array_equal(model.edit(asked)["image"], before)
    for key in averaged:
        for weight in getattr(model, key).weights:
            weight.assign(weight + 1.0)
    assert not np.array_equal(model.edit(asked)["image"], before)


# -- devices and numbers -----------------------------------------------------------------------------------------------


def test_two_replicas_train_as_one_device_does(name, trained, tmp_path):
    paths = [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, HERE / "mirrored.py", name, str(2 * K), trained.files[0], tmp_path]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same_terms(json.loads((tmp_path / "history.json").read_text()), trained.history, 1e-4)
    mirrored = fresh(name)
    mirrored.load_weights(tmp_path / "mirrored.weights.h5")
    assert_same_state(mirrored, trained.model, tolerance=1e-4)


def test_mixed_precision_trains(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = fresh(name)
    finally:
        keras.config.set_dtype_policy(before)
    history = small.fit(model, small.SETTINGS[name]["steps"])
    assert all(np.isfinite(value) for terms in history for value in terms.values())
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    if model.task:
        assert all(value.dtype == tf.float32 for value in model.edit(request(name, model)).values())


@pytest.mark.slow
def test_xla_computes_the_same(name, trained):
    model = fresh(name, jit_compile=True)
    model.load_weights(trained.files[0])
    assert_same_terms(small.fit(model, 2 * K), trained.history, 1e-4)
