"""The face net's own pictures: people, cameras and lights that no model trains on. No TensorFlow.

Identities come from the sampler's range for judges (or for evaluation), never from that of models, and the seeds are
not those that models use by default, so that not even a pose or an expression is drawn from a shared stream. Lenses,
lights and expressions go beyond those of training sets: what a model draws may look unlike anything in its own set, and
has to be judged all the same.
"""

import dataclasses
import sys

import numpy as np

from tfface.synthetic import camera, people, reading_sets, sampler
from tfface.synthetic.scene import Light, Pose

SEED = 770_001
FOLDER = "train"
MARGIN = 1.6  # of the rendered pictures: room to cut crops of margin 1.0 and 1.5 a little off
IMAGE_SIZE = 176
SOURCE = "synthetic heads rendered by tfface for its judges"
PEOPLE = "judge"

_SETTINGS = sampler.Settings(people=PEOPLE, images_per_person=4, margin=MARGIN, jitter=0.0, occlusion=0.12)
_WIDE_SHARE, _WIDE_YAW = 0.35, 75.0  # beyond that, the far half of the face is gone
_BEYOND_SHARE = 0.5  # pictures whose lens and light no training set has
_UNLIKELY_SHARE = 0.2  # faces whose action units do not go together


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
        light = unusual_light(rng)
    action_units = drawn.action_units
    if rng.uniform() < _UNLIKELY_SHARE:
        action_units = reading_sets.unlikely_action_units(rng)
    shape = people.person(drawn.identity, drawn.attributes).shape
    pose, crop = camera.aligned(shape, pose, lens, MARGIN)
    return dataclasses.replace(drawn, action_units=action_units, pose=pose, camera=crop, light=light)


def unusual_light(rng):
    """Returns a `Light` as no training set has it."""
    return Light(rng.uniform(-120, 120), rng.uniform(-60, 80), rng.uniform(0.3, 1.8), rng.uniform(0.05, 0.9))


def render_range(start, stop, image_size, seed):
    """Returns the records of scenes `start` to `stop` - 1."""
    return reading_sets.records_of([scene(seed, index) for index in range(start, stop)], image_size)


def render(directory, count, seed=SEED, workers=2, progress=True):
    """Renders the face net's training set into `directory`, or goes on with an interrupted one; see `reading_sets`."""
    return reading_sets.render(directory, count, seed, sys.modules[__name__], workers, progress)


def check_people(identities, role=PEOPLE):
    """Raises InputError unless every identity belongs to `role` of `sampler.ROLES`."""
    reading_sets.check_people(identities, role)
