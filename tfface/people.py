"""Held-out people as a model sees them, and what scenes of them look like. No TensorFlow.

Everything that is asked of a model for samples and scores starts from a `Person`. Where a record holds its scene, any
other scene of that person can be rendered as a `Person` too: the true answer to an edit, or another picture to edit.
"""

import dataclasses
import itertools
import warnings

import cv2
import numpy as np

from tfface import conventions
from tfface.data import records
from tfface.synthetic import sampler
from tfface.synthetic.dataset import SOURCE
from tfface.synthetic.labelled import record_of
from tfface.synthetic.scene import Scene

SAME = 0.5  # grey levels of mean difference that rounding on another processor may make
LABELS = ("action_units", "attributes", "pose", "light", "landmarks")


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
    """A picture of somebody as a model sees it.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        labels: what is known of it, as `tfface.tasks.base` says: a label that is unknown is left out.
        scene: what renders it again, or None for a photo.
        rendered_size: side of the record's picture in pixels, which `image` was resized from.
        identity: the person, or -1.
        source: file name or scene number, for captions.
        grey: weights of red, green and blue, where the picture is shown in grey: three equal channels.
    """

    image: np.ndarray
    labels: dict
    scene: Scene | None
    rendered_size: int
    identity: int
    source: str
    grey: tuple | None = None

    def labelled(self, estimate):
        """Returns this picture with an estimate of the labels that are unknown."""
        return dataclasses.replace(self, labels={**estimate, **self.labels})

    def in_grey(self, weights):
        """Returns this picture, and with it what `rendered` will give, in grey; weights of red, green and blue."""
        return dataclasses.replace(self, image=_grey(self.image, weights), grey=tuple(weights))

    def rendered(self, scene):
        """Returns the `Person` that another scene shows at this one's size; itself for its own scene."""
        if scene == self.scene:
            return self
        person = _rendered(scene, self.rendered_size, len(self.image), self.source)
        return person.in_grey(self.grey) if self.grey else person


def held_out_people(dataset, count, image_size, labels=()):
    """Returns up to `count` held-out `Person`s, one picture each, in the data set's order.

    All people of a rendered set for evaluation are held out, as nobody trains on them. Where a person has several
    views, they are taken in turn. A person whose scene no longer renders to the record's picture (another version made
    it) counts as a photo, with a warning: the true answers would be those of somebody else.

    Args:
        dataset: `records.Dataset`.
        count: most people.
        image_size: side of their pictures in pixels.
        labels: keys of `LABELS` that must be known.
    """
    settings = dataset.info.get("settings") or {}
    views = settings.get("views") or []
    people, seen, outdated = [], set(), 0
    for record in dataset.records(None if _for_evaluation(dataset) else "test"):
        if len(people) == count:
            break
        identity = int(record["identity"])
        if identity in seen or (views and record["view"] != views[len(seen) % len(views)]):
            continue
        person = _person(record, image_size)
        if not set(labels) <= set(person.labels):
            continue
        if identity >= 0:
            seen.add(identity)
        if person.scene and _differs(person):
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


def unlabelled_people(dataset, count, image_size, labels):
    """Returns up to `count` `Person`s of a set in which nobody has these labels, so that no model learnt from any."""
    needed = set(labels)
    if any(needed <= set(_labels(record, 1.0)) for record in dataset.records(images=False)):
        return []
    records_of = itertools.islice(dataset.records(), count)
    return [_person(record, image_size) for record in records_of]


def further_people(dataset, count, image_size):
    """Returns `count` more `Person`s of a rendered set, drawn as it was, or none if it is not a rendered one.

    They have the identities of the role "evaluation", so no set for training shows them.
    """
    if dataset.info["source"] != SOURCE:
        return []
    values = {name: value for name, value in dataset.info["settings"].items() if name != "renderer"}
    settings = sampler.Settings(**values | {"people": "evaluation"})
    if settings.factor:
        step, turns = sampler.FACTOR_BATCH, 1
    elif settings.views:
        step = turns = len(settings.views)
    else:
        step, turns = settings.images_per_person * settings.answers, 1
    people = []
    for number in range(count):
        index = (dataset.count + number) * step + number % turns  # behind those of a set that is for evaluation itself
        scene = sampler.sample_scene(dataset.info["seed"], index, settings)
        people.append(_rendered(scene, dataset.image_size, image_size, f"evaluation-{number}"))
    return people


def _for_evaluation(dataset):
    return dataset.info["source"] == SOURCE and dataset.info["settings"]["people"] == "evaluation"


def _rendered(scene, rendered_size, image_size, source):
    record = record_of(scene, rendered_size)
    return _person(record | {"image": records.decode_image(record["image"]), "source": source}, image_size)


def _person(record, image_size):
    size = len(record["image"])
    return Person(
        image=resized(record["image"], image_size),
        labels=_labels(record, image_size / size),
        scene=Scene.from_json(record["scene"]) if record["scene"] else None,
        rendered_size=size,
        identity=int(record["identity"]),
        source=str(record["source"]),
    )


def _labels(record, scale):
    """Returns the known labels of a record in the units of tasks, for a picture `scale` times as large."""
    factors = {"action_units": 1 / conventions.MAX_INTENSITY, "landmarks": scale}
    known = {}
    for key in LABELS:
        value = np.asarray(record[key], np.float32)
        if key == "attributes":
            if (value == conventions.UNKNOWN).all():
                continue
            value = np.where(value == conventions.UNKNOWN, np.float32(0.5), value)
        elif np.isnan(value).any():
            continue
        known[key] = (value * factors.get(key, 1)).astype(np.float32)
    return known


def _differs(person):
    again = _rendered(person.scene, person.rendered_size, len(person.image), "")
    return np.abs(again.image.astype(np.int16) - person.image).mean() > SAME


def _grey(image, weights):
    grey = np.rint(image @ np.asarray(weights)).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)


def resized(image, size):
    """Returns a uint8 picture with sides of `size` pixels: averaged when smaller, interpolated when larger."""
    if len(image) == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if size < len(image) else cv2.INTER_CUBIC)
