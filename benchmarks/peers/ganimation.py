"""GANimation's networks and losses in plain PyTorch, as tfface's `paper` preset has them (concatenated conditions)."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers.blocks import down, gradient_penalty, l1, mse, total_variation, up, with_planes


class Generator(nn.Module):
    """c7s1-64, d128, d256, R256 x n, u128, u64 and both heads in one c7s1-4, each but the last with instance norm."""

    def __init__(self, settings):
        super().__init__()
        width, edge = settings["generator_width"], settings["edge_kernel"]
        self.attention_bias = settings["attention_bias"]
        self.blocks = settings["residual_blocks"]

        def layer(name, convolution, filters):
            self.add_module(name, convolution)
            self.add_module(f"{name}_norm", nn.InstanceNorm2d(filters, affine=True))

        layer("stem", nn.Conv2d(3 + 17, width, edge, 1, edge // 2, bias=False), width)
        layer("down2", down(width, 2 * width, False), 2 * width)
        layer("down4", down(2 * width, 4 * width, False), 4 * width)
        for block in range(1, self.blocks + 1):
            for half in "ab":
                layer(f"residual{block}{half}", nn.Conv2d(4 * width, 4 * width, 3, 1, 1, bias=False), 4 * width)
        layer("up2", up(4 * width, 2 * width, False), 2 * width)
        layer("up1", up(2 * width, width, False), width)
        self.heads = nn.Conv2d(width, 4, edge, 1, edge // 2, bias=False)

    def _normal(self, name, x):
        return getattr(self, f"{name}_norm")(getattr(self, name)(x))

    def forward(self, image, units):
        x = with_planes(image, units)
        for name in ("stem", "down2", "down4"):
            x = functional.relu(self._normal(name, x))
        for block in range(1, self.blocks + 1):
            inner = functional.relu(self._normal(f"residual{block}a", x))
            x = x + self._normal(f"residual{block}b", inner)
        for name in ("up2", "up1"):
            x = functional.relu(self._normal(name, x))
        heads = self.heads(x).float()
        color, attention = torch.tanh(heads[:, :3]), torch.sigmoid(heads[:, 3:] + self.attention_bias)
        return attention * image + (1.0 - attention) * color, attention


class Discriminator(nn.Module):
    """Strided convolutions with LeakyReLU 0.01, a critic of patches and an estimate of the action units."""

    def __init__(self, settings):
        super().__init__()
        size, width, depth = (settings[f"{name}"] for name in ("image_size", "discriminator_width", "depth"))
        self.depth = depth
        for layer in range(depth):
            channels = width * 2 ** (layer - 1) if layer else 3
            self.add_module(f"down{layer + 1}", down(channels, width * 2**layer, True))
        last = width * 2 ** (depth - 1)
        self.realism = nn.Conv2d(last, 1, 3, 1, 1, bias=False)
        self.units = nn.Conv2d(last, 17, size // 2**depth, bias=False)

    def features(self, image):
        x = image
        for layer in range(1, self.depth + 1):
            x = functional.leaky_relu(getattr(self, f"down{layer}")(x), 0.01)
        return x

    def critic(self, image):
        return self.realism(self.features(image)).float()

    def forward(self, image):
        x = self.features(image)
        return self.realism(x).float(), self.units(x).flatten(1).float()


def discriminator_losses(generator, discriminator, settings, image, units, target, alpha):
    with torch.no_grad():
        fake = generator(image, target)[0]
    realism, estimate = discriminator(image)
    adv = discriminator.critic(fake).mean() - realism.mean()
    gp = gradient_penalty(discriminator.critic, image, fake, alpha)
    cond = mse(estimate, units)
    loss = settings["lambda_adv"] * adv + settings["lambda_gp"] * gp + settings["lambda_cond"] * cond
    return {"d_loss": loss, "d_adv": adv, "d_gp": gp, "d_cond": cond}


def generator_losses(generator, discriminator, settings, image, units, target):
    edit, mask = generator(image, target)
    realism, estimate = discriminator(edit)
    back, mask_back = generator(edit, units)
    terms = {
        "g_adv": -realism.mean(),
        "g_cond": mse(estimate, target),
        "g_cyc": l1(back, image),
        "g_mask": mask.mean() + mask_back.mean(),
        "g_tv": total_variation(mask) + total_variation(mask_back),
    }
    names = ("adv", "cond", "cyc", "mask", "tv")
    loss = sum(settings[f"lambda_{name}"] * terms[f"g_{name}"] for name in names)
    loss = loss + settings["lambda_edit"] * (2 - terms["g_mask"])
    return {"g_loss": loss, **terms}
