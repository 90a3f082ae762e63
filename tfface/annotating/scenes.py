"""The annotator's own pictures: people of its own range of the sampler, any camera and light. No TensorFlow.

Nobody here is among those that models, judges or the evaluation have, and the seeds are others too. Lens, light and
combinations of action units go beyond what training sets have, so that what is learnt does not hang on them.
"""

import dataclasses

import numpy as np
import tqdm

from tfface.data import records
from tfface.errors import InputError
from tfface.synthetic import camera, people, sampler, worker
from tfface.synthetic.cooccurrence import exclude
from tfface.synthetic.labelled import record_of
from tfface.synthetic.render import RENDERER_VERSION
from tfface.synthetic.scene import Light, Pose

SEED = 880_001
PEOPLE = "annotator"
MARGIN, IMAGE_SIZE = 1.8, 240  # of the rendered pictures: a face of some 110 pixels with its hair, as in small photos
SOURCE = "synthetic heads rendered by tfface for its annotator"

_SETTINGS = sampler.Settings(people=PEOPLE, images_per_person=2, margin=MARGIN, jitter=0.03, occlusion=0.25)
_WIDE_SHARE, _WIDE_YAW = 0.3, 60.0  # beyond that the mesh does not fit
_BEYOND_SHARE = 0.5  # pictures whose lens and light no training set has
_UNLIKELY_SHARE = 0.3  # faces whose action units do not go together: each must be known by its own looks
_TASK, _SHARD = 16, 256


def scene(seed, index):
    """Returns scene `index` of the annotator's training pictures."""
    drawn = sampler.sample_scene(seed, index, _SETTINGS)
    rng = np.random.default_rng([seed, index, 1])
    pose = drawn.pose
    if rng.uniform() < _WIDE_SHARE:
        pose = Pose(rng.uniform(-_WIDE_YAW, _WIDE_YAW), rng.uniform(-30, 30), pose.roll)
    lens, light = drawn.camera.field_of_view, drawn.light
    if rng.uniform() < _BEYOND_SHARE:
        lens = rng.uniform(6, 45)
        light = Light(rng.uniform(-110, 110), rng.uniform(-50, 80), rng.uniform(0.4, 1.7), rng.uniform(0.1, 0.9))
    action_units = drawn.action_units
    if rng.uniform() < _UNLIKELY_SHARE:
        action_units = _unlikely(rng)
    shape = people.person(drawn.identity, drawn.attributes).shape
    pose, crop = camera.aligned(shape, pose, lens, MARGIN)
    return dataclasses.replace(drawn, action_units=action_units, pose=pose, camera=crop, light=light)


def _unlikely(rng):
    intensities = np.zeros(17)
    chosen = rng.choice(17, rng.integers(1, 6), replace=False)
    intensities[chosen] = rng.uniform(0, 5, len(chosen))
    exclude(intensities)
    return tuple(intensities.round(4).tolist())


def render_range(start, stop, image_size, seed):
    """Returns the records of scenes `start` to `stop` - 1."""
    return [{**record_of(scene(seed, index), image_size), "mask": None} for index in range(start, stop)]


def render(directory, count, seed=SEED, workers=2, progress=True):
    """Renders the training pictures into `directory`, or goes on with an interrupted rendering.

    Raises:
        InputError: the directory holds something else.
    """
    writer = records.RecordWriter(
        directory,
        image_size=IMAGE_SIZE,
        total=count,
        source=SOURCE,
        licence="CC0-1.0 head model and textures; the pictures show no real person",
        seed=seed,
        settings={"renderer": RENDERER_VERSION, "people": PEOPLE, "margin": MARGIN},
        shard_records=_SHARD,
    )
    bar = tqdm.tqdm(total=count, initial=writer.written, disable=not progress, unit="img", desc="Rendering")
    with writer, bar:
        starts = range(writer.written, count, _TASK)
        tasks = [(start, min(start + _TASK, count), IMAGE_SIZE, seed) for start in starts]
        for rendered in worker.ordered_map(tasks, min(workers, len(tasks)), __name__) if tasks else ():
            for record in rendered:
                writer.write(record)
            bar.update(len(rendered))
    return records.open_dataset(directory)


def check_people(identities, role=PEOPLE):
    """Raises InputError unless every identity belongs to `role` of `sampler.ROLES`."""
    for identity in identities:
        if identity < 0 or sampler.role(int(identity)) != role:
            raise InputError(f"identity {identity}: not one of the people of role {role!r}; render the pictures again")
