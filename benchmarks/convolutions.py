"""The networks' own convolutions on this machine: each as the native kernel and in the way it may run instead.

Prints a markdown table of GANimation's layers; the limits in `tfface.convolutions` are read off it: the other way
(Winograd's tiles, one product, blocks) is worth it where its ratio is above 1. The two take turns, so that a machine
that slows down slows both.

    python -m benchmarks.convolutions [--preset paper laptop] [--batch N] [--rounds N]
"""

import argparse
import contextlib
import dataclasses
import time

from tfface import environment

environment.prepare()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tqdm import tqdm  # noqa: E402

from tfface import convolutions  # noqa: E402
from tfface.convolutions import Conv2D, Conv2DTranspose, Downsample, WideConvolution  # noqa: E402
from tfface.models.ganimation import GANimationConfig  # noqa: E402

WAYS = {"native": convolutions.plain_convolutions, "other": convolutions.training_convolutions}
BATCHES = {"paper": 4}  # the paper's 25 is for a GPU; other presets have their own
WARM_UP = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer of one preset: its class, what it is made with, and the shape of its input."""

    preset: str
    kind: type
    arguments: tuple
    shape: tuple

    def layer(self):
        layer = self.kind(*self.arguments)
        layer.build(self.shape)
        return layer


def cases(preset, batch=None):
    """Returns the discriminator's strided convolutions and one of each kind of the generator's."""
    config = GANimationConfig.from_preset(preset)
    batch = batch or BATCHES.get(preset, config.batch_size)
    size, channels, found = config.image_size, 3, []
    for layer in range(config.discriminator_layers):
        filters = config.discriminator_width * 2**layer
        found.append(Case(preset, Downsample, (filters,), (batch, size, size, channels)))
        size, channels = size // 2, filters
    size, width, kernel = config.image_size, config.generator_width, config.edge_kernel
    found.append(Case(preset, Conv2D, (4 * width, 3, 1, "same"), (batch, size // 4, size // 4, 4 * width)))
    found.append(Case(preset, Conv2DTranspose, (2 * width, 4, 2, "same"), (batch, size // 4, size // 4, 4 * width)))
    first = 3 if config.conditioning == "film" else 20
    found.append(Case(preset, WideConvolution, (width, kernel), (batch, size, size, first)))
    found.append(Case(preset, WideConvolution, (4, kernel), (batch, size, size, width)))
    return found


def compiled(case, way):
    """Returns graph functions without arguments: forward and backward, double backward as in a gradient penalty."""
    layer = case.layer()
    random = np.random.default_rng(0)
    layer.kernel.assign(random.normal(0, 0.02, layer.kernel.shape))
    x = tf.constant(random.normal(size=case.shape), tf.float32)

    @tf.function
    def backward():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(layer(x)))
        return tape.gradient(loss, [x, layer.kernel])

    @tf.function
    def double_backward():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = tf.reduce_sum(tf.square(layer(x)))
            penalty = tf.reduce_sum(tf.square(inner.gradient(score, x)))
        return outer.gradient(penalty, layer.kernel)

    with WAYS[way](), without_limits():
        backward.get_concrete_function()
        double_backward.get_concrete_function()
    return backward, double_backward


@contextlib.contextmanager
def without_limits():
    """Lets every layer take its other way."""
    limits = {(convolutions, "_FEWEST_CHANNELS"): 1, (WideConvolution, "most_channels"): 10**9}
    before = {(where, name): getattr(where, name) for where, name in limits}
    try:
        for (where, name), value in limits.items():
            setattr(where, name, value)
        yield
    finally:
        for (where, name), value in before.items():
            setattr(where, name, value)


def milliseconds(function):
    start = time.perf_counter()
    for result in tf.nest.flatten(function()):
        result.numpy()
    return 1e3 * (time.perf_counter() - start)


def measure(case, rounds, bar):
    """Returns {way: (backward, double backward)}, each the median of `rounds` alternating calls."""
    functions = {way: compiled(case, way) for way in WAYS}
    times = {way: ([], []) for way in WAYS}
    for number in range(WARM_UP + rounds):
        for way, pair in functions.items():
            for function, seen in zip(pair, times[way], strict=True):
                took = milliseconds(function)
                if number >= WARM_UP:
                    seen.append(took)
        bar.update()
    return {way: tuple(float(np.median(seen)) for seen in pair) for way, pair in times.items()}


def takes(case):
    """Returns which way the layer chooses by itself in a train step."""
    layer = case.layer()
    with convolutions.training_convolutions():
        step = tf.function(layer).get_concrete_function(tf.TensorSpec(case.shape))
    others = {"PartitionedCall": "products", "StatefulPartitionedCall": "products", "SpaceToDepth": "blocks"}
    kinds = {operation.type for operation in step.graph.get_operations()}
    return next((way for kind, way in others.items() if kind in kinds), "native")


def row(case, times):
    (native, native_double), (other, other_double) = times["native"], times["other"]
    batch, size, _, channels = case.shape
    kernel = case.layer().kernel.shape
    return (
        f"| {case.preset} | {case.kind.__name__} {kernel[0]} x {kernel[1]}"
        f" | {batch} x {size} x {size} x {channels} -> {case.arguments[0]}"
        f" | {native:.1f} / {native_double:.1f} | {other:.1f} / {other_double:.1f}"
        f" | {native / other:.2f} / {native_double / other_double:.2f} | {takes(case)} |"
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions", description=__doc__.splitlines()[0])
    presets = tuple(GANimationConfig.PRESETS)
    parser.add_argument("--preset", nargs="+", choices=presets, default=("paper", "laptop"), help="whose layers")
    parser.add_argument("--batch", type=int, help="pictures (default: 4 for paper, else the preset's)")
    parser.add_argument("--rounds", type=int, default=10, help="alternating calls measured (default: 10)")
    options = parser.parse_args(arguments)
    chosen = [case for preset in options.preset for case in cases(preset, options.batch)]
    print("| preset | layer | input -> filters | native ms | other ms | native / other | the layer takes |")
    print("|---|---|---|---|---|---|---|")
    with tqdm(total=len(chosen) * (WARM_UP + options.rounds), leave=False) as bar:
        for case in chosen:
            bar.write(row(case, measure(case, options.rounds, bar)))
    print("\nMilliseconds are forward + backward / double backward.")


if __name__ == "__main__":
    main()
