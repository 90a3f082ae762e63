"""Rotator: turns a head to any yaw, pitch and roll, learnt from unpaired photos.

Paper: "Deep Face Rotation with Ordinary Dataset", a Japanese short paper (two columns, 2018 or later) without a page or
code that could be found. This is a reconstruction from its text (tables, equations 1-8, Algorithm 1), not affiliated
with its authors. An encoder E makes a code of a picture, a generator G paints a code at a pose; D1 keeps the codes
standard normal, D2 the pictures real, and a predictor P, trained on labelled photos alone, tells whether pose and
attributes came out as asked.

What the text leaves open, and what is taken (each a setting, where there is a choice):

* E's first dense layer reads all maps: its table lacks the pooling that P, D1 and D2 have (`encoder_pool`).
* A residual block's second convolution is 1x1 as printed (`conv2_kernel`), nothing follows the addition
  (`activate_sum`); ReLU in E, G and P, LeakyReLU 0.2 in the discriminators (`discriminator_slope`), batch normalisation
  in all (`discriminator_norm`), an activation behind Conv1 and the inner dense layers.
* Stride 1/2 is nearest enlargement, then convolution, in both branches (`upsampling`): a transposed 1x1 convolution
  would leave three pixels of four empty. The last layer is a tanh; discriminators give logits.
* G's 43 numbers are the pose and the 40 attributes of the picture, 0.5 where unknown; unknown ones are masked in every
  loss. Angles are divided by 45 degrees and clipped (`pose_range`).
* "y^p, same label as y_x^p" would never show P a turned picture: the asked poses are those of other examples
  (`pose_sampling`; "same" is the literal text).
* Squared norms of poses and cross entropies of attributes are sums over labels, norms of feature maps sums over
  elements (only so has lambda_rec = 0.00003 a sense), all means over the batch. VGG16's input scale is not given and
  changes L_rec by 1e4 (`vgg_preprocess`); the log says how large the maps are.
* D1 judges pairs of picture and code as in its table, the formulas name the code alone (`latent_pairs`); E's part is
  the cross entropy of eq. 4, or the logit itself as in adversarial variational Bayes (`code_loss`).
* The noise is one standard normal channel; zeros when editing, so that an edit is repeatable.
* P learns first (`warmup_steps`): L_pose and L_attr of a random P say nothing. It then acts in inference mode inside
  them and is moved by L_pred alone. How long pre-training lasts is not said (`pretrain_steps`), nor is the epochs'
  number.

What differs for short runs, off in the paper's preset:

* `lambda_answer` compares G with true answers where a batch has them (``target_image``: the same synthetic scene at the
  asked pose), already during P's warm-up; L_rec's features compare with the answer then too, instead of with the input.
* `warp`: a picture that comes from 128 numbers alone shows somebody alike. G then also says from where in the picture
  each pixel may be taken and how much of it, and paints the rest; what random codes show is the painted part alone.
  Where brows, eyes, nose and mouth come from is known of labelled faces: `lambda_flow` teaches it, which a picture's
  differences alone do only after thousands of steps. With `mirror` pixels may come from the mirrored picture too: half
  of a face that turns from one side to the other has never been seen, but its other half looks alike.
* `turned="encoded"`: D2 and P see turned photos instead of pictures of random codes, so that both say something about
  edits, and G runs once instead of three times.
"""

import dataclasses
from typing import ClassVar

import keras
import tensorflow as tf

from tfface import appearance_flow, losses, perceptual
from tfface.config import setting
from tfface.errors import InputError
from tfface.models.base import ConstantThenLinear, FaceModel, ModelConfig, Phase, average_weights
from tfface.models.rotator_losses import attribute_error, pose_error, real_or_not
from tfface.models.rotator_networks import (
    ANGLES,
    Blocks,
    Encoder,
    Generator,
    ImageDiscriminator,
    LatentDiscriminator,
    Predictor,
)

# -- settings ----------------------------------------------------------------------------------------------------------

# What a narrow network and a short run need: the true answers of rendered data, and pixels taken from the picture.
_SHORT = dict(
    image_size=64, published_init=False, warp=True, mirror=True, turned="encoded", features="identity",
    lambda_answer=100.0, lambda_flow=300.0, lambda_rec=5e-4, lambda_code=0.01, lambda_img=0.1, lambda_pose=1.0,
    lambda_attr=0.02, constant_share=0.5, synthetic_answers=3,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class RotatorConfig(ModelConfig):
    """Settings of `Rotator`. Defaults are the paper's or, where it is silent, the docstring's readings."""

    image_size: int = setting(96, "side of the square pictures, pixels")
    batch_size: int = setting(32, "examples in one step")
    width: int = setting(32, "channels of the first convolution, doubled by each residual block")
    latent: int = setting(128, "numbers in a code")
    encoder_pool: str = setting("flatten", "what E's first dense layer reads", ("flatten", "average"))
    conv2_kernel: int = setting(1, "kernel of a residual block's second convolution, odd")
    activate_sum: bool = setting(False, "activation after a residual block's addition")
    upsampling: str = setting("nearest", "how G enlarges", ("nearest", "transposed"))
    discriminator_slope: float = setting(0.2, "LeakyReLU's negative slope in D1 and D2; 0 is ReLU")
    discriminator_norm: bool = setting(True, "batch normalisation in D1 and D2")
    latent_pairs: bool = setting(True, "D1 judges a code beside its picture; off: the code alone")
    published_init: bool = setting(True, "weights start as N(0, 0.02); off: LeCun's, for narrow networks")
    warp: bool = setting(False, "G may take pixels from the picture, wherever it says they are")
    mirror: bool = setting(False, "with warp: from the mirrored picture too")
    pose_range: float = setting(45.0, "degrees that stand as 1 in G's code and P's answer; larger ones are clipped")
    pose_sampling: str = setting("shuffle", "the asked poses: of other examples, the same, or any yaw in the range",
                                 ("shuffle", "same", "uniform"))  # fmt: skip
    turned: str = setting("drawn", "codes of the pictures that D2 and L_pose see: random ones or encoded pictures'",
                          ("drawn", "encoded"))  # fmt: skip
    code_loss: str = setting("nonsaturating", "what E minimises against D1", ("nonsaturating", "avb"))
    noise: float = setting(1.0, "deviation of E's noise channel in training")
    features: str = setting("vgg16", "maps that L_rec compares: vgg16, identity, auto (the first there) or a FILE")
    vgg_preprocess: str = setting("scaled", "what VGG16 gets, see tfface.perceptual", perceptual.PREPROCESS)
    learning_rate: float = setting(1e-4, "of all Adams (beta 0.9, 0.999)")
    constant_share: float = setting(1.0, "share of the steps before the rate falls linearly to zero")
    warmup_steps: int = setting(0, "first steps: P alone and, where true answers are known, E and G on these")
    pretrain_steps: int = setting(0, "next steps: all but D2 and L_imgGAN (Algorithm 1, pre-training)")
    lambda_rec: float = setting(3e-5, "L_rec, squared distance of feature maps")
    lambda_code: float = setting(1.0, "L_codeGAN, against D1")
    lambda_img: float = setting(1e-3, "L_imgGAN, against D2")
    lambda_pose: float = setting(1.0, "L_pose, by P")
    lambda_attr: float = setting(1.0, "L_attr, by P")
    lambda_answer: float = setting(0.0, "L1 to the true answer, for data that has it; 0 is unpaired")
    lambda_flow: float = setting(0.0, "distance of the places that warp takes landmarks from, picture widths")

    PRESETS: ClassVar[dict] = {
        "paper": dict(epochs=40, warmup_steps=10000, pretrain_steps=50000, synthetic_count=160000),
        "laptop": dict(
            batch_size=16, steps=5000, warmup_steps=4000, pretrain_steps=100, synthetic_count=4000, width=16,
            learning_rate=1e-3, ema_decay=0.995, **_SHORT,
        ),
        "smoke": dict(
            batch_size=8, steps=60, warmup_steps=40, pretrain_steps=5, synthetic_count=60, width=8,
            learning_rate=1e-3, ema_decay=0.9, **_SHORT,
        ),
    }  # fmt: skip

    def __post_init__(self):
        if self.image_size < 16 or self.image_size % 8:
            raise InputError(f"image_size={self.image_size}: expected a multiple of 8, 16 or more")
        for name in ("batch_size", "width", "latent", "conv2_kernel"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.pose_range <= 0:
            raise InputError(f"pose_range={self.pose_range}: expected degrees above 0")
        if self.lambda_answer and self.pose_sampling != "shuffle":
            raise InputError(
                f"pose_sampling={self.pose_sampling}: true answers are at the poses of 'shuffle'; set lambda_answer=0"
            )
        if self.mirror and not self.warp:
            raise InputError("mirror=True: needs warp")
        if self.lambda_flow and not (self.warp and self.lambda_answer):
            raise InputError(f"lambda_flow={self.lambda_flow}: needs warp and true answers (lambda_answer above 0)")

    @property
    def blocks(self):
        """How the networks are built."""
        return Blocks(self.width, self.conv2_kernel, self.activate_sum, self.upsampling, self.published_init)


# -- model -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class Rotator(FaceModel):
    """E, G and their averages, P, D1 and D2, with the losses and the train steps.

    A batch has ``image`` (batch, size, size, 3) in [-1, 1], ``pose`` and ``target_pose`` (batch, 3) in degrees and
    ``attributes`` (batch, 40) in 0/1, 0.5 for unknown; with true answers also ``target_image``.
    """

    Config = RotatorConfig
    task = "pose"
    batch_keys = ("image", "pose", "attributes")
    partner_keys = ("pose",)
    # The head is upright and its face in the middle at every pose, as in aligned photos; hair stays in the picture.
    synthetic: ClassVar[dict] = {"vary": "pose", "poses": "turning", "margin": 1.25, "images_per_person": 2}

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)
        c, blocks = config, config.blocks
        self.encoder, self.ema_encoder = (
            Encoder(c.image_size, blocks, c.latent, c.encoder_pool, name=name) for name in ("encoder", "ema_encoder")
        )
        self.generator, self.ema_generator = (
            Generator(c.image_size, blocks, c.latent, c.warp, c.mirror, name=name)
            for name in ("generator", "ema_generator")
        )
        self.predictor = Predictor(c.image_size, blocks, name="predictor")
        critic = dict(slope=c.discriminator_slope, normalize=c.discriminator_norm)
        self.latent_discriminator = LatentDiscriminator(
            c.image_size, blocks, c.latent, c.latent_pairs, name="latent_discriminator", **critic
        )
        self.image_discriminator = ImageDiscriminator(c.image_size, blocks, name="image_discriminator", **critic)
        self.appearance_flow = appearance_flow.AppearanceFlow(dtype="float32", name="appearance_flow")
        self.appearance_flow.build(None)
        self.ema_encoder.set_weights(self.encoder.get_weights())
        self.ema_generator.set_weights(self.generator.get_weights())
        self.built = True

    def build_optimizers(self):
        c = self.config

        def adam(steps, variables):
            rate = ConstantThenLinear(c.learning_rate, c.constant_share * steps, steps)
            optimizer = keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
            optimizer.build(variables)
            return optimizer

        self.p_optimizer = adam(c.steps, self.predictor.trainable_variables)
        self.g_optimizer = adam(c.steps, self.coder_variables)
        later = max(1, c.steps - c.warmup_steps)
        self.d1_optimizer = adam(later, self.latent_discriminator.trainable_variables)
        self.d2_optimizer = adam(max(1, later - c.pretrain_steps), self.image_discriminator.trainable_variables)

    @property
    def coder_variables(self):
        """Those of E and G, which learn together."""
        return [*self.encoder.trainable_variables, *self.generator.trainable_variables]

    @property
    def learns_from_answers(self):
        return self.config.lambda_answer > 0

    def batch_options(self):
        options = super().batch_options()
        if self.config.lambda_flow:
            options |= {name: (*options[name], "landmarks") for name in ("keys", "partners")}
        return options

    @property
    def features(self):
        """The frozen maps of L_rec; not among the model's weights."""
        if not hasattr(self, "_features"):
            c = self.config
            self._features = perceptual.load(c.features, c.image_size, c.vgg_preprocess)
        return self._features

    def phases(self):
        c = self.config
        ends = {"warmup": c.warmup_steps, "pretrain": c.warmup_steps + c.pretrain_steps, "adversarial": c.steps}
        lengths = {"warmup": c.warmup_steps, "pretrain": c.pretrain_steps, "adversarial": 1}
        return [Phase(name, end) for name, end in ends.items() if lengths[name]]

    # -- what is shown and asked ---------------------------------------------------------------------------------------

    def pose_code(self, degrees):
        """Returns (batch, 3) degrees as shares of the trained range, clipped to [-1, 1]."""
        return keras.ops.clip(degrees / self.config.pose_range, -1.0, 1.0)

    def poses(self, batch):
        """Returns the pose codes that the pictures show and those that are asked of them."""
        own = self.pose_code(batch["pose"])
        if self.config.pose_sampling == "same":
            return own, own
        if self.config.pose_sampling == "uniform":
            yaw = 2.0 * self.uniform(batch, draw=2, shape=(1,)) - 1.0
            return own, tf.concat([yaw, own[:, 1:]], -1)
        return own, self.pose_code(batch["target_pose"])

    def encode(self, batch):
        noise = self.config.noise * self.normal(batch, draw=0, shape=(*batch["image"].shape[1:3], 1))
        return self.encoder({"image": batch["image"], "noise": noise}, training=True)["latent"]

    def shown(self, painted, image):
        """Returns the picture that G's outputs are: painted or, with `warp`, taken from `image` where it says so."""
        if not self.config.warp:
            return painted["image"]
        return appearance_flow.shown(painted, painted["image"], image, self.appearance_flow)

    def code(self, latent, pose, attributes, source_pose):
        """Returns G's inputs. Only with `warp` is it told what the picture shows: where to take pixels from."""
        code = {"latent": latent, "pose": pose, "attributes": attributes}
        return {**code, "source_pose": source_pose} if self.config.warp else code

    def generate(self, asked):
        """Returns G's outputs, by name, for several ``{name: arguments of `code`}``, painted as one batch."""
        stacked = [tf.concat(values, 0) for values in zip(*asked.values(), strict=True)]
        outputs = self.generator(self.code(*stacked), training=True)
        parts = {key: tf.split(value, len(asked)) for key, value in outputs.items()}
        return {name: {key: parts[key][i] for key in parts} for i, name in enumerate(asked)}

    # -- losses: the terms by their logged names, the sum under ``loss`` -----------------------------------------------

    def predictor_losses(self, image, pose, attributes):
        """L_pred (eq. 6)."""
        seen = self.predictor({"image": image}, training=True)
        known = tf.cast(tf.not_equal(attributes, 0.5), tf.float32)
        terms = {
            "p_pose": pose_error(seen["pose"], pose),
            "p_attr": attribute_error(seen["attributes"], attributes, known),
        }
        return {"p_loss": terms["p_pose"] + terms["p_attr"], **terms}

    def answer_losses(self, edit, painted, batch):
        """What true answers add for an `edit` of which G's outputs are `painted`, and L_rec (eq. 1) against them."""
        c, truth = self.config, batch["target_image"]
        terms = {"g_answer": losses.l1(edit, truth)}
        loss = c.lambda_answer * terms["g_answer"]
        if c.lambda_rec:
            terms["g_rec"] = tf.add_n(perceptual.distances(self.features, edit, truth))
            loss += c.lambda_rec * terms["g_rec"]
        if c.lambda_flow:
            terms["g_flow"] = appearance_flow.flow_loss(painted, batch["landmarks"], batch["target_landmarks"])
            loss += c.lambda_flow * terms["g_flow"]
        return {"g_loss": loss, **terms}

    def judged(self, latent, image):
        inputs = {"latent": latent, "image": image} if self.config.latent_pairs else {"latent": latent}
        return self.latent_discriminator(inputs, training=True)["realism"]

    def all_losses(self, batch, with_images):
        """Returns the terms of one step of Algorithm 1; those of D2 and L_imgGAN only `with_images`.

        The sums are ``p_loss``, ``d1_loss``, ``d2_loss`` and ``g_loss``: what P, D1, D2 and E with G minimise.
        """
        c = self.config
        image, attributes = batch["image"], batch["attributes"]
        own, target = self.poses(batch)
        answered = "target_image" in batch and self.learns_from_answers
        terms = self.predictor_losses(image, own, attributes)
        latent = self.encode(batch)
        drawn = self.normal(batch, draw=1, shape=(c.latent,))

        asked = {"turned": (latent, target, attributes, own)}
        if not answered and c.lambda_rec:
            asked["same"] = (latent, own, attributes, own)
        painted = self.generate(asked)
        turned = scored = self.shown(painted["turned"], image)
        if c.turned == "drawn":  # by itself: through shared batch statistics its losses would reach E
            scored = self.generate({"drawn": (drawn, target, attributes, own)})["drawn"]["image"]

        # D1 and L_codeGAN (eqs. 2 and 4). One look at each code serves both: who minimises what is settled by the
        # variables that each sum moves.
        drawn_logits, encoded_logits = self.judged(drawn, image), self.judged(latent, image)
        terms["d1_loss"] = real_or_not(drawn_logits, True) + real_or_not(encoded_logits, False)
        avb = c.code_loss == "avb"
        terms["g_code"] = -tf.reduce_mean(encoded_logits) if avb else real_or_not(encoded_logits, True)
        loss = c.lambda_code * terms["g_code"]

        # L_rec (eq. 1) or the true answers.
        if answered:
            terms |= self.answer_losses(turned, painted["turned"], batch)
            loss += terms["g_loss"]
        elif c.lambda_rec:
            same = self.shown(painted["same"], image)
            terms["g_rec"] = tf.add_n(perceptual.distances(self.features, same, image))
            loss += c.lambda_rec * terms["g_rec"]

        # L_pose and L_attr (eqs. 7 and 8), by P as it is when editing: its statistics must not follow these pictures.
        before = self.predictor({"image": image}, training=False)
        after = self.predictor({"image": turned}, training=False)
        known = tf.cast(tf.not_equal(attributes, 0.5), tf.float32)
        estimate = tf.stop_gradient(tf.sigmoid(before["attributes"]))
        terms["g_attr"] = attribute_error(after["attributes"], estimate, known)
        if c.turned == "drawn":
            after = self.predictor({"image": scored}, training=False)
        terms["g_pose"] = pose_error(after["pose"], target)
        loss += c.lambda_pose * terms["g_pose"] + c.lambda_attr * terms["g_attr"]

        # D2 and L_imgGAN (eqs. 3 and 5).
        if with_images:
            real = self.image_discriminator({"image": image}, training=True)["realism"]
            fake = self.image_discriminator({"image": scored}, training=True)["realism"]
            terms["d2_loss"] = real_or_not(real, True) + real_or_not(fake, False)
            terms["g_img"] = real_or_not(fake, True)
            loss += c.lambda_img * terms["g_img"]
        return {**terms, "g_loss": loss}

    # -- steps ---------------------------------------------------------------------------------------------------------

    def warmup_step(self, batch):
        """P reads real pictures; where true answers are known, E and G learn them."""
        own, target = self.poses(batch)
        with tf.GradientTape() as tape:
            terms = self.predictor_losses(batch["image"], own, batch["attributes"])
        self.minimize(self.p_optimizer, tape, terms["p_loss"], self.predictor.trainable_variables)
        if "target_image" not in batch or not self.learns_from_answers:
            return terms
        with tf.GradientTape() as tape:
            painted = self.generate({"turned": (self.encode(batch), target, batch["attributes"], own)})["turned"]
            terms |= self.answer_losses(self.shown(painted, batch["image"]), painted, batch)
        self.minimize(self.g_optimizer, tape, terms["g_loss"], self.coder_variables)
        self._follow()
        return terms

    def pretrain_step(self, batch):
        """Algorithm 1 with D2 and L_imgGAN left out."""
        return self._algorithm(batch, with_images=False)

    def adversarial_step(self, batch):
        """Algorithm 1: all losses of one batch, then one update of P, D1, D2 and of E with G; the averages follow."""
        return self._algorithm(batch, with_images=True)

    def _algorithm(self, batch, with_images):
        with tf.GradientTape(persistent=True) as tape:
            terms = self.all_losses(batch, with_images)
        self.minimize(self.p_optimizer, tape, terms["p_loss"], self.predictor.trainable_variables)
        self.minimize(self.d1_optimizer, tape, terms["d1_loss"], self.latent_discriminator.trainable_variables)
        if with_images:
            self.minimize(self.d2_optimizer, tape, terms["d2_loss"], self.image_discriminator.trainable_variables)
        self.minimize(self.g_optimizer, tape, terms["g_loss"], self.coder_variables)
        self._follow()
        return terms

    def _follow(self):
        average_weights(self.ema_encoder, self.encoder, self.config.ema_decay, self.step)
        average_weights(self.ema_generator, self.generator, self.config.ema_decay, self.step)

    # -- edit ----------------------------------------------------------------------------------------------------------

    def edit(self, inputs):
        """Returns ``{"image"}``: faces at the asked poses, by the averaged E and G.

        Args:
            inputs: dict of ``image`` (batch, size, size, 3) in [-1, 1] and ``pose`` (batch, 3), the asked yaw, pitch
                and roll in degrees, clipped to the trained range. ``attributes`` (batch, 40) in 0/1, 0.5 for unknown,
                and ``source_pose`` (batch, 3), what the faces show now (read with `warp` only), are estimated where
                they are absent.
        """
        image, pose = (tf.convert_to_tensor(inputs[key]) for key in ("image", "pose"))
        known = {key: tf.convert_to_tensor(inputs[key]) for key in ("attributes", "source_pose") if key in inputs}
        return {"image": self._turn(image, pose, **known)}

    def editor(self):
        """Returns the network from ``image`` and asked ``pose`` (degrees) to ``image``, which is what exports hold.

        With `warp` it takes ``source_pose`` too, what the faces show now: who found them on photographs knows it better
        than P, which learned from its training set alone (who does not, asks `estimate_pose`).
        """
        image = keras.Input(self.generator.output["image"].shape[1:], name="image")
        poses = {name: keras.Input((ANGLES,), name=name) for name in ("pose", "source_pose")[: 1 + self.config.warp]}
        outputs = {"image": self._turn(image, **poses)}
        return keras.Model({"image": image, **poses}, outputs, name="editor")

    def _turn(self, image, pose, attributes=None, source_pose=None):
        if attributes is None:
            attributes = self.estimate_attributes(image)
        if source_pose is None:
            source_pose = self.estimate_pose(image)
        latent = self.ema_encoder({"image": image, "noise": keras.ops.zeros_like(image[..., :1])}, training=False)
        code = self.code(latent["latent"], self.pose_code(pose), attributes, self.pose_code(source_pose))
        return self.shown(self.ema_generator(code, training=False), image)

    def estimate_pose(self, image):
        """Returns P's (batch, 3) yaw, pitch and roll in degrees of (batch, size, size, 3) pictures in [-1, 1]."""
        return self.config.pose_range * self.predictor({"image": image}, training=False)["pose"]

    def estimate_attributes(self, image):
        """Returns P's (batch, 40) probabilities of the attributes of (batch, size, size, 3) pictures in [-1, 1]."""
        return keras.ops.sigmoid(self.predictor({"image": image}, training=False)["attributes"])
