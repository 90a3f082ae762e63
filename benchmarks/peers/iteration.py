"""One training iteration in plain PyTorch: what tfface's own train step does, in eager mode, as one would write it.

It is not made slow: parameters that a loss does not update get no gradient, the edit of the critic's update is made
without one, both optimizers are the fused Adam, and the average is one call over all weights.
"""

import contextlib
import importlib
import os

import numpy as np
import torch

from benchmarks.peers.blocks import copy_weights

LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class Iteration:
    """Networks, optimizers and the average of one model.

    Args:
        model: "ganimation" or "attgan".
        settings: dict of the model's settings, and ``depth`` or ``attribute_count`` where a network needs them.
        layout: of the pictures and kernels in memory, one of `LAYOUTS`.
        precision: "float32", or "bfloat16" by automatic mixed precision.
        threads: of PyTorch; None for all cores.
    """

    def __init__(self, model, settings, layout="channels_last", precision="float32", threads=None):
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        self.module = importlib.import_module(f"benchmarks.peers.{model}")
        self.settings, self.layout, self.precision = settings, LAYOUTS[layout], precision
        self.networks = {
            "generator": self._placed(self.module.Generator(settings)),
            "discriminator": self._placed(self.module.Discriminator(settings)),
        }
        self.average = self._placed(self.module.Generator(settings))
        self.optimizers = {
            name: torch.optim.Adam(
                network.parameters(), settings["learning_rate"], betas=(0.5, 0.999), eps=1e-8, fused=True
            )
            for name, network in self.networks.items()
        }
        self.parts = []

    def _placed(self, value):
        return value.to(memory_format=self.layout)

    def load(self, weights, parts):
        """Takes tfface's weights, ``{"generator": {"layer.kernel": array}, ...}``, and the batch it trains on.

        Args:
            weights: of both networks.
            parts: micro-batches, each a tuple of pictures (batch, size, size, 3), labels, targets, both (batch, n), and
                alpha (batch, 1, 1, 1); the last one is the generator's.
        """
        for name, network in self.networks.items():
            copy_weights(network, weights[name])
        self.average.load_state_dict(self.networks["generator"].state_dict())
        self.parts = [tuple(self._tensor(value) for value in part) for part in parts]

    def _tensor(self, value):
        value = torch.from_numpy(np.ascontiguousarray(value))
        return self._placed(value.permute(0, 3, 1, 2)) if value.ndim == 4 else value

    def _mixed(self):
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast("cpu", torch.bfloat16)

    def _losses(self, name, part):
        g, d = self.networks["generator"], self.networks["discriminator"]
        with self._mixed():
            if name == "discriminator":
                return self.module.discriminator_losses(g, d, self.settings, *part)
            return self.module.generator_losses(g, d, self.settings, *part[:3])

    def _gradients(self, name, part):
        terms = self._losses(name, part)
        return terms, torch.autograd.grad(terms[f"{name[0]}_loss"], list(self.networks[name].parameters()))

    def critics(self):
        """Returns the micro-batches that the critic learns from: one a part, but the generator may have its own."""
        return self.parts if len(self.parts) == self.settings["n_critic"] else self.parts[:-1]

    def iterate(self):
        """1. An update of the discriminator for each of its micro-batches. 2. One of the generator. 3. The average."""
        for part in self.critics():
            image, labels, target, alpha = part
            d_terms = self._update("discriminator", (image, labels, target, torch.rand_like(alpha)))
        g_terms = self._update("generator", self.parts[-1])
        with torch.no_grad():
            pairs = list(self.average.parameters()), list(self.networks["generator"].parameters())
            torch._foreach_lerp_(*pairs, 1.0 - self.settings["ema_decay"])
        return {name: value.item() for name, value in {**d_terms, **g_terms}.items()}

    def _update(self, name, part):
        terms, gradients = self._gradients(name, part)
        for parameter, gradient in zip(self.networks[name].parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.optimizers[name].step()
        return {name: value.detach() for name, value in terms.items()}

    def losses(self):
        """Returns every loss term on the weights and batch as they are: the critic's first part, the generator's."""
        first = self._losses("discriminator", self.parts[0])
        return {name: value.item() for name, value in {**first, **self._losses("generator", self.parts[-1])}.items()}

    def gradients(self):
        """Returns ``{network: {parameter: array}}``, each of its own loss, on the same parts as `losses`."""
        out = {}
        for name, part in (("discriminator", self.parts[0]), ("generator", self.parts[-1])):
            names = [each for each, _ in self.networks[name].named_parameters()]
            out[name] = dict(zip(names, (g.numpy() for g in self._gradients(name, part)[1]), strict=True))
        return out

    def prepare_product(self, size):
        """Makes ready for `multiply`, a square product, for what the machine can do at most."""
        self._matrix = torch.randn(size, size).to(getattr(torch, self.precision))

    def multiply(self):
        return (self._matrix @ self._matrix)[0, 0].item()

    def edit(self, image, condition):
        """Returns the edit of (batch, size, size, 3) pictures, as the averaged network makes it."""
        self.average.eval()
        with torch.inference_mode(), self._mixed():
            made = self.average(self._tensor(image), self._tensor(condition))
        return (made[0] if isinstance(made, tuple) else made).permute(0, 2, 3, 1).numpy()
