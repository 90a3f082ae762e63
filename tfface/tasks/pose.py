"""Poses: the head turned to a yaw, pitch or roll, in degrees."""

import logging
import math

import numpy as np

from tfface import config, metrics
from tfface.errors import InputError
from tfface.tasks.base import Task

log = logging.getLogger(__name__)

ANGLES = ("yaw", "pitch", "roll")
LARGEST = {"yaw": 90.0, "pitch": 90.0, "roll": 180.0}  # degrees either side that a pose can mean
JUDGED_YAWS = (-45, -30, -15, 0, 15, 30, 45)
TURNS = (0, 15, 30, 60, 180)  # bounds of the groups of edits by how far the yaw was asked to change, degrees
GALLERY = 50  # people among whom an edit's own is looked for
KINDS = ("edit", "copy", "oracle")


class Pose(Task):
    """``{"yaw": 30.0}``: angles that are not named stay as the face shows them.

    The picture is a crop aligned to the asked pose, in which the head fills the frame as it does in the crop that was
    turned; nothing of it can be pasted back over a photo of another pose.
    """

    labels = ("pose",)
    flag, metavar = "--pose", "ANGLE=DEGREES"
    parts = ANGLES
    help = "angles of the head, for instance yaw=30 (the nose to the image's right), pitch (down), roll (to the left)"
    example = "yaw=30"
    changes_by = True
    liked = "pose"
    pasted = None

    def parse(self, texts, model):
        wanted = {}
        for text in texts:
            name, _, value = text.partition("=")
            where, name = f"{self.flag} {text}", name.lower()
            if name not in ANGLES:
                raise InputError(f"{where}: unknown angle {name!r}{config.nearest(name, ANGLES)}")
            if name in wanted:
                raise InputError(f"{where}: {name} is given twice; give it once")
            wanted[name] = _degrees(name, value, where)
            if model is not None and abs(wanted[name]) > (reach := model.config.pose_range):
                log.warning("%s: the model learnt %g to %g degrees and will stop there", where, -reach, reach)
        return wanted

    def requests(self, model):
        return [*((f"yaw {yaw:+d}", {"yaw": float(yaw)}) for yaw in JUDGED_YAWS), ("other's pose", None)]

    def shown(self, labels):
        return dict(zip(ANGLES, map(float, labels["pose"]), strict=True))

    def inputs(self, model, labels, wanted, keep_others=True):
        source = np.asarray(labels["pose"], np.float32)
        asked = _asked(source if keep_others else np.zeros_like(source), wanted)
        attributes = {"attributes": np.asarray(labels["attributes"], np.float32)} if "attributes" in labels else {}
        return {"pose": asked, "source_pose": source, **attributes}

    def estimate(self, model, images):
        poses, attributes = (
            np.asarray(x, np.float32) for x in (model.estimate_pose(images), model.estimate_attributes(images))
        )
        return [{"pose": pose, "attributes": each} for pose, each in zip(poses, attributes, strict=True)]

    def answer(self, scene, wanted):
        from tfface.synthetic import scene as scenes
        from tfface.synthetic.turning import turned

        asked = _asked(np.array([getattr(scene.pose, name) for name in ANGLES]), wanted)
        return turned(scene, scenes.Pose(*map(float, asked)))

    def asked(self, labels, wanted):
        return {**labels, "pose": _asked(labels["pose"], wanted)}

    def scores(self, evaluation):
        """Adds for each request, and under ``by_turn`` for each range of asked changes of yaw (degrees either way):

        * ``pose_error``: mean absolute difference of judged and asked yaw, pitch and roll, degrees;
        * ``rank1``: share of pictures whose nearest source picture, among `GALLERY` people by face descriptor, is the
          one that was turned;
        * ``attributes``: share of the judged attributes that are as on the true answer.

        ``by_turn`` has the likeness to the true answer as well.
        """
        by_title, by_turn = {}, {}
        for case in evaluation.cases:
            by_title.setdefault(case.title, []).append(case)
            if "pose" in case.asked:
                turn = abs(float(case.asked["pose"][0] - case.person.labels["pose"][0]))
                place = min(max(np.searchsorted(TURNS, turn, "right"), 1), len(TURNS) - 1)
                by_turn.setdefault(f"{TURNS[place - 1]}-{TURNS[place]}", []).append(case)
        return {
            "by_request": {title: {kind: _scores(group, kind) for kind in KINDS} for title, group in by_title.items()},
            "by_turn": {
                name: {kind: {**_likeness(group, kind), **_scores(group, kind)} for kind in KINDS}
                for name, group in sorted(by_turn.items(), key=lambda item: int(item[0].partition("-")[0]))
            },
        }


def _scores(cases, kind):
    cases = [case for case in cases if kind in case.judged]
    judged = [case for case in cases if "pose" in case.asked]
    described = [case for case in cases if kind in case.descriptors and "copy" in case.descriptors]
    agreement = [_agreement(case, kind) for case in cases if "attributes" in case.asked]
    return {
        "pose_error": {
            angle: _mean([abs(case.judged[kind]["pose"][i] - case.asked["pose"][i]) for case in judged])
            for i, angle in enumerate(ANGLES)
        },
        "rank1": _rank1(described, kind),
        "attributes": _mean(agreement),
    }


def _likeness(cases, kind):
    known = [case.likeness[kind] for case in cases if kind in case.likeness]
    return {"cases": len(cases), **{name: _mean([each[name] for each in known]) for name in ("psnr", "ssim")}}


def _agreement(case, kind):
    judged, true = case.judged[kind]["attributes"], np.asarray(case.asked["attributes"])
    known = ~np.isnan(judged) & (true != 0.5)
    return np.mean((judged[known] > 0.5) == (true[known] > 0.5)) if known.any() else math.nan


def _rank1(cases, kind):
    """Rank-1 among groups of `GALLERY` people each; a smaller group would be an easier one, so that it is left out."""
    people = list({case.person.identity: case for case in cases}.values())
    shares = []
    for start in range(0, len(people) - GALLERY + 1, GALLERY):
        group = people[start : start + GALLERY]
        names = [case.person.identity for case in group]
        probes = [case for case in cases if case.person.identity in names]
        shares.append(
            metrics.rank1(
                [case.descriptors[kind] for case in probes],
                [case.person.identity for case in probes],
                [case.descriptors["copy"] for case in group],
                names,
            )
        )
    return _mean(shares)


def _mean(values):
    values = [float(value) for value in values if math.isfinite(value)]
    return float(np.mean(values)) if values else None


def _asked(pose, wanted):
    pose = pose.copy()
    for name, degrees in wanted.items():
        pose[ANGLES.index(name)] = degrees
    return pose


def _degrees(name, text, where):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {text!r} is no angle; expected degrees, such as yaw=30")
    if abs(value) > LARGEST[name]:
        raise InputError(f"{where}: {value:g} degrees is outside {-LARGEST[name]:g} to {LARGEST[name]:g}")
    return value
