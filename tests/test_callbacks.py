import json
import math
import os
import signal
import types

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfface import callbacks, training
from tfface.checkpoints import NonFiniteError
from tfface.events import EventWriter


def attach(callback, step=0):
    """A callback on a stand-in that has only a step, which is all that the callbacks below read."""
    callback.set_model(types.SimpleNamespace(step=step, stop_training=False))
    return callback


def test_a_loss_that_is_not_finite_stops_with_its_name():
    stop = attach(callbacks.StopOnNonFinite(), step=7)
    stop.on_train_batch_end(0, {"d_loss": 1.0})
    for value in (math.nan, math.inf):
        with pytest.raises(NonFiniteError, match="g_cond is not finite after step 7"):
            stop.on_train_batch_end(0, {"d_loss": 1.0, "g_cond": value})


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tiny_settings, synthetic_data, tmp_path):
    settings = tiny_settings | {"learning_rate": 1e30, "warmup_steps": 1, "steps": 6}
    every = {"checkpoint_every": 1, "log_every": 1}
    run = training.new_run("ganimation", "smoke", settings, every, data=synthetic_data, output=tmp_path / "run")
    with pytest.raises(NonFiniteError, match="--set"):
        training.train(run, progress=False)
    model = training.load_model(run.path)
    assert all(np.isfinite(v.numpy()).all() for v in model.variables)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert all(math.isfinite(value) for line in lines for value in line.values() if isinstance(value, float))


def test_means_over_an_interval():
    means = callbacks.Means()
    means.add({"a": 1.0, "b": 4})
    means.add({"a": 3.0, "b": 0})
    assert means.take() == {"a": 2.0, "b": 2.0}
    means.add({"a": 5.0})
    assert means.take() == {"a": 5.0}


@pytest.mark.parametrize("tail", ["", '{"step": 9', '{"step": 4}\n'])
def test_metrics_are_cut_back_to_the_checkpoint(tmp_path, tail):
    path = tmp_path / "metrics.jsonl"
    callbacks.truncate_metrics(path, 3)
    assert not path.exists()
    path.write_text('{"step": 2}\n{"step": 3}\n{"step": 5}\n' + tail)
    callbacks.truncate_metrics(path, 3)
    assert path.read_text() == '{"step": 2}\n{"step": 3}\n'


def test_a_saturated_attention_mask_is_warned_of_once():
    said = []
    watch = attach(callbacks.AttentionWatch(said.append, patience=3), step=50)
    for mean in (0.98, 0.98, 0.5, 0.98, 0.98):
        watch.on_train_batch_end(0, {"attention_mean": mean})
    watch.on_train_batch_end(0, {"d_cond": 0.1})
    assert not said
    for _ in range(10):
        watch.on_train_batch_end(0, {"attention_mean": 0.98})
    assert len(said) == 1 and "keeps the input" in said[0] and "lambda_cond" in said[0]
    for _ in range(10):
        watch.on_train_batch_end(0, {"attention_mean": 0.01})
    assert len(said) == 2 and "lambda_cyc" in said[1]


def test_a_signal_ends_the_step_and_a_second_one_interrupts():
    stop = attach(callbacks.StopOnSignal())
    before = signal.getsignal(signal.SIGINT)
    with stop:
        stop.on_train_batch_end(0, {})
        assert not stop.model.stop_training
        os.kill(os.getpid(), signal.SIGINT)
        stop.on_train_batch_end(0, {})
        assert stop.model.stop_training
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_bar_counts_the_whole_run(capsys):
    bar = attach(callbacks.Progress(first_step=5, total_steps=8), step=6)
    bar.shown_at -= 2
    bar.on_train_batch_end(0, {"d_loss": 0.25, "unknown": 1.0})
    assert bar.bar.n == 6
    bar.close()
    assert "6/8" in (err := capsys.readouterr().err) and "d_loss=0.25" in err and "unknown" not in err


def test_event_files_hold_scalars_and_pictures(tmp_path):
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    events = EventWriter(tmp_path)
    events.scalar("d_loss", 0.5, 3)
    events.image("samples", picture, 4)
    events.close()
    (path,) = tmp_path.iterdir()
    values = {}
    for data in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(data.numpy())
        for value in event.summary.value:
            values[value.tag] = event.step, value.metadata.plugin_data.plugin_name, tf.make_ndarray(value.tensor)
    assert values["d_loss"][:2] == (3, "scalars") and values["d_loss"][2] == 0.5
    step, plugin, (width, height, data) = values["samples"]
    assert (step, plugin, width, height) == (4, "images", b"6", b"4")
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], picture)
