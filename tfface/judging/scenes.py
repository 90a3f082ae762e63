"""The judges' own pictures: people, cameras and lights that no model trains on. No TensorFlow.

Identities come from the sampler's range for judges (or for evaluation), never from that of models, and the seeds are
not those that models use by default, so that not even a pose or an expression is drawn from a shared stream. Lenses,
lights and expressions go beyond those of training sets: what a model draws may look unlike anything in its own set, and
has to be judged all the same.
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

SEED = 770_001
MARGIN = 1.6  # of the rendered pictures: room to cut crops of margin 1.0 and 1.5 a little off
IMAGE_SIZE = 176
SOURCE = "synthetic heads rendered by tfface for its judges"
PEOPLE = "judge"

_SETTINGS = sampler.Settings(people=PEOPLE, images_per_person=4, margin=MARGIN, jitter=0.0, occlusion=0.12)
_WIDE_SHARE, _WIDE_YAW = 0.35, 75.0  # beyond that, the far half of the face is gone
_BEYOND_SHARE = 0.5  # pictures whose lens and light no training set has
_UNLIKELY_SHARE = 0.2  # faces whose action units do not go together
_TASK, _SHARD = 16, 256


def scene(seed, index):
    """Returns training scene `index` of the judges: upright crop of margin `MARGIN`, nothing shifted or turned."""
    drawn = sampler.sample_scene(seed, index, _SETTINGS)
    rng = np.random.default_rng([seed, index, 1])
    pose = drawn.pose
    if rng.uniform() < _WIDE_SHARE:
        pose = Pose(rng.uniform(-_WIDE_YAW, _WIDE_YAW), rng.uniform(-30, 30), 0.0)
    lens, light = drawn.camera.field_of_view, drawn.light
    if rng.uniform() < _BEYOND_SHARE:
        lens = rng.uniform(6, 45)
        light = Light(rng.uniform(-120, 120), rng.uniform(-60, 80), rng.uniform(0.3, 1.8), rng.uniform(0.05, 0.9))
    action_units = drawn.action_units
    if rng.uniform() < _UNLIKELY_SHARE:
        action_units = _unlikely(rng)
    shape = people.person(drawn.identity, drawn.attributes).shape
    pose, crop = camera.aligned(shape, pose, lens, MARGIN)
    return dataclasses.replace(drawn, action_units=action_units, pose=pose, camera=crop, light=light)


def _unlikely(rng):
    """One to five action units at any intensity: edits ask for what faces do not do by themselves."""
    intensities = np.zeros(17)
    chosen = rng.choice(17, rng.integers(1, 6), replace=False)
    intensities[chosen] = rng.uniform(0, 5, len(chosen))
    exclude(intensities)
    return tuple(intensities.round(4).tolist())


def render_range(start, stop, image_size, seed):
    """Returns the records of scenes `start` to `stop` - 1."""
    return [{**record_of(scene(seed, index), image_size), "mask": None} for index in range(start, stop)]


def render(directory, count, seed=SEED, workers=2, progress=True):
    """Renders the judges' training set into `directory`, or goes on with an interrupted one.

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
