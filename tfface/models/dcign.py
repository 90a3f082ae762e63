"""DC-IGN: an inverse-graphics code of a face, in which one latent each holds azimuth, elevation and light azimuth.

Paper: Kulkarni et al. 2015, "Deep Convolutional Inverse Graphics Network" (NeurIPS). The authors' Torch code
(willwhitney/dc-ign, 2017) differs from it in the networks: the presets `paper` and `repository` are the two.

A variational autoencoder learns from mini-batches in which one factor varies and everything else stands still. The
latents that do not belong to that factor are replaced by their mean over the batch before they reach the decoder, and
learn to be the same for the whole batch.

What differs, and why:

* Inactive latents are clamped to the batch's mean (the paper), not to its first picture (the code), and their gradient
  is ``strength * (z - mean)`` (the paper; 0 in the code). The sign is the one that contracts: the code maximises its
  bound, where the same term with a positive strength drives the latents apart.
* As in the code the clamp acts on mean and log variance, before the noise is drawn, and on the KL term too.
* The code's optimizer is called rmsprop and is Adam; losses here are means over pictures instead of sums, hence the
  smaller epsilon. `lambda_kl` below 1 gives a smaller picture the weight against the KL term that 150 px have: at 64
  px, 64^2 / 150^2.
* Batches are drawn 1:1:1:10 (the paper's ratio) whatever the ratio of the data set's batches; short runs draw 1:1:1:3
  and pull harder, else the named latents are hardly trained when they end.
* Rendered sets show bare heads before black, as the paper's Basel Face Model does.
* Each named latent is read in units of its spread over the training data, and its sign is turned so that positive means
  what `conventions` calls positive. The spread is measured while training, and so is which latent follows which factor:
  with `clamp` off this is a plain variational autoencoder, whose "azimuth latent" is, as in the paper's comparison, the
  one that varies most in azimuth batches.
* Unpooling repeats each value (nearest neighbour); the convolution after it is computed before it, see
  `UnpoolConvolution`.
* `paper` and `repository` convolve without padding from 150 px; smaller pictures need `padding="same"`.
"""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfface.config import setting
from tfface.convolutions import UnpoolConvolution, WideConvolution
from tfface.errors import InputError
from tfface.models.base import ConstantThenLinear, FaceModel, ModelConfig, Phase, average_weights

# -- settings ----------------------------------------------------------------------------------------------------------

LATENTS = ("view_azimuth", "view_elevation", "light_azimuth")  # the first three of the code; the others hold the shape


# What a short run at 64 px needs. Beside gradients of the other terms the published pull of inactive latents takes
# hundreds of thousands of steps to matter.
_SHORT = dict(padding="same", published_init=False, lambda_kl=0.18, invariance=1.0)


@dataclasses.dataclass(frozen=True)
class DCIGNConfig(ModelConfig):
    """Settings of `DCIGN`. The loss is in nats a picture."""

    latents: int = setting(200, "numbers in the code: azimuth, elevation, light azimuth, and the rest for the shape")
    encoder_filters: tuple[int, ...] = setting((96, 64, 32), "of the convolutions before each pooling")
    encoder_kernel: int = setting(5, "width of the encoder's kernels, odd")
    decoder_filters: tuple[int, ...] = setting((32, 64, 96), "of the convolutions after each unpooling but the last")
    decoder_kernel: int = setting(7, "width of the decoder's kernels, odd")
    padding: str = setting(
        "valid", "of all convolutions; valid fits 150 px, same fits powers of two", ("valid", "same")
    )
    code_channels: int = setting(0, "channels of the decoder's first, smallest map (0: as many as the encoder's last)")
    published_init: bool = setting(True, "linear layers start as N(0, 0.01); off: Glorot's, for short runs")
    clamp: bool = setting(True, "replace inactive latents by their batch mean; off: a plain variational autoencoder")
    invariance: float = setting(0.01, "strength of the pull of inactive latents toward their batch mean")
    lambda_kl: float = setting(1.0, "weight of the KL term")
    shape_weight: int = setting(10, "batches of varying shape drawn for each one of azimuth, elevation and light")
    learning_rate: float = setting(5e-4, "of Adam (beta 0.9, 0.99)")
    constant_share: float = setting(1.0, "share of the steps before the rate falls linearly to zero")

    # The code trains in epochs of 5000 random batches on 4 x 3000 batches.
    PRESETS: ClassVar[dict] = {
        "paper": dict(image_size=150, batch_size=20, steps=500000, synthetic_count=240000, ema_decay=0.0),
        "repository": dict(
            image_size=150, batch_size=20, steps=500000, synthetic_count=240000, ema_decay=0.0,
            encoder_filters=(96, 48, 24), decoder_filters=(48, 96, 96),
        ),
        "laptop": dict(
            image_size=64, batch_size=20, steps=6000, synthetic_count=16000, ema_decay=0.99, shape_weight=3,
            encoder_filters=(24, 32, 48), decoder_filters=(48, 32), decoder_kernel=5, learning_rate=1e-3,
            constant_share=0.6, **_SHORT,
        ),
        "smoke": dict(
            image_size=64, batch_size=20, steps=80, synthetic_count=320, ema_decay=0.9, latents=32,
            encoder_filters=(8, 12, 16), decoder_filters=(12, 8), decoder_kernel=5, learning_rate=2e-3, **_SHORT,
        ),
    }  # fmt: skip

    def __post_init__(self):
        for name in ("encoder_filters", "decoder_filters"):  # lists, where they come from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.latents < 4:
            raise InputError(f"latents={self.latents}: expected 4 or more, three are named and the rest hold the shape")
        for name in ("encoder_kernel", "decoder_kernel"):
            if getattr(self, name) % 2 != 1:
                raise InputError(f"{name}={getattr(self, name)}: expected an odd number")
        if self.shape_weight < 1:
            raise InputError(f"shape_weight={self.shape_weight}: expected 1 or more")
        if encoded_side(self) < 1 or not first_side(self):
            raise InputError(
                f"image_size={self.image_size}: does not fit {len(self.encoder_filters)} poolings and "
                f"{len(self.decoder_filters) + 1} unpoolings with padding={self.padding}; choose another size"
            )


def encoded_side(config):
    """Returns the side of the encoder's last map, 0 or less where the picture is too small."""
    side = config.image_size
    for _ in config.encoder_filters:
        side = (side - (config.encoder_kernel - 1) * (config.padding == "valid")) // 2
    return side


def first_side(config):
    """Returns the side of the decoder's first map, 0 where no whole number leads to the picture's size."""
    side = config.image_size
    for _ in range(len(config.decoder_filters) + 1):
        side += (config.decoder_kernel - 1) * (config.padding == "valid")
        if side % 2:
            return 0
        side //= 2
    return side


# -- networks ----------------------------------------------------------------------------------------------------------


def to_grey(image):
    """Returns (..., 1) in 0-1 of RGB (..., 3) in [-1, 1], weighted as the paper's data: 0.21 R + 0.72 G + 0.07 B."""
    red, green, blue = DCIGN.grey
    return 0.5 + 0.5 * (red * image[..., :1] + green * image[..., 1:2] + blue * image[..., 2:])


def _linear(config, units, name, **kwargs):
    if config.published_init:
        kwargs |= {
            part: keras.initializers.RandomNormal(stddev=0.01) for part in ("kernel_initializer", "bias_initializer")
        }
    return layers.Dense(units, name=name, **kwargs)


def encoder(config, name="encoder"):
    """Returns the network from pictures to the posterior of their codes.

    Input ``image``: (batch, size, size, 3) in [-1, 1], seen as grey. Outputs ``mean`` and ``log_variance``:
    (batch, latents).
    """
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    x = to_grey(image)
    for number, filters in enumerate(config.encoder_filters, start=1):
        wide = config.padding == "same" and number == 1  # one channel, which leaves native kernels idle
        if wide:
            x = WideConvolution(filters, config.encoder_kernel, name="conv1")(x)
        else:
            x = layers.Conv2D(filters, config.encoder_kernel, padding=config.padding, name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    x = layers.Flatten(name="flat")(x)
    outputs = {key: _linear(config, config.latents, key, dtype="float32")(x) for key in ("mean", "log_variance")}
    return keras.Model({"image": image}, outputs, name=name)


def decoder(config, name="decoder"):
    """Returns the network from codes to pictures.

    Input ``code``: (batch, latents). Outputs ``logits``: (batch, size, size, 1), of the grey in 0-1; ``image``:
    (batch, size, size, 3) in [-1, 1], grey three times.
    """
    side, channels = first_side(config), config.code_channels or config.encoder_filters[-1]
    code = keras.Input((config.latents,), name="code")
    x = _linear(config, side * side * channels, "linear", activation="relu")(code)
    x = layers.Reshape((side, side, channels), name="map")(x)
    for number, filters in enumerate(config.decoder_filters, start=1):
        x = UnpoolConvolution(
            filters, config.decoder_kernel, padding=config.padding, activation="relu", name=f"unpool{number}"
        )(x)
    logits = UnpoolConvolution(1, config.decoder_kernel, padding=config.padding, dtype="float32", name="logits")(x)
    image = keras.ops.repeat(2.0 * keras.ops.sigmoid(logits) - 1.0, 3, axis=-1)
    return keras.Model({"code": code}, {"image": image, "logits": logits}, name=name)


# -- clamping ----------------------------------------------------------------------------------------------------------


def batch_mean(values):
    """Returns the mean over the global batch (all replicas), (1, ...)."""
    mean = tf.reduce_mean(values, 0, keepdims=True)
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return mean
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def clamp_inactive(values, active, strength):
    """Replaces inactive latents by their batch mean; backward they get ``strength * (values - mean) / batch`` instead.

    Steps 4, 5 and 7 of the paper's training procedure (section 4.1). The division makes the pull a part of a loss that
    is a mean over the batch. Under gradient descent it contracts.

    Args:
        values: (batch, latents).
        active: (batch, latents) of bool, or what broadcasts to it.
        strength: a number; the paper has 1/100.
    """
    mean = batch_mean(values)
    count = tf.cast(tf.shape(values)[0], values.dtype)
    active = tf.broadcast_to(active, tf.shape(values))

    @tf.custom_gradient
    def clamp(values):
        def gradient(upstream):
            return tf.where(active, upstream, strength * (values - mean) / count)

        return tf.where(active, values, mean), gradient

    return clamp(values)


def active_latents(factor, latents):
    """Returns (batch, latents) of bool: which latents may tell the pictures of a batch apart.

    Args:
        factor: (batch,) int, the place in azimuth, elevation, light azimuth, shape of what varies.
        latents: length of the code.
    """
    group = tf.minimum(tf.range(latents), len(LATENTS))
    return tf.cast(factor, tf.int32)[:, None] == group[None]


def kl_divergence(mean, log_variance):
    """Returns (batch,) KL divergences of diagonal Gaussians from N(0, I), in nats."""
    return -0.5 * tf.reduce_sum(1.0 + log_variance - tf.square(mean) - tf.exp(log_variance), -1)


# -- model -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class DCIGN(FaceModel):
    """Encoder, decoder and their averages, the training procedure, and statistics of the latents.

    A batch has ``image`` (batch, size, size, 3) in [-1, 1], ``factor`` (batch,), the same for all its pictures, and
    ``pose`` and ``light`` in degrees, which only say which way round a latent counts.
    """

    Config = DCIGNConfig
    task = "latents"
    batch_keys = ("image", "pose", "light")
    grey = (0.21, 0.72, 0.07)
    synthetic: ClassVar[dict] = {"factor": "all", "framing": "steady", "margin": 1.1, "bare": True}

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)
        self.encoder, self.decoder = encoder(config), decoder(config)
        self.ema_encoder, self.ema_decoder = encoder(config, "ema_encoder"), decoder(config, "ema_decoder")
        self.ema_encoder.set_weights(self.encoder.get_weights())
        self.ema_decoder.set_weights(self.decoder.get_weights())

        def statistic(name, shape, initial="zeros"):
            return self.add_weight(
                name=name, shape=shape, initializer=initial, trainable=False, dtype="float32",
                aggregation="only_first_replica",
            )  # fmt: skip

        self.latent_mean = statistic("latent_mean", (config.latents,))
        self.latent_square = statistic("latent_square", (config.latents,), "ones")
        # How much each latent varies, and goes along with the true label, in the batches of each named factor.
        self.factor_variance = statistic("factor_variance", (len(LATENTS), config.latents))
        self.factor_covariance = statistic("factor_covariance", (len(LATENTS), config.latents))
        self.built = True

    def build_optimizers(self):
        c = self.config
        rate = ConstantThenLinear(c.learning_rate, c.constant_share * c.steps, c.steps)
        self.optimizer_of_all = keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.99, epsilon=5e-6)
        self.optimizer_of_all.build(self.learned)

    @property
    def learned(self):
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    def batch_options(self):
        weights = (1, 1, 1, self.config.shape_weight)
        return {**super().batch_options(), "groups": self.config.batch_size, "ratio": weights}

    def conditions(self):
        return {
            "latents": {"labels": list(LATENTS), "range": [-3.0, 3.0]},
            "asked": {"labels": list(LATENTS), "range": [0.0, 1.0]},
        }

    def phases(self):
        return [Phase("sgvb", self.total_steps)]

    def sgvb(self, image, factor, noise):
        """Terms of the bound for pictures of a batch, and the posterior means before clamping.

        Args:
            image: (batch, size, size, 3).
            factor: (batch,), see `active_latents`.
            noise: (batch, latents) of N(0, 1).
        """
        c = self.config
        posterior = self.encoder({"image": image}, training=True)
        mean, log_variance = posterior["mean"], posterior["log_variance"]
        codes = mean
        if c.clamp:
            active = active_latents(factor, c.latents)
            mean = clamp_inactive(mean, active, c.invariance)
            log_variance = clamp_inactive(log_variance, active, c.invariance)
        code = mean + tf.exp(0.5 * log_variance) * noise
        logits = self.decoder({"code": code}, training=True)["logits"]
        grey = to_grey(image)
        pixels = tf.nn.sigmoid_cross_entropy_with_logits(labels=grey, logits=logits)
        rec = tf.reduce_mean(tf.reduce_sum(pixels, [1, 2, 3]))
        kl = tf.reduce_mean(kl_divergence(mean, log_variance))
        error = tf.reduce_mean(tf.square(tf.sigmoid(logits) - grey))
        return {"g_loss": rec + c.lambda_kl * kl, "g_rec": rec, "g_kl": kl, "mse": error}, codes

    def sgvb_step(self, batch):
        """1. One update of encoder and decoder. 2. The averages follow. 3. So do the statistics of the latents."""
        with tf.GradientTape() as tape:
            noise = self.normal(batch, draw=0, shape=(self.config.latents,))
            terms, codes = self.sgvb(batch["image"], batch["factor"], noise)
        self.minimize(self.optimizer_of_all, tape, terms["g_loss"], self.learned)
        average_weights(self.ema_encoder, self.encoder, self.config.ema_decay, self.step)
        average_weights(self.ema_decoder, self.decoder, self.config.ema_decay, self.step)
        self.follow(codes, batch)
        return terms

    def follow(self, codes, batch):
        """Moves the statistics of the latents toward those of a batch."""
        step = tf.cast(self.step, tf.float32)
        keep = tf.minimum(0.995, (1.0 + step) / (10.0 + step))
        mean = batch_mean(codes)
        for statistic, value in ((self.latent_mean, mean), (self.latent_square, batch_mean(tf.square(codes)))):
            statistic.assign(keep * statistic + (1.0 - keep) * value[0])
        labels = tf.stack([batch["pose"][:, 0], batch["pose"][:, 1], batch["light"][:, 0]], 1)
        away, label_away = codes - mean, labels - batch_mean(labels)
        variance = batch_mean(tf.square(away))
        covariance = batch_mean(label_away[:, :, None] * away[:, None, :])[0]
        rows = tf.cast(batch["factor"][0] == tf.range(len(LATENTS), dtype=batch["factor"].dtype), tf.float32)[:, None]
        # A mean that starts at zero is too small by one factor for a whole row, and only comparisons are made in rows.
        for statistic, value in ((self.factor_variance, variance), (self.factor_covariance, covariance)):
            statistic.assign(statistic + 0.05 * rows * (value - statistic))

    # -- the code ------------------------------------------------------------------------------------------------------

    def encode(self, image):
        """Returns the averaged encoder's posterior means, (batch, latents), of (batch, size, size, 3) in [-1, 1]."""
        return self.ema_encoder({"image": tf.convert_to_tensor(image)}, training=False)["mean"]

    def decode(self, code):
        """Returns the averaged decoder's pictures, (batch, size, size, 3) in [-1, 1], of (batch, latents) codes."""
        return self.ema_decoder({"code": tf.convert_to_tensor(code)}, training=False)["image"]

    def places(self):
        """Returns (3,) int: which latent holds each of `LATENTS`. Assigned when clamping, otherwise found."""
        if self.config.clamp:
            return tf.range(len(LATENTS))
        return tf.argmax(self.factor_variance, 1, output_type=tf.int32)

    def scale(self):
        """Returns mean and signed spread of the named latents over the training data, each (3,)."""
        variance = self.latent_square - tf.square(self.latent_mean)
        spread = tf.sqrt(tf.maximum(variance, 1e-12))
        places = self.places()
        covariance = tf.gather(self.factor_covariance, places, axis=1, batch_dims=0)
        sign = tf.where(tf.linalg.diag_part(covariance) < 0.0, -1.0, 1.0)
        return tf.gather(self.latent_mean, places), sign * tf.gather(spread, places)

    def read(self, code):
        """Returns (batch, 3): the named latents of codes in units of their spread."""
        centre, spread = self.scale()
        return (tf.gather(code, self.places(), axis=1) - centre) / spread

    def estimate_latents(self, image):
        """Returns (batch, 3): the named latents of (batch, size, size, 3) pictures, in units of their spread."""
        return self.read(self.encode(image))

    def set(self, code, latents, asked):
        """Returns codes whose named latents are moved to asked values.

        Args:
            code: (batch, latents of the model).
            latents: (batch, 3), values in units of the spread.
            asked: (batch, 3), 1 where the value is taken, 0 where the code's own stays.
        """
        centre, spread = self.scale()
        change = asked * (centre + latents * spread - tf.gather(code, self.places(), axis=1))
        return code + tf.matmul(change, tf.one_hot(self.places(), self.config.latents))

    # -- edit ----------------------------------------------------------------------------------------------------------

    def edit(self, inputs):
        """Returns ``{"image"}``, grey pictures (batch, size, size, 3) of faces rendered again from changed codes.

        Args:
            inputs: dict of ``image`` (batch, size, size, 3) in [-1, 1], ``latents`` (batch, 3) in units of their spread
                and ``asked`` (batch, 3), see `set`.
        """
        image, latents, asked = (tf.convert_to_tensor(inputs[key]) for key in ("image", "latents", "asked"))
        return {"image": self.decode(self.set(self.encode(image), latents, asked))}

    def editor(self):
        """Returns the network from ``image``, ``latents`` and ``asked`` to an edit, which is what exports hold."""
        inputs = {
            "image": keras.Input(self.ema_encoder.input["image"].shape[1:], name="image"),
            "latents": keras.Input((len(LATENTS),), name="latents"),
            "asked": keras.Input((len(LATENTS),), name="asked"),
        }
        code = self.ema_encoder({"image": inputs["image"]})["mean"]
        centre, spread = (value.numpy() for value in self.scale())
        places = self.places().numpy()
        change = inputs["asked"] * (inputs["latents"] * spread + centre - keras.ops.take(code, places, axis=1))
        code = code + keras.ops.matmul(change, np.eye(self.config.latents, dtype=np.float32)[places])
        return keras.Model(inputs, {"image": self.ema_decoder({"code": code})["image"]}, name="editor")
