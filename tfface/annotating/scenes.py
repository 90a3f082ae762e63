"""The annotator's own pictures: people of its own range of the sampler, any camera and light. No TensorFlow.

Nobody here is among those that models, judges or the evaluation have, and the seeds are others too. Lens, light and
combinations of action units go beyond what training sets have, so that what is learnt does not hang on them.
"""

import dataclasses
import sys

import numpy as np

from tfface.synthetic import camera, people, reading_sets, sampler
from tfface.synthetic.scene import Light, Pose

SEED = 880_001
PEOPLE = "annotator"
MARGIN, IMAGE_SIZE = 1.8, 240  # of the rendered pictures: a face of some 110 pixels with its hair, as in small photos
SOURCE = "synthetic heads rendered by tfface for its annotator"

_SETTINGS = sampler.Settings(people=PEOPLE, images_per_person=2, margin=MARGIN, jitter=0.03, occlusion=0.25)
_WIDE_SHARE, _WIDE_YAW = 0.3, 60.0  # beyond that the mesh does not fit
_BEYOND_SHARE = 0.5  # pictures whose lens and light no training set has
_UNLIKELY_SHARE = 0.3  # faces whose action units do not go together: each must be known by its own looks


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
        action_units = reading_sets.unlikely_action_units(rng)
    shape = people.person(drawn.identity, drawn.attributes).shape
    pose, crop = camera.aligned(shape, pose, lens, MARGIN)
    return dataclasses.replace(drawn, action_units=action_units, pose=pose, camera=crop, light=light)


def render_range(start, stop, image_size, seed):
    """Returns the records of scenes `start` to `stop` - 1."""
    return reading_sets.records_of([scene(seed, index) for index in range(start, stop)], image_size)


def render(directory, count, seed=SEED, workers=2, progress=True):
    """Renders the training pictures into `directory`, or goes on with an interrupted rendering; see `reading_sets`."""
    return reading_sets.render(directory, count, seed, sys.modules[__name__], workers, progress)


def check_people(identities, role=PEOPLE):
    """Raises InputError unless every identity belongs to `role` of `sampler.ROLES`."""
    reading_sets.check_people(identities, role)
