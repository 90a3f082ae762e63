"""Runs that start with the networks of another run."""

import numpy as np
import pytest

from tfface import checkpoints, config, finetuning, training
from tfface.errors import InputError


def start(settings, data, output, init):
    return training.new_run("ganimation", None, settings, {}, data=data, output=output, init=init)


def same(ours, theirs):
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True))


def test_networks_are_taken_over_and_everything_else_starts_anew(trained_run, tiny_settings, synthetic_data, tmp_path):
    settings = tiny_settings | {"warmup_steps": 0, "steps": 2, "learning_rate": 1e-3}
    run = start(settings, synthetic_data, tmp_path / "tuned", trained_run.path)
    (step, newest) = checkpoints.found(trained_run.path / "checkpoints")[-1]
    origin = {"run": str(trained_run.path), "checkpoint": newest.name, "step": step}
    assert config.read_json(run.path / "config.json")["init"] == origin
    assert training.open_run(run.path) == run and run.init == origin and run.settings.preset == "smoke"

    model, old, said = training.build_model(run, jit=False), training.load_model(trained_run.path), []
    assert training.go_back_to_checkpoint(model, run, said.append) == 0
    for network in ("generator", "ema_generator", "discriminator"):
        assert same(getattr(model, network).weights, getattr(old, network).weights)
    assert int(model.step) == int(model.g_optimizer.iterations) == 0
    assert all(not np.any(v.numpy()) for v in model.d_optimizer.variables[2:])
    assert said == [f"Starting with the networks of {trained_run.path} after its step 8"]

    # The new run holds them itself from now on: stopped here and resumed, it ends as one that was left alone.
    resumed = training.train(run, progress=False, say=said.append)
    assert "Resuming" in said[1] and [phase.name for phase in resumed.phases()] == ["adversarial"]
    alone = start(settings, synthetic_data, tmp_path / "alone", trained_run.path)
    assert same(resumed.variables, training.train(alone, progress=False, say=said.append).variables)
    assert int(resumed.step) == 2 and not same(resumed.generator.weights, old.generator.weights)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"generator_width": 4, "conditioning": "concat"}, "--set generator_width=2 --set conditioning=film"),
        ({"image_size": 32, "lambda_cyc": 3.0, "steps": 4, "warmup_steps": 1}, "--set image_size=16"),
    ],
)
def test_other_networks_are_refused_and_their_settings_named(
    trained_run, tiny_settings, synthetic_data, tmp_path, change, expected
):
    with pytest.raises(InputError, match=expected) as caught:
        start(tiny_settings | change, synthetic_data, tmp_path / "tuned", trained_run.path)
    message = str(caught.value)
    assert "\n" not in message and "lambda" not in message and "steps" not in message
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_started_from_is_refused(trained_run, tiny_settings, synthetic_data, tmp_path):
    empty = training.new_run("ganimation", "smoke", tiny_settings, {}, data=synthetic_data, output=tmp_path / "empty")
    with pytest.raises(InputError, match="holds no checkpoint"):
        finetuning.origin(empty.path, "ganimation", empty.settings)
    with pytest.raises(InputError, match="is a run of ganimation, not of attgan"):
        finetuning.origin(trained_run.path, "attgan", empty.settings)
    gone = {"run": str(trained_run.path), "checkpoint": "step-00000099-0123456789abcdef.weights.h5", "step": 99}
    with pytest.raises(InputError, match="is gone"):
        finetuning.inherit(training.load_model(trained_run.path), gone)
