"""Recognizer: tells people apart by 128 numbers, a Light CNN of max-feature-map units.

Paper: Wu et al. 2018, "A Light CNN for Deep Face Representation with Noisy Labels" (IEEE TIFS), its 9-layer network.
TP-GAN and its successors compare faces in this kind of network; trained here on synthetic people, it judges only
whether an edit kept the person, and its early maps serve as a frozen feature loss (`load_frozen`).

What differs, and why:

* RGB instead of grey, as skin and hair are part of who a rendered person is; 128 numbers instead of 256, as the
  records' ``embedding`` has.
* `head="margin"` compares directions and asks the right person to win by a margin (Wang et al. 2018, "CosFace"): the
  few people of a short run are fitted too soon by the published softmax, which remains in the paper's preset (without
  its dropout).
* The class of a person is the remainder of the identity number by `classes`: no table has to be made from the data, no
  example's loss depends on its batch-mates, and a set numbered 1, 2, 3, ... has one class a person. The numbers of
  synthetic people are scattered, so a few of them share a class: about ``people / classes``, 6 % in the laptop preset,
  which acts as so much noise in the labels. Learning from pairs instead (a picture and its answer, the rest of the
  batch as others) needs no classes either, but both pictures of a rendered pair have one background and one light, and
  telling backgrounds apart is easier than telling people apart.
"""

import dataclasses
from pathlib import Path
from typing import ClassVar

import keras
import tensorflow as tf
from keras import layers

from tfface import checkpoints, config
from tfface.config import setting
from tfface.errors import InputError
from tfface.models.base import ConstantThenLinear, FaceModel, ModelConfig, average_weights

# -- settings ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class RecognizerConfig(ModelConfig):
    """Settings of `Recognizer`."""

    width: int = setting(48, "channels after the first max-feature-map; the others follow")
    embedding: int = setting(128, "numbers that describe a face")
    classes: int = setting(10575, "people at most; identity numbers beyond it share classes (CASIA-WebFace has 10,575)")
    head: str = setting("softmax", "how people are told apart in training", ("softmax", "margin"))
    margin: float = setting(0.2, "of the head 'margin': by how much the right person's cosine must win")
    scale: float = setting(24.0, "of the head 'margin': cosines to logits")
    learning_rate: float = setting(1e-3, "of Adam")
    constant_share: float = setting(0.5, "share of the steps before the rate falls linearly to zero")
    shift: int = setting(4, "largest shift of training pictures, pixels")

    PRESETS: ClassVar[dict] = {
        "paper": dict(batch_size=64, epochs=40, synthetic_count=200000),
        "laptop": dict(
            image_size=64, batch_size=64, steps=3000, synthetic_count=12000, width=16, classes=32768, head="margin",
            shift=2, ema_decay=0.995,
        ),
        "smoke": dict(
            image_size=64, batch_size=16, steps=60, synthetic_count=160, width=8, classes=512, head="margin", shift=2,
            ema_decay=0.9,
        ),
    }  # fmt: skip

    def __post_init__(self):
        if self.image_size < 16 or self.image_size % 16:
            raise InputError(f"image_size={self.image_size}: expected a multiple of 16")
        for name in ("batch_size", "width", "embedding", "classes"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: expected 1 or more")


# -- network -----------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class MaxFeatureMap(layers.Layer):
    """The larger of two halves of the channels, element by element: (..., 2 C) to (..., C) (paper, eq. 1)."""

    def call(self, x):
        return tf.maximum(*tf.split(x, 2, axis=-1))


@keras.saving.register_keras_serializable(package="tfface")
class LightCNN(keras.Model):
    """Light CNN-9: c5-48, [c1-48 c3-96], [c1-96 c3-192], [c1-192 c3-128 c1-128 c3-128], fc; each a max-feature-map.

    Channels are those after the max-feature-map, for `width` 48; four poolings halve the size between the groups.

    Input:
        image: (batch, size, size, 3) in [-1, 1].

    Outputs:
        features: (batch, size / 16, size / 16, 8/3 width), the last pooled maps.
        embedding: (batch, embedding), not normalised.
    """

    def __init__(self, image_size=128, width=48, embedding=128, **kwargs):
        image = keras.Input((image_size, image_size, 3), name="image")

        def convolve(x, filters, kernel, name):
            x = layers.Conv2D(2 * filters, kernel, padding="same", name=name)(x)
            return MaxFeatureMap(name=f"{name}_mfm")(x)

        def pool(x, name):
            return layers.MaxPooling2D(2, name=name)(x)

        x = pool(convolve(image, width, 5, "conv1"), "pool1")
        for group, filters in ((2, 2 * width), (3, 4 * width)):
            x = convolve(x, filters // 2, 1, f"conv{group}a")
            x = pool(convolve(x, filters, 3, f"conv{group}"), f"pool{group}")
        last = 8 * width // 3
        x = convolve(x, 4 * width, 1, "conv4a")
        x = convolve(x, last, 3, "conv4")
        x = convolve(x, last, 1, "conv5a")
        features = pool(convolve(x, last, 3, "conv5"), "features")
        x = layers.Dense(2 * embedding, dtype="float32", name="fc")(layers.Flatten(name="flat")(features))
        outputs = {"features": features, "embedding": MaxFeatureMap(dtype="float32", name="embedding")(x)}
        super().__init__(inputs={"image": image}, outputs=outputs, **kwargs)
        self._settings = dict(image_size=image_size, width=width, embedding=embedding)

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


# -- model -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class Recognizer(FaceModel):
    """The network, its average and one direction for each class, trained to name the people of the training set.

    A batch has ``image`` (batch, size, size, 3) in [-1, 1] and ``identity`` (batch,) int64.
    """

    Config = RecognizerConfig
    batch_keys = ("image", "identity")
    synthetic: ClassVar[dict] = {"images_per_person": 6, "poses": "turning"}

    def __init__(self, config, seed=0, **kwargs):
        super().__init__(config, seed, **kwargs)
        self.network, self.ema_network = (
            LightCNN(config.image_size, config.width, config.embedding, name=name) for name in ("network", "average")
        )
        self.ema_network.set_weights(self.network.get_weights())
        self.people = layers.Dense(config.classes, use_bias=False, dtype="float32", name="people")
        self.people.build((None, config.embedding))
        self.built = True

    def build_optimizers(self):
        c = self.config
        rate = ConstantThenLinear(c.learning_rate, c.constant_share * c.steps, c.steps)
        self.optimizer_of_network = keras.optimizers.Adam(rate)
        self.optimizer_of_network.build(self.trained_variables)

    @property
    def trained_variables(self):
        return [*self.network.trainable_variables, self.people.kernel]

    def batch_options(self):
        return {**super().batch_options(), "shift": self.config.shift}

    def logits(self, embedding, person):
        """Returns the (batch, classes) logits of (batch, embedding) for training; `person` (batch,) is right."""
        if self.config.head == "softmax":
            return self.people(embedding)
        cosines = tf.matmul(tf.math.l2_normalize(embedding, -1), tf.math.l2_normalize(self.people.kernel, 0))
        return self.config.scale * (cosines - self.config.margin * tf.one_hot(person, self.config.classes))

    def adversarial_step(self, batch):
        """1. One update of the network and of the people's directions. 2. The average follows."""
        person = tf.math.floormod(batch["identity"], self.config.classes)
        with tf.GradientTape() as tape:
            embedding = self.network({"image": batch["image"]}, training=True)["embedding"]
            logits = self.logits(embedding, person)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(person, logits))
        self.minimize(self.optimizer_of_network, tape, loss, self.trained_variables)
        average_weights(self.ema_network, self.network, self.config.ema_decay, self.step)
        right = tf.equal(tf.argmax(logits, -1), person)
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    # -- use -----------------------------------------------------------------------------------------------------------

    def embed(self, images):
        """Returns the (N, embedding) float32 descriptors of (N, S, S, 3) pictures in [-1, 1], of length 1.

        The cosine of two of them is how alike two faces are. Differentiable.
        """
        return tf.math.l2_normalize(self.ema_network({"image": images}, training=False)["embedding"], -1)


def load_frozen(path):
    """Returns a function of (N, S, S, 3) pictures in [-1, 1] to what a trained recognizer sees in them.

    Pictures of another size than the recognizer's are resized. The result is a dict of ``features`` (its last maps) and
    ``embedding`` (of length 1), differentiable, with weights that no optimizer of the caller will find.

    Args:
        path: run directory of ``train recognizer``; its newest checkpoint is loaded.

    Raises:
        InputError: it is no such run, or has no checkpoint.
    """
    path = Path(path)
    if not (path / "config.json").exists():
        raise InputError(f"{path}: is no run directory (it has no config.json); train one with: train recognizer")
    saved = config.read_json(path / "config.json")
    if saved.get("model") != "recognizer":
        raise InputError(f"{path}: is a run of {saved.get('model')}, not of recognizer")
    model = Recognizer(config.build(RecognizerConfig, saved["settings"]))
    model.compile()
    checkpoints.restore(model, path / "checkpoints")
    size = model.config.image_size

    def look(images):
        if images.shape[1] != size:
            images = tf.image.resize(images, (size, size), antialias=True)
        seen = model.ema_network({"image": images}, training=False)
        return {"features": seen["features"], "embedding": tf.math.l2_normalize(seen["embedding"], -1)}

    return look
