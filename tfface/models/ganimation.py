"""GANimation: edits the expression of a face by 17 continuous action units.

Paper: Pumarola et al. 2018, "GANimation: Anatomically-aware Facial Animation from a Single Image" (ECCV). The authors'
PyTorch code (albertpumarola/GANimation, 2019) fixes what the paper leaves open. "The slides" are those of the course
project "GANimation on TensorLayer", a port of that code, whose networks `tests/parity` holds these against.

What differs, and why:

* Attention 1 keeps the input (``image * A + color * (1 - A)``), as in the code and the paper's second version.
* AU weight 160 on the mean squared error. The code's 4000 is divided there by the batch of 25; the slides' is not.
* Smoothness per pixel: the code sums |dA| x 1e-5 over pixels and batch; `lambda_tv` has its value at 128 px, batch 25.
* Gradient penalty per picture over all pixels, of the mean critic map alone, in one critic update with the other terms.
  The slides take the norm over one axis and of both heads together.
* Targets are the action units of a random other example plus noise, clamped to [0, 1], new every time.
* `conditioning="film"` modulates features after each normalisation. The published concatenation adds a constant plane,
  which instance normalisation all but removes. `relative=True` conditions on the change instead of the target.
* A warm-up in which the discriminator reads action units and, given true answers, each head of the generator learns its
  own: without it a short run has no AU signal, and an attention that meets a color of noise closes for good.
* `lambda_rec` compares edits with their true answers where a batch has them (``target_image``: the same synthetic scene
  with the asked action units), which takes the cycle's place and half of its time. Photos have none: there, and in the
  paper's preset, training is unpaired as published.
* Any size that the strides divide: depth and AU head follow the size.
* `even_phases` keeps the generator from drawing a checkerboard that raises what the AU head reads
  (`tfface.constraints`).
"""

import dataclasses
from typing import ClassVar

import keras
import tensorflow as tf

from tfface import losses
from tfface.config import setting
from tfface.errors import InputError
from tfface.models.base import ModelConfig, average_weights
from tfface.models.conditional_gan import ConditionalGAN, check_augment
from tfface.models.ganimation_networks import Discriminator, Generator

# -- settings ----------------------------------------------------------------------------------------------------------


# What a narrow network and a short run need: control that survives normalisation, a start near keeping the picture, and
# the true answers that rendered data has.
_NARROW = dict(
    conditioning="film", relative=True, attention_bias=2.0, published_init=False, lambda_cond=10.0, lambda_rec=100.0,
    lambda_mask=0.0, lambda_edit=0.1, lambda_tv=1.0, even_phases=True,
)  # fmt: skip

_LAPTOP = dict(
    image_size=64, batch_size=16, steps=5700, synthetic_count=6000, synthetic_answers=2, warmup_steps=4500,
    generator_width=16, residual_blocks=4, edge_kernel=5, discriminator_width=16, discriminator_layers=5,
    learning_rate=3e-4, n_critic=2, ema_decay=0.995, **_NARROW,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class GANimationConfig(ModelConfig):
    """Settings of `GANimation`. Loss weights multiply means over pictures and pixels, whatever the batch or size."""

    generator_width: int = setting(64, "channels of the generator's first convolution")
    residual_blocks: int = setting(6, "residual blocks of the generator")
    edge_kernel: int = setting(7, "width of the generator's first and last kernels, odd")
    shortcut: bool = setting(False, "features of half the size reach the last upsampling directly, for sharper edits")
    even_phases: bool = setting(False, "hold transposed kernels to those that cannot draw a checkerboard")
    discriminator_width: int = setting(64, "channels of the discriminator's first convolution, doubled by each next")
    discriminator_layers: int = setting(6, "strided convolutions of the discriminator, fewer if the size asks for it")
    published_init: bool = setting(True, "discriminator weights start as N(0, 0.02); off: He's, for narrow networks")
    conditioning: str = setting("concat", "how action units enter the generator", ("concat", "film"))
    relative: bool = setting(False, "condition on target minus source action units instead of the target")
    attention_bias: float = setting(0.0, "bias of the attention head before training: 2 starts near keeping the input")
    n_critic: int = setting(5, "discriminator updates for one of the generator, each on its own examples")
    learning_rate: float = setting(1e-4, "of both Adams (beta 0.5, 0.999)")
    constant_share: float = setting(2 / 3, "share of the adversarial steps before the rate falls linearly to zero")
    warmup_steps: int = setting(0, "steps before the adversarial ones: AU head, and generator where answers are known")
    warmup_rate: float = setting(1e-3, "learning rate of the warm-up (Adam, beta 0.9)")
    augment: float = setting(0.0, "share of the size by which the discriminator's pictures are shifted at random")
    lambda_adv: float = setting(1.0, "critic")
    lambda_gp: float = setting(10.0, "gradient penalty")
    lambda_cond: float = setting(160.0, "mean squared error of action units (0-1)")
    lambda_cyc: float = setting(10.0, "cycle L1, pixels in [-1, 1]")
    lambda_rec: float = setting(0.0, "L1 to the true answer instead of the cycle, for data that has it; 0 is unpaired")
    lambda_mask: float = setting(0.1, "mean attention, both passes: pushes toward editing more")
    lambda_edit: float = setting(0.0, "mean of 1 - attention, both passes: pushes toward editing less")
    lambda_tv: float = setting(4.064, "smoothness of the attention, both passes")
    noise: float = setting(0.1, "half width of the uniform noise on target action units")

    # 1e-5 x 25 pictures x 128 x 127 differences = 4.064 on the mean.
    PRESETS: ClassVar[dict] = {
        "paper": dict(batch_size=25, epochs=30, synthetic_count=200000),
        "laptop": _LAPTOP,
        "finetune": _LAPTOP | dict(steps=700, warmup_steps=0, learning_rate=1e-4, lambda_cond=30.0, augment=0.0625),
        "smoke": dict(
            image_size=64, batch_size=8, steps=60, synthetic_count=160, synthetic_answers=2, warmup_steps=40,
            generator_width=8, residual_blocks=2, edge_kernel=5, discriminator_width=8, discriminator_layers=5,
            learning_rate=3e-4, n_critic=2, ema_decay=0.9, **_NARROW,
        ),
    }  # fmt: skip

    def __post_init__(self):
        if self.image_size < 16 or self.image_size % 8:
            raise InputError(f"image_size={self.image_size}: expected a multiple of 8, 16 or more")
        for name in ("batch_size", "n_critic", "generator_width", "discriminator_width", "discriminator_layers"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: expected 1 or more")
        check_augment(self.augment)

    @property
    def examples_per_step(self):
        return self.batch_size * self.n_critic


# -- attention ---------------------------------------------------------------------------------------------------------


def true_attention(image, truth):
    """Returns the attention, (batch, size, size, 1), that a true answer asks for: 1 where it leaves the picture alone,
    0 where it changes by a tenth of full contrast or more."""
    return 1.0 - losses.change(image, truth)


def watch_attention(attention):
    """Returns what tells whether the attention saturates: its mean and the shares near 0 and near 1."""
    return {
        "attention_mean": tf.reduce_mean(attention),
        "attention_low": tf.reduce_mean(tf.cast(attention < 0.05, tf.float32)),
        "attention_high": tf.reduce_mean(tf.cast(attention > 0.95, tf.float32)),
    }


# -- model -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class GANimation(ConditionalGAN):
    """Generator, its average and the discriminator, with the losses and the train steps.

    A batch has ``image`` (batch, size, size, 3) in [-1, 1], ``action_units`` and ``target_action_units`` (batch, 17) in
    0-1; it holds `n_critic` micro-batches, one for each update of the discriminator.
    """

    Config = GANimationConfig
    task = "expression"
    batch_keys = ("image", "action_units")
    partner_keys = ("action_units",)

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)

        def generator(name):
            return Generator(
                config.image_size, config.generator_width, config.residual_blocks, config.conditioning,
                config.attention_bias, config.edge_kernel, config.shortcut, config.even_phases, name=name,
            )  # fmt: skip

        self.generator = generator("generator")
        self.ema_generator = generator("ema_generator")
        self.ema_generator.set_weights(self.generator.get_weights())
        self.discriminator = Discriminator(
            config.image_size, config.discriminator_width, config.discriminator_layers, config.published_init,
            name="discriminator",
        )  # fmt: skip
        self.built = True

    @property
    def learns_from_answers(self):
        return self.config.lambda_rec > 0

    @property
    def partner_noise(self):
        return self.config.noise

    # Losses: the terms by their logged names, the sum under ``loss``.

    def condition(self, source, target):
        """Returns what the generator is conditioned on to turn `source` action units into `target`."""
        return target - source if self.config.relative else target

    def generate(self, image, source, target):
        return self.generator({"image": image, "action_units": self.condition(source, target)}, training=True)

    def discriminator_losses(self, image, action_units, target, alpha, moves=None):
        """Terms the discriminator minimises on real pictures and edits of them (paper eqs. 1 and 3), both shifted alike
        by `moves`."""
        c = self.config
        fake = tf.stop_gradient(self.generate(image, action_units, target)["image"])
        image, fake = self.seen(image, moves), self.seen(fake, moves)
        real_out = self.discriminator({"image": image}, training=True)
        fake_out = self.discriminator({"image": fake}, training=True)
        adv = losses.wasserstein_critic(real_out["realism"], fake_out["realism"])

        def critic(x):  # without the other head: the penalty must not flatten what reads action units
            return self.discriminator({"image": x}, training=True)["realism"]

        gp = losses.gradient_penalty(critic, image, fake, alpha)
        cond = losses.mse(real_out["action_units"], action_units)
        loss = c.lambda_adv * adv + c.lambda_gp * gp + c.lambda_cond * cond
        return {"d_loss": loss, "d_adv": adv, "d_gp": gp, "d_cond": cond}

    def generator_losses(self, image, action_units, target, truth=None, moves=None):
        """Terms the generator minimises on edits and on the way back (paper eqs. 1-4), and what the attention does.

        `truth` is the true answer to each edit, for `lambda_rec`, or None; the discriminator sees edits shifted.
        """
        c = self.config
        edit = self.generate(image, action_units, target)
        judged = self.discriminator({"image": self.seen(edit["image"], moves)}, training=True)
        masks = [edit["attention"]]
        terms = {
            "g_adv": losses.wasserstein_generator(judged["realism"]),
            "g_cond": losses.mse(judged["action_units"], target),
        }
        loss = c.lambda_adv * terms["g_adv"] + c.lambda_cond * terms["g_cond"]
        if truth is not None and c.lambda_rec:
            terms["g_rec"] = losses.l1(edit["image"], truth)
            loss += c.lambda_rec * terms["g_rec"]
        elif c.lambda_cyc:
            back = self.generate(edit["image"], target, action_units)
            masks.append(back["attention"])
            terms["g_cyc"] = losses.l1(back["image"], image)
            loss += c.lambda_cyc * terms["g_cyc"]
        terms["g_mask"] = tf.add_n([tf.reduce_mean(mask) for mask in masks])
        terms["g_tv"] = tf.add_n([losses.total_variation(mask) for mask in masks])
        loss += c.lambda_mask * terms["g_mask"] + c.lambda_edit * (len(masks) - terms["g_mask"])
        loss += c.lambda_tv * terms["g_tv"]
        return {"g_loss": loss, **terms, **watch_attention(masks[0])}

    # Steps.

    def warmup_step(self, batch):
        """The discriminator reads the action units of real pictures, all micro-batches at once. Where true answers are
        known, the generator paints them and marks what they leave alone, on the last micro-batch."""
        c = self.config
        with tf.GradientTape() as tape:
            image = self.seen(batch["image"], self.moves(batch))
            estimate = self.discriminator({"image": image}, training=True)["action_units"]
            cond = losses.mse(estimate, batch["action_units"])
            loss = c.lambda_cond * cond
        self.minimize(self.d_warmup_optimizer, tape, loss, self.warmup_variables)
        if "target_image" not in batch or not self.learns_from_answers:
            return {"d_cond": cond}
        part = self.micro_batches(batch, c.n_critic)[-1]
        image, source, target, truth = (
            part[key] for key in ("image", "action_units", "target_action_units", "target_image")
        )
        with tf.GradientTape() as tape:
            edit = self.generate(image, source, target)
            # Each head has its own answer: a blend would let the attention shut out a color that is still noise, for
            # good. The color counts where the answer differs from the picture; elsewhere it will hardly be seen.
            # Weights sum to the same in each picture, so that none depends on which others share its batch.
            attention = true_attention(image, truth)
            weight = 1.05 - attention
            weight /= tf.reduce_mean(weight, [1, 2], keepdims=True)
            color = losses.l1(weight * edit["color"], weight * truth)
            mask = losses.cross_entropy(edit["attention"], attention)
            loss = color + mask
        self.minimize(self.g_warmup_optimizer, tape, loss, self.generator.trainable_variables)
        average_weights(self.ema_generator, self.generator, c.ema_decay, self.step)
        terms = {"g_rec": losses.l1(edit["image"], truth), "g_color": color, "g_attention": mask}
        return {"d_cond": cond, **terms, **watch_attention(edit["attention"])}

    def adversarial_step(self, batch):
        """1. `n_critic` updates of the discriminator. 2. One of the generator. 3. The average follows."""
        # 1. The discriminator tells real from edited pictures and reads the action units of real ones.
        for part in self.micro_batches({**batch, **self.draws(batch)}, self.config.n_critic):
            labelled = part["image"], part["action_units"], part["target_action_units"]
            with tf.GradientTape() as tape:
                d_terms = self.discriminator_losses(*labelled, part["alpha"], part.get("moves"))
            self.minimize(self.d_optimizer, tape, d_terms["d_loss"], self.discriminator.trainable_variables)
        # 2. The generator edits the last micro-batch, as the authors' code does.
        with tf.GradientTape() as tape:
            g_terms = self.generator_losses(*labelled, part.get("target_image"), part.get("moves"))
        self.minimize(self.g_optimizer, tape, g_terms["g_loss"], self.generator.trainable_variables)
        # 3. The averaged generator is what samples, scores and exports use.
        average_weights(self.ema_generator, self.generator, self.config.ema_decay, self.step)
        return {**d_terms, **g_terms}

    # -- edit ----------------------------------------------------------------------------------------------------------

    def edit(self, inputs):
        """Returns the averaged generator's ``{"image", "color", "attention"}`` for faces and asked action units.

        Args:
            inputs: dict of ``image`` (batch, size, size, 3) in [-1, 1] and ``action_units`` (batch, 17) in 0-1. A model
                with relative conditioning also reads ``source_action_units``, those the faces show now, and estimates
                them where they are absent.
        """
        image, target = (tf.convert_to_tensor(inputs[key]) for key in ("image", "action_units"))
        if self.config.relative:
            source = inputs.get("source_action_units")
            target -= self.estimate_action_units(image) if source is None else source
        return self.ema_generator({"image": image, "action_units": target}, training=False)

    def editor(self):
        """Returns the network from ``image`` and asked ``action_units`` to an edit, which is what exports hold.

        It is the averaged generator, with relative conditioning preceded by the discriminator's estimate of the action
        units that the face shows now.
        """
        if not self.config.relative:
            return self.ema_generator
        image, target = (keras.Input(t.shape[1:], name=name) for name, t in self.generator.input.items())
        estimate = self.discriminator({"image": image})["action_units"]
        change = target - keras.ops.clip(estimate, 0.0, 1.0)
        outputs = self.ema_generator({"image": image, "action_units": change})
        return keras.Model({"image": image, "action_units": target}, outputs, name="editor")

    def estimate_action_units(self, image):
        """Returns the discriminator's estimate of the action units of (batch, size, size, 3) pictures, (batch, 17)."""
        return tf.clip_by_value(self.discriminator({"image": image}, training=False)["action_units"], 0.0, 1.0)
