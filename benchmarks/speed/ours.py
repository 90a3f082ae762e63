"""tfface's own training iteration as a benchmark's side: the train step that `fit` runs, on a batch held in memory.

Imports TensorFlow; made in a process of its own (`benchmarks.speed.processes`).
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed import flops
from tfface import memory, models

LABELS = {"ganimation": ("action_units", 17), "attgan": ("attributes", 40)}


def example_batch(name, config, seed=0):
    """Returns one train step's batch as a dict of arrays: noise for pictures, and labels that are all known."""
    label, count = LABELS[name]
    random = np.random.default_rng(seed)
    examples = config.examples_per_step
    size = config.image_size
    batch = {"image": random.uniform(-1, 1, (examples, size, size, 3))}
    for key in (label, f"target_{label}"):
        values = random.uniform(0, 1, (examples, count))
        batch[key] = np.round(values) if label == "attributes" else values
    return {key: value.astype(np.float32) for key, value in batch.items()}


def weights_of(network):
    """Returns a network's weights, ``{"layer.kernel": array}``, those of networks inside it too."""
    return {name: variable.numpy() for name, variable in _named(network)}


def _named(network):
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _named(layer)
        else:
            yield from ((f"{layer.name}.{variable.name}", variable) for variable in layer.weights)


class Products:
    """A square product, for what the machine can do at most."""

    precision = "float32"

    def prepare_product(self, size):
        self._matrix = tf.cast(tf.random.stateless_normal((size, size), (0, 0)), self.precision)
        self._multiply = tf.function(lambda a: tf.matmul(a, a))

    def multiply(self):
        return float(self._multiply(self._matrix)[0, 0])


class Iteration(Products):
    """A model of one of its presets, compiled as `training` compiles it, and one batch.

    Args:
        name: of the model, one of `LABELS`.
        preset, overrides: its settings.
        precision: "float32" or "bfloat16" (mixed).
        jit: whether the step is compiled with XLA.
    """

    def __init__(self, name, preset="paper", overrides=None, precision="float32", jit=False):
        memory.keep_freed()  # as training does
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
        try:
            self.name, self.precision, cls = name, precision, models.get(name)
            self.config = cls.Config.from_preset(preset, **{"steps": 1000, "warmup_steps": 0, **(overrides or {})})
            keras.utils.set_random_seed(0)
            self.model = cls(self.config, seed=0)
        finally:
            keras.config.set_dtype_policy(before)
        self.model.compile(jit_compile=jit)
        self.model.set_phase("adversarial")
        self.batch = {key: tf.constant(v) for key, v in example_batch(name, self.config).items()}
        self._step = tf.function(self.model.train_step, jit_compile=jit)

    def settings(self):
        """Returns what the same networks and losses elsewhere are made of."""
        settings = dataclasses.asdict(self.config)
        if self.name == "ganimation":
            settings["depth"] = self.model.discriminator.get_config()["depth"]
        else:
            settings["attribute_count"] = len(self.config.attributes)
        return settings

    def operations(self):
        """Returns operations for one picture of an update of each network (`benchmarks.speed.flops`)."""
        return flops.iteration(self.model)

    def weights(self):
        return {name: weights_of(getattr(self.model, name)) for name in ("generator", "discriminator")}

    def parts(self):
        """Returns the batch's micro-batches as the losses take them: picture, labels, targets, alpha."""
        label, _ = LABELS[self.name]
        count = self.config.examples_per_step // self.config.batch_size
        drawn = {**self.batch, "alpha": self.model.uniform(self.batch, draw=0)}
        parts = []
        for part in self.model.micro_batches(drawn, count):
            if self.name == "attgan":
                labelled = self.model.labelled(part)
            else:
                labelled = part["image"], part[label], part[f"target_{label}"]
            parts.append((*(value.numpy() for value in labelled), part["alpha"].numpy()))
        return parts

    def _losses(self, network, parts):
        if network == "discriminator":
            return self.model.discriminator_losses(*map(tf.constant, parts[0]))
        return self.model.generator_losses(*map(tf.constant, parts[-1][:3]))

    def losses(self):
        """Returns every loss term on the weights and batch as they are, without an update."""
        parts = self.parts()
        terms = {**self._losses("discriminator", parts), **self._losses("generator", parts)}
        return {name: float(value) for name, value in terms.items()}

    def gradients(self):
        """Returns ``{network: {"layer.kernel": array}}``, each of its own loss, on the same examples as `losses`."""
        parts, out = self.parts(), {}
        for network in ("discriminator", "generator"):
            variables = dict(_named(getattr(self.model, network)))
            variables = {name: v for name, v in variables.items() if v.trainable}
            with tf.GradientTape() as tape:
                loss = self._losses(network, parts)[f"{network[0]}_loss"]
            values = tape.gradient(loss, list(variables.values()))
            out[network] = {name: value.numpy() for name, value in zip(variables, values, strict=True)}
        return out

    def iterate(self):
        """One train step of the model; returns its terms as numbers."""
        return {name: float(value) for name, value in self._step(self.batch).items()}
