"""What the evaluation says of frontal views: likeness, symmetry and whose face it still is, by the yaw they came from.

The protocol of the paper (Huang et al. 2017): a gallery of one frontal picture a person, probes of other poses, the
nearest by cosine. Here probes differ from the gallery in expression and light too, and all is rendered.
"""

import dataclasses

import numpy as np

from tfface import identity, metrics, page, scoring
from tfface.synthetic.scene import Light, action_units
from tfface.tasks.frontal import JUDGED_YAWS, seen_from


def scores(evaluation):
    """Returns ``{"frontal": {"people": N, "by_yaw": {"15": {kind: {...}}, ...}}}`` of an `evaluation.Evaluation`.

    Each kind has ``psnr``, ``ssim``, ``symmetry_error`` and ``rank1``, and ``recognizer_rank1`` if the model's
    settings name a recognizer.
    """
    cases = [case for case in evaluation.cases if case.answer is not None and case.descriptors]
    if not cases:
        return {}
    people = list({case.person.identity: case.person for case in cases}.values())
    people = [person.rendered(gallery_scene(person.scene)) for person in people]
    owners = [person.identity for person in people]
    gallery = {"rank1": identity.describe([p.image for p in people], [p.labels["landmarks"] for p in people])}
    look = None
    if getattr(evaluation.model.config, "recognizer", ""):
        look = _recognizer(evaluation.model.config.recognizer)
        gallery["recognizer_rank1"] = look([person.image for person in people])

    def of_kind(group, kind):
        pictures = [case.pictures[kind] for case in group]
        probes = {"rank1": [case.descriptors[kind] for case in group]}
        if look:
            probes["recognizer_rank1"] = look(pictures)
        shown = [case.person.identity for case in group]
        return {
            "psnr": scoring.mean([case.likeness[kind]["psnr"] for case in group]),
            "ssim": scoring.mean([case.likeness[kind]["ssim"] for case in group]),
            "symmetry_error": scoring.mean([symmetry_error(picture) for picture in pictures]),
            **{name: metrics.rank1(probes[name], shown, gallery[name], owners, "cosine") for name in gallery},
        }

    by_yaw = {}
    for yaw in JUDGED_YAWS:
        group = [case for case in cases if abs(round(case.person.scene.pose.yaw)) == yaw]
        if group:
            by_yaw[str(yaw)] = {kind: of_kind(group, kind) for kind in scoring.KINDS}
    return {"frontal": {"people": len(people), "by_yaw": by_yaw}}


def gallery_scene(scene):
    """Returns the person from the front, without expression, in the light of the gallery."""
    plain = dataclasses.replace(scene, action_units=action_units(), light=Light(), occluder=None)
    return seen_from(plain, 0.0)


def symmetry_error(picture):
    """Mean absolute difference of a picture and its mirror image, grey levels of (S, S, 3) uint8."""
    picture = picture.astype(np.float64)
    return float(np.abs(picture - picture[:, ::-1]).mean())


def _recognizer(path):
    """Returns a function of uint8 pictures to the embeddings of a recognizer's run."""
    from tfface.models.recognizer import load_frozen

    look = load_frozen(path)

    def see(pictures):
        images = np.stack(pictures).astype(np.float32) / 127.5 - 1
        parts = [np.asarray(look(images[n : n + 64])["embedding"]) for n in range(0, len(images), 64)]
        return np.concatenate(parts)

    return see


def sections(scores):
    """Returns the report's section with the table of `scores` by yaw."""
    found = scores.get("frontal")
    if not found:
        return []
    names = {"psnr": "PSNR, dB", "ssim": "SSIM", "symmetry_error": "symmetry error", "rank1": "rank-1",
             "recognizer_rank1": "rank-1, recognizer"}  # fmt: skip
    parts = [
        page.paragraph(
            f"{found['people']} people turned to each angle, either side. Rank-1: the nearest of all people's frontal "
            "pictures (no expression, one light) is the same person's; “copy” is without synthesis, “oracle” the true "
            "frontal view. Symmetry error: mean difference to the mirrored picture, grey levels."
        )
    ]
    for name, title in names.items():
        rows = [
            [f"±{yaw}°", *(kinds[kind].get(name) for kind in scoring.KINDS)]
            for yaw, kinds in found["by_yaw"].items()
            if name in kinds["edit"]
        ]
        if rows:
            parts.append(page.table([title, *scoring.KINDS], rows))
    return [("Frontal views by angle", "\n".join(parts))]
