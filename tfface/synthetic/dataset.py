"""Makes a data set of synthetic heads: checked settings, rendering processes, a writer that resumes. No TensorFlow."""

import dataclasses
import os
import pathlib

import tqdm

from tfface import conventions, sheets
from tfface.data import records
from tfface.errors import InputError
from tfface.synthetic import sampler, worker
from tfface.synthetic.labelled import render_range
from tfface.synthetic.render import RENDERER_VERSION

SOURCE = "synthetic heads rendered by tfface"
SHEET = "sheet.png"
SHEET_IMAGES, SHEET_COLUMNS, SHEET_SIZE = 48, 8, 128
IMAGE_SIZES = (16, 1024)
SHARD_RECORDS = 256  # an interruption costs at most these, some ten seconds of rendering
_TASK = 16  # scenes per task: a person's baked looks serve all their pictures, and answers still come often


def synthesize(directory, count, image_size, seed, workers=None, progress=True, spread=None, **settings):
    """Renders a data set of synthetic heads into `directory`, or goes on with an interrupted one.

    The files are the same, byte for byte, for any number of workers and however often the making was interrupted.

    Args:
        directory: a new or empty directory, or one that holds a part of this very set.
        count: number of pictures; a multiple of the number of views, or of 20 with a factor.
        image_size: side of the square pictures in pixels, 16 to 1024.
        seed: non-negative; another seed gives other people and pictures.
        workers: processes that render; None takes one per processor, 1 renders in this process.
        progress: whether to show a progress bar.
        spread: what renders instead of this machine: a function that takes the arguments of `labelled.render_range` for
            each shard and yields their records, in order and in lists of any length.
        **settings: fields of `sampler.Settings`: `people`, `images_per_person`, `poses`, `views`, `factor`, ...

    Returns:
        The directory as a pathlib.Path; beside the records it holds ``sheet.png``, the first pictures with labels.

    Raises:
        InputError: a setting is out of range, or the directory holds something else or what another renderer made.
        KeyboardInterrupt: finished shards are kept, and the same call goes on after them.
    """
    settings = sampler.Settings(**settings)
    _check(count, image_size, seed, workers, settings)
    begun = _begun(pathlib.Path(directory))
    _check_renderer(directory, begun)
    writer = records.RecordWriter(
        directory,
        image_size=image_size,
        total=count,
        source=SOURCE,
        licence="CC0-1.0 head model and textures; the pictures show no real person",
        seed=seed,
        settings=_written_settings(settings, begun),
        shard_records=SHARD_RECORDS,
    )
    bar = tqdm.tqdm(total=count, initial=writer.written, disable=not progress, unit="img", desc="Rendering")
    with writer, bar:
        step = _TASK if spread is None else SHARD_RECORDS
        starts = range(writer.written, count, step)
        tasks = [(start, min(start + step, count), image_size, seed, settings) for start in starts]
        workers = min(workers or _processors(), len(tasks))
        if spread is not None:
            results = spread(tasks)
        else:
            results = worker.ordered_map(tasks, workers) if workers > 1 else (render_range(*task) for task in tasks)
        for rendered in results:
            for record in rendered:
                writer.write(record)
            bar.update(len(rendered))
    directory = pathlib.Path(directory)
    if not (directory / SHEET).exists():
        contact_sheet(records.open_dataset(directory), directory / SHEET)
    return directory


def contact_sheet(dataset, path):
    """Writes the first pictures of a data set with their strongest action units, pose and attributes as a PNG."""
    images, captions = [], []
    for record in dataset:
        images.append(record["image"])
        captions.append(_caption(record))
        if len(images) == SHEET_IMAGES:
            break
    size = max(SHEET_SIZE, dataset.image_size)
    sheets.save(path, sheets.grid(images, SHEET_COLUMNS, captions, size))


def _caption(record):
    strongest = sorted(zip(record["action_units"], conventions.ACTION_UNITS), reverse=True)[:3]
    units = " ".join(f"{name[2:]}:{value:.1f}" for value, name in strongest if value > 0.5)
    pose = "y{:.0f} p{:.0f} r{:.0f}".format(*record["pose"])
    light = "L{:.0f}/{:.0f}".format(*record["light"])
    return "\n".join(filter(None, [units or "neutral", f"{pose} {light}", record["view"]]))


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begun(directory):
    """Returns the settings of the rendered set that a directory holds, finished or not, or None."""
    if not (directory / records.DATASET_FILE).exists():
        return None
    info = records.read_info(directory)
    return info["settings"] if info["source"] == SOURCE else None


def _written_settings(settings, begun):
    """Returns what dataset.json says of the settings. One that a set was begun without had its default there."""
    values = {**dataclasses.asdict(settings), "renderer": RENDERER_VERSION}
    if begun is None:
        return values
    defaults = dataclasses.asdict(sampler.Settings())
    return {key: value for key, value in values.items() if key in begun or value != defaults.get(key)}


def _check_renderer(directory, begun):
    """A set begun by another renderer would be half of each, and a finished one is not what this one renders."""
    made_by = RENDERER_VERSION if begun is None else begun.get("renderer", 0)  # 0: before renderers were counted
    if made_by != RENDERER_VERSION:
        raise InputError(
            f"{directory}: made by renderer {made_by}, this is {RENDERER_VERSION}; render into another directory or "
            "delete it"
        )


def _check(count, image_size, seed, workers, settings):
    if count < 1:
        raise InputError(f"count {count}: expected 1 or more pictures")
    low, high = IMAGE_SIZES
    if not low <= image_size <= high:
        raise InputError(f"image size {image_size}: expected {low} to {high} pixels")
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more")
    if workers is not None and workers < 1:
        raise InputError(f"workers {workers}: expected 1 or more")
    together = sampler.FACTOR_BATCH if settings.factor else len(settings.views) or settings.answers
    if count % together:
        what = "a factor's batch" if settings.factor else "a person in these views" if settings.views else "a scene"
        raise InputError(f"count {count}: {what} has {together} pictures, so expected a multiple of {together}")
