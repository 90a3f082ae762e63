"""What a run shows of itself: a few held-out people, the requests of its task, and a grid of the answers.

Where a record holds its scene, the true answer is the scene that the task says, rendered.
"""

import dataclasses

import cv2
import numpy as np
import tensorflow as tf

from tfface import people, tasks

LABEL_WIDTH, TITLE_HEIGHT, GAP = 64, 18, 2
EMPTY = 235  # grey of a cell with nothing to show
SMALLEST = 96  # titles need this much room, so smaller pictures are enlarged by a whole number


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """One request, put to several people.

    Attributes:
        title: of the request.
        everything: whether each is asked for all that another person shows.
        people: `people.Person`s to edit.
        wanted: the request of each, a dict.
    """

    title: str
    everything: bool
    people: list
    wanted: list

    def answers(self, task):
        """Yields the `people.Person` that shows the true answer of each; None for a photo."""
        for person, wanted in zip(self.people, self.wanted, strict=True):
            yield person.rendered(task.answer(person.scene, wanted)) if person.scene else None


def people_for(model, dataset, count, fill_to=0):
    """Returns up to `count` held-out `people.Person`s as the model sees them, with the labels that its task needs.

    In a set without these labels everybody is held out, and the model estimates the labels as it does for photos.

    Args:
        model: a `FaceModel` with a task.
        dataset: `records.Dataset`.
        count: most people.
        fill_to: if a rendered set holds out fewer than this, more people like them are rendered.
    """
    size, task = model.config.image_size, tasks.get(model.task)
    found = people.held_out_people(dataset, count, size, task.labels)
    if not found and (photos := people.unlabelled_people(dataset, count, size, task.labels)):
        estimates = task.estimate(model, np.stack([photo.image for photo in photos]).astype(np.float32) / 127.5 - 1)
        found = [photo.labelled(estimate) for photo, estimate in zip(photos, estimates, strict=True)]
    if len(found) < fill_to:
        found += people.further_people(dataset, fill_to - len(found), size)
    return [person.in_grey(model.grey) for person in found] if model.grey else found


def asked(model, persons):
    """Returns an `Asked` for each request of the model's task to a non-empty list of `people.Person`s."""
    task = tasks.get(model.task)
    result = []
    for title, request in task.requests(model):
        sources = [p.rendered(task.before(title, p.scene)) if p.scene else p for p in persons]
        others = sources[1:] + sources[:1]
        if request is None:
            wanted = [task.shown(other.labels) for other in others]
        else:
            wanted = [request(p.labels) if callable(request) else request for p in sources]
        result.append(Asked(title, request is None, sources, wanted))
    return result


def edit(model, persons, wanted, batch=16):
    """Returns the model's answers to one request per person.

    Returns:
        images (N, S, S, 3) uint8 and attention (N, S, S, 1) float32 in 0-1, or None for a model without a mask.
    """
    task = tasks.get(model.task)
    images, attention = [], []
    for start in range(0, len(persons), batch):
        part = list(zip(persons[start : start + batch], wanted[start : start + batch], strict=True))
        examples = [task.inputs(model, person.labels, request) for person, request in part]
        inputs = {name: np.stack([example[name] for example in examples]) for name in examples[0]}
        inputs["image"] = np.stack([person.image for person, _ in part]).astype(np.float32) / 127.5 - 1
        answer = model.edit({name: tf.constant(value) for name, value in inputs.items()})
        images.append(np.clip(np.rint((np.asarray(answer["image"], np.float32) + 1) * 127.5), 0, 255).astype(np.uint8))
        if "attention" in answer:
            attention.append(np.asarray(answer["attention"], np.float32))
    return np.concatenate(images), np.concatenate(attention) if attention else None


class Grid:
    """The fixed sample grid of a run: per person rows (edit, true answer, attention), per request one column."""

    def __init__(self, model, persons):
        """Renders the true answers once; `persons` is a non-empty list as of `people_for`."""
        self.people = persons
        self.asked = asked(model, persons)
        self.answers = [list(column.answers(tasks.get(model.task))) for column in self.asked]

    def draw(self, model):
        """Returns the grid for the model as it is, uint8 RGB."""
        edits = [edit(model, column.people, column.wanted) for column in self.asked]
        rows = []
        for n, person in enumerate(self.people):
            blank = np.full_like(person.image, EMPTY)
            if any(column.people[n] is not person for column in self.asked):
                rows.append(("before", [blank] + [column.people[n].image for column in self.asked]))
            rows.append(("edit", [person.image] + [images[n] for images, _ in edits]))
            if person.scene is not None:
                rows.append(("truth", [blank] + [answers[n].image for answers in self.answers]))
            if edits[0][1] is not None:
                masks = [np.repeat(np.rint(mask[n] * 255).astype(np.uint8), 3, -1) for _, mask in edits]
                rows.append(("attention", [blank] + masks))
        return lay_out(rows, ["source"] + [column.title for column in self.asked])


def lay_out(rows, titles):
    """Returns one picture of ``rows = [(label, [(S, S, 3) uint8, ...]), ...]`` under column titles, on white."""
    size = len(rows[0][1][0])
    size *= -(-SMALLEST // size)
    step = size + GAP
    canvas = np.full((TITLE_HEIGHT + step * len(rows), LABEL_WIDTH + step * len(titles), 3), 255, np.uint8)
    for c, title in enumerate(titles):
        _write(canvas, title, LABEL_WIDTH + c * step + 1, TITLE_HEIGHT - 5)
    for r, (label, cells) in enumerate(rows):
        top = TITLE_HEIGHT + r * step
        _write(canvas, label, 3, top + size // 2)
        for c, cell in enumerate(cells):
            if len(cell) != size:
                cell = cv2.resize(cell, (size, size), interpolation=cv2.INTER_NEAREST)
            left = LABEL_WIDTH + c * step
            canvas[top : top + size, left : left + size] = cell
    return canvas


def _write(canvas, text, x, y):
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)


def save_png(path, picture):
    """Writes an RGB uint8 picture as PNG, complete or not at all."""
    part = path.with_name(path.name + ".part")
    ok, data = cv2.imencode(".png", picture[..., ::-1])
    if not ok:
        raise OSError(f"{path}: the picture could not be encoded")
    part.write_bytes(data.tobytes())
    part.replace(path)
