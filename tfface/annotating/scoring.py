"""How far the annotator is to be trusted: its scores on rendered people that nobody trained on, and on photographs."""

import pathlib

import numpy as np

from tfface import conventions, metrics

SHOWN = 2.0  # intensities above this against none at all: the area under the curve


def action_units(found, truth):
    """Returns {"auc", "icc", "mae"} of (N, 17) intensities 0-5, each a dict by name with the "mean".

    `auc` tells intensities above `SHOWN` from 0; `icc` is ICC(3,1).
    """
    scores = {"auc": {}, "icc": {}, "mae": {}}
    agreement = metrics.action_unit_scores(found, truth, conventions.ACTION_UNITS)
    for place, name in enumerate(conventions.ACTION_UNITS):
        clear = (truth[:, place] == 0) | (truth[:, place] > SHOWN)
        scores["auc"][name] = metrics.area_under_curve(found[clear, place], truth[clear, place] > SHOWN)
        scores["icc"][name], scores["mae"][name] = agreement[name]["icc"], agreement[name]["mae"]
    return {kind: _with_mean(values) for kind, values in scores.items()}


def attributes(found, truth):
    """Returns {"auc", "accuracy"} by name with the "mean" of (N, 40) probabilities and labels 1, 0 or -1."""
    scores = {"auc": {}, "accuracy": {}}
    for place, name in enumerate(conventions.ATTRIBUTES):
        sure = truth[:, place] != conventions.UNKNOWN
        yes = truth[sure, place] == 1
        if np.isnan(found[:, place]).any() or yes.all() or not yes.any():
            continue
        scores["auc"][name] = metrics.area_under_curve(found[sure, place], yes)
        scores["accuracy"][name] = ((found[sure, place] > 0.5) == yes).mean()
    return {kind: _with_mean(values) for kind, values in scores.items()}


def pose(found, truth):
    """Returns mean absolute errors and mean errors of (N, 3) poses in degrees, by angle."""
    error = found - truth
    names = ("yaw", "pitch", "roll")
    return {
        kind: {name: round(float(value), 2) for name, value in zip(names, values, strict=True)}
        for kind, values in (("mean absolute error", np.abs(error).mean(0)), ("mean error", error.mean(0)))
    }


def photos(directory, annotate):
    """Tells smiling from neutral photographs by AU06, AU12 and AU25: areas under the ROC curve.

    Args:
        directory: with folders ``neutral`` and ``smiling`` of photos.
        annotate: function from a list of `looks.Look`s to a dict with `action_units`.

    Returns:
        dict of the areas; `smile coefficient` is that of the landmarker's own blendshape, the mean of mouthSmileLeft
        and mouthSmileRight; `photos` their number.
    """
    from tfface import faces, images
    from tfface.annotating.views import largest

    landmarker, seen, smiling = faces.Landmarker(), [], []
    for folder in ("neutral", "smiling"):
        for path, _ in images.list_images([pathlib.Path(directory) / folder], "/dev/null"):
            one = largest(landmarker, images.read_image(path))
            if one is not None:
                seen.append(one)
                smiling.append(folder == "smiling")
    units = annotate(seen)["action_units"]
    result = {
        name: round(metrics.area_under_curve(units[:, conventions.ACTION_UNITS.index(name)], smiling), 4)
        for name in ("AU06", "AU12", "AU25")
    }
    places = [faces.BLENDSHAPES.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]
    smile = [one.blendshapes[places].mean() for one in seen]
    return {**result, "smile coefficient": round(metrics.area_under_curve(smile, smiling), 4), "photos": len(seen)}


def _with_mean(values):
    values = {name: round(float(value), 4) for name, value in values.items() if np.isfinite(value)}
    return {**values, "mean": round(float(np.mean(list(values.values()))), 4) if values else None}
