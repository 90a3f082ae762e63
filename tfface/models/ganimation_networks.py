"""GANimation's networks: generator with a color and an attention head, discriminator (`tfface.models.ganimation`)."""

import keras
from keras import layers

from tfface.constraints import EvenPhases
from tfface.conventions import ACTION_UNITS
from tfface.convolutions import Conv2D, Conv2DTranspose, Downsample, WideConvolution
from tfface.layers import ConcatenateCondition, FeatureModulation, InstanceNormalization, LeakyReLU

# -- generator ---------------------------------------------------------------------------------------------------------


def weights_init(published=True):
    """A new initializer each time: a shared instance would give layers of one shape the same weights.

    The published N(0, 0.02) keeps a signal's size only in wide networks: through five layers that start at 16 channels
    it shrinks 500 times, and a discriminator without normalisation then learns nothing for thousands of steps.
    """
    return keras.initializers.RandomNormal(stddev=0.02) if published else keras.initializers.HeNormal()


@keras.saving.register_keras_serializable(package="tfface")
class Generator(keras.Model):
    """c7s1-64, d128, d256, R256 x 6, u128, u64, then two heads c7s1-3 (color, tanh) and c7s1-1 (attention, sigmoid).

    Inputs:
        image: (batch, size, size, 3) in [-1, 1].
        action_units: (batch, 17), the target in 0-1 (with relative conditioning: target minus source, -1 to 1).

    Outputs:
        image: ``attention * image + (1 - attention) * color``.
        color: (batch, size, size, 3) in [-1, 1].
        attention: (batch, size, size, 1) in 0-1; 1 keeps the input.
    """

    def __init__(
        self,
        image_size=128,
        width=64,
        residual_blocks=6,
        conditioning="concat",
        attention_bias=0.0,
        edge_kernel=7,
        shortcut=False,
        even_phases=False,
        **kwargs,
    ):
        image = keras.Input((image_size, image_size, 3), name="image")
        action_units = keras.Input((len(ACTION_UNITS),), name="action_units")
        film = conditioning == "film"

        def normalize(x, name, activate=True, modulate=film):
            x = InstanceNormalization(name=f"{name}_norm")(x)
            if modulate:
                x = FeatureModulation(name=f"{name}_film")(x, action_units)
            return layers.ReLU(name=f"{name}_relu")(x) if activate else x

        def convolve(x, filters, name):
            return Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=weights_init(), name=name)(x)

        x = image if film else ConcatenateCondition(name="condition")(image, action_units)
        x = WideConvolution(width, edge_kernel, use_bias=False, kernel_initializer=weights_init(), name="stem")(x)
        x = normalize(x, "stem", modulate=False)
        skipped = {}
        for factor in (2, 4):
            name = f"down{factor}"
            x = Downsample(factor * width, use_bias=False, kernel_initializer=weights_init(), name=name)(x)
            x = skipped[factor] = normalize(x, name, modulate=False)
        for block in range(residual_blocks):
            name = f"residual{block + 1}"
            y = normalize(convolve(x, 4 * width, f"{name}a"), f"{name}a")
            y = normalize(convolve(y, 4 * width, f"{name}b"), f"{name}b", activate=False, modulate=False)
            x = layers.Add(name=name)([x, y])
        for factor in (2, 1):
            name = f"up{factor}"
            if shortcut and factor == 1:
                x = layers.Concatenate(name="shortcut")([x, skipped[2]])
            x = Conv2DTranspose(
                factor * width, 4, 2, "same", use_bias=False, kernel_initializer=weights_init(),
                kernel_constraint=EvenPhases() if even_phases else None, name=name,
            )(x)  # fmt: skip
            x = normalize(x, name)
        # Both heads in one convolution: three channels of color, one of attention. They blend in float32, because a
        # blend in bfloat16 would dither the kept picture.
        heads = WideConvolution(
            4, edge_kernel, use_bias=False, kernel_initializer=weights_init(), dtype="float32", name="heads"
        )(x)
        color = keras.ops.tanh(heads[..., :3])
        attention = keras.ops.sigmoid(heads[..., 3:] + attention_bias)
        output = attention * image + (1.0 - attention) * color
        super().__init__(
            inputs={"image": image, "action_units": action_units},
            outputs={"image": output, "color": color, "attention": attention},
            **kwargs,
        )
        self._settings = dict(
            image_size=image_size, width=width, residual_blocks=residual_blocks, conditioning=conditioning,
            attention_bias=attention_bias, edge_kernel=edge_kernel, shortcut=shortcut,
            even_phases=even_phases,
        )  # fmt: skip

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


# -- discriminator -----------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class Discriminator(keras.Model):
    """PatchGAN of 4x4 strided convolutions with LeakyReLU 0.01, no normalisation, and two heads.

    Depth is `depth` where the size allows, fewer where it does not divide; the AU head covers whatever is left
    (2x2 at 128 px with six layers), so that it always sees the whole picture.

    Input:
        image: (batch, size, size, 3) in [-1, 1].

    Outputs:
        realism: (batch, h, w, 1), unbounded critic scores of patches.
        action_units: (batch, 17), an estimate in 0-1 (not clipped).
    """

    def __init__(self, image_size=128, width=64, depth=6, published_init=True, **kwargs):
        while image_size % 2**depth:
            depth -= 1
        image = keras.Input((image_size, image_size, 3), name="image")
        x = image
        for layer in range(depth):
            name = f"down{layer + 1}"
            x = Downsample(width * 2**layer, kernel_initializer=weights_init(published_init), name=name)(x)
            x = LeakyReLU(negative_slope=0.01, name=f"{name}_relu")(x)
        realism = layers.Conv2D(
            1, 3, padding="same", use_bias=False, kernel_initializer=weights_init(), dtype="float32", name="realism"
        )(x)
        units = layers.Conv2D(
            len(ACTION_UNITS), image_size // 2**depth, use_bias=False, kernel_initializer=weights_init(),
            dtype="float32", name="units",
        )(x)  # fmt: skip
        action_units = layers.Reshape((len(ACTION_UNITS),), name="action_units", dtype="float32")(units)
        super().__init__(inputs={"image": image}, outputs={"realism": realism, "action_units": action_units}, **kwargs)
        self._settings = dict(image_size=image_size, width=width, depth=depth, published_init=published_init)

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
