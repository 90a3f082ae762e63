"""The HTML page of an evaluation: numbers, bars, best, median and worst edits, the last sample grid, in one file."""

import html
from pathlib import Path

from tfface import config, page, scoring
from tfface.conventions import ACTION_UNITS

MEANING = (
    "Edit is the model's picture, copy the unedited one and oracle the true answer: the same scene rendered with what "
    "was asked. PSNR and SSIM compare with the true answer. The other numbers come from judges that no model learns "
    "from; they are not perfect, so the oracle's numbers, not full marks, are what an edit can reach."
)
# Title, key, format, and what to say of it.
ROWS = (
    ("PSNR to the true picture, dB", "psnr", ".2f"),
    ("SSIM to the true picture", "ssim", ".4f"),
    ("Action units: ICC(3,1) of judged and asked", "au_icc", ".3f"),
    ("Action units: mean absolute error, 0-5", "au_mae", ".3f"),
    ("Identity: distance to the source (one person: below 0.6)", "identity_distance", ".3f"),
    ("Locality: share of the change where it was asked for", "locality", ".3f"),
    ("KID", "kid", ".2e"),
)
REQUEST_ROWS = (
    ("PSNR, dB", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"),
    ("Judged intensity, 0-5", "judged", ".2f"),
    ("Change seen by the judge", "seen", ".1%"),
    ("Error of all action units, 0-5", "au_error", ".3f"),
    ("Identity distance", "identity_distance", ".3f"),
    ("Locality", "locality", ".3f"),
)


def write(path, evaluation, scores):
    """Writes the page, complete or not at all.

    Args:
        path: pathlib.Path of the HTML file.
        evaluation: `evaluation.Evaluation`.
        scores: content of metrics.json.
    """
    run = evaluation.run
    title = f"{run.model} ({run.settings.preset}), step {scores['step']}"
    parts = [page.paragraph(f"{scores['people']} held-out people. {MEANING}"), _summary(scores)]
    share = scoring.share_of_oracle(scores)
    if share:
        parts.append(
            page.paragraph(
                f"The mean ICC of the edits is {share[0]:.2f} times the oracle's; "
                f"{share[1]} of {share[2]} action units reach half of theirs."
            )
        )
    if scores["attention"]:
        a = scores["attention"]
        parts.append(
            page.paragraph(
                f"Attention (1 keeps the input): mean {a['mean']:.3f}, {a['low']:.1%} of the pixels below 0.05, "
                f"{a['high']:.1%} above 0.95."
            )
        )
    parts += [page.heading("Action units"), _unit_bars(scores), page.heading("By request"), _requests(scores)]
    parts += [page.heading("Best, median and worst"), *_gallery(evaluation.cases)]
    for heading, section in evaluation.task.sections(evaluation, scores):
        parts += [page.heading(heading), section]
    grids = sorted((run.path / "samples").glob("step-*.png"))
    if grids:
        parts += [page.heading(f"Samples ({Path(grids[-1]).stem})"), page.image(grids[-1].read_bytes(), "sample grid")]
    parts += [page.heading("The judges themselves"), _judge(scores["judge"])]
    parts += [page.heading("Settings"), f"<pre>{html.escape(_settings(run))}</pre>"]
    part = path.with_name(path.name + ".part")
    part.write_text(page.document(title, parts), encoding="utf-8")
    part.replace(path)


def _kinds(scores):
    return [kind for kind in scoring.KINDS if scores[kind]]


def _summary(scores):
    kinds, rows = _kinds(scores), []
    for title, key, form in ROWS:
        values = [scores[kind][key] for kind in kinds]
        values = [value["mean"] if isinstance(value, dict) else value for value in values]
        if any(value is not None for value in values):
            rows.append((title, *(page.number(value, form) for value in values)))
    return page.table(["", *kinds], rows)


def _unit_bars(scores):
    kinds = _kinds(scores)
    rows = [(name, {kind: scores[kind]["au_icc"][name] for kind in kinds}) for name in (*ACTION_UNITS, "mean")]
    if all(value is None for _, values in rows for value in values.values()):
        return page.paragraph("Too few people to compare asked and judged action units.")
    return page.paragraph("ICC(3,1) of judged and asked intensities, over people.") + page.bars(rows)


def _requests(scores):
    """A table for each number that any request has: a row for each request, a column for each kind."""
    requests, parts = scores["by_request"], []
    for title, key, form in REQUEST_ROWS:
        kinds = [k for k in scoring.KINDS if any((by[k] or {}).get(key) is not None for by in requests.values())]
        if key in ("psnr", "ssim") and "oracle" in kinds:
            kinds.remove("oracle")  # compared with itself
        if not kinds:
            continue
        asked = key == "judged"
        rows = []
        for name, by in requests.items():
            values = [page.number((by[kind] or {}).get(key), form) for kind in kinds]
            rows.append((name, *([page.number(by.get("asked"), form)] if asked else []), *values))
        parts.append(page.table([title, *(["asked"] if asked else []), *kinds], rows))
    return "\n".join(parts)


def _gallery(cases):
    if any(case.likeness for case in cases):
        yield page.paragraph("Left to right: source, edit, truth. Ranked by PSNR gained over the copy.")
    else:
        yield page.paragraph("Left: photo, right: edit. Photos have no true answer to be compared with.")
    for name, case in scoring.gallery(cases):
        caption = f"{name}: {case.title}, {case.person.source}"
        if case.likeness:
            edit, copy = case.likeness["edit"]["psnr"], case.likeness["copy"]["psnr"]
            caption += f", {edit:.2f} dB (copy {copy:.2f} dB)"
        yield page.figure(
            [case.pictures[kind] for kind in ("copy", "edit", "oracle") if kind in case.pictures], caption
        )


def _judge(accuracy):
    """What the judges reach by themselves: a row for each kind of picture they were scored on, and each unit."""
    text = "What the judges reach on rendered people that they never saw, where the truth is known."
    portraits = accuracy.get("portraits", {})
    rows = [
        (name, of["action_units"]["icc"]["mean"], of["action_units"]["mae"]["mean"], of["attributes"]["mean auc"],
         of["pose"]["yaw"], of["pose"]["pitch"])
        for name, of in portraits.items()
    ]  # fmt: skip
    head = ("pictures", "AU ICC", "AU error", "attributes AUC", "yaw error, degrees", "pitch error, degrees")
    units = [(name, *(of["action_units"]["icc"].get(name) for of in portraits.values())) for name in ACTION_UNITS]
    return page.paragraph(text) + page.table(head, rows, ".2f") + page.table(("ICC", *portraits), units, ".2f")


def _settings(run):
    values = {"preset": run.settings.preset, **config.to_json(run.settings), **config.to_json(run.run)}
    return "\n".join(f"{name} = {value}" for name, value in values.items())
