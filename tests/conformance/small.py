"""The smallest settings of every model and batches for them, for the checks and for the processes they start."""

import numpy as np
import tensorflow as tf

from tfface import models
from tfface.conventions import ATTRIBUTES

SETTINGS = {
    "attgan": dict(
        attributes=ATTRIBUTES, image_size=16, batch_size=8, steps=8, generator_width=4, discriminator_width=4,
        discriminator_units=8, depth=2, injections=1, n_critic=2, warmup_steps=4, norm_momentum=0.9, lambda_answer=1.0,
    ),
    "dcign": dict(
        image_size=16, batch_size=4, steps=6, latents=8, encoder_filters=(4, 6), encoder_kernel=3, decoder_filters=(4,),
        decoder_kernel=3, padding="same", published_init=False, ema_decay=0.9,
    ),
    "ganimation": dict(
        image_size=16, batch_size=4, steps=8, generator_width=4, residual_blocks=1, discriminator_width=4,
        discriminator_layers=2, conditioning="film", n_critic=2, warmup_steps=4, lambda_rec=1.0,
    ),
    "recognizer": dict(image_size=16, batch_size=4, steps=8, width=6, embedding=8, classes=10, head="margin", shift=1),
    # A low rate: biases that batch normalisation cancels have only rounding for a gradient, and Adam steps by it.
    "rotator": dict(
        image_size=16, batch_size=4, steps=8, warmup_steps=4, width=4, latent=8, features="identity",
        lambda_answer=1.0, warp=True, published_init=False, learning_rate=1e-5,
    ),
    "tpgan": dict(
        image_size=16, batch_size=4, steps=8, warmup_steps=4, width=8, noise_size=3, edge_kernel=3, code_blocks=1,
        stage_blocks=1, local_levels=1, local_blocks=1, squeeze=True, published_init=False, identities=7, lambda_id=0.0,
        generator_updates=1, normalization="none",  # statistics of the few numbers of so small a picture are chaotic
    ),
}  # fmt: skip
EDIT_KEYS = {
    "attgan": ("image", "attributes"), "dcign": ("image", "latents", "asked"),
    "ganimation": ("image", "action_units"), "rotator": ("image", "pose", "source_pose"),
    "tpgan": ("image", "landmarks"),
}  # fmt: skip

SHAPES = {
    "action_units": (17,), "attributes": (40,), "pose": (3,), "source_pose": (3,), "light": (2,), "latents": (3,),
    "asked": (3,), "landmarks": (68, 2),
}  # fmt: skip


def build(name):
    assert name in SETTINGS, f"add {name}'s smallest settings to SETTINGS in tests/conformance/small.py"
    return models.get(name)(models.get(name).Config(**SETTINGS[name]), seed=3)


def batch(model, step):
    """Returns training batch number `step` as arrays; a function of the step alone."""
    count, size = model.examples_per_step, model.config.image_size
    random = np.random.default_rng(step)
    values = {}
    targets = ("image", *model.partner_keys) if model.partner_keys else ()
    for key in model.batch_keys + tuple(f"target_{key}" for key in targets):
        if key == "identity":
            values[key] = random.integers(0, 2**40, count)
            continue
        shape = (size, size, 3) if key.endswith("image") else SHAPES[key.removeprefix("target_")]
        low = -1.0 if key.endswith("image") else 0.0
        high = size if key.endswith("landmarks") else 1.0
        values[key] = random.uniform(low, high, (count, *shape)).astype(np.float32)
    if model.batch_options().get("groups"):
        values["factor"] = np.full(count, step % 4)
    return {**values, "index": np.arange(step * count, (step + 1) * count)}


def request(name, model, count):
    """Returns `count` examples of what the model's ``edit`` takes."""
    assert name in EDIT_KEYS, f"add what {name}'s edit takes to EDIT_KEYS in tests/conformance/small.py"
    random, examples = np.random.default_rng(0), batch(model, 0)
    return {
        key: examples[key][:count] if key in examples else random.uniform(0, 1, (count, *SHAPES[key])).astype("float32")
        for key in EDIT_KEYS[name]
    }


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
