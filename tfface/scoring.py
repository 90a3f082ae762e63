"""From edited pictures to numbers: what each kind of picture scores, over all cases and request by request.

Three kinds are scored alike: ``edit`` is the model's picture, ``copy`` the unedited one (doing nothing) and ``oracle``
the true answer. A score between the copy's and the oracle's says what the model does; the oracle's own says how far the
judges can be trusted. No TensorFlow.
"""

import dataclasses
import math

import numpy as np

from tfface import metrics
from tfface.conventions import ACTION_UNITS, MAX_INTENSITY

KINDS = ("edit", "copy", "oracle")
KID_FEATURES = "the 128 numbers of dlib's face descriptor (tfface.identity)"


@dataclasses.dataclass(eq=False)
class Case:
    """One person's answer to one request.

    Attributes:
        title: of the request.
        everything: whether all that another person shows was asked for.
        wanted: the request.
        person: the `people.Person` that was edited.
        answer: the `people.Person` that shows the true answer, or None for a photo.
        asked: the labels that the edit should show (those of `answer` where there is one), see `tasks.base`.
        pictures: kind -> (S, S, 3) uint8; a photo has no oracle.
        judged: kind -> what the judges see: `action_units` (17,) 0-5, `pose` (3,) degrees, `attributes` (40,)
            probabilities or NaN.
        descriptors: kind -> (128,) face descriptor; empty where no landmarks are known.
        likeness: kind -> {"psnr", "ssim"} against the true answer; empty for a photo.
        locality: kind -> share of the change inside the regions of what was asked.
    """

    title: str
    everything: bool
    wanted: dict
    person: object
    answer: object
    asked: dict
    pictures: dict
    judged: dict = dataclasses.field(default_factory=dict)
    descriptors: dict = dataclasses.field(default_factory=dict)
    likeness: dict = dataclasses.field(default_factory=dict)
    locality: dict = dataclasses.field(default_factory=dict)

    def compare(self, mask):
        """Fills `likeness` and `locality`; `mask`: (S, S) bool where the request may show, or None."""
        if "oracle" in self.pictures:
            truth = self.pictures["oracle"]
            self.likeness = {
                kind: {"psnr": metrics.psnr(picture, truth), "ssim": metrics.ssim(picture, truth)}
                for kind, picture in self.pictures.items()
            }
        if mask is not None:
            before = self.pictures["copy"].astype(np.int16)
            self.locality = {
                kind: metrics.share_inside(np.abs(picture - before), mask)
                for kind, picture in self.pictures.items()
                if kind != "copy"
            }


def overall(cases, kind):
    """Returns all scores of a kind, or None if no case has it; a number that cannot be had is None.

    Action units are scored on the requests for all that another person shows, where every unit varies, or on all cases
    if there are none.
    """
    cases = [case for case in cases if kind in case.pictures]
    if not cases:
        return None
    everything = [case for case in cases if case.everything] or cases
    judged, asked = judged_and_asked(everything, kind)
    units = metrics.action_unit_scores(judged, asked, ACTION_UNITS)
    varies = dict(zip(ACTION_UNITS, np.ptp(asked, axis=0) > 0, strict=True))  # agreement on a constant means nothing
    paired = [case.descriptors for case in everything if "oracle" in case.descriptors]
    features = [np.array([descriptors[which] for descriptors in paired]) for which in (kind, "oracle")]
    return {
        **brief(cases, kind),
        "au_icc": _with_mean({name: value["icc"] if varies[name] else math.nan for name, value in units.items()}),
        "au_mae": _with_mean({name: value["mae"] for name, value in units.items()}),
        "kid": known(metrics.kid(*features)) if paired else None,
    }


def brief(cases, kind):
    """Returns the scores of a kind that are means over cases, or None if no case has it."""
    cases = [case for case in cases if kind in case.pictures]
    if not cases:
        return None
    judged, asked = judged_and_asked(cases, kind)
    return {
        "psnr": mean([case.likeness[kind]["psnr"] for case in cases if case.likeness]),
        "ssim": mean([case.likeness[kind]["ssim"] for case in cases if case.likeness]),
        "au_error": known(metrics.mean_absolute_error(judged, asked)),
        "identity_distance": mean(
            [np.linalg.norm(c.descriptors[kind] - c.descriptors["copy"]) for c in cases if kind in c.descriptors]
        ),
        "locality": mean([case.locality[kind] for case in cases if kind in case.locality]),
    }


def judged_and_asked(cases, kind):
    """Returns (N, 17) judged and asked intensities 0-5, NaN where unknown."""
    unknown = np.full(len(ACTION_UNITS), np.nan)
    judged = [case.judged[kind]["action_units"] if kind in case.judged else unknown for case in cases]
    asked = [case.asked.get("action_units", unknown) * MAX_INTENSITY for case in cases]
    return np.array(judged), np.array(asked)


def by_request(cases):
    """Returns ``{title: {kind: brief scores}}``."""
    groups = {}
    for case in cases:
        groups.setdefault(case.title, []).append(case)
    return {title: {kind: brief(group, kind) for kind in KINDS} for title, group in groups.items()}


def share_of_oracle(scores):
    """Returns (mean ICC of the edits over the oracle's, how many units reach half of the oracle's, how many there are);
    None where `scores` (metrics.json) has none."""
    if not scores["edit"] or not scores["oracle"]:
        return None
    edit, oracle = scores["edit"]["au_icc"], scores["oracle"]["au_icc"]
    if not edit["mean"] or not oracle["mean"]:
        return None
    both = [(edit[name], oracle[name]) for name in ACTION_UNITS if edit[name] is not None and oracle[name] is not None]
    return edit["mean"] / oracle["mean"], sum(e > max(o, 0) / 2 for e, o in both), len(both)


def summary(scores):
    """Returns the lines that commands print of metrics.json: the edits' scores beside the copy's and the oracle's."""
    rows = (
        ("PSNR", ("psnr",), ".2f", "dB to the true pictures"),
        ("SSIM", ("ssim",), ".4f", "to the true pictures"),
        ("AU ICC", ("au_icc", "mean"), ".3f", "of judged and asked intensities"),
        ("Identity", ("identity_distance",), ".3f", "from the source"),
    )
    lines = []
    for title, path, form, meaning in rows:
        found = {}
        for kind in KINDS:
            value = scores[kind]
            for key in path:
                value = value and value[key]
            if value is not None:
                found[kind] = f"{value:{form}}"
        if "edit" in found:
            text = f"{title:<12}{found.pop('edit')} {meaning}"
            others = ", ".join(f"{'unedited' if kind == 'copy' else 'true'} {value}" for kind, value in found.items())
            lines.append(f"{text} ({others})" if others else text)
    return lines


def gallery(cases, count=3):
    """Returns ``[(caption, case), ...]``: best, median and worst by how much the edit gains over the copy in PSNR."""
    scored = [case for case in cases if case.likeness]
    ranked = sorted(
        scored, key=lambda case: case.likeness["edit"]["psnr"] - case.likeness["copy"]["psnr"], reverse=True
    )
    if not ranked:
        return [("photo", case) for case in cases[:: max(1, len(cases) // (3 * count))][: 3 * count]]
    places = (("best", ranked[:count]), ("median", ranked[len(ranked) // 2 :][:count]), ("worst", ranked[-count:]))
    return [(name, case) for name, chosen in places for case in chosen]


def merge(scores, more):
    """Adds nested numbers to nested scores, in place; what is there keeps its place."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(scores.get(key), dict):
            merge(scores[key], value)
        else:
            scores[key] = value


def known(value):
    """Returns a float, or None for what JSON cannot hold."""
    value = float(value)
    return value if math.isfinite(value) else None


def mean(values):
    """Returns the mean of the finite values; None if there are none."""
    values = [value for value in values if math.isfinite(value)]
    return float(np.mean(values)) if values else None


def _with_mean(values):
    values = {name: known(value) for name, value in values.items()}
    found = [value for value in values.values() if value is not None]
    return {**values, "mean": float(np.mean(found)) if found else None}
