"""Networks of TP-GAN: global pathway, four local pathways, their fusion, discriminator. See `tpgan`."""

import keras
from keras import layers

from tfface import appearance_flow
from tfface.layers import InstanceNormalization
from tfface.patches import PARTS, CropParts, FuseParts

_PACKAGE = "tfface"


class _Builder:
    """The blocks that all of the networks are made of, with the choices they share."""

    def __init__(self, normalization="batch", slope=0.2, published_init=True):
        self.normalization, self.slope, self.published_init = normalization, slope, published_init

    def initializer(self, small=False):
        """A new one each time: a shared instance would give layers of one shape the same weights.

        `small` is for the ends of residual branches and for pictures: without a normalisation, He's weights there would
        double the variance with every block and begin with a saturated tanh.
        """
        if self.published_init:
            return keras.initializers.TruncatedNormal(stddev=0.02)
        return keras.initializers.VarianceScaling(0.1) if small else keras.initializers.HeNormal()

    def normalize(self, x, name):
        if self.normalization == "batch":
            # Moving statistics at inference: the published code never leaves its training mode, so that each of its
            # results depends on the pictures that share its batch.
            return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, name=f"{name}_norm")(x)
        if self.normalization == "instance":
            return InstanceNormalization(name=f"{name}_norm")(x)
        return x

    def activate(self, x, name, slope=None):
        return layers.LeakyReLU(negative_slope=self.slope if slope is None else slope, name=f"{name}_relu")(x)

    def bias(self, normalize):
        # A normalisation removes a bias before it, and Adam would move it by rounding errors alone.
        return not normalize or self.normalization == "none"

    def conv(self, x, filters, name, kernel=3, strides=1, normalize=True):
        x = layers.Conv2D(
            filters, kernel, strides, "same", use_bias=self.bias(normalize), kernel_initializer=self.initializer(),
            name=name,
        )(x)  # fmt: skip
        return self.activate(self.normalize(x, name) if normalize else x, name)

    def deconv(self, x, filters, name, strides=2, normalize=True, slope=0.0):
        x = layers.Conv2DTranspose(
            filters, 3 if strides == 2 else strides, strides, "same", use_bias=self.bias(normalize),
            kernel_initializer=self.initializer(), name=name,
        )(x)  # fmt: skip
        return self.activate(self.normalize(x, name) if normalize else x, name, slope)

    def residual(self, x, name, kernel=3):
        y = self.conv(x, x.shape[-1], f"{name}a", kernel)
        y = layers.Conv2D(
            x.shape[-1], kernel, padding="same", use_bias=self.bias(True),
            kernel_initializer=self.initializer(small=True), name=f"{name}b",
        )(y)  # fmt: skip
        return self.activate(layers.Add(name=name)([x, self.normalize(y, f"{name}b")]), name)

    def residuals(self, x, count, name, kernel=3):
        for number in range(1, count + 1):
            x = self.residual(x, f"{name}{number}", kernel)
        return x

    def picture(self, x, name):
        """A picture of three channels in [-1, 1], in float32 whatever the policy."""
        x = layers.Conv2D(
            3, 3, padding="same", kernel_initializer=self.initializer(small=True), dtype="float32", name=f"{name}_conv"
        )(x)
        return layers.Activation("tanh", dtype="float32", name=name)(x)

    def resize(self, x, size, name):
        return layers.Resizing(size, size, interpolation="bilinear", name=name)(x)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Generator(keras.Model):
    """Two pathways from a face turned to the image's right to its frontal view.

    The global pathway is an encoder with a code of ``4 width`` numbers and a decoder that gives a picture at a quarter,
    at half and at full size. Four local pathways, each with its own weights, turn the patches about eyes, nose and
    mouth; their features and pictures join the decoder's last stage at the places of an average frontal face.

    Inputs:
        image: (batch, size, size, 3) in [-1, 1], turned to the image's right or frontal (`patches.FaceRight`).
        points: (batch, 5, 2) pixels, see `patches`.
        noise: (batch, noise_size), zeros at inference.

    Outputs:
        image, half, quarter: (batch, s, s, 3) in [-1, 1] for s = size, size / 2, size / 4.
        left_eye, right_eye, nose, mouth: (batch, h, w, 3) in [-1, 1], frontal patches.
        local: (batch, size, size, 3), the patches in their places, -1 around.
        code: (batch, 4 width), what the identity head sees.
        with `warp` also what `appearance_flow.heads` returns: from where in the picture and in the mirrored one pixels
        of `image` are taken.
    """

    def __init__(
        self,
        image_size=128,
        width=64,
        noise_size=100,
        normalization="batch",
        slope=0.2,
        edge_kernel=7,
        code_blocks=4,
        stage_blocks=2,
        local_levels=3,
        local_blocks=2,
        mirror_input=True,
        eye_hint=True,
        squeeze=False,
        published_init=True,
        warp=False,
        **kwargs,
    ):
        settings = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        image = keras.Input((image_size, image_size, 3), name="image")
        points = keras.Input((5, 2), name="points")
        noise = keras.Input((noise_size,), name="noise")
        build = _Builder(normalization, slope, published_init)
        inner_kernel = max(3, edge_kernel - 2)

        # Encoder: full size to a sixteenth.
        both = image
        if mirror_input:
            both = layers.Concatenate(name="with_mirror", dtype="float32")([image, keras.ops.flip(image, 2)])
        seen = {image_size: both}  # what the decoder is shown again at three sizes
        for size in (image_size // 2, image_size // 4):
            seen[size] = layers.AveragePooling2D(image_size // size, name=f"seen{size}")(both)
        x = build.conv(both, width, "conv0", edge_kernel, normalize=False)
        skips = [build.residual(x, "conv0_res", edge_kernel)]
        for level, (factor, kernel) in enumerate(((1, inner_kernel), (2, 3), (4, 3), (8, 3)), 1):
            x = build.conv(skips[-1], factor * width, f"conv{level}", kernel, 2)
            blocks = code_blocks if level == 4 else 1
            skips.append(build.residuals(x, blocks, f"conv{level}_res", kernel))
        code = layers.Dense(8 * width, kernel_initializer=build.initializer(), name="code_dense")(
            layers.Flatten(name="flat")(skips[4])
        )
        code = keras.ops.maximum(code[:, : 4 * width], code[:, 4 * width :])  # maxout
        code = layers.Activation("linear", dtype="float32", name="code")(code)

        # What code and noise alone say, at four sizes.
        small = image_size // 16
        x = layers.Concatenate(name="code_noise")([code, noise])
        x = layers.Dense(small * small * width, kernel_initializer=build.initializer(), name="grown16")(x)
        x = layers.Reshape((small, small, width), name="grown16_map")(x)
        grown = {16: layers.ReLU(name="grown16_relu")(x)}
        grown[4] = build.deconv(grown[16], width // 2, "grown4", strides=4, normalize=False)
        grown[2] = build.deconv(grown[4], width // 4, "grown2", normalize=False)
        grown[1] = build.deconv(grown[2], width // 8, "grown1", normalize=False)

        # Local pathways.
        patches = dict(zip(PARTS, CropParts(2**local_levels, name="crop")(image, points), strict=True))
        features, pictures = {}, {}
        for part in PARTS:
            patch = patches[part]
            if part == "right_eye" and eye_hint:  # the far eye is told what the near one looks like
                patch = layers.Concatenate(name="eye_hint")([patch, patches["left_eye"]])
            pathway = LocalPathway(
                patch.shape[1:], width, local_levels, local_blocks, normalization, slope, published_init,
                name=f"local_{part}",
            )  # fmt: skip
            features[part], pictures[part] = pathway(patch)
        local = FuseParts(image_size, 2**local_levels, -1.0, dtype="float32", name="local")(
            [pictures[part] for part in PARTS]
        )
        local_features = FuseParts(image_size, 2**local_levels, 0.0, name="local_features")(
            [features[part] for part in PARTS]
        )

        # Decoder.
        def join(parts, name, filters=None):
            x = layers.Concatenate(name=name)(parts)
            return build.conv(x, filters, f"{name}_squeeze") if squeeze and filters else x

        def select(x, name, kernel=3):
            return x if squeeze else build.residual(x, name, kernel)

        x = build.residual(join([grown[16], skips[4]], "join16", 8 * width), "select16", 2)
        x = build.residuals(x, stage_blocks, "decode16_", 2)
        up = build.deconv(x, 8 * width, "up8")
        x = join([up, select(skips[3], "select8")], "join8", 8 * width)
        x = build.residuals(x, stage_blocks, "decode8_")
        up = build.deconv(x, 4 * width, "up4")
        chosen = select(join([skips[2], seen[image_size // 4], grown[4]], "chosen4"), "select4")
        x = build.residuals(join([up, chosen], "join4", 4 * width), stage_blocks, "decode4_")
        quarter = build.picture(x, "quarter")
        up = build.deconv(x, 2 * width, "up2")
        chosen = join([skips[1], seen[image_size // 2], grown[2]], "chosen2")
        chosen = select(chosen, "select2", inner_kernel)
        shown = build.resize(quarter, image_size // 2, "quarter_doubled")
        x = build.residuals(join([up, chosen, shown], "join2", 2 * width), stage_blocks, "decode2_")
        half = build.picture(x, "half")
        up = build.deconv(x, width, "up1")
        chosen = select(join([skips[0], grown[1], seen[image_size]], "chosen1"), "select1", edge_kernel)
        shown = build.resize(half, image_size, "half_doubled")
        x = join([up, chosen, local_features, local, shown], "join1", width)
        x = build.residual(x, "decode1_1", inner_kernel)
        x = build.conv(x, width, "fuse1", inner_kernel) if not squeeze else x
        x = build.residual(x, "decode1_2")
        x = build.conv(x, width // 2, "fuse2")
        painted = build.picture(x, "image_out")
        outputs = {"image": painted, "half": half, "quarter": quarter, **pictures}
        if warp:
            said = appearance_flow.heads(x, mirror=True)
            take = appearance_flow.AppearanceFlow(dtype="float32", name="appearance_flow")
            outputs |= {"image": appearance_flow.shown(said, painted, image, take), **said}
        super().__init__(
            inputs={"image": image, "points": points, "noise": noise},
            outputs={**outputs, "local": local, "code": code},
            **kwargs,
        )
        self._settings = settings

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class LocalPathway(keras.Model):
    """U-net of one part of the face: patch (batch, h, w, c) in [-1, 1] to (features (batch, h, w, width), picture).

    The features are taken after the last skip connection has joined; the seed's code returns those before it.
    """

    def __init__(self, shape, width, levels, blocks, normalization, slope, published_init, **kwargs):
        settings = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        build = _Builder(normalization, slope, published_init)
        patch = keras.Input(shape, name="patch")
        x = build.conv(patch, width, "conv0", normalize=False)
        skips = [build.residual(x, "conv0_res")]
        for level in range(1, levels + 1):
            x = build.conv(skips[-1], 2**level * width, f"conv{level}", strides=2)
            skips.append(build.residuals(x, blocks if level == levels else 1, f"conv{level}_res"))
        x = skips.pop()
        for level in reversed(range(levels)):
            up = build.deconv(x, 2**level * width, f"up{level}", slope=slope)
            x = layers.Concatenate(name=f"join{level}")([up, skips[level]])
            x = build.conv(x, 2**level * width, f"select{level}")
            x = build.residual(x, f"decode{level}")
        super().__init__(patch, [x, build.picture(x, "picture")], **kwargs)
        self._settings = settings

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Discriminator(keras.Model):
    """3 x 3 strided convolutions down to 4 x 4 scores, residual blocks after the last two.

    Input:
        image: (batch, size, size, 3) in [-1, 1].

    Output:
        realism: (batch, 4, 4, 1), logits or critic scores of patches.
    """

    def __init__(self, image_size=128, width=64, normalization="batch", slope=0.2, published_init=True, **kwargs):
        settings = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        build = _Builder(normalization, slope, published_init)
        image = keras.Input((image_size, image_size, 3), name="image")
        x, size, level = image, image_size, 0
        while size > 4:
            x = build.conv(x, min(2**level, 8) * width, f"down{level}", strides=2, normalize=level > 0)
            size, level = size // 2, level + 1
            if size <= 8:
                x = build.residual(x, f"down{level}_res")
        realism = layers.Conv2D(1, 1, kernel_initializer=build.initializer(), dtype="float32", name="realism")(x)
        super().__init__(inputs={"image": image}, outputs={"realism": realism}, **kwargs)
        self._settings = settings

    def get_config(self):
        return {"name": self.name, **self._settings}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
