"""Pictures a second of what comes before a training: the renderer, the record reader, the batches, the annotator."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.speed.machine import cores
from benchmarks.speed.processes import Side

READ_BATCHES = ("image", "action_units")


def measure(*, quick=False):
    """Yields dicts of ``what``, ``per_second``, ``unit``, ``about``, and ``memory_mb`` at most so far."""
    size, count = (32, 16) if quick else (128, 400)
    with tempfile.TemporaryDirectory() as folder, Side("benchmarks.speed.feeding:Work", folder, size) as side:
        for what, method, number, about in (
            ("synthetic renderer", "render", count, f"{size} px, {cores()} processes, their start included"),
            ("record reader", "read", count, f"{size} px PNG, one thread, NumPy out"),
            ("training batches", "batches", 64 if quick else 4000, f"{size} px, mirrored, partners, batches of 16"),
            ("annotator", "annotate", 4 if quick else 60, "faces whose landmarks are known, one thread"),
        ):
            done, seconds = side.call(method, number)
            yield {
                "what": what, "per_second": done / seconds, "unit": "pictures", "about": about,
                "memory_mb": side.peak_memory(),
            }  # fmt: skip


class Work:
    """Does each of them on one data set in `folder`; every method returns (pictures, seconds)."""

    def __init__(self, folder, size):
        self._folder, self._size = Path(folder) / "heads", size

    def render(self, count):
        from tfface.synthetic.dataset import synthesize

        start = time.perf_counter()
        synthesize(
            self._folder, count=count, image_size=self._size, seed=0, workers=cores(), progress=False,
            images_per_person=4,
        )  # fmt: skip
        return count, time.perf_counter() - start

    def _dataset(self):
        from tfface.data.records import open_dataset

        return open_dataset(self._folder)

    def read(self, count):
        list(zip(range(3), self._dataset(), strict=False))
        start = time.perf_counter()
        done = sum(1 for _ in self._dataset())
        return done, time.perf_counter() - start

    def batches(self, count):
        from tfface.data import pipeline

        batches = iter(pipeline.training_batches(self._dataset(), 16, image_size=self._size, seed=0))
        for _ in range(4):
            next(batches)
        start = time.perf_counter()
        for _ in range(count // 16):
            next(batches)
        return count // 16 * 16, time.perf_counter() - start

    def annotate(self, count):
        from tfface import annotator

        records = [record for _, record in zip(range(count), self._dataset(), strict=False)]
        pictures = [record["image"] for record in records]
        landmarks = [np.asarray(record["landmarks"], np.float32) for record in records]
        reader = annotator.shipped()
        reader.annotate(pictures[:2], landmarks[:2])
        start = time.perf_counter()
        reader.annotate(pictures, landmarks)
        return len(pictures), time.perf_counter() - start
