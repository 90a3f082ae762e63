"""Trains a model on two logical CPUs: ``python mirrored.py MODEL STEPS WEIGHTS FOLDER``.

It starts from a weights file and leaves what each step said and its own weights in the folder.

A process of its own, because logical devices must be made before anything else uses them.
"""

import json
import sys
from pathlib import Path

import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402


def main(name, steps, weights, folder):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        model = small.build(name)
        model.compile()
    model.load_weights(weights)
    history = small.fit(model, steps)
    model.save_weights(folder / "mirrored.weights.h5")
    (folder / "history.json").write_text(json.dumps(history))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
