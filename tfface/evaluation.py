"""Scores of a trained model on held-out people, against the true picture of every edit and against doing nothing.

The truth of an edit is the scene that the model's task says, rendered, so the people of the data set must be rendered
ones; photos have no true answer and are passed over.
"""

import math
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfface import config, metrics, people, report, samples, tasks, training
from tfface.errors import InputError

PEOPLE = 64


def evaluate(run_directory, *, data=None, output=None, limit=PEOPLE, progress=True):
    """Scores the newest checkpoint of a run and writes metrics.json and report.html.

    Every held-out person is asked for each request of the model's task.

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
    model = training.load_model(run.path)
    if model.task is None:
        raise InputError(f"{run.path}: {run.model} edits nothing, so there is no edit to score")
    labels = tasks.get(model.task).labels
    held_out = people.held_out_people(dataset, limit, run.settings.image_size, labels)
    if not held_out:
        raise InputError(f"{dataset.directory}: holds no held-out people with known {' and '.join(labels) or 'scene'}")
    output.mkdir(parents=True, exist_ok=True)
    cases, attention = _cases(model, held_out, progress)
    scores = {
        "model": run.model,
        "preset": run.settings.preset,
        "step": int(model.step),
        "people": len(held_out),
        "edit": _mean_scores(cases, "edit"),
        "copy": _mean_scores(cases, "copy"),
        "by_request": {
            title: {kind: _mean_scores([c for c in cases if c["title"] == title], kind) for kind in ("edit", "copy")}
            for title in dict.fromkeys(case["title"] for case in cases)
        },
        "attention": attention,
    }
    config.write_json(output / "metrics.json", scores)
    grids = sorted((run.path / "samples").glob("step-*.png"))
    report.write(output / "report.html", run, scores, _gallery(cases), grids[-1] if grids else None)
    return scores


def _cases(model, held_out, progress):
    """Returns one dict per person and request (pictures and their scores), and the attention's statistics."""
    cases, masks = [], []
    requests = samples.asked(model, held_out)
    with tqdm(total=len(requests) * len(held_out), unit="edit", desc="evaluate", disable=not progress) as bar:
        for asked in requests:
            images, attention = samples.edit(model, asked.people, asked.wanted)
            if attention is not None:
                masks.append(attention)
            answers = asked.answers(tasks.get(model.task))
            for person, image, answer in zip(asked.people, images, answers, strict=True):
                cases.append(_case(asked.title, person, image, answer and answer.image))
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
