"""How the cost of an iteration grows with resolution and batch, and that of a data set with its size."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.speed.iterations import TINY
from benchmarks.speed.processes import Side


def measure(models, *, quick=False, rounds=2):
    """Yields dicts of ``what`` and ``points``: ``at``, ``seconds``, ``memory_mb`` and ``work``, what the time is for:
    pixels of a batch, or records."""
    for model in models:
        sizes, batches = ((32, 64), (1, 2)) if quick else ((64, 128, 256), (1, 2, 4, 8))
        base = {**(TINY[model] if quick else {}), "n_critic": 1}
        size = base.get("image_size", 128)
        yield {
            "what": f"{model}, resolution, batch 1",
            "points": [_iteration(model, f"{s} px", s, 1, base, rounds) for s in sizes],
        }
        yield {
            "what": f"{model}, batch, {size} px",
            "points": [_iteration(model, f"{b} pictures", size, b, base, rounds) for b in batches],
        }
    counts = (64, 256) if quick else (1000, 4000, 16000)
    found = {"opened and listed": [], "first batch after that": []}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder, Side("benchmarks.speed.growth:DataSet", folder, count) as side:
            for what, method in zip(found, ("listed", "first_batch"), strict=True):
                seconds = side.call(method)
                point = {"at": f"{count} records", "seconds": seconds, "work": count, "memory_mb": side.peak_memory()}
                found[what].append(point)
    for what, points in found.items():
        yield {"what": f"data set {what}", "points": points}


def _iteration(model, at, size, batch, base, rounds):
    settings = {**base, "image_size": size, "batch_size": batch}
    with Side("benchmarks.speed.ours:Iteration", model, "paper", settings) as side:
        side.call("iterate")
        seconds = [side.seconds("iterate") for _ in range(rounds)]
        return {"at": at, "seconds": min(seconds), "work": size**2 * batch, "memory_mb": side.peak_memory()}


class DataSet:
    """A data set of one small picture many times over, with labels of its own each, in `folder`."""

    def __init__(self, folder, count):
        from tfface.data import records

        random = np.random.default_rng(0)
        picture = records.encode_image(random.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        self._folder = Path(folder) / "data"
        with records.RecordWriter(self._folder, image_size=32) as writer:
            for number in range(count):
                writer.write({"image": picture, "action_units": random.uniform(0, 5, 17), "identity": number // 4})

    def _batches(self):
        from tfface.data import pipeline, records

        return pipeline.training_batches(records.open_dataset(self._folder), 16, image_size=32, seed=0)

    def listed(self):
        """Returns seconds until the data set is open and its records are known."""
        start = time.perf_counter()
        self._made = self._batches()
        return time.perf_counter() - start

    def first_batch(self):
        start = time.perf_counter()
        next(iter(self._made))
        return time.perf_counter() - start
