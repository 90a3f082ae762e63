"""AttGAN: edits named attributes of a face (glasses, beard, hair, age, ...), any of them at once.

Paper: He et al. 2019, "AttGAN: Facial Attribute Editing by Only Changing What You Want" (IEEE TIP). The authors' second
TensorFlow 1 version (LynnHo/AttGAN-Tensorflow) differs from it, and is followed where it does: no normalisation in the
heads, attributes of -1 and 1, one shortcut and one injection. "The slides" are those of a course project on AttGAN.

What differs, and why:

* The slides write both adversarial signs the wrong way round. Together that is the published game with the critic
  negated; mending only one of the two makes the generator learn to be told apart. Here, as published, the critic
  minimises D(edit) - D(picture) and the generator -D(edit). Their attribute loss of edits compares (a, C(picture)),
  which no weight of the generator is in; here it is (b, C(edit)): asked attributes with the edit.
* Batch normalisation as published, of moving averages once trained: an edit does not depend on what else is in its
  batch. Training takes statistics over all replicas. The averaged generator averages the moving statistics too.
* Targets are the attributes of another example of the whole data set, not of the same batch. What that one does not
  know stays as the picture has it, unless an asked attribute excludes it (`attribute_rules`).
* Unknown attributes count in no loss and are the middle, 0, of -1 and 1. Each picture's loss is the mean over the
  attributes that are known of it, so that it depends neither on the others of its batch nor on their number.
* Any list of attributes, any size that the strides divide. One update of the generator follows `n_critic` of the
  discriminator, each on examples of its own, as published.
* `lambda_answer` compares edits with their true answers where a batch has them (``target_image``: the same synthetic
  scene with the asked attributes); a warm-up learns from these and the attributes alone. The paper has neither.
* `relative` tells the decoder what to change instead of what to show (Liu et al. 2019, "STGAN", section 3.2), so that
  it need not first find out what the face shows.
* `attention` lets the decoder keep of each pixel what does not change, as GANimation's does, and paint the rest. In
  short runs it is more faithful and worse at beards (benchmarks/README.md), so that no preset has it.
* `even_phases` keeps the decoder from drawing a checkerboard (`tfface.constraints`). The critic hardly sees one: its
  strides make it constant, and instance normalisation subtracts that. On photographs it lay over every edit.
* `augment` shifts the discriminator's pictures, which keeps it from learning a small set by heart.

Outside, attributes are 0 (no) to 1 (yes), 0.5 unknown. The network takes 2 x - 1. The published test intensities of -2
to 2 are -0.5 to 1.5 here: more than yes and less than no exaggerate.
"""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfface import attribute_rules, config, losses
from tfface.config import setting
from tfface.conventions import ATTGAN_ATTRIBUTES, ATTRIBUTES
from tfface.errors import InputError
from tfface.models.attgan_networks import Discriminator, Generator
from tfface.models.attributes import known_targets, settled
from tfface.models.base import ModelConfig, average_weights
from tfface.models.conditional_gan import ConditionalGAN, check_augment

# -- settings ----------------------------------------------------------------------------------------------------------


# What a narrow network and a short run need: sharp pictures through all shortcuts, which the true answers that rendered
# data has keep from carrying over what should change.
_NARROW = dict(
    image_size=64, depth=4, shortcuts=3, injections=3, relative=True, even_phases=True, norm_momentum=0.97,
    synthetic_answers=2, n_critic=2, lambda_cond_real=10.0, lambda_answer=100.0,
)  # fmt: skip

_LAPTOP = dict(
    batch_size=16, steps=4800, synthetic_count=6000, warmup_steps=4200, generator_width=32,
    discriminator_width=24, discriminator_units=128, ema_decay=0.995, **_NARROW,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class AttGANConfig(ModelConfig):
    """Settings of `AttGAN`. Loss weights multiply means over pictures and pixels, whatever the batch or size."""

    attributes: tuple[str, ...] = setting(ATTGAN_ATTRIBUTES, "what it edits: names of CelebA's 40, comma-separated")
    generator_width: int = setting(64, "channels of the encoder's first convolution, doubled by each next")
    discriminator_width: int = setting(64, "channels of the discriminator's first convolution, doubled by each next")
    discriminator_units: int = setting(1024, "units of the hidden layer of either head")
    depth: int = setting(5, "strided convolutions of encoder, decoder and discriminator")
    shortcuts: int = setting(1, "layers of the decoder that also get the encoder's features of their size")
    injections: int = setting(1, "layers of the decoder that get the attributes again")
    relative: bool = setting(False, "tell the decoder the change of the attributes instead of the attributes asked for")
    attention: bool = setting(False, "the decoder says how much of each pixel to keep, and paints the rest")
    even_phases: bool = setting(False, "hold transposed kernels to those that cannot draw a checkerboard")
    norm_momentum: float = setting(0.999, "of the moving averages of batch normalisation")
    n_critic: int = setting(5, "discriminator updates for one of the generator, each on its own examples")
    learning_rate: float = setting(2e-4, "of both Adams (beta 0.5, 0.999)")
    constant_share: float = setting(0.5, "share of the adversarial steps before the rate falls linearly to zero")
    warmup_steps: int = setting(0, "steps before the adversarial ones: attributes, and edits with known answers")
    warmup_rate: float = setting(1e-3, "learning rate of the warm-up (Adam, beta 0.9)")
    augment: float = setting(0.0, "share of the size by which the discriminator's pictures are shifted at random")
    lambda_adv: float = setting(1.0, "critic")
    lambda_gp: float = setting(10.0, "gradient penalty")
    lambda_cond_real: float = setting(1.0, "cross entropy of the attributes of pictures, for the discriminator")
    lambda_cond: float = setting(10.0, "cross entropy of the asked attributes of edits, for the generator")
    lambda_rec: float = setting(100.0, "L1 of the picture made again with its own attributes, pixels in [-1, 1]")
    lambda_answer: float = setting(0.0, "L1 to the true answer, for data that has it; 0 is unpaired")

    PRESETS: ClassVar[dict] = {
        "paper": dict(batch_size=32, epochs=60, synthetic_count=200000),
        "laptop": _LAPTOP,
        "finetune": _LAPTOP | dict(steps=700, warmup_steps=0, learning_rate=1e-4, lambda_cond=5.0, augment=0.0625),
        "smoke": dict(
            batch_size=8, steps=60, synthetic_count=160, warmup_steps=40, generator_width=8, discriminator_width=8,
            discriminator_units=32, ema_decay=0.9, **_NARROW,
        ),
    }  # fmt: skip

    def __post_init__(self):
        object.__setattr__(self, "attributes", tuple(self.attributes))
        for name in self.attributes:
            if name not in ATTRIBUTES:
                raise InputError(f"attributes={name}: no attribute of CelebA{config.nearest(name, ATTRIBUTES)}")
        if not self.attributes or len(set(self.attributes)) < len(self.attributes):
            raise InputError(f"attributes={','.join(self.attributes)}: expected one name or more, each once")
        for name in ("batch_size", "n_critic", "generator_width", "discriminator_width", "discriminator_units"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: expected 1 or more")
        if not 2 <= self.depth <= 6:
            raise InputError(f"depth={self.depth}: expected 2 to 6")
        # Two pixels must be left: instance normalisation of a single one is nothing.
        step = 2**self.depth
        if self.image_size < 2 * step or self.image_size % step:
            expected = f"expected a multiple of {step}, {2 * step} or more, or another depth"
            raise InputError(f"image_size={self.image_size}: {expected}")
        check_augment(self.augment)
        for name in ("shortcuts", "injections"):
            if not 0 <= getattr(self, name) < self.depth:
                raise InputError(f"{name}={getattr(self, name)}: expected 0 to {self.depth - 1}, less than depth")

    @property
    def examples_per_step(self):
        return self.batch_size * (self.n_critic + 1)


# -- losses ------------------------------------------------------------------------------------------------------------


def attribute_loss(logits, attributes):
    """Cross entropy of (batch, n) logits and attributes 0-1: per picture the mean over those known (not 0.5), then the
    mean over pictures."""
    known = tf.cast(tf.not_equal(attributes, 0.5), tf.float32)
    each = known * tf.nn.sigmoid_cross_entropy_with_logits(labels=attributes, logits=logits)
    return tf.reduce_mean(tf.math.divide_no_nan(tf.reduce_sum(each, 1), tf.reduce_sum(known, 1)))


def answer_loss(edit, truth, image, counts):
    """L1 of edits to their true answers, half of its weight where an answer differs from the picture.

    Most of a picture stays, so a plain mean would hardly notice a missing moustache.

    Args:
        edit, truth, image: (batch, size, size, 3) in [-1, 1].
        counts: (batch,), 1 for the pictures that count and 0 for the others, which are part of the mean.
    """
    change = losses.change(image, truth)
    weight = 0.5 + 0.5 * change / (tf.reduce_mean(change, [1, 2, 3], keepdims=True) + 0.01)
    return tf.reduce_mean(counts * tf.reduce_mean(weight * tf.abs(edit - truth), [1, 2, 3]))


# -- model -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class AttGAN(ConditionalGAN):
    """Generator, its average and the discriminator, with the losses and the train steps.

    A batch has ``image`` (batch, size, size, 3) in [-1, 1], ``attributes`` and ``target_attributes`` (batch, 40) 0/1 or
    0.5 for unknown, in CelebA's order; it holds `n_critic` micro-batches for the discriminator and one for the
    generator. The networks know the chosen attributes only.
    """

    Config = AttGANConfig
    task = "attributes"
    batch_keys = ("image", "attributes")
    partner_keys = ("attributes",)
    synthetic: ClassVar[dict] = {"margin": 1.5, "vary": "attributes"}  # the crop shows the hair

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)
        c, count = config, len(config.attributes)

        def generator(name):
            return Generator(
                c.image_size, count, c.generator_width, c.depth, c.shortcuts, c.injections, c.norm_momentum,
                c.attention, c.even_phases, name=name,
            )  # fmt: skip

        self.generator = generator("generator")
        self.ema_generator = generator("ema_generator")
        self.ema_generator.set_weights(self.generator.get_weights())
        self.discriminator = Discriminator(
            c.image_size, count, c.discriminator_width, c.depth, c.discriminator_units, name="discriminator"
        )
        if c.warmup_steps:
            # The warm-up leaves large features in the trunk. Read at full scale, the penalty's first gradients are so
            # large that what Adam remembers of them slows all that shares the trunk, the classifier too.
            kernel = self.discriminator.get_layer("realism").kernel
            kernel.assign(0.1 * kernel)
        self._places = np.array([ATTRIBUTES.index(name) for name in c.attributes])
        self._others = np.setdiff1d(np.arange(len(ATTRIBUTES)), self._places)
        self._exclusions = attribute_rules.exclusions(c.attributes)
        self.built = True

    @property
    def learns_from_answers(self):
        return self.config.lambda_answer > 0

    def conditions(self):
        return {"attributes": {"labels": list(self.config.attributes), "range": [0, 1]}}

    # Losses: the terms by their logged names, the sum under ``loss``.

    def condition(self, source, target):
        """Returns what the decoder is told to turn attributes `source` into `target`; changes are around 0.5."""
        return target - source + 0.5 if self.config.relative else target

    def labelled(self, batch):
        """Returns picture, its chosen attributes and the asked ones, (batch, n), of a batch."""
        source, target = (tf.gather(batch[key], self._places, axis=1) for key in ("attributes", "target_attributes"))
        return batch["image"], source, known_targets(target, source, self._exclusions)

    def answered(self, batch):
        """Returns the true answers of a batch, or None, and which count, (batch,).

        An answer that also differs in an attribute that is not among the chosen ones shows what nobody asked for.
        """
        if "target_image" not in batch or not self.learns_from_answers:
            return None, None
        source, target = (tf.gather(batch[key], self._others, axis=1) for key in ("attributes", "target_attributes"))
        return batch["target_image"], tf.cast(tf.reduce_all(tf.equal(source, target), 1), tf.float32)

    def discriminator_losses(self, image, source, target, alpha, moves=None):
        """Terms the discriminator minimises on real pictures and edits of them, both shifted alike by `moves`."""
        c = self.config
        features = self.generator.encode(image, training=True)
        fake = tf.stop_gradient(self.generator.decode(features, self.condition(source, target), training=True))
        image, fake = self.seen(image, moves), self.seen(fake, moves)
        real_out = self.discriminator({"image": image}, training=True)
        fake_out = self.discriminator({"image": fake}, training=True)
        adv = losses.wasserstein_critic(real_out["realism"], fake_out["realism"])

        def critic(x):  # without the classifier: the penalty must not flatten what reads attributes
            return self.discriminator({"image": x}, training=True)["realism"][:, None, None, :]

        gp = losses.gradient_penalty(critic, image, fake, alpha)
        cond = attribute_loss(real_out["attributes"], source)
        loss = c.lambda_adv * adv + c.lambda_gp * gp + c.lambda_cond_real * cond
        return {"d_loss": loss, "d_adv": adv, "d_gp": gp, "d_cond": cond}

    def picture_losses(self, image, source, target, truth=None, counts=None):
        """Returns the edits, their terms that compare pictures, and the weighted sum of these.

        `truth` are the true answers to the edits, `counts` (batch,) which of them count; both None without.
        """
        c = self.config
        features = self.generator.encode(image, training=True)
        same = self.generator.decode(features, self.condition(source, source), training=True)
        edit = self.generator.decode(features, self.condition(source, target), training=True)
        terms = {"g_rec": losses.l1(same, image)}
        loss = c.lambda_rec * terms["g_rec"]
        if truth is not None:
            terms["g_answer"] = answer_loss(edit, truth, image, counts)
            loss += c.lambda_answer * terms["g_answer"]
        return edit, terms, loss

    def generator_losses(self, image, source, target, truth=None, counts=None, moves=None):
        """Terms the generator minimises on edits, which the discriminator sees shifted, and on the picture made
        again."""
        c = self.config
        edit, terms, loss = self.picture_losses(image, source, target, truth, counts)
        judged = self.discriminator({"image": self.seen(edit, moves)}, training=True)
        adv = losses.wasserstein_generator(judged["realism"])
        cond = attribute_loss(judged["attributes"], target)
        loss += c.lambda_adv * adv + c.lambda_cond * cond
        return {"g_loss": loss, "g_adv": adv, "g_cond": cond, **terms}

    def warmup_losses(self, image, source, target, truth=None, counts=None):
        """Terms of `picture_losses` without a discriminator, and their sum: for the price of a quarter of the pictures
        made again, because an answer has most of its picture to keep anyway. All are decoded as one batch."""
        c = self.config
        # Every fourth and not the first quarter: the same pictures on one device and on replicas of fours.
        edits, every = (0, 1) if truth is None else (tf.shape(image)[0], 4)
        features = self.generator.encode(image, training=True)
        features = {name: tf.concat([value[:edits], value[::every]], 0) for name, value in features.items()}
        change, same = self.condition(source, target)[:edits], self.condition(source, source)[::every]
        made = self.generator.decode(features, tf.concat([change, same], 0), training=True)
        terms = {"g_rec": losses.l1(made[edits:], image[::every])}
        loss = c.lambda_rec * terms["g_rec"]
        if truth is not None:
            terms["g_answer"] = answer_loss(made[:edits], truth, image, counts)
            loss += c.lambda_answer * terms["g_answer"]
        return terms, loss

    # Steps.

    def warmup_step(self, batch):
        """The classifier learns the attributes of real pictures, all micro-batches at once. The generator makes the
        last one again and, where true answers are known, edits it."""
        c = self.config
        image, source, _ = self.labelled(batch)
        image = self.seen(image, self.moves(batch))
        with tf.GradientTape() as tape:
            cond = attribute_loss(self.discriminator({"image": image}, training=True)["attributes"], source)
        self.minimize(self.d_warmup_optimizer, tape, cond, self.warmup_variables)
        part = self.micro_batches(batch, c.n_critic + 1)[-1]
        with tf.GradientTape() as tape:
            terms, loss = self.warmup_losses(*self.labelled(part), *self.answered(part))
        self.minimize(self.g_warmup_optimizer, tape, loss, self.generator.trainable_variables)
        average_weights(self.ema_generator, self.generator, c.ema_decay, self.step)
        return {"d_cond": cond, **terms}

    def adversarial_step(self, batch):
        """1. `n_critic` updates of the discriminator. 2. One of the generator. 3. The average follows."""
        c = self.config
        *critics, last = self.micro_batches({**batch, **self.draws(batch)}, c.n_critic + 1)
        # 1. The critic tells real from edited pictures, the classifier reads the attributes of real ones.
        for part in critics:
            with tf.GradientTape() as tape:
                d_terms = self.discriminator_losses(*self.labelled(part), part["alpha"], part.get("moves"))
            self.minimize(self.d_optimizer, tape, d_terms["d_loss"], self.discriminator.trainable_variables)
        # 2. The generator edits pictures of its own.
        with tf.GradientTape() as tape:
            g_terms = self.generator_losses(*self.labelled(last), *self.answered(last), last.get("moves"))
        self.minimize(self.g_optimizer, tape, g_terms["g_loss"], self.generator.trainable_variables)
        # 3. The averaged generator is what samples, scores and exports use.
        average_weights(self.ema_generator, self.generator, c.ema_decay, self.step)
        return {**d_terms, **g_terms}

    # -- edit ----------------------------------------------------------------------------------------------------------

    def edit(self, inputs):
        """Returns the averaged generator's ``{"image"}`` for faces and asked attributes.

        Args:
            inputs: dict of ``image`` (batch, size, size, 3) in [-1, 1] and ``attributes`` (batch, n), the chosen ones
                in their order: 0 (no) to 1 (yes), up to -0.5 and 1.5 to exaggerate, 0.5 for unknown. A model with
                relative conditioning also reads ``source_attributes``, those the faces show now, and estimates them
                where they are absent.
        """
        image, target = (tf.convert_to_tensor(inputs[key]) for key in ("image", "attributes"))
        if self.config.relative:
            source = inputs.get("source_attributes")
            source = settled(self.estimate_attributes(image), self._exclusions) if source is None else source
            target = self.condition(source, target)
        return self.ema_generator({"image": image, "attributes": target}, training=False)

    def editor(self):
        """Returns the network from ``image`` and asked ``attributes`` to an edit, which is what exports hold.

        It is the averaged generator, with relative conditioning preceded by the classifier's estimate of the attributes
        that the face shows now.
        """
        if not self.config.relative:
            return self.ema_generator
        image, target = (keras.Input(t.shape[1:], name=name) for name, t in self.generator.input.items())
        now = keras.ops.sigmoid(self.discriminator({"image": image})["attributes"])
        change = self.condition(settled(now, self._exclusions), target)
        outputs = self.ema_generator({"image": image, "attributes": change})
        return keras.Model({"image": image, "attributes": target}, outputs, name="editor")

    def estimate_attributes(self, image):
        """Returns how likely the classifier holds the chosen attributes of (batch, size, size, 3) pictures, (batch, n)
        0-1."""
        return tf.sigmoid(self.discriminator({"image": image}, training=False)["attributes"])
