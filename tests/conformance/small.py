"""The smallest settings of every model and batches for them, for the checks and for the processes they start."""

import numpy as np
import tensorflow as tf

from tfface import models
from tfface.conventions import ATTRIBUTES

SETTINGS = {
    "attgan": dict(
        attributes=ATTRIBUTES, image_size=16, batch_size=4, steps=8, generator_width=4, discriminator_width=4,
        discriminator_units=8, depth=2, injections=1, n_critic=2, warmup_steps=4, norm_momentum=0.9, lambda_answer=1.0,
    ),
    "ganimation": dict(
        image_size=16, batch_size=4, steps=8, generator_width=4, residual_blocks=1, discriminator_width=4,
        discriminator_layers=2, conditioning="film", n_critic=2, warmup_steps=4, lambda_rec=1.0,
    ),
}  # fmt: skip
EDIT_KEYS = {"attgan": ("image", "attributes"), "ganimation": ("image", "action_units")}

SHAPES = {"action_units": (17,), "attributes": (40,), "pose": (3,), "light": (2,)}


def build(name):
    return models.get(name)(models.get(name).Config(**SETTINGS[name]), seed=3)


def batch(model, step):
    """Returns training batch number `step` as arrays; a function of the step alone."""
    count, size = model.examples_per_step, model.config.image_size
    random = np.random.default_rng(step)
    values = {}
    for key in model.batch_keys + tuple(f"target_{key}" for key in ("image", *model.partner_keys)):
        shape = (size, size, 3) if key.endswith("image") else SHAPES[key.removeprefix("target_")]
        low = -1.0 if key.endswith("image") else 0.0
        values[key] = random.uniform(low, 1.0, (count, *shape)).astype(np.float32)
    return {**values, "index": np.arange(step * count, (step + 1) * count)}


def batches(model, first_step):
    """Returns the endless `tf.data.Dataset` of batches from `first_step` on."""
    signature = {key: tf.TensorSpec(value.shape, value.dtype) for key, value in batch(model, 0).items()}

    def forever():
        step = first_step
        while True:
            yield batch(model, step)
            step += 1

    return tf.data.Dataset.from_generator(forever, output_signature=signature)


def fit(model, steps):
    """Trains for `steps` steps from where the model stands, phase by phase; returns each step's terms."""
    history = []
    callback = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: history.append({key: float(value) for key, value in logs.items()})
    )
    done = int(model.step.numpy())
    end = done + steps
    while done < end:
        last = min(end, model.phase_at(done).last_step)
        model.fit(batches(model, done), steps_per_epoch=last - done, shuffle=False, verbose=0, callbacks=[callback])
        done = last
    return history
