"""Training iterations of tfface and of plain PyTorch, which take turns, and the products that the machine can do.

An iteration is one update of the discriminator with its gradient penalty, one of the generator, both with Adam, and the
averaged generator: tfface's own train step with ``n_critic=1``. The batch is in memory on either side.
"""

import importlib.util
import time

import numpy as np
from tqdm import tqdm

from benchmarks.speed.processes import Side
from tfface.errors import InputError

MODELS = ("ganimation", "attgan")
LAYOUTS = ("channels_last", "contiguous")
OURS = "tfface"
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}  # of a loss term, relative
# What a command is shown to work with; its figures say nothing.
TINY = {
    "ganimation": dict(
        image_size=32, generator_width=8, residual_blocks=1, discriminator_width=8, discriminator_layers=4
    ),
    "attgan": dict(image_size=32, generator_width=8, discriminator_width=8, discriminator_units=16, depth=4),
}
_WARM_UP = 2


def measure(model, batch, *, quick=False, rounds=5, critics=1, precision="float32", jit=False, overrides=None):
    """Times a model's iteration on all sides.

    Returns:
        dict of ``operations`` of an iteration, ``losses`` (each side's), ``sides``: {name: ``seconds`` of each round,
        ``memory_mb`` at most}, and ``products``: {name: operations a second in each round}.

    Raises:
        InputError: PyTorch is not installed, or does not compute tfface's losses.
    """
    check_installed("torch")
    settings = {**(TINY[model] if quick else {}), "batch_size": batch, "n_critic": critics, **(overrides or {})}
    size = 256 if quick else 4096
    sides = {}
    try:
        ours = sides[OURS] = Side("benchmarks.speed.ours:Iteration", model, "paper", settings, precision, jit)
        known = {name: ours.call(name) for name in ("settings", "weights", "parts", "operations")}
        for layout in LAYOUTS:
            side = sides[f"PyTorch {layout}"] = Side(
                "benchmarks.peers.iteration:Iteration", model, known["settings"], layout, precision
            )
            side.call("load", known["weights"], known["parts"])
        losses = {name: side.call("losses") for name, side in sides.items()}
        check_losses(model, losses, TOLERANCE[precision])
        timed = _rounds(sides, f"{model}, batch {batch}", 1 if quick else _WARM_UP, rounds, size, precision)
        for name, side in sides.items():
            timed["sides"][name]["memory_mb"] = side.peak_memory()
    finally:
        for side in sides.values():
            side.close()
    operations = batch * (critics * known["operations"]["d"] + known["operations"]["g"])
    about = {"model": model, "batch": batch, "critics": critics, "precision": precision, "settings": known["settings"]}
    return {**about, "operations": operations, "operations_per_picture": known["operations"], "losses": losses, **timed}


def _rounds(sides, what, warm_up, rounds, size, precision):
    """Returns seconds of iterations and operations a second of products, both of each round by side."""
    products = {name: side for name, side in sides.items() if name in (OURS, f"PyTorch {LAYOUTS[0]}")}
    for side in products.values():
        side.call("prepare_product", size)
    seconds = {name: [] for name in sides}
    rates = {name: [] for name in (*products, "numpy")}
    matrix = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    for number in tqdm(range(warm_up + rounds), desc=what, leave=False):
        for name, side in sides.items():
            took = side.seconds("iterate")
            if number >= warm_up:
                seconds[name].append(took)
        for name in rates:
            if name == "numpy" and precision != "float32":
                continue
            took = _numpy_seconds(matrix) if name == "numpy" else products[name].seconds("multiply")
            if number >= warm_up:
                rates[name].append(2 * size**3 / took)
    return {"sides": {name: {"seconds": each} for name, each in seconds.items()}, "products": rates}


def _numpy_seconds(matrix):
    start = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - start


def check_installed(*modules):
    """Raises InputError where one of them is missing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise InputError(f"the comparison needs {module}: pip install -e '.[benchmarks]'")


def check_losses(model, losses, tolerance):
    """Raises InputError unless all sides have the same loss terms, by the relative `tolerance`.

    Args:
        losses: {side: {term: value}}; terms that tfface only watches are not PyTorch's.
    """
    for side, terms in losses.items():
        for term, value in terms.items():
            expected = losses[OURS].get(term, np.nan) if side != OURS else value
            if not abs(value - expected) <= tolerance * abs(expected):
                raise InputError(
                    f"{model}: {term} is {value:.6g} in {side} and {expected:.6g} in {OURS} on the same weights and"
                    " batch: these are not the same losses, so nothing was timed"
                )
