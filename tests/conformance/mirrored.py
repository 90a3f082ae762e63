"""Trains a model on two logical CPUs: ``python mirrored.py MODEL STEPS WEIGHTS FOLDER``.

It starts from a weights file and leaves what each step said and its own weights in the folder.

A process of its own, because logical devices must be made before anything else uses them.
"""

import functools
import json
import sys
from pathlib import Path

import tensorflow as tf

from tfface import distribution

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402


def main(name, steps, weights, folder):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    assert distribution.open_strategy("mirrored").num_replicas_in_sync == 2
    with distribution.scope("mirrored"):
        model = small.build(name)
        model.compile()
    model.load_weights(weights)
    history = []
    keep = tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: history.append(logs))
    done = 0
    while done < steps:
        last = min(steps, model.phase_at(done).last_step)
        batches = functools.partial(shares, model, done)
        assert not distribution.fit("mirrored", model, batches, last, [keep])
        assert int(model.step.numpy()) == last
        done = last
    model.save_weights(folder / "mirrored.weights.h5")
    (folder / "history.json").write_text(json.dumps(history))


def shares(model, first_step, share, parts):
    """The batches of one process, each cut in parts."""
    assert share == (0, 1)
    return small.batches(model, first_step).unbatch().batch(model.examples_per_step // parts, drop_remainder=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
