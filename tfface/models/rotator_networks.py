"""The five networks of `tfface.models.rotator`, row by row as in the paper's tables, and their residual block.

What the tables leave open is an option of `Blocks` or of a network; the defaults are explained in `rotator`.
"""

import dataclasses

import keras
from keras import layers

from tfface import appearance_flow
from tfface.conventions import ATTRIBUTES
from tfface.models.ganimation_networks import weights_init

ANGLES = 3  # yaw, pitch, roll


@dataclasses.dataclass(frozen=True)
class Blocks:
    """How every network is built.

    Attributes:
        width: channels of the first convolution; each residual block doubles (or halves) them.
        conv2_kernel: 1 or 3, width of the second convolution of a residual block.
        activate_sum: activation after a block's addition.
        upsampling: "nearest" (enlarge, then convolve) or "transposed" (strided transposed convolutions, whose 1x1
            shortcut fills a quarter of the pixels).
        published_init: weights start as N(0, 0.02), which suits wide networks; else so that a signal keeps its size
            from layer to layer (LeCun et al. 1998): nothing normalises the blocks' sums.
    """

    width: int = 32
    conv2_kernel: int = 1
    activate_sum: bool = False
    upsampling: str = "nearest"
    published_init: bool = True

    def init(self):
        return weights_init() if self.published_init else keras.initializers.LecunNormal()

    def convolve(self, x, filters, kernel, name, stride=1):
        return layers.Conv2D(filters, kernel, stride, "same", kernel_initializer=self.init(), name=name)(x)

    def dense(self, x, units, name, slope=0.0):
        x = layers.Dense(units, kernel_initializer=self.init(), name=name)(x)
        return layers.LeakyReLU(slope, name=f"{name}_relu")(x)

    @staticmethod
    def last(x, units, name, init=None):
        """A network's last layer; its weights start small, so that losses do."""
        return layers.Dense(units, kernel_initializer=init or weights_init(), dtype="float32", name=name)(x)

    def residual(self, x, filters, name, scale=0.5, slope=0.0, normalize=True):
        """The residual block: shortcut 1x1 and branch 3x3, normalisation, activation, 1x1; both resized by `scale`."""

        def resized(x, kernel, name):
            if scale < 1:
                return self.convolve(x, filters, kernel, name, stride=round(1 / scale))
            if self.upsampling == "transposed":
                return layers.Conv2DTranspose(
                    filters, kernel, 2, "same", kernel_initializer=self.init(), name=name
                )(x)  # fmt: skip
            if kernel == 1:  # the same on the small picture, at a quarter of the work
                return layers.UpSampling2D(name=f"{name}_up")(self.convolve(x, filters, 1, name))
            return self.convolve(layers.UpSampling2D(name=f"{name}_up")(x), filters, kernel, name)

        shortcut = resized(x, 1, f"{name}_1a")
        y = resized(x, 3, f"{name}_1b")
        if normalize:  # statistics of the global batch, however it is spread over replicas
            y = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, name=f"{name}_norm")(y)
        y = layers.LeakyReLU(slope, name=f"{name}_relu")(y)
        y = self.convolve(y, filters, self.conv2_kernel, f"{name}_2b")
        x = layers.Add(name=name)([shortcut, y])
        return layers.LeakyReLU(slope, name=f"{name}_sum_relu")(x) if self.activate_sum else x

    def down(self, x, slope=0.0, normalize=True):
        """The trunk that E, P, D1 and D2 share: Conv1 and three residual blocks, to an eighth of the size."""
        x = layers.LeakyReLU(slope, name="conv1_relu")(self.convolve(x, self.width, 3, "conv1"))
        for number in (2, 3, 4):
            x = self.residual(x, self.width * 2 ** (number - 1), f"block{number}", 0.5, slope, normalize)
        return x


class _Network(keras.Model):
    """A functional network that is saved as the arguments of its constructor."""

    def __init__(self, inputs, outputs, settings, **kwargs):
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self._settings = settings

    def get_config(self):
        blocks = dataclasses.asdict(self._settings["blocks"])
        return {"name": self.name, **self._settings, "blocks": blocks}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "blocks": Blocks(**config["blocks"])})


def _picture(size, channels=3, name="image"):
    return keras.Input((size, size, channels), name=name)


@keras.saving.register_keras_serializable(package="tfface")
class Encoder(_Network):
    """E: what a picture shows as a code.

    Inputs:
        image: (batch, size, size, 3) in [-1, 1].
        noise: (batch, size, size, 1), standard normal in training, zeros for the same code each time.

    Output:
        latent: (batch, latent), standard normal over a data set once trained.
    """

    def __init__(self, size, blocks, latent=128, pool="flatten", **kwargs):
        image, noise = _picture(size), _picture(size, 1, "noise")
        x = blocks.down(layers.Concatenate(name="input")([image, noise]))
        x = layers.Flatten(name="flat")(x) if pool == "flatten" else layers.GlobalAveragePooling2D(name="pool")(x)
        z = blocks.last(blocks.dense(x, 8 * blocks.width, "fc1"), latent, "latent", blocks.init())
        settings = dict(size=size, blocks=blocks, latent=latent, pool=pool)
        super().__init__({"image": image, "noise": noise}, {"latent": z}, settings, **kwargs)


@keras.saving.register_keras_serializable(package="tfface")
class Generator(_Network):
    """G: paints what a code says at a pose.

    Inputs:
        latent: (batch, latent).
        pose: (batch, 3), yaw, pitch and roll as shares of the trained range, [-1, 1].
        attributes: (batch, 40), 0/1, 0.5 for unknown.
        with `warp` also source_pose: (batch, 3), as `pose`, that of the encoded picture.

    Outputs:
        image: (batch, size, size, 3) in [-1, 1].
        with `warp` also flow: (batch, size, size, 2), from where in the encoded picture each pixel may be taken (right
        and down of its own place, in picture widths), and keep: (batch, size, size, 1), the share of it in 0-1.
        with `mirror` also mirror_flow and mirror_keep, the same for the encoded picture mirrored.
    """

    def __init__(self, size, blocks, latent=128, warp=False, mirror=False, **kwargs):
        lengths = {"latent": latent, "pose": ANGLES, "attributes": len(ATTRIBUTES)}
        if warp:
            lengths["source_pose"] = ANGLES
        inputs = {name: keras.Input((length,), name=name) for name, length in lengths.items()}
        x = layers.Concatenate(name="input")(list(inputs.values()))
        x = blocks.dense(blocks.dense(x, 8 * blocks.width, "fc1"), (size // 8) ** 2 * 8 * blocks.width, "fc2")
        x = layers.Reshape((size // 8, size // 8, 8 * blocks.width), name="maps")(x)
        for number in (1, 2, 3):
            x = blocks.residual(x, blocks.width * 2 ** (3 - number), f"block{number}", 2)
        painted = layers.Conv2D(
            3, 3, padding="same", kernel_initializer=weights_init(), dtype="float32", name="conv4"
        )(x)  # fmt: skip
        outputs = {"image": keras.ops.tanh(painted)}
        if warp:
            outputs |= appearance_flow.heads(x, mirror)
        settings = dict(size=size, blocks=blocks, latent=latent, warp=warp, mirror=mirror)
        super().__init__(inputs, outputs, settings, **kwargs)


@keras.saving.register_keras_serializable(package="tfface")
class Predictor(_Network):
    """P: reads pose and attributes.

    Input:
        image: (batch, size, size, 3) in [-1, 1].

    Outputs:
        pose: (batch, 3), shares of the trained range.
        attributes: (batch, 40), logits.
    """

    def __init__(self, size, blocks, **kwargs):
        image = _picture(size)
        x = layers.GlobalAveragePooling2D(name="pool")(blocks.down(image))
        x = blocks.last(x, ANGLES + len(ATTRIBUTES), "fc")
        outputs = {"pose": x[:, :ANGLES], "attributes": x[:, ANGLES:]}
        super().__init__({"image": image}, outputs, dict(size=size, blocks=blocks), **kwargs)


@keras.saving.register_keras_serializable(package="tfface")
class LatentDiscriminator(_Network):
    """D1: whether a code was drawn for itself or encoded from the picture beside it; inner product of two branches.

    Inputs:
        image: (batch, size, size, 3) in [-1, 1]. Absent where `pairs` is off.
        latent: (batch, latent).

    Output:
        realism: (batch, 1), logits; high for drawn codes.
    """

    def __init__(self, size, blocks, latent=128, pairs=True, slope=0.2, normalize=True, **kwargs):
        latents = keras.Input((latent,), name="latent")
        inputs = {"latent": latents}
        y = blocks.dense(blocks.dense(latents, 8 * blocks.width, "fc1", slope), 8 * blocks.width, "fc2", slope)
        if pairs:
            inputs["image"] = _picture(size)
            x = layers.GlobalAveragePooling2D(name="pool", dtype="float32")(
                blocks.down(inputs["image"], slope, normalize)
            )
            y = blocks.last(y, 8 * blocks.width, "fc3")
            realism = keras.ops.sum(x * y, -1, keepdims=True)
        else:
            realism = blocks.last(y, 1, "fc3")
        settings = dict(size=size, blocks=blocks, latent=latent, pairs=pairs, slope=slope, normalize=normalize)
        super().__init__(inputs, {"realism": realism}, settings, **kwargs)


@keras.saving.register_keras_serializable(package="tfface")
class ImageDiscriminator(_Network):
    """D2: whether a picture is a photograph.

    Input:
        image: (batch, size, size, 3) in [-1, 1].

    Output:
        realism: (batch, 1), logits; high for real ones.
    """

    def __init__(self, size, blocks, slope=0.2, normalize=True, **kwargs):
        image = _picture(size)
        x = layers.GlobalAveragePooling2D(name="pool")(blocks.down(image, slope, normalize))
        outputs = {"realism": blocks.last(x, 1, "fc")}
        settings = dict(size=size, blocks=blocks, slope=slope, normalize=normalize)
        super().__init__({"image": image}, outputs, settings, **kwargs)
