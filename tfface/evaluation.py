"""Scores of a trained model on held-out people, against the true picture of every edit and against doing nothing.

The truth of an edit is the same scene rendered with the asked action units, so the people of the data set must be
rendered ones; photos have no true answer and are passed over.
"""

import math
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfface import config, metrics, report, samples, training
from tfface.errors import InputError

PEOPLE = 64


def evaluate(run_directory, *, data=None, output=None, limit=PEOPLE, progress=True):
    """Scores the newest checkpoint of a run and writes metrics.json and report.html.

    Every held-out person is asked for each expression of `samples.ASKED`.

    Args:
        run_directory: directory of the run.
        data: another data set than the run's.
        output: directory for the two files; the run's own by default.
        limit: most people to use.
        progress: whether to show a progress bar.

    Returns:
        The content of metrics.json: ``edit`` and ``copy`` (the unedited picture) hold mean ``psnr`` (dB) and ``ssim``
        against the true picture, None where there is none.
    """
    run = training.open_run(run_directory)
    output = Path(output) if output else run.path
    dataset = training.open_data(data or run.data)
    people = samples.held_out_people(dataset, limit, run.settings.image_size)
    if not people:
        raise InputError(f"{dataset.directory}: holds no held-out people with action units to score on")
    model = training.load_model(run.path)
    output.mkdir(parents=True, exist_ok=True)
    cases, attention = _cases(model, people, progress)
    scores = {
        "model": run.model,
        "preset": run.settings.preset,
        "step": int(model.step),
        "people": len(people),
        "edit": _mean_scores(cases, "edit"),
        "copy": _mean_scores(cases, "copy"),
        "by_request": {
            title: {kind: _mean_scores([c for c in cases if c["title"] == title], kind) for kind in ("edit", "copy")}
            for title, _ in samples.ASKED
        },
        "attention": attention,
    }
    config.write_json(output / "metrics.json", scores)
    grids = sorted((run.path / "samples").glob("step-*.png"))
    report.write(output / "report.html", run, scores, _gallery(cases), grids[-1] if grids else None)
    return scores


def _cases(model, people, progress):
    """Returns one dict per person and request (pictures and their scores), and the attention's statistics."""
    cases, masks = [], []
    others = people[1:] + people[:1]
    with tqdm(total=len(samples.ASKED) * len(people), unit="edit", desc="evaluate", disable=not progress) as bar:
        for title, change in samples.ASKED:
            requests = [person.asked(change, other) for person, other in zip(people, others, strict=True)]
            images, attention = samples.edit(model, people, requests)
            if attention is not None:
                masks.append(attention)
            for person, request, image in zip(people, requests, images, strict=True):
                cases.append(_case(title, person, image, person.truth(request)))
                bar.update()
    return cases, metrics.attention_statistics(np.concatenate(masks)) if masks else None


def _case(title, person, image, truth):
    case = {
        "title": title,
        "source": person.source,
        "pictures": [person.image, image, truth],
        "edit": None,
        "copy": None,
    }
    if truth is not None:
        for kind, picture in (("edit", image), ("copy", person.image)):
            case[kind] = {"psnr": metrics.psnr(picture, truth), "ssim": metrics.ssim(picture, truth)}
    return case


def _mean_scores(cases, kind):
    """Means over the cases that have a true answer; a copy that equals it (nothing was asked) has no finite PSNR."""
    known = [case[kind] for case in cases if case[kind] and math.isfinite(case["copy"]["psnr"])]
    if not known:
        return None
    return {name: float(np.mean([scores[name] for scores in known])) for name in ("psnr", "ssim")}


def _gallery(cases):
    """Returns ``[(caption, case), ...]``: best, median and worst by how much the edit gains over the copy."""
    known = [case for case in cases if case["edit"] and math.isfinite(case["copy"]["psnr"])]
    ranked = sorted(known, key=lambda case: case["edit"]["psnr"] - case["copy"]["psnr"], reverse=True)
    if not ranked:
        return []
    places = (("best", ranked[:3]), ("median", ranked[len(ranked) // 2 :][:3]), ("worst", ranked[-3:]))
    return [(name, case) for name, chosen in places for case in chosen]
