"""How long an edit takes by what an export runs with, and in PyTorch: one picture and a batch, taking turns."""

import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.speed.iterations import TINY
from benchmarks.speed.processes import Side
from tfface.errors import InputError

TOLERANCE = 1e-3  # of pixels in [-1, 1]
_WARM_UP = 2


def measure(model, *, quick=False, rounds=20, counts=(1, 8)):
    """Yields, for each number of pictures, ``milliseconds`` {runtime: (median, smallest, largest)} of a whole call with
    arrays in and out, ``difference`` {runtime: largest to the SavedModel's pictures}, and ``memory_mb`` so far.

    Raises:
        InputError: a runtime makes another picture.
    """
    settings = dict(TINY[model]) if quick else {}
    runtime = "benchmarks.speed.runtimes:"
    sides = {}
    with tempfile.TemporaryDirectory() as folder:
        with Side(f"{runtime}Exporter", model, settings, folder) as exporter:
            saved, shapes, known, weights = exporter.call("about")
        try:
            sides["SavedModel"] = Side(f"{runtime}SavedModel", saved)
            sides["ONNX Runtime"] = Side(f"{runtime}OnnxRuntime", str(Path(folder) / "model.onnx"))
            sides["LiteRT"] = Side(f"{runtime}LiteRT", str(Path(folder) / "model.tflite"))
            sides["PyTorch channels_last"] = Side(f"{runtime}PyTorch", model, known, weights)
            for count in counts:
                random = np.random.default_rng(0)
                inputs = {name: random.random((count, *shape), np.float32) for name, shape in shapes.items()}
                inputs["image"] = inputs["image"] * 2 - 1
                yield {
                    "model": model, "pictures": count, "size": shapes["image"][0],
                    **_compared(sides, inputs, 2 if quick else max(3, rounds // count)),
                }  # fmt: skip
        finally:
            for side in sides.values():
                side.close()


def _compared(sides, inputs, rounds):
    pictures = {}
    for name, side in sides.items():
        side.call("prepare", inputs)
        pictures[name] = side.call("edit")
    expected = pictures["SavedModel"]
    difference = {name: float(np.abs(made - expected).max()) for name, made in pictures.items()}
    for name, value in difference.items():
        if not value <= TOLERANCE:
            raise InputError(
                f"{name} differs from the SavedModel by {value:.1e}: not the same edit, so nothing was timed"
            )
    seconds = {name: [] for name in sides}
    for number in tqdm(range(_WARM_UP + rounds), desc=f"edits of {len(expected)}", leave=False):
        for name, side in sides.items():
            took = side.seconds("edit")
            if number >= _WARM_UP:
                seconds[name].append(1e3 * took)
    milliseconds = {name: (float(np.median(each)), min(each), max(each)) for name, each in seconds.items()}
    memory = {name: side.peak_memory() for name, side in sides.items()}
    return {"milliseconds": milliseconds, "difference": difference, "memory_mb": memory}
