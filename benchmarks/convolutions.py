"""Strided 4x4 convolutions on this machine: TensorFlow's kernel against the matrix product over patches.

Prints a markdown table for the discriminator's layers; `tfface.layers.Downsample.largest_product` is read off it: the
product is worth it where its ratio is above 1. The two ways take turns, so that a machine that slows down slows both.

    python -m benchmarks.convolutions [--preset paper laptop] [--batch N] [--rounds N]
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tqdm import tqdm  # noqa: E402

from tfface.layers import Downsample  # noqa: E402
from tfface.models.ganimation import GANimationConfig  # noqa: E402

WAYS = {"native": 0, "product": 10**9}  # of `largest_product`
BATCHES = {"paper": 4}  # the paper's 25 is for a GPU; other presets have their own
WARM_UP = 2


def layer_shapes(preset):
    """Yields (size of the input, its channels, filters) of the discriminator's layers, and the preset's batch."""
    config = GANimationConfig.from_preset(preset)
    size, channels = config.image_size, 3
    for layer in range(config.discriminator_layers):
        filters = config.discriminator_width * 2**layer
        yield size, channels, filters, BATCHES.get(preset, config.batch_size)
        size, channels = size // 2, filters


def compiled(largest_product, size, channels, filters, batch):
    """Returns graph functions without arguments: forward and backward, double backward as in a gradient penalty."""
    layer = Downsample(filters)
    layer.largest_product = largest_product
    layer.build((batch, size, size, channels))
    random = np.random.default_rng(0)
    layer.kernel.assign(random.normal(0, 0.02, layer.kernel.shape))
    x = tf.constant(random.normal(size=(batch, size, size, channels)), tf.float32)

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

    return backward, double_backward


def milliseconds(function):
    start = time.perf_counter()
    for result in tf.nest.flatten(function()):
        result.numpy()
    return 1e3 * (time.perf_counter() - start)


def measure(shape, rounds, bar):
    """Returns {way: (backward, double backward)} for one layer, each the median of `rounds` alternating calls."""
    functions = {way: compiled(product, *shape) for way, product in WAYS.items()}
    times = {way: ([], []) for way in WAYS}
    for number in range(WARM_UP + rounds):
        for way, pair in functions.items():
            for function, seen in zip(pair, times[way], strict=True):
                took = milliseconds(function)
                if number >= WARM_UP:
                    seen.append(took)
        bar.update()
    return {way: tuple(float(np.median(seen)) for seen in pair) for way, pair in times.items()}


def row(preset, shape, times):
    size, channels, filters, batch = shape
    (native, native_double), (product, product_double) = times["native"], times["product"]
    chosen = "product" if (size // 2) ** 2 <= Downsample.largest_product else "native"
    return (
        f"| {preset} | {batch} x {size} x {size} x {channels} -> {filters} | {(size // 2) ** 2}"
        f" | {native:.1f} / {native_double:.1f} | {product:.1f} / {product_double:.1f}"
        f" | {native / product:.2f} / {native_double / product_double:.2f} | {chosen} |"
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions", description=__doc__.splitlines()[0])
    presets = tuple(GANimationConfig.PRESETS)
    parser.add_argument("--preset", nargs="+", choices=presets, default=("paper", "laptop"), help="whose layers")
    parser.add_argument("--batch", type=int, help="pictures (default: 4 for paper, else the preset's)")
    parser.add_argument("--rounds", type=int, default=10, help="alternating calls measured (default: 10)")
    options = parser.parse_args(arguments)
    shapes = [
        (preset, (*shape, options.batch or batch))
        for preset in options.preset
        for *shape, batch in layer_shapes(preset)
    ]
    print("| preset | layer | output pixels | native ms | product ms | native / product | Downsample takes |")
    print("|---|---|---|---|---|---|---|")
    with tqdm(total=len(shapes) * (WARM_UP + options.rounds), leave=False) as bar:
        for preset, shape in shapes:
            bar.write(row(preset, shape, measure(shape, options.rounds, bar)))
    print("\nMilliseconds are forward + backward / double backward.")


if __name__ == "__main__":
    main()
