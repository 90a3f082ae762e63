"""The life cycle that every model shares: settings, build, compile, save, resume, phases. No mathematics."""

import dataclasses
from typing import ClassVar, NamedTuple

import keras
import tensorflow as tf

from tfface import draws
from tfface.config import from_preset, setting
from tfface.convolutions import training_convolutions


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Settings every model has; a model's own dataclass adds its networks, losses and schedule."""

    PRESETS: ClassVar[dict] = {}

    preset: str = setting("laptop", "where the other settings start from")
    image_size: int = setting(128, "side of the square pictures, pixels")
    batch_size: int = setting(16, "examples in one update of the generator")
    steps: int = setting(0, "generator updates in all phases (0: from the epochs and the data set's size)")
    epochs: int = setting(0, "passes over the data set, where steps is 0")
    synthetic_count: int = setting(16000, "scenes rendered when no data set is given")
    synthetic_answers: int = setting(1, "pictures rendered of each scene; 2 gives every edit a true answer")
    ema_decay: float = setting(0.999, "of the averaged generator that samples, scores and exports use")

    @classmethod
    def from_preset(cls, name, **overrides):
        """Returns the settings of a preset with some of them replaced.

        Raises:
            InputError: no such preset or setting, or a value that is none for its setting.
        """
        return from_preset(cls, name, overrides)

    def with_examples(self, count):
        """Returns these settings with `steps` filled in from `epochs` for a data set of `count` examples."""
        if self.steps:
            return self
        return dataclasses.replace(self, steps=max(1, self.epochs * count // self.examples_per_step))

    @property
    def examples_per_step(self):
        """Examples one train step consumes."""
        return self.batch_size


class Phase(NamedTuple):
    """A stretch of training with one kind of step; `last_step` is the count of steps at which it has ended."""

    name: str
    last_step: int


class FaceModel(keras.Model):
    """A model of several networks and optimizers that trains with ``fit`` and survives being saved at any step.

    A subclass sets `Config`, `task`, `batch_keys`, `partner_keys` (keys of which a batch also carries ``target_KEY``,
    drawn from other examples), builds its networks in the constructor (so that all weights exist), names its optimizers
    in `build_optimizers` and defines one method ``PHASE_step(batch)`` for each of its phases. One with a task also has

    * ``edit(inputs)``: ``{"image"}`` (batch, size, size, 3) in [-1, 1], and ``attention`` where there is one, of a dict
      with ``image`` and what the task's `inputs` gives, by the averaged networks, which are named ``ema_``;
    * ``editor()``: the functional network that exports hold;
    * ``estimate_LABEL(image)`` for the labels that the task needs of photos and the face finder does not know.

    ``save_weights`` and ``load_weights`` carry everything that training needs: networks, averaged generator,
    optimizers and `step`.
    """

    Config = ModelConfig
    batch_keys = ("image",)
    partner_keys = ()
    learns_from_answers = False  # whether batches carry ``target_image`` where the data set has it
    partner_noise = 0.0  # half width of the uniform noise on the partners' action units
    task = None  # name of what can be asked of it (`tfface.tasks`); None for a network that edits nothing
    grey = None  # weights of red, green and blue, of a model that sees and paints in grey
    synthetic: ClassVar[dict] = {}  # keyword arguments of `synthesize` for the set that training renders by itself

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.seed = seed
        self.step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False, aggregation="only_first_replica"
        )
        self._phase = self._chosen_phase = None

    # -- settings in and out -------------------------------------------------------------------------------------

    def get_config(self):
        return {"name": self.name, "config": dataclasses.asdict(self.config), "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        return cls(cls.Config(**config.pop("config")), **config)

    @property
    def total_steps(self):
        return self.config.steps

    @property
    def examples_per_step(self):
        return self.config.examples_per_step

    def batch_options(self):
        """Returns the keyword arguments of `data.pipeline.training_batches` that say what a batch holds."""
        return {
            "keys": self.batch_keys,
            "partners": self.partner_keys,
            "partner_noise": self.partner_noise,
            "answers": self.learns_from_answers,
        }

    def conditions(self):
        """Returns what exports say of inputs of ``editor()``: ``{name: {"labels": [...], "range": [low, high]}}``.

        Only of those that are no label vectors of records (`model_card.CONDITIONS`), or hold a part of one.
        """
        return {}

    # -- compile -------------------------------------------------------------------------------------------------

    def build_optimizers(self):
        """Creates and builds the optimizers as attributes; called by `compile`."""
        raise NotImplementedError

    def compile(self, jit_compile=False, **kwargs):
        """Builds the model's own optimizers; their rates and schedules come from the settings.

        Args:
            jit_compile: whether the train step is compiled with XLA (worth it on a GPU).
        """
        super().compile(optimizer=None, jit_compile=jit_compile, **kwargs)
        self.build_optimizers()
        self.built = True

    def get_compile_config(self):
        return {"jit_compile": self.jit_compile}

    def compile_from_config(self, config):
        self.compile(**config)

    @property
    def metrics(self):
        return []  # train_step returns the terms themselves; the callbacks average them

    # -- phases --------------------------------------------------------------------------------------------------

    def phases(self):
        """Returns the `Phase`s of training in order."""
        return [Phase("adversarial", self.total_steps)]

    def phase_at(self, step):
        """Returns the phase that the step after `step` finished ones belongs to (the last one once all are done)."""
        phases = self.phases()
        return next((phase for phase in phases if step < phase.last_step), phases[-1])

    def set_phase(self, name):
        """Chooses the kind of step that `fit` runs from now on (in Python, so that no graph holds a branch).

        Without it, each `fit` runs the kind that the saved step belongs to when it starts.
        """
        self._chosen_phase = name
        self._enter(name)

    def _enter(self, name):
        if name != self._phase:
            self._phase = name
            self.train_function = None

    def make_train_function(self, force=False):
        self._enter(self._chosen_phase or self.phase_at(int(self.step.numpy())).name)
        return super().make_train_function(force)

    def train_step(self, batch):
        """One step of the current phase on `batch`, a dict of tensors; returns a dict of named scalar terms."""
        if tf.executing_eagerly():
            self._enter(self._chosen_phase or self.phase_at(int(self.step.numpy())).name)
        with training_convolutions():
            terms = getattr(self, f"{self._phase}_step")(batch)
        self.step.assign_add(1)
        return terms

    # -- helpers of the steps ------------------------------------------------------------------------------------

    def uniform(self, batch, draw, shape=(1, 1, 1)):
        """Returns uniform numbers (batch, *shape) in [0, 1).

        They depend on the seed, the saved step, `draw` (each use has its own number) and the example's place in the
        global batch, never on how the batch is spread over replicas, where training was interrupted, or XLA.
        """
        return draws.uniform(self._places_of(batch), shape, self.seed, self.step, draw)

    def normal(self, batch, draw, shape):
        """Returns standard normal numbers (batch, *shape) that depend on what `uniform`'s do."""
        # Of all examples, though some are used: in the last bit, logarithms depend on how many are taken at once.
        numbers = draws.normal(tf.range(self.examples_per_step), shape, self.seed, self.step, draw)
        return tf.gather(numbers, self._places_of(batch))

    def _places_of(self, batch):
        """Returns each example's place in the global batch, (batch,)."""
        return batch["index"] % self.examples_per_step if "index" in batch else tf.range(tf.shape(batch["image"])[0])

    @staticmethod
    def micro_batches(batch, count):
        """Returns `count` smaller batches of different examples, dealt out one by one.

        Dealt, not cut: when each replica deals its share of the global batch, every micro-batch still holds the same
        examples as on one device (where the count divides each share).
        """
        return [{key: value[first::count] for key, value in batch.items()} for first in range(count)]

    def minimize(self, optimizer, tape, loss, variables):
        """Applies one update; divided by the replica count because an optimizer sums gradients over replicas."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        gradients = tape.gradient(loss, variables)
        optimizer.apply([g / tf.cast(replicas, g.dtype) for g in gradients], variables)


def average_weights(average, source, decay, step):
    """Moves the weights of `average` toward those of `source`; the first steps forget faster than `decay`."""
    step = tf.cast(step, tf.float32)
    keep = tf.minimum(tf.cast(decay, tf.float32), (1.0 + step) / (10.0 + step))
    for a, s in zip(average.weights, source.weights, strict=True):
        a.assign(keep * a + (1.0 - keep) * s)


@keras.saving.register_keras_serializable(package="tfface")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """`rate` until `constant_updates`, then falling to zero at `total_updates` in steps of `plateau` updates.

    A function of the optimizer's own saved update count, so resuming needs nothing else.
    """

    def __init__(self, rate, constant_updates, total_updates, plateau=1):
        self.rate, self.plateau = rate, plateau
        self.constant_updates, self.total_updates = constant_updates, total_updates

    def __call__(self, update):
        whole = tf.math.floordiv(tf.cast(update, tf.float32), float(self.plateau)) * self.plateau
        left = (self.total_updates - whole) / max(1.0, self.total_updates - self.constant_updates)
        return self.rate * tf.clip_by_value(left, 0.0, 1.0)

    def get_config(self):
        return vars(self).copy()
