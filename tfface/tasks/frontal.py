"""Frontal views: the face turned to the camera, everything else as it is."""

import dataclasses

import numpy as np

from tfface.tasks.base import Task

JUDGED_YAWS = (15, 30, 45, 60, 75, 90)  # degrees either side, those of the paper's tables


class Frontal(Task):
    """``{"frontal": 1}``: yaw 0; pitch and the crop's roll stay, as the pairs that are learned from have them.

    Samples and scores turn each rendered person to all of `JUDGED_YAWS` before; photos are taken as they are.
    """

    labels = ("landmarks",)
    flag = "--frontal"
    help = "the face from the front"
    sweepable = False
    pasted = None

    def parse(self, texts, model):
        return {"frontal": 1}

    def requests(self, model):
        return [(f"from {side * yaw:+d}", {"frontal": 1}) for side in (-1, 1) for yaw in JUDGED_YAWS]

    def before(self, title, scene):
        return seen_from(scene, float(title.removeprefix("from ")))

    def shown(self, labels):
        return {"frontal": 1}

    def inputs(self, model, labels, wanted, keep_others=True):
        return {"landmarks": np.asarray(labels["landmarks"], np.float32)}

    def estimate(self, model, images):
        return [{} for _ in images]  # what is needed, the landmarks, the face's finder knows better than any network

    def answer(self, scene, wanted):
        return seen_from(scene, 0.0)

    def scores(self, evaluation):
        """Adds ``frontal``: by the size of the yaw and kind, likeness to the true frontal view, symmetry and rank-1.

        ``rank1`` is the share of pictures whose nearest frontal picture of everybody (cosine of face descriptors) is
        the same person's: for ``edit`` with synthesis, for ``copy`` without. The gallery has one picture of each
        person, without expression and in one light for all. ``recognizer_rank1`` is the same by the recognizer that
        the run learned with, where there is one.
        """
        from tfface import frontal_scores

        return frontal_scores.scores(evaluation)

    def sections(self, evaluation, scores):
        from tfface import frontal_scores

        return frontal_scores.sections(scores)


def seen_from(scene, yaw):
    """Returns a scene of framing "aligned" as its crop shows the head at another yaw; roll off upright stays."""
    from tfface.synthetic import camera, people
    from tfface.synthetic.turning import turned

    shape = people.person(scene.identity, scene.attributes).shape
    pose = dataclasses.replace(scene.pose, yaw=yaw)
    before, after = (camera.aligned(shape, p, scene.camera.field_of_view)[0].roll for p in (scene.pose, pose))
    return turned(scene, dataclasses.replace(pose, roll=round(scene.pose.roll - before + after, 4)))
