"""Scores of a trained model on held-out people: against the true picture of every edit, and by judges it never saw.

The truth of an edit is the scene that the model's task says, rendered, so people are best rendered ones; photos have no
true answer, and of them only what judges and the face descriptor see is scored.
"""

import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfface import (
    alignment,
    config,
    identity,
    images,
    judges,
    metrics,
    people,
    pretrained,
    report,
    samples,
    scoring,
    tasks,
    training,
)
from tfface.errors import InputError

PEOPLE = 200
RECORDS_PER_PERSON = 20  # of a rendered set: so many for each person that it is scored on
_BATCH = 32


@dataclasses.dataclass
class Evaluation:
    """What the scores of a task may look at.

    Attributes:
        run: `training.Run`.
        model: the trained model.
        dataset: `records.Dataset` of the people.
        people: list of `people.Person`.
        cases: list of `scoring.Case`, judged; requests that a picture already fulfilled are left out.
    """

    run: object
    model: object
    dataset: object
    people: list
    cases: list

    @property
    def task(self):
        """The model's `tasks.base.Task`."""
        return tasks.get(self.model.task)


def evaluate(run_directory, *, data=None, output=None, limit=None, progress=True):
    """Scores the newest checkpoint of a run and writes metrics.json and report.html.

    Every held-out person is asked for each request of the model's task. A rendered set that holds out few is filled up
    with people like its own whom no model trains on.

    Args:
        run_directory: directory of the run.
        data: another data set than the run's.
        output: directory for the two files; the run's own by default.
        limit: how many people at most; by default `PEOPLE`, fewer for a small data set.
        progress: whether to show a progress bar.

    Returns:
        The content of metrics.json. ``edit``, ``copy`` (the unedited picture) and ``oracle`` (the true one) hold
        ``psnr`` (dB) and ``ssim`` to the true picture, ``au_icc`` and ``au_mae`` (0-5) of judged against asked action
        units, ``identity_distance`` to the source, ``locality`` and ``kid``, as far as they can be had; `by_request`
        the means for each request, ``judge`` what the judges themselves reach, and a task may add to all of it.

    Raises:
        InputError: no run, a model that edits nothing, or nobody to score it on.
    """
    run = training.open_run(run_directory)
    if pretrained.ships(run.path) and not (data and output):
        raise InputError(f"{run_directory}: comes with tfface; name --data to score it on and an --output")
    output = Path(output) if output else run.path
    dataset = training.open_data(data or run.data)
    model = training.load_model(run.path)
    if model.task is None:
        raise InputError(f"{run.path}: {run.model} edits nothing, so there is no edit to score")
    fill_to = limit or min(PEOPLE, dataset.count // RECORDS_PER_PERSON)
    held_out = samples.people_for(model, dataset, limit or PEOPLE, fill_to)
    if not held_out:
        labels = " and ".join(tasks.get(model.task).labels)
        known = f" with known {labels}" if labels else ""
        raise InputError(f"{dataset.directory}: holds no held-out people{known} to score on")
    output.mkdir(parents=True, exist_ok=True)
    cases, attention = _cases(model, held_out, progress)
    examine(cases, tasks.get(model.task), dataset.info.get("settings") or {}, progress)
    evaluation = Evaluation(run, model, dataset, held_out, cases)
    scores = {
        "model": run.model,
        "preset": run.settings.preset,
        "step": int(model.step),
        "people": len(held_out),
        **{kind: scoring.overall(cases, kind) for kind in scoring.KINDS},
        "by_request": scoring.by_request(cases),
        "attention": attention,
        "kid_features": scoring.KID_FEATURES,
        "judge": judges.accuracy(),
    }
    scoring.merge(scores, evaluation.task.scores(evaluation))
    config.write_json(output / "metrics.json", scores)
    report.write(output / "report.html", evaluation, scores)
    return scores


def _cases(model, held_out, progress):
    """Returns the `scoring.Case`s of all people and requests, not yet judged, and the attention's statistics."""
    task, cases, masks = tasks.get(model.task), [], []
    requests = samples.asked(model, held_out)
    with tqdm(total=len(requests) * len(held_out), unit="edit", desc="evaluate", disable=not progress) as bar:
        for asked in requests:
            edits, attention = samples.edit(model, asked.people, asked.wanted)
            if attention is not None:
                masks.append(attention)
            answers = asked.answers(task)
            for person, wanted, edit, answer in zip(asked.people, asked.wanted, edits, answers, strict=True):
                bar.update()
                if answer is not None and np.array_equal(answer.image, person.image):
                    continue  # shown already, or hidden: nothing was asked
                cases.append(_case(task, asked, person, wanted, edit, answer))
    return cases, metrics.attention_statistics(np.concatenate(masks)) if masks else None


def _case(task, asked, person, wanted, edit, answer):
    pictures = {"edit": edit, "copy": person.image}
    if answer is not None:
        pictures["oracle"] = answer.image
    labels = answer.labels if answer is not None else task.asked(person.labels, wanted)
    case = scoring.Case(asked.title, asked.everything, wanted, person, answer, labels, pictures)
    mask = None
    if "landmarks" in person.labels and not asked.everything:
        mask = task.region(wanted, person.labels["landmarks"], len(edit))
    case.compare(mask)
    return case


def examine(cases, task, settings, progress=True):
    """Fills in what judges and the face descriptor see.

    Args:
        cases: list of `scoring.Case`.
        task: their `tasks.base.Task`.
        settings: of the data set, which say how its pictures were cut.
        progress: whether to show a progress bar.
    """
    looks = {}  # most pictures are asked for several things: each is looked at once
    for case in cases:
        for kind, picture in case.pictures.items():
            looks.setdefault(id(picture), (picture, _landmarks(task, case, kind), []))[2].append((case, kind))
    looks = list(looks.values())
    with tqdm(total=len(looks), unit="picture", desc="judge", disable=not progress) as bar:
        for start in range(0, len(looks), _BATCH):
            part = looks[start : start + _BATCH]
            judged = judges.judge(*_crops(part, settings))
            located = [n for n, (_, landmarks, _) in enumerate(part) if landmarks is not None]
            descriptors = identity.describe([part[n][0] for n in located], [part[n][1] for n in located])
            for n, (_, _, cases_of) in enumerate(part):
                for case, kind in cases_of:
                    case.judged[kind] = {name: values[n] for name, values in judged.items()}
                    if n in located:
                        case.descriptors[kind] = descriptors[located.index(n)]
            bar.update(len(part))


def _landmarks(task, case, kind):
    """Landmarks of a picture, or None: an edit is taken to have those of its true answer, which are exact."""
    if kind == "copy" or (case.answer is None and task.pasted is not None):  # what is pasted back has not moved
        return case.person.labels.get("landmarks")
    return case.answer.labels["landmarks"] if case.answer is not None else None


def _crops(looks, settings):
    """Returns the pictures cut as judges take them, and their margin.

    Aligned ones of a margin they know stay as they are; of others the middle is taken, and what is not aligned (sets
    with another framing, batches of a factor) is aligned now, where landmarks are known.
    """
    margin = settings.get("margin", 1.0)
    aligned = settings.get("framing", "aligned") == "aligned" and not settings.get("factor")
    if aligned and margin in judges.MARGINS:
        return [people.resized(picture, max(len(picture), judges.SMALLEST)) for picture, _, _ in looks], margin
    crops = []
    for picture, landmarks, _ in looks:
        size = len(picture)
        if aligned or landmarks is None:
            matrix = np.array([[margin, 0, (1 - margin) * size / 2], [0, margin, (1 - margin) * size / 2]])
        else:
            matrix = alignment.alignment_matrix(landmarks, size)
        crop = images.warp(picture, matrix, size)
        crops.append(people.resized(crop, max(size, judges.SMALLEST)))
    return crops, 1.0
