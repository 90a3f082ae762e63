"""TP-GAN: the frontal view of a face from a turned one, by a global and four local pathways.

Paper: Huang et al. 2017, "Beyond Face Rotation: Global and Local Perception GAN for Photorealistic and Identity
Preserving Frontal View Synthesis" (ICCV). The official code (HRLTY/TP-GAN, TensorFlow 0.12) has the architecture; "the
blog" is a post on the paper, whose code is iwtw/pytorch-TP-GAN. Networks: `tpgan_networks`; patches: `patches`.

What differs, and why:

* Every loss is a mean over pictures, pixels and channels. The paper's weights are meant for that; the official code's
  (20 for the adversarial loss) go with sums over 128 x 128 pixels, which divided by their number give the paper's.
* Faces turned to the image's left are mirrored on the way in and back on the way out (by their landmarks), in training
  as in `edit`; the official code mirrors its training files. The occluded side is then always the right one, which
  the symmetry loss compares with the left one, held still, in pixels and in their Laplacian.
* Batch normalisation uses its moving statistics at inference, synchronised in training; convolutions before it have no
  bias, which it would remove. The official code never leaves its training mode.
* Noise is zero at inference, so that an edit has one result.
* Patches of the true frontal view are cut at its own landmarks; the generator pastes its own where an average frontal
  face has them in tfface's crops (`patches.FRONTAL`), which are a little wider than the published ones.
* The patch of the nose moves behind the tip as the face turns, continuously instead of by a table of camera angles.
* Local pathways learn together with all else instead of in an optimizer of their own.
* The identity head's class is the remainder of the identity number by `identities`: no table has to be kept, and
  Multi-PIE's 001 to 346 have one class each.
* The Light CNN of the identity loss is not available: a trained recognizer of tfface (`recognizer`), the shipped
  face-identity network, or any function of pictures to features (`use_features`) takes its place. What is compared are
  features, not the class logits that the blog's code compares by a swap of names.
* Of the blog: gradient norms per picture (not one for the whole batch), a fuser that keeps negative values, patches
  pasted where they were cut out, features taken after the last skip connection, 68 landmarks read within their range,
  and a tanh at the output, without which pictures leave [-1, 1].
* A warm-up without discriminator and identity loss, and `squeeze`, for narrow networks and short runs.
* `warp`: a narrow network draws somebody alike, not the person. It then also says from where in the picture, and in
  the mirrored one, pixels may be taken; `lambda_flow` teaches it with the landmarks of both views (`appearance_flow`).
"""

import dataclasses
from typing import ClassVar

import keras
import tensorflow as tf
from keras import layers

from tfface import appearance_flow, identity, losses, patches
from tfface.config import setting
from tfface.errors import InputError
from tfface.models.base import ConstantThenLinear, FaceModel, ModelConfig, Phase, average_weights
from tfface.models.tpgan_networks import Discriminator, Generator

# -- settings ----------------------------------------------------------------------------------------------------------

_NARROW = dict(
    normalization="none", published_init=False, slope=0.2, edge_kernel=3, code_blocks=1, stage_blocks=1, local_levels=2,
    local_blocks=1, squeeze=True, noise_size=16, generator_updates=1, learning_rate=5e-4, lambda_sym=0.1, lambda_ce=0.0,
    lambda_local=1.0, lambda_adv=3e-3, lambda_id=1.0, warp=True, lambda_flow=3.0,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class TPGANConfig(ModelConfig):
    """Settings of `TPGAN`. Loss weights multiply means over pictures and pixels, whatever the batch or size."""

    width: int = setting(64, "channels of the first convolutions of all networks")
    normalization: str = setting("batch", "of generator and discriminator", ("batch", "instance", "none"))
    slope: float = setting(0.2, "of the leaky ReLUs where they are negative")
    edge_kernel: int = setting(7, "width of the kernels at full size, odd; two less at half size")
    code_blocks: int = setting(4, "residual blocks at a sixteenth of the size")
    stage_blocks: int = setting(2, "residual blocks of each stage of the decoder")
    local_levels: int = setting(3, "strided convolutions of a local pathway")
    local_blocks: int = setting(2, "residual blocks in the middle of a local pathway")
    mirror_input: bool = setting(True, "the global pathway sees the mirrored picture too")
    eye_hint: bool = setting(True, "the far eye's pathway sees the near eye too")
    squeeze: bool = setting(False, "a convolution narrows what stages of the decoder join; off: as published")
    published_init: bool = setting(True, "weights start as N(0, 0.02); off: He's, for narrow networks")
    warp: bool = setting(False, "may take pixels from the picture and the mirrored one, wherever the network says")
    noise_size: int = setting(100, "random numbers beside the code")
    noise: str = setting("normal", "their distribution", ("normal", "uniform"))
    noise_scale: float = setting(0.02, "their deviation, or the uniform's half width")
    adversarial: str = setting("log", "loss of the discriminator", ("log", "wgan-gp"))
    label_smoothing: float = setting(0.9, "of the log loss: the target of real pictures")
    generator_updates: int = setting(2, "generator updates for one of the discriminator, each on its own examples")
    learning_rate: float = setting(1e-4, "of both Adams")
    beta_1: float = setting(0.9, "of both Adams")
    constant_share: float = setting(0.5, "share of the steps before the rate falls linearly to zero; 1: it never falls")
    warmup_steps: int = setting(0, "steps of the generator alone, before discriminator and identity loss join")
    recognizer: str = setting("", "run of a recognizer for the identity loss; none: the shipped face-identity network")
    identities: int = setting(340, "classes of the identity head; identity numbers beyond it share classes")
    weight_half: float = setting(1.0, "picture of half the size, against 1 for the full one")
    weight_quarter: float = setting(1.5, "picture of a quarter of the size")
    lambda_local: float = setting(3.0, "L1 of each of the four patches, pixels in [-1, 1]")
    lambda_sym: float = setting(0.3, "symmetry, at each of the three sizes")
    lambda_adv: float = setting(1e-3, "discriminator's opinion")
    lambda_id: float = setting(3e-3, "L1 of identity features")
    lambda_flow: float = setting(0.0, "distance of the places that warp takes landmarks from, picture widths")
    lambda_tv: float = setting(1e-4, "smoothness of the picture")
    lambda_ce: float = setting(1e-3, "identity head's cross entropy; 0 leaves it out")
    lambda_gp: float = setting(10.0, "gradient penalty of wgan-gp")

    PRESETS: ClassVar[dict] = {
        "paper": dict(batch_size=10, epochs=250, constant_share=1.0, synthetic_count=200000),
        "blog": dict(
            batch_size=50, epochs=200, constant_share=1.0, synthetic_count=200000, normalization="none", slope=0.01,
            mirror_input=False, eye_hint=False, local_blocks=1, published_init=False, noise_size=64, noise="uniform",
            noise_scale=1.0, adversarial="wgan-gp", generator_updates=1, identities=347, lambda_id=30.0, lambda_tv=1e-3,
            lambda_ce=10.0,
        ),
        "laptop": dict(
            image_size=64, batch_size=12, steps=2800, warmup_steps=2000, synthetic_count=8000, width=16,
            ema_decay=0.995, **_NARROW,
        ),
        "smoke": dict(
            image_size=64, batch_size=4, steps=40, warmup_steps=25, synthetic_count=160, width=8, ema_decay=0.9,
            **_NARROW,
        ),
    }  # fmt: skip

    def __post_init__(self):
        size, multiple = self.image_size, 2**self.local_levels
        if size < 16 or size & (size - 1):
            raise InputError(f"image_size={size}: expected a power of two, 16 or more")
        for name in ("batch_size", "generator_updates", "identities", "noise_size", "code_blocks", "local_blocks"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.lambda_flow and not self.warp:
            raise InputError(f"lambda_flow={self.lambda_flow}: needs warp=true")
        if self.width < 8:
            raise InputError(f"width={self.width}: expected 8 or more")
        if any(max(shape) > size for shape in patches.sizes(size, multiple).values()):
            raise InputError(f"local_levels={self.local_levels}: patches do not fit into {size} pixels; use fewer")

    @property
    def examples_per_step(self):
        return self.batch_size * self.generator_updates


# -- losses ------------------------------------------------------------------------------------------------------------


def laplacian(x):
    """Returns how far each value of (batch, h, w, c) is above the mean of its eight neighbours ."""
    return 9 / 8 * (x - tf.nn.avg_pool2d(x, 3, 1, "SAME"))


def symmetry(x):
    """Mean absolute difference of the right half and the mirrored left one, of values and of their Laplacian.

    The left half is held still: the occluded side learns from the seen one (paper, eq. 8).
    """
    x = tf.concat([x, laplacian(x)], -1)
    half = x.shape[2] // 2
    left = tf.stop_gradient(tf.reverse(x[:, :, :half], [2]))
    return losses.l1(x[:, :, -half:], left)


def mirror_landmarks_where(landmarks, size, where):
    """Mirrors those of (batch, 68, 2) landmarks at which the (batch,) truth values say so, in pictures of `size`."""
    return tf.where(where[:, None, None], appearance_flow.mirror_points(landmarks, size), landmarks)


# The square of a frontal crop, in picture widths, that the identity network's chips show.
_CHIP_LEFT, _CHIP_TOP, _CHIP_SIDE = 0.0905, 0.0845, 0.83


def identity_features(pictures):
    """Returns the shipped identity network's descriptors, [(batch, 128)], of frontal crops in [-1, 1]; differentiable.

    Chips are cut where an average frontal face has them: both pictures that a loss compares are frontal.
    """
    size = pictures.shape[1]
    top, left, side = (round(share * size) for share in (_CHIP_TOP, _CHIP_LEFT, _CHIP_SIDE))
    chips = tf.image.resize(pictures[:, top : top + side, left : left + side], (identity.CHIP, identity.CHIP))
    return [identity.embed((chips + 1.0) * 127.5)]


# -- model -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class TPGAN(FaceModel):
    """Generator, its average, discriminator and identity head, with the losses and the train steps.

    A batch has ``image`` and ``target_image`` (batch, size, size, 3) in [-1, 1], one face turned and from the front,
    ``landmarks`` and ``target_landmarks`` (batch, 68, 2) in pixels of each, and ``identity`` (batch,); it holds
    `generator_updates` micro-batches.
    """

    Config = TPGANConfig
    task = "frontal"
    batch_keys = ("image", "landmarks", "identity")
    partner_keys = ("landmarks",)
    # Crops hardly jitter: where a frontal crop lies off cannot be known from the turned one.
    synthetic: ClassVar[dict] = {"views": ("frontal", "turned", "turned", "turned"), "jitter": 0.004}

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)
        c = config

        def generator(name):
            return Generator(
                c.image_size, c.width, c.noise_size, c.normalization, c.slope, c.edge_kernel, c.code_blocks,
                c.stage_blocks, c.local_levels, c.local_blocks, c.mirror_input, c.eye_hint, c.squeeze, c.published_init,
                c.warp, name=name,
            )  # fmt: skip

        self.generator = generator("generator")
        self.ema_generator = generator("ema_generator")
        self.ema_generator.set_weights(self.generator.get_weights())
        # A gradient penalty is a matter of single pictures, which batch statistics would mix.
        normalization = "none" if c.adversarial == "wgan-gp" else c.normalization
        self.discriminator = Discriminator(
            c.image_size, c.width, normalization, c.slope, c.published_init, name="discriminator"
        )
        self.identity_head = layers.Dense(c.identities, dtype="float32", name="identity_head")
        self.identity_head.build(self.generator.output["code"].shape)
        self._features = None
        self.built = True

    def build_optimizers(self):
        c = self.config

        def adam(updates, variables):
            rate = ConstantThenLinear(c.learning_rate, c.constant_share * updates, updates)
            optimizer = keras.optimizers.Adam(rate, beta_1=c.beta_1, beta_2=0.999)
            optimizer.build(variables)
            return optimizer

        self.g_optimizer = adam(c.steps * c.generator_updates, self.generator_variables)
        self.d_optimizer = adam(max(1, c.steps - c.warmup_steps), self.discriminator.trainable_variables)

    @property
    def generator_variables(self):
        """What the generator's losses move."""
        head = self.identity_head.trainable_variables if self.config.lambda_ce else []
        return self.generator.trainable_variables + head

    def batch_options(self):
        return {**super().batch_options(), "pairs": "frontal"}

    def phases(self):
        warmup = [Phase("warmup", self.config.warmup_steps)] if self.config.warmup_steps else []
        return [*warmup, Phase("adversarial", self.total_steps)]

    def use_features(self, function):
        """Compares faces in what `function` makes of (batch, size, size, 3) pictures in [-1, 1]: a list or dict.

        Its weights must not belong to this model, so that no optimizer moves them and no checkpoint holds them.
        """
        self._features = function

    def features(self, pictures):
        """Returns the list of maps in which the identity loss compares pictures."""
        if self._features is None:
            self._features = identity_features
            if self.config.recognizer:
                from tfface.models.recognizer import load_frozen

                with tf.init_scope():
                    self._features = load_frozen(self.config.recognizer)
        return tf.nest.flatten(self._features(pictures))

    # Batches.

    def examples(self, batch):
        """Returns what the losses take: all faces turned to the image's right, and the step's random numbers."""
        c = self.config
        image, points, mirrored = patches.face_right(batch["image"], batch["landmarks"])
        target_points = patches.five_points(batch["target_landmarks"])
        if c.noise == "normal":
            noise = self.normal(batch, draw=0, shape=(c.noise_size,))
        else:
            noise = 2.0 * self.uniform(batch, draw=0, shape=(c.noise_size,)) - 1.0
        return {
            "image": image,
            "points": points,
            "noise": c.noise_scale * noise,
            "target": patches.mirror(batch["target_image"], mirrored),
            "landmarks": mirror_landmarks_where(batch["landmarks"], c.image_size, mirrored),
            "target_landmarks": mirror_landmarks_where(batch["target_landmarks"], c.image_size, mirrored),
            "target_points": patches.mirror_points_where(target_points, c.image_size, mirrored),
            "identity": batch["identity"],
            "kept": tf.cast(self.uniform(batch, draw=1, shape=(4 * c.width,)) < 0.3, tf.float32) / 0.3,
            "alpha": self.uniform(batch, draw=2),
        }

    # Losses: the terms by their logged names, the sum under ``loss``.

    def generate(self, part):
        return self.generator({key: part[key] for key in ("image", "points", "noise")}, training=True)

    def discriminator_losses(self, real, fake, alpha):
        """Terms the discriminator minimises on true frontal views and synthesised ones, held still."""
        c = self.config
        fake = tf.stop_gradient(fake)
        real_scores = self.discriminator({"image": real}, training=True)["realism"]
        fake_scores = self.discriminator({"image": fake}, training=True)["realism"]
        if c.adversarial == "log":
            adv = log_loss(real_scores, c.label_smoothing) + log_loss(fake_scores, 0.0)
            return {"d_loss": adv, "d_adv": adv}
        adv = losses.wasserstein_critic(real_scores, fake_scores)
        gp = losses.gradient_penalty(
            lambda x: self.discriminator({"image": x}, training=True)["realism"], real, fake, alpha
        )
        return {"d_loss": adv + c.lambda_gp * gp, "d_adv": adv, "d_gp": gp}

    def generator_losses(self, part, made, adversarial=True):
        """Terms the generator minimises on what it made of a micro-batch (paper, eqs. 4 to 11).

        Without `adversarial`, those of the warm-up: nobody judges how real or whose face it is.
        """
        c = self.config
        rec = sym = 0.0
        for name, factor, weight in (("image", 1, 1.0), ("half", 2, c.weight_half), ("quarter", 4, c.weight_quarter)):
            true = part["target"] if factor == 1 else tf.nn.avg_pool2d(part["target"], factor, factor, "VALID")
            rec += weight * losses.l1(made[name], true)
            # At full size, symmetry of single pixels would only blur.
            shown = tf.nn.avg_pool2d(made[name], 2, 2, "VALID") if factor == 1 else made[name]
            sym += weight * symmetry(shown)
        true = patches.crop_parts(part["target"], part["target_points"], 2**c.local_levels)
        terms = {
            "g_rec": rec,
            "g_sym": sym,
            "g_local": tf.add_n([losses.l1(made[name], true[name]) for name in patches.PARTS]),
            "g_tv": losses.total_variation(made["image"]),
        }
        loss = rec + c.lambda_sym * sym + c.lambda_local * terms["g_local"] + c.lambda_tv * terms["g_tv"]
        if c.lambda_flow:
            terms["g_flow"] = appearance_flow.flow_loss(made, part["landmarks"], part["target_landmarks"])
            loss += c.lambda_flow * terms["g_flow"]
        if c.lambda_id and adversarial:
            pairs = zip(self.features(made["image"]), self.features(part["target"]), strict=True)
            terms["g_id"] = tf.add_n([losses.l1(fake, tf.stop_gradient(real)) for fake, real in pairs])
            loss += c.lambda_id * terms["g_id"]
        if c.lambda_ce:
            logits = self.identity_head(made["code"] * part["kept"])
            label = part["identity"] % c.identities
            terms["g_ce"] = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits))
            loss += c.lambda_ce * terms["g_ce"]
        if adversarial:
            scores = self.discriminator({"image": made["image"]}, training=True)["realism"]
            log = c.adversarial == "log"
            terms["g_adv"] = log_loss(scores, 1.0) if log else losses.wasserstein_generator(scores)
            loss += c.lambda_adv * terms["g_adv"]
        return {"g_loss": loss, **terms}

    # Steps.

    def warmup_step(self, batch):
        """The generator learns from the pixels of its pairs alone; the identity loss costs as much as all of it."""
        for part in self.micro_batches(self.examples(batch), self.config.generator_updates):
            with tf.GradientTape() as tape:
                terms = self.generator_losses(part, self.generate(part), adversarial=False)
            self.minimize(self.g_optimizer, tape, terms["g_loss"], self.generator_variables)
        average_weights(self.ema_generator, self.generator, self.config.ema_decay, self.step)
        return terms

    def adversarial_step(self, batch):
        """1. One update of the discriminator, on what 2. the generator's first of `generator_updates` improves.
        3. The average follows."""
        d_terms = None
        for part in self.micro_batches(self.examples(batch), self.config.generator_updates):
            with tf.GradientTape() as tape:
                made = self.generate(part)
                if d_terms is None:
                    # 1. The discriminator tells true from synthesised frontal views.
                    with tape.stop_recording():
                        d_terms = self.discriminator_update(part, made)
                # 2. The generator, as that discriminator judges it.
                terms = self.generator_losses(part, made)
            self.minimize(self.g_optimizer, tape, terms["g_loss"], self.generator_variables)
        # 3. The averaged generator is what samples, scores and exports use.
        average_weights(self.ema_generator, self.generator, self.config.ema_decay, self.step)
        return {**d_terms, **terms}

    def discriminator_update(self, part, made):
        with tf.GradientTape() as tape:
            terms = self.discriminator_losses(part["target"], made["image"], part["alpha"])
        self.minimize(self.d_optimizer, tape, terms["d_loss"], self.discriminator.trainable_variables)
        return terms

    # -- edit ----------------------------------------------------------------------------------------------------------

    def edit(self, inputs):
        """Returns ``{"image", "local"}``: the averaged generator's frontal views, and what the local pathways say.

        Args:
            inputs: dict of ``image`` (batch, size, size, 3) in [-1, 1] and ``landmarks`` (batch, 68, 2) in its pixels.
        """
        image, landmarks = (tf.convert_to_tensor(inputs[key], tf.float32) for key in ("image", "landmarks"))
        image, points, mirrored = patches.face_right(image, landmarks)
        noise = tf.zeros((tf.shape(image)[0], self.config.noise_size))
        made = self.ema_generator({"image": image, "points": points, "noise": noise}, training=False)
        return {key: patches.mirror(made[key], mirrored) for key in ("image", "local")}

    def editor(self):
        """Returns the network from ``image`` and ``landmarks`` to a frontal view, which is what exports hold."""
        size = self.config.image_size
        image = keras.Input((size, size, 3), name="image")
        landmarks = keras.Input((68, 2), name="landmarks")
        seen, points, mirrored = patches.FaceRight(name="face_right")(image, landmarks)
        noise = patches.Zeros(self.config.noise_size, name="silence")(image)
        made = self.ema_generator({"image": seen, "points": points, "noise": noise})
        back = patches.MirrorBack(name="mirror_back")
        outputs = {key: back(made[key], mirrored) for key in ("image", "local")}
        return keras.Model({"image": image, "landmarks": landmarks}, outputs, name="editor")


def log_loss(logits, target):
    """Mean cross entropy of logits and one target probability."""
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.fill(tf.shape(logits), target), logits=logits)
    )
