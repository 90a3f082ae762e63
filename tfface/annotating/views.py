"""Rendered pictures as cameras and files would have them, looked at through the landmarker. Kept, to be fitted to.

The landmarks are those that the landmarker finds, not the true ones: what it gets wrong on photos, and how it shakes
with noise, blur and size, is in them.
"""

import pathlib

import cv2
import numpy as np
import tqdm

from tfface import faces, images
from tfface.annotating import features
from tfface.annotating.looks import look
from tfface.data import records
from tfface.judging.views import weather

_SCALES = (0.4, 1.8)  # of the rendered pictures: faces from some 45 to 200 pixels
_CHUNK = 200  # pictures kept in one file: what an interruption costs
LABELS = ("action_units", "attributes", "pose", "identity")


def view(picture, rng, mirrored):
    """Returns another uint8 picture of the same scene: of another size, with other tones, blur, noise; or mirrored."""
    scale = np.exp(rng.uniform(*np.log(_SCALES)))
    size = round(len(picture) * scale)
    picture = images.warp(picture, np.array([[scale, 0, 0], [0, scale, 0]]), size)
    picture = weather(picture, rng, strength=0.7)
    return np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture


def largest(landmarker, picture):
    """Returns the `Look` of the largest face of a picture, or None."""
    found = landmarker.find(picture)
    if not found:
        return None
    face = max(found, key=lambda one: one.size)
    return look(picture, face.mesh, face.blendshapes)


def gather(dataset, directory, seed, varied, progress=True):
    """Looks at all pictures of a data set, or goes on where it stopped.

    Args:
        dataset: `records.Dataset` of faces.
        directory: where what was seen is kept.
        seed: of the views.
        varied: two varied views of each picture, the second one mirrored, or else the picture itself.
        progress: show a bar.

    Returns:
        dict of arrays, a row for each view in which a face was found: the blocks of `features` (`pose` is the mesh's)
        and, named ``true ...``, `LABELS`.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    landmarker, seen, labels, parts = faces.Landmarker(), [], [], []
    every = dataset.records(images=False)
    bar = tqdm.tqdm(every, total=len(dataset), disable=not progress, unit="img", desc="Looking")
    for number, record in enumerate(bar):
        part = directory / f"{number // _CHUNK:05d}.npz"
        if not part.exists():
            records.decode_images(record)
            rng = np.random.default_rng([seed, number])
            for mirrored in (False, True) if varied else (False,):
                one = largest(landmarker, view(record["image"], rng, mirrored) if varied else record["image"])
                if one is not None:
                    seen.append(one)
                    labels.append(_labels(record, mirrored))
        if number % _CHUNK == _CHUNK - 1 or number == len(dataset) - 1:
            if not part.exists():
                _keep(part, seen, labels)
                seen, labels = [], []
            with np.load(part) as data:
                parts.append(dict(data))
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return {key: values if key.startswith("true") else values.astype(np.float32) for key, values in joined.items()}


def _labels(record, mirrored):
    pose = np.asarray(record["pose"], np.float64) * ((-1, 1, -1) if mirrored else 1)
    return {f"true {name}": np.asarray(pose if name == "pose" else record[name]) for name in LABELS}


def _keep(part, seen, labels):
    crops = (np.stack([getattr(look, name) for look in seen]) for name in features.CROPS)
    blocks = {**features.of_geometry(seen), **features.of_network(*crops)}
    rows = {key: np.stack([row[key] for row in labels]) for key in labels[0]}
    halves = {name: values.astype(np.float16) for name, values in blocks.items()}
    with images.atomic(part) as stream:
        np.savez(stream, **halves, **rows)
