"""How far the judges are to be trusted: their scores on people that neither they nor any model saw."""

import os
import pathlib
import time

import numpy as np

from tfface import alignment, conventions, images, judges, metrics
from tfface.errors import InputError
from tfface.judging import scenes
from tfface.synthetic.dataset import synthesize

SEED = 770_002
SIZES = (64, 128)
YAW_LIMIT = 60  # degrees up to which pose is promised
_YAW_STEP = 15
PHOTOS = ("neutral", "smiling")


def evaluate(directory, count, wide, score, seed=SEED, workers=2, progress=True):
    """Scores judges on rendered people of the sampler's evaluation range.

    Args:
        directory: where the pictures are rendered, or were.
        count: portraits, as sets for training have them, for action units and attributes.
        wide: pictures with any yaw up to 90 degrees, for the pose.
        score: function like `judges.judge`.

    Returns:
        dict of the scores; see the docstring of ``scripts/train_judges.py``.
    """
    directory, result = pathlib.Path(directory), {}
    for margin in judges.MARGINS:
        for size in SIZES:
            truth, found = _judged(directory, count, size, margin, score, seed, workers, progress)
            result[f"{size}px, margin {margin}"] = {
                "action_units": action_units(found["action_units"], truth["action_units"]),
                "attributes": attributes(found["attributes"], truth["attributes"]),
                "pose": pose(found["pose"], truth["pose"]),
            }
    turned = {}
    for size in SIZES:
        truth, found = _judged(directory, wide, size, 1.0, score, seed, workers, progress, poses="wide")
        turned[f"{size}px, margin 1.0"] = pose(found["pose"], truth["pose"])
    changed = {}
    for size in SIZES:
        pairs = {"answers": 2, "vary": "attributes"}
        truth, found = _judged(directory, 2 * count, size, 1.5, score, seed, workers, progress, **pairs)
        changed[f"{size}px, margin 1.5"] = changed_attributes(found["attributes"], truth["attributes"])
    pictures = {"portraits": count, "turned": wide, "changed": count}
    return {"portraits": result, "turned": turned, "changed": changed, "pictures": pictures, "seed": seed}


def _judged(directory, count, size, margin, score, seed, workers, progress, poses="portrait", **more):
    place = directory / "-".join([poses, *more, f"{size}px", f"margin{margin}", str(count)])
    settings = {"people": "evaluation", "poses": poses, "margin": margin, "images_per_person": 2, **more}
    synthesize(place, count, size, seed, workers, progress, **settings)
    from tfface.data import records

    rows = list(records.open_dataset(place))
    scenes.check_people([row["identity"] for row in rows], "evaluation")
    truth = {key: np.array([row[key] for row in rows]) for key in ("action_units", "attributes", "pose")}
    return truth, score(np.stack([row["image"] for row in rows]), margin)


def action_units(found, truth):
    """Returns {"icc": {name: ICC(3,1), ..., "mean"}, "mae": {likewise, 0-5}} of (N, 17) arrays."""
    scores = metrics.action_unit_scores(found, truth, conventions.ACTION_UNITS)
    result = {}
    for kind in ("icc", "mae"):
        values = {name: _rounded(scores[name][kind]) for name in scores}
        result[kind] = {**values, "mean": _rounded(np.mean([scores[name][kind] for name in scores]))}
    return result


def attributes(found, truth):
    """Returns {name: {"auc", "accuracy" at probability 0.5, "share" of 1}} of the judged ones; (N, 40) arrays.

    Those that no picture settles are left out; `auc` is None where all pictures agree.
    """
    result = {}
    for name in judges.JUDGED:
        (place,) = judges.places([name])
        known = truth[:, place] >= 0
        if not known.any():
            continue
        yes, probability = truth[known, place] == 1, found[known, place]
        result[name] = {
            "auc": _rounded(metrics.area_under_curve(probability, yes)),
            "accuracy": _rounded(((probability > 0.5) == yes).mean()),
            "share": _rounded(yes.mean()),
        }
    for kind in ("auc", "accuracy"):
        values = [scores[kind] for name, scores in result.items() if name in judges.JUDGED and scores[kind] is not None]
        result[f"mean {kind}"] = _rounded(np.mean(values)) if values else None
    return result


def changed_attributes(found, truth):
    """Returns {name: share of the pictures with that attribute changed that are judged right, "mean", "others"}.

    Args:
        found, truth: (2N, 40): each picture and then the same with other attributes. "others" are what did not change.
    """
    changed = np.repeat(truth[1::2] != truth[::2], 2, axis=0)
    right = (found > 0.5) == (truth == 1)
    after = np.arange(len(truth)) % 2 == 1
    result = {}
    for name in judges.JUDGED:
        (place,) = judges.places([name])
        if (places := changed[:, place] & after).any():
            result[name] = _rounded(right[places, place].mean())
    judged = judges.places(judges.JUDGED)
    result["mean"] = _rounded(np.mean(list(result.values()))) if result else None
    result["others"] = _rounded(right[:, judged][~changed[:, judged]].mean())
    return result


def pose(found, truth):
    """Returns mean absolute errors of (N, 3) poses, degrees: yaw, pitch, roll up to `YAW_LIMIT`, and yaw by yaw."""
    error = np.abs(found - truth)
    size = np.abs(truth[:, 0])
    near = size <= YAW_LIMIT
    result = {name: _rounded(value) for name, value in zip(("yaw", "pitch", "roll"), error[near].mean(0), strict=True)}
    for low in range(0, int(size.max()) + 1, _YAW_STEP):
        here = (size >= low) & (size < low + _YAW_STEP)
        if here.any():
            result[f"yaw {low}-{low + _YAW_STEP}"] = _rounded(error[here, 0].mean())
    return result


def photos(directory, score, size=128):
    """Scores AU12 on photographs of smiling and of neutral people.

    Args:
        directory: with folders ``neutral`` and ``smiling`` of photos, one face each.
        score: function like `judges.judge`.
        size: of the aligned crops in pixels.

    Returns:
        dict of AU12 and of the attribute Smiling, in colour and in grey: area under the ROC curve over all people,
        which also asks that one person's neutral face shows less than another's smile; `pairs`, the share of people
        whose own smile shows more AU12 than their neutral face; `people`.

    Raises:
        InputError: a folder is missing, the folders have other names of files, or a photo has no face.
    """
    folders = {name: pathlib.Path(directory) / name for name in PHOTOS}
    crops = {name: aligned_photos(folder, size) for name, folder in folders.items()}
    names = [[name for _, name in images.list_images([folder], os.devnull)] for folder in folders.values()]
    if names[0] != names[1]:
        raise InputError(
            f"{directory}: {' and '.join(PHOTOS)} hold other file names; expected two photos of each person"
        )
    result = {"people": len(crops["smiling"]), "size": size}
    (smiling,) = judges.places(["Smiling"])
    for kind in ("color", "grey"):
        shown = {}
        for name, pictures in crops.items():
            if kind == "grey":
                pictures = np.repeat(pictures.mean(-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)
            found = score(pictures, 1.0)
            shown[name] = found["action_units"][:, conventions.ACTION_UNITS.index("AU12")], found["attributes"]
        smiles = {
            "AU12": [shown[name][0] for name in PHOTOS],
            "Smiling": [shown[name][1][:, smiling] for name in PHOTOS],
        }
        for what, (without, with_smile) in smiles.items():
            is_smiling = np.repeat([False, True], [len(without), len(with_smile)])
            area = metrics.area_under_curve(np.concatenate([without, with_smile]), is_smiling)
            result[f"{what} {kind}"] = _rounded(area)
        result[f"AU12 pairs {kind}"] = _rounded((shown["smiling"][0] > shown["neutral"][0]).mean())
    return result


def aligned_photos(directory, size, margin=1.0):
    """Returns (N, size, size, 3) uint8: the largest face of each photo of a folder; InputError if one has none."""
    from tfface.faces import Landmarker

    if not pathlib.Path(directory).is_dir():
        raise InputError(f"{directory}: no such folder; expected folders {' and '.join(PHOTOS)} of photos")
    landmarker, crops = Landmarker(), []
    for path, _ in images.list_images([directory], os.devnull):
        picture = images.read_image(path)
        faces = landmarker.find(picture)
        if not faces:
            raise InputError(f"{path}: no face found; leave this photo out")
        face = max(faces, key=lambda face: face.size)
        crops.append(images.warp(picture, alignment.alignment_matrix(face.landmarks, size, margin), size))
    return np.stack(crops)


def speed(score, size=128, count=64):
    """Returns milliseconds for each picture, with what prepares it; pictures are judged together."""
    pictures = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    score(pictures, 1.0)
    start = time.perf_counter()
    score(pictures, 1.0)
    return round((time.perf_counter() - start) / count * 1000, 2)


def _rounded(value):
    return round(float(value), 4) if np.isfinite(value) else None
