"""AttGAN's networks and losses in plain PyTorch, as tfface's `paper` preset has them (one shortcut, one injection)."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers.blocks import down, gradient_penalty, l1, up, with_planes


class Generator(nn.Module):
    """Strided convolutions to a latent map, transposed ones from it and the attributes, with batch normalisation."""

    def __init__(self, settings):
        super().__init__()
        width, depth, count = (settings[name] for name in ("generator_width", "depth", "attribute_count"))
        self.depth, self.shortcuts, self.injections = depth, settings["shortcuts"], settings["injections"]

        def norm(name, filters):
            # Its momentum is the share of the new value, Keras' that of the old.
            self.add_module(f"{name}_norm", nn.BatchNorm2d(filters, 1e-3, 1.0 - settings["norm_momentum"]))

        for layer in range(1, depth + 1):
            filters = width * 2 ** (layer - 1)
            self.add_module(f"down{layer}", down(filters // 2 if layer > 1 else 3, filters, False))
            norm(f"down{layer}", filters)
        channels = width * 2 ** (depth - 1) + count
        for layer in range(1, depth):
            filters = width * 2 ** (depth - layer)
            self.add_module(f"up{layer}", up(channels, filters, False))
            norm(f"up{layer}", filters)
            channels = filters + (width * 2 ** (depth - layer - 1) if layer <= self.shortcuts else 0)
            channels += count if layer <= self.injections else 0
        self.color = up(channels, 3, True)

    def _normal(self, name, x):
        return getattr(self, f"{name}_norm")(getattr(self, name)(x))

    def encode(self, image):
        x, features = image, []
        for layer in range(1, self.depth + 1):
            x = functional.leaky_relu(self._normal(f"down{layer}", x), 0.2)
            features.append(x)
        return features

    def decode(self, features, asked):
        code = 2.0 * asked - 1.0
        x = with_planes(features[-1], code)
        for layer in range(1, self.depth):
            x = functional.relu(self._normal(f"up{layer}", x))
            if layer <= self.shortcuts:
                x = torch.cat([x, features[self.depth - layer - 1]], 1)
            if layer <= self.injections:
                x = with_planes(x, code)
        return torch.tanh(self.color(x).float())

    def forward(self, image, asked):
        return self.decode(self.encode(image), asked)


class Discriminator(nn.Module):
    """Strided convolutions with instance norm and LeakyReLU 0.2, then a critic and a classifier of two layers each."""

    def __init__(self, settings):
        super().__init__()
        width, depth = settings["discriminator_width"], settings["depth"]
        self.depth = depth
        for layer in range(1, depth + 1):
            filters = width * 2 ** (layer - 1)
            self.add_module(f"down{layer}", down(filters // 2 if layer > 1 else 3, filters, False))
            self.add_module(f"down{layer}_norm", nn.InstanceNorm2d(filters, eps=1e-6, affine=True))
        left = settings["image_size"] // 2**depth
        for name, count in (("realism", 1), ("attributes", settings["attribute_count"])):
            hidden = nn.Linear(filters * left * left, settings["discriminator_units"])
            hidden.weight.map_shape = (filters, left, left)
            self.add_module(f"{name}_hidden", hidden)
            self.add_module(name, nn.Linear(settings["discriminator_units"], count))

    def features(self, image):
        x = image
        for layer in range(1, self.depth + 1):
            x = getattr(self, f"down{layer}_norm")(getattr(self, f"down{layer}")(x))
            x = functional.leaky_relu(x, 0.2)
        return x.flatten(1)

    def head(self, name, x):
        return getattr(self, name)(functional.leaky_relu(getattr(self, f"{name}_hidden")(x), 0.2)).float()

    def critic(self, image):
        return self.head("realism", self.features(image))

    def forward(self, image):
        x = self.features(image)
        return self.head("realism", x), self.head("attributes", x)


attribute_loss = functional.binary_cross_entropy_with_logits  # every attribute of these batches is known


def condition(settings, source, target):
    return target - source + 0.5 if settings["relative"] else target


def discriminator_losses(generator, discriminator, settings, image, source, target, alpha):
    with torch.no_grad():
        fake = generator(image, condition(settings, source, target))
    realism, logits = discriminator(image)
    adv = discriminator.critic(fake).mean() - realism.mean()
    gp = gradient_penalty(discriminator.critic, image, fake, alpha)
    cond = attribute_loss(logits, source)
    loss = settings["lambda_adv"] * adv + settings["lambda_gp"] * gp + settings["lambda_cond_real"] * cond
    return {"d_loss": loss, "d_adv": adv, "d_gp": gp, "d_cond": cond}


def generator_losses(generator, discriminator, settings, image, source, target):
    features = generator.encode(image)
    same = generator.decode(features, condition(settings, source, source))
    edit = generator.decode(features, condition(settings, source, target))
    realism, logits = discriminator(edit)
    terms = {"g_adv": -realism.mean(), "g_cond": attribute_loss(logits, target), "g_rec": l1(same, image)}
    loss = sum(settings[f"lambda_{name}"] * terms[f"g_{name}"] for name in ("adv", "cond", "rec"))
    return {"g_loss": loss, **terms}
