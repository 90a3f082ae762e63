"""Pictures of an inverse-graphics code: each latent swept, and inferred against true factors. For the report."""

import io

import numpy as np
import tensorflow as tf

from tfface import page
from tfface.samples import lay_out
from tfface.tasks.latents import LATENTS

SWEEP = (-2.0, -1.0, 0.0, 1.0, 2.0)
ROWS = 3  # people in the sheet


def traversals(model, images):
    """Returns one sheet, uint8 RGB: for each picture and latent a row of renderings with that latent set.

    Args:
        model: a `FaceModel` of the task "latents".
        images: (N, S, S, 3) uint8.
    """
    rows = []
    for image in images:
        code = model.encode(image[None].astype(np.float32) / 127.5 - 1)
        again = _pictures(model.decode(code))[0]
        for place, name in enumerate(LATENTS):
            latents = np.zeros((len(SWEEP), len(LATENTS)), np.float32)
            latents[:, place] = SWEEP
            asked = np.eye(len(LATENTS), dtype=np.float32)[[place] * len(SWEEP)]
            changed = model.set(tf.repeat(code, len(SWEEP), 0), tf.constant(latents), tf.constant(asked))
            rows.append(
                (name.split("_")[1] if place < 2 else "light", [image, again, *_pictures(model.decode(changed))])
            )
    return lay_out(rows, ["picture", "decoded", *(f"{value:+g}" for value in SWEEP)])


def inferred_against_true(runs):
    """Returns a PNG: for each run a row of plots, one for each latent, of what it holds against the true factor.

    Args:
        runs: ``{title: code scores}`` as metrics.json has them under ``code``.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(runs), len(LATENTS), figsize=(9, 2.8 * len(runs)), squeeze=False)
    for row, (title, scores) in zip(axes, runs.items(), strict=True):
        for axis, name, most in zip(row, LATENTS, scores["information"], strict=True):
            true, inferred = scores["inferred"][name]
            axis.plot(true, inferred, ".", markersize=2, color=page.COLORS[0])
            axis.set_title(f"{title}: {name}, {most:.2f} nats", fontsize=8)
            axis.set_xlabel("true, degrees", fontsize=8)
            axis.set_ylabel("latent, spreads", fontsize=8)
            axis.tick_params(labelsize=7)
    figure.tight_layout()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    pyplot.close(figure)
    return data.getvalue()


def table(runs):
    """Returns (column titles, rows) of the scores of runs, ``{title: code scores}``, side by side."""
    rows = []
    for label, read in _ROWS:
        rows.append([label, *(_number(read, scores) for scores in runs.values())])
    return ["", *runs], rows


_ROWS = (
    ("reconstruction, MSE", lambda s: s["reconstruction_mse"]),
    ("mean picture, MSE", lambda s: s["mean_picture_mse"]),
    ("MIG", lambda s: s["mig"]),
    ("SAP", lambda s: s["sap"]),
    ("DCI disentanglement", lambda s: s["dci"]["disentanglement"]),
    ("DCI completeness", lambda s: s["dci"]["completeness"]),
    ("DCI informativeness", lambda s: s["dci"]["informativeness"]),
    ("FactorVAE score", lambda s: s["factor_vae"]),
    *((f"information on {name}, nats", lambda s, k=k: s["information"][k]) for k, name in enumerate(LATENTS)),
    *((f"best latent's on {name}, nats", lambda s, k=k: s["best"][k]) for k, name in enumerate(LATENTS)),
    *((f"leak of {name} into the shape code, R2", lambda s, k=k: s["leakage"][k]) for k, name in enumerate(LATENTS)),
    *((f"Spearman of {name}", lambda s, name=name: s["spearman"][name]) for name in LATENTS),
    ("Spearman of view_azimuth, left half", lambda s: s["azimuth_halves"][0]),
    ("Spearman of view_azimuth, right half", lambda s: s["azimuth_halves"][1]),
    ("intervention: score", lambda s: s["intervention"]["score"]),
    *((f"intervention: {name} moved", lambda s, name=name: s["intervention"][name]["moved"]) for name in LATENTS),
    *(
        (f"intervention: {name} disturbs", lambda s, name=name: s["intervention"][name]["disturbed"])
        for name in LATENTS
    ),
    *((f"the judge's R2 on {name}", lambda s, k=k: s["intervention"]["judge"][k]) for k, name in enumerate(LATENTS)),
    ("novel azimuth, latent of that view, MSE", lambda s: s["novel_view"]["same_person"]),
    ("novel azimuth, latent of somebody else's, MSE", lambda s: s["novel_view"]["another"]),
    ("novel azimuth, copy, MSE", lambda s: s["novel_view"]["copy"]),
    ("novel azimuth, decoded unchanged, MSE", lambda s: s["novel_view"]["unchanged"]),
    ("novel azimuth, mean picture, MSE", lambda s: s["novel_view"]["mean_picture"]),
    ("novel azimuth, reconstruction, MSE", lambda s: s["novel_view"]["reconstruction"]),
    ("rank-1 by shape code", lambda s: s["recognition"]["shape_code"]),
    ("rank-1 by whole code", lambda s: s["recognition"]["code"]),
    ("rank-1 by pixels", lambda s: s["recognition"]["pixels"]),
    ("rank-1 by chance", lambda s: s["recognition"]["chance"]),
)


def sections(evaluation, scores):
    """Returns ``[(heading, HTML), ...]`` of the report."""
    code = scores.get("code") or {}
    parts = []
    if "inferred" in code:
        title = scores["model"]
        parts.append(("The code", page.table(*table({title: code}), form=".4f")))
        plots = page.image(inferred_against_true({title: code}), "inferred against true factors")
        parts.append(("Inferred against true", page.paragraph(
            "Each dot is a picture of somebody whom nobody trained on. Where an azimuth jumps in the middle, the "
            "latent serves both mirror halves of a face."
        ) + plots))  # fmt: skip
    elif code.get("light"):
        rows = [[f"person {person}", *(code["light"][kind][person] for kind in code["light"])] for person in
                code["light"]["all"]]  # fmt: skip
        parts.append(("Inferred against true light azimuth, Spearman", page.table(["", *code["light"]], rows)))
    if evaluation.people:
        sheet = traversals(evaluation.model, np.stack([person.image for person in evaluation.people[:ROWS]]))
        parts.append(("Latents swept", page.figure([sheet], "in units of their spread", size=len(sheet))))
    return parts


def _pictures(values):
    return np.rint((values.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)


def _number(read, scores):
    try:
        return read(scores)
    except KeyError:
        return None
