"""What a pass over a data set costs on so many devices, from counted operations and what you know of the devices.

    python -m benchmarks.planning --peak 60 --share 0.3 [--images 1000000] [--image-size 256] [--devices 1 8 64]

Operations are counted as `benchmarks.speed.flops` says, for the `paper` preset. `--peak` and `--share` are the device's
fastest product in TFLOP/s at the precision of training and what part of it training reaches: `python -m benchmarks.run
--parts iterations` measures both. Gradients are exchanged by a ring, of which nothing is hidden behind the computation.
An estimate: measure a short run before you book a week.
"""

import argparse
import dataclasses

from tfface.errors import InputError, exit_code

MODELS = ("ganimation", "attgan")


@dataclasses.dataclass(frozen=True)
class Work:
    """A train step of one model.

    Attributes:
        operations: of one example.
        examples: that a step takes for one of `batch_size`.
        exchanged: bytes of gradients that a step sends, all of its updates together.
    """

    operations: float
    examples: int
    exchanged: float


@dataclasses.dataclass(frozen=True)
class Device:
    """`peak`: operations a second of its fastest product; `share`: what training reaches of it; `bandwidth`: bytes a
    second between two neighbours of the ring; `batch`: `batch_size` for each device."""

    peak: float
    share: float
    bandwidth: float
    batch: int


def step_seconds(work, device, count):
    """Returns the seconds of computing and of exchanging that one step takes on `count` devices.

    A ring sends each byte nearly twice, ``2 (n - 1) / n``, whatever the number of devices n.
    """
    computing = work.operations * work.examples * device.batch / (device.peak * device.share)
    return computing, work.exchanged * 2 * (count - 1) / count / device.bandwidth


def examples_per_second(work, device, count):
    """Returns how many examples `count` devices together take in a second."""
    return count * device.batch * work.examples / sum(step_seconds(work, device, count))


def counted(name, size):
    """Returns the `Work` of a model's `paper` preset at pictures of so many pixels."""
    import numpy as np

    from benchmarks.speed import flops
    from tfface import models

    cls = models.get(name)
    config = cls.Config.from_preset("paper", image_size=size, steps=1000)
    model = cls(config, seed=0)
    updates = flops.iteration(model)
    examples = config.examples_per_step // config.batch_size
    sizes = {
        network: sum(4 * int(np.prod(v.shape)) for v in getattr(model, network).trainable_variables)
        for network in ("generator", "discriminator")
    }
    return Work(
        operations=(config.n_critic * updates["d"] + updates["g"]) / examples,
        examples=examples,
        exchanged=config.n_critic * sizes["discriminator"] + sizes["generator"],
    )


def main(arguments=None):
    """Prints a Markdown table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--peak", type=float, required=True, help="TFLOP/s of the device's fastest product")
    parser.add_argument("--share", type=float, required=True, help="what training reaches of it, 0 to 1")
    parser.add_argument("--bandwidth", type=float, default=25.0, help="GB/s between devices (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=25, help="batch_size for each device (default: %(default)s)")
    parser.add_argument("--images", type=int, default=1_000_000, help="of the data set (default: %(default)s)")
    parser.add_argument("--image-size", type=int, default=256, help="pixels (default: %(default)s)")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 8, 64])
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    for name in ("peak", "share", "bandwidth", "batch", "images"):
        if getattr(options, name) <= 0:
            raise InputError(f"--{name} {getattr(options, name)}: expected more than 0")
    if options.share > 1:
        raise InputError(f"--share {options.share}: expected 0 to 1")
    if min(options.devices) < 1:
        raise InputError(f"--devices {min(options.devices)}: expected 1 or more")
    device = Device(options.peak * 1e12, options.share, options.bandwidth * 1e9, options.batch)
    print("| model | devices | GFLOP an example | examples/s | exchange, share of the time | hours a pass |")
    print("|---|---|---|---|---|---|")
    for name in options.models:
        work = counted(name, options.image_size)
        for count in options.devices:
            computing, exchanging = step_seconds(work, device, count)
            rate = examples_per_second(work, device, count)
            print(
                f"| {name} | {count} | {work.operations / 1e9:.0f} | {rate:.0f} | "
                f"{exchanging / (computing + exchanging):.0%} | {options.images / rate / 3600:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    raise SystemExit(main())
