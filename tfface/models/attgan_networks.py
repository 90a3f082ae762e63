"""AttGAN's networks: encoder and decoder, discriminator and classifier (`tfface.models.attgan`)."""

import keras
from keras import layers

from tfface.constraints import EvenPhases
from tfface.convolutions import Conv2DTranspose, Downsample
from tfface.layers import ConcatenateCondition, InstanceNormalization

# -- generator ---------------------------------------------------------------------------------------------------------


def _batch_norm(momentum, name):
    return layers.BatchNormalization(momentum=momentum, epsilon=1e-3, synchronized=True, name=name)


@keras.saving.register_keras_serializable(package="tfface")
class Generator(keras.Model):
    """G-enc, strided convolutions to a latent map, and G-dec, transposed ones from latent map and attributes.

    The encoder is [Conv 4x4 stride 2, BN, LeakyReLU 0.2] x depth; the decoder [ConvT 4x4 stride 2, BN, ReLU] x
    (depth - 1) and a ConvT to color with tanh. Of the decoder's layers, the first `shortcuts` are followed by the
    encoder's features of their size, the first `injections` by the attributes. With `attention` a second last layer
    says how much of each pixel of the picture to keep (as in GANimation), which leaves what changes to the color layer.
    `even_phases` holds the transposed kernels to `EvenPhases`.

    Inputs:
        image: (batch, size, size, 3) in [-1, 1].
        attributes: (batch, attributes), 0 (no) to 1 (yes), 0.5 for unknown. Or the change of each, around 0.5.

    Output:
        image: (batch, size, size, 3) in [-1, 1].
    """

    def __init__(
        self,
        image_size=128,
        attributes=13,
        width=64,
        depth=5,
        shortcuts=1,
        injections=1,
        norm_momentum=0.999,
        attention=False,
        even_phases=False,
        **kwargs,
    ):
        def double(filters, name, kind=layers.Conv2DTranspose, **options):
            even = EvenPhases() if even_phases else None
            return kind(filters, 4, 2, "same", kernel_constraint=even, name=name, **options)

        image = keras.Input((image_size, image_size, 3), name="image")
        asked = keras.Input((attributes,), name="attributes")

        x, features = image, {}
        for layer in range(1, depth + 1):
            name = f"down{layer}"
            x = Downsample(width * 2 ** (layer - 1), use_bias=False, name=name)(x)
            x = layers.LeakyReLU(negative_slope=0.2, name=f"{name}_relu")(_batch_norm(norm_momentum, f"{name}_norm")(x))
            if layer >= depth - shortcuts:
                features[f"features{layer}"] = x
        if attention:
            features["picture"] = layers.Identity(name="picture")(image)
        encoder = keras.Model({"image": image}, features, name="encoder")

        given = {name: keras.Input(value.shape[1:], name=name) for name, value in features.items()}
        code = 2.0 * asked - 1.0
        x = ConcatenateCondition(name="condition")(given[f"features{depth}"], code)
        for layer in range(1, depth):
            name = f"up{layer}"
            filters = width * 2 ** (depth - layer)
            x = double(filters, name, Conv2DTranspose, use_bias=False)(x)
            x = layers.ReLU(name=f"{name}_relu")(_batch_norm(norm_momentum, f"{name}_norm")(x))
            if layer <= shortcuts:
                x = layers.Concatenate(name=f"{name}_shortcut")([x, given[f"features{depth - layer}"]])
            if layer <= injections:
                x = ConcatenateCondition(name=f"{name}_condition")(x, code)
        edit = keras.ops.tanh(double(3, "color", dtype="float32")(x))
        if attention:
            keep = double(1, "keep", activation="sigmoid", dtype="float32")(x)
            edit = keep * given["picture"] + (1.0 - keep) * edit
        decoder = keras.Model({**given, "attributes": asked}, {"image": edit}, name="decoder")

        outputs = decoder({**encoder({"image": image}), "attributes": asked})
        super().__init__(inputs={"image": image, "attributes": asked}, outputs=outputs, **kwargs)
        self._settings = dict(
            image_size=image_size, attributes=attributes, width=width, depth=depth, shortcuts=shortcuts,
            injections=injections, norm_momentum=norm_momentum, attention=attention,
            even_phases=even_phases,
        )  # fmt: skip

    def encode(self, image, training=False):
        """Returns the features of (batch, size, size, 3) pictures that `decode` takes."""
        return self.get_layer("encoder")({"image": image}, training=training)

    def decode(self, features, attributes, training=False):
        """Returns the pictures that features and attributes make, (batch, size, size, 3)."""
        return self.get_layer("decoder")({**features, "attributes": attributes}, training=training)["image"]

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


# -- discriminator -----------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tfface")
class Discriminator(keras.Model):
    """C & D: [Conv 4x4 stride 2, InstanceNorm, LeakyReLU 0.2] x depth, then a critic and a classifier of their own.

    Input:
        image: (batch, size, size, 3) in [-1, 1].

    Outputs:
        realism: (batch, 1), the critic's unbounded score.
        attributes: (batch, attributes), logits.
    """

    def __init__(self, image_size=128, attributes=13, width=64, depth=5, units=1024, **kwargs):
        image = keras.Input((image_size, image_size, 3), name="image")
        x = image
        for layer in range(1, depth + 1):
            name = f"down{layer}"
            x = Downsample(width * 2 ** (layer - 1), use_bias=False, name=name)(x)
            x = InstanceNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
            x = layers.LeakyReLU(negative_slope=0.2, name=f"{name}_relu")(x)
        x = layers.Flatten(name="flat")(x)
        outputs = {}
        for name, count in (("realism", 1), ("attributes", attributes)):
            y = layers.LeakyReLU(negative_slope=0.2, name=f"{name}_relu")(layers.Dense(units, name=f"{name}_hidden")(x))
            outputs[name] = layers.Dense(count, dtype="float32", name=name)(y)
        super().__init__(inputs={"image": image}, outputs=outputs, **kwargs)
        self._settings = dict(image_size=image_size, attributes=attributes, width=width, depth=depth, units=units)

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
