import shutil

import numpy as np
import pytest

from tfface import checkpoints, config, training
from tfface.errors import InputError


@pytest.fixture
def copied(trained_run, tmp_path):
    """Directory with the first four checkpoints of the tiny run."""
    for _, path in checkpoints.found(trained_run.path / "checkpoints")[:4]:
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model(trained_run):
    return training.load_model(trained_run.path)


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_one_file_restores_weights_averages_optimizers_and_step(trained_run, copied):
    with training.precision("float32"):
        fresh = training.build_model(trained_run, jit=False)
    assert checkpoints.restore(fresh, copied) == 4
    assert int(fresh.g_optimizer.iterations) == 1 and int(fresh.d_warmup_optimizer.iterations) == 3
    assert sum(float(np.abs(v.numpy()).sum()) for v in fresh.d_optimizer.variables[2:]) > 0
    assert any(np.any(a.numpy() != b.numpy()) for a, b in zip(fresh.generator.weights, fresh.ema_generator.weights))


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(model, copied):
    paths = [path for _, path in checkpoints.found(copied)]
    damage(paths[-1])
    paths[-2].write_bytes(paths[-2].read_bytes()[:1000])
    with pytest.warns(UserWarning, match="is damaged") as caught:
        assert checkpoints.restore(model, copied) == 2
    assert [paths[-1].name in str(caught[0].message), paths[-2].name in str(caught[1].message)] == [True, True]
    checkpoints.discard_after(copied, 2)
    assert [step for step, _ in checkpoints.found(copied)] == [1, 2]


def test_no_checkpoint_left_is_an_input_error(model, copied, tmp_path_factory):
    for _, path in checkpoints.found(copied):
        damage(path)
    with pytest.warns(UserWarning), pytest.raises(InputError, match="all 4 checkpoints are damaged"):
        checkpoints.restore(model, copied)
    with pytest.raises(InputError, match="holds no checkpoint"):
        checkpoints.restore(model, tmp_path_factory.mktemp("empty"))


def test_another_architecture_is_an_input_error(trained_run, copied):
    wider = config.build(type(trained_run.settings), config.to_json(trained_run.settings) | {"generator_width": 3})
    other = training.Run(trained_run.path, trained_run.model, wider, trained_run.run, trained_run.data)
    with training.precision("float32"):
        model = training.build_model(other, jit=False)
    with pytest.raises(InputError, match="does not fit this model") as caught:
        checkpoints.restore(model, copied)
    assert "\n" not in str(caught.value)


def test_saving_keeps_the_newest_and_repeats_nothing(model, copied):
    (copied / checkpoints.PART).write_bytes(b"of a killed run")
    (copied / "notes.txt").write_text("mine")
    for step in (5, 6, 6):
        model.step.assign(step)
        path = checkpoints.save(model, copied, keep=2)
    assert [(step, p.exists()) for step, p in checkpoints.found(copied)] == [(5, True), (6, True)]
    assert sorted(p.name for p in copied.iterdir()) == ["notes.txt", *(p.name for _, p in checkpoints.found(copied))]
    assert path == checkpoints.found(copied)[-1][1]


def test_a_weight_that_is_not_finite_is_never_saved(model, copied):
    variable = model.generator.weights[0]
    before = variable.numpy()
    variable.assign(np.full_like(before, np.nan))
    try:
        with pytest.raises(checkpoints.NonFiniteError, match="generator|stem") as caught:
            checkpoints.save(model, copied, keep=2)
    finally:
        variable.assign(before)
    assert "--set" in str(caught.value)
    assert [step for step, _ in checkpoints.found(copied)] == [1, 2, 3, 4]
