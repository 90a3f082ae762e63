"""What a run shows of itself: a few held-out people, a fixed list of asked expressions, and a grid of the answers.

Where a record holds its scene, the true answer is the same scene rendered with the asked action units.
"""

import dataclasses
import warnings

import cv2
import numpy as np
import tensorflow as tf

from tfface.conventions import ACTION_UNITS, MAX_INTENSITY

# (title, {action unit: intensity 0-1}); the units not named stay as the person has them. "other" asks for all units
# of another person instead.
ASKED = (
    ("AU06+12 smile", {"AU06": 0.6, "AU12": 0.9}),
    ("AU25+26 open", {"AU25": 0.9, "AU26": 0.9}),
    ("AU45 closed", {"AU45": 1.0}),
    ("AU01+02 brows up", {"AU01": 0.9, "AU02": 0.9}),
    ("AU04 frown", {"AU04": 1.0}),
    ("other's AUs", None),
)
SAME = 0.5  # grey levels of mean difference that rounding on another processor may make
LABEL_WIDTH, TITLE_HEIGHT, GAP = 64, 18, 2
EMPTY = 235  # grey of a cell with nothing to show
SMALLEST = 96  # titles need this much room, so smaller pictures are enlarged by a whole number


@dataclasses.dataclass(frozen=True)
class Person:
    """A held-out picture as the model sees it.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        action_units: (17,) float32 in 0-1.
        scene: what renders it again, or None for a photo.
        rendered_size: side of the record's picture in pixels, which `image` was resized from.
        source: file name or scene number, for captions.
    """

    image: np.ndarray
    action_units: np.ndarray
    scene: object
    rendered_size: int
    source: str

    def asked(self, change, other):
        """Returns the (17,) action units 0-1 that an entry of ASKED means for this person."""
        if change is None:
            return other.action_units
        units = self.action_units.copy()
        for name, intensity in change.items():
            units[ACTION_UNITS.index(name)] = intensity
        return units

    def truth(self, action_units):
        """Returns the picture of this person with these action units (0-1), (S, S, 3) uint8, or None for a photo."""
        if self.scene is None:
            return None
        from tfface.synthetic.render import render

        asked = tuple(float(unit) * MAX_INTENSITY for unit in action_units)
        scene = dataclasses.replace(self.scene, action_units=asked)
        return _resized(render(scene, image_size=self.rendered_size).image, len(self.image))


def held_out_people(dataset, count, image_size):
    """Returns up to `count` held-out `Person`s with known action units, one picture each, in the data set's order.

    A person whose scene no longer renders to the record's picture (another version made it) counts as a photo, with a
    warning: the true answers would be those of somebody else.
    """
    from tfface.synthetic.scene import Scene

    people, seen, outdated = [], set(), 0
    for record in dataset.records("test"):
        if len(people) == count:
            break
        identity = int(record["identity"])
        if identity in seen or np.isnan(record["action_units"]).any():
            continue
        if identity >= 0:
            seen.add(identity)
        units = (record["action_units"] / MAX_INTENSITY).astype(np.float32)
        scene = Scene.from_json(record["scene"]) if record["scene"] else None
        image = _resized(record["image"], image_size)
        person = Person(image, units, scene, len(record["image"]), str(record["source"]))
        if scene and np.abs(person.truth(units).astype(np.int16) - image).mean() > SAME:
            outdated += 1
            person = dataclasses.replace(person, scene=None)
        people.append(person)
    if outdated:
        warnings.warn(
            f"{dataset.directory}: {outdated} of {len(people)} held-out pictures were rendered by another version,"
            " so their edits have no true answers; render the data set again",
            stacklevel=2,
        )
    return people


def _resized(image, size):
    if len(image) == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if size < len(image) else cv2.INTER_CUBIC)


def edit(model, people, action_units, batch=16):
    """Returns the model's answers to one (17,) request per person.

    Returns:
        images (N, S, S, 3) uint8 and attention (N, S, S, 1) float32 in 0-1, or None for a model without a mask.
    """
    images, attention = [], []
    for start in range(0, len(people), batch):
        stop = start + batch
        inputs = {
            "image": np.stack([person.image for person in people[start:stop]]).astype(np.float32) / 127.5 - 1,
            "action_units": np.stack(action_units[start:stop]).astype(np.float32),
            "source_action_units": np.stack([person.action_units for person in people[start:stop]]),
        }
        answer = model.edit({name: tf.constant(value) for name, value in inputs.items()})
        images.append(np.clip(np.rint((np.asarray(answer["image"], np.float32) + 1) * 127.5), 0, 255).astype(np.uint8))
        if "attention" in answer:
            attention.append(np.asarray(answer["attention"], np.float32))
    return np.concatenate(images), np.concatenate(attention) if attention else None


class Grid:
    """The fixed sample grid of a run: per person three rows (edit, true answer, attention), per request one column."""

    def __init__(self, people):
        """Renders the true answers once; `people` is a non-empty list of `Person`s."""
        self.people = people
        others = people[1:] + people[:1]
        self.requests = [
            [person.asked(change, other) for person, other in zip(people, others, strict=True)] for _, change in ASKED
        ]
        self.truths = [
            [person.truth(units) for person, units in zip(people, requests, strict=True)] for requests in self.requests
        ]

    def draw(self, model):
        """Returns the grid for the model as it is, uint8 RGB."""
        answers = [edit(model, self.people, requests) for requests in self.requests]
        rows = []
        for n, person in enumerate(self.people):
            blank = np.full_like(person.image, EMPTY)
            rows.append(("edit", [person.image] + [images[n] for images, _ in answers]))
            if person.scene is not None:
                rows.append(("truth", [blank] + [truths[n] for truths in self.truths]))
            if answers[0][1] is not None:
                masks = [np.repeat(np.rint(mask[n] * 255).astype(np.uint8), 3, -1) for _, mask in answers]
                rows.append(("attention", [blank] + masks))
        return lay_out(rows, ["source"] + [title for title, _ in ASKED])


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
