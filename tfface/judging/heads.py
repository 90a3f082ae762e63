"""The head net's own pictures: people of the judges in pairs that differ in attributes alone. No TensorFlow.

As people come, hair, beard, sex and age go together, and a net that learns from them alone takes one for another: of
people whose age was changed it judged a quarter right. Edits change one attribute and leave the rest.
"""

import dataclasses
import sys

import numpy as np

from tfface.judging import scenes
from tfface.synthetic import reading_sets, sampler

SEED = 770_011
FOLDER = "heads"
PEOPLE, MARGIN, SOURCE = scenes.PEOPLE, scenes.MARGIN, scenes.SOURCE
IMAGE_SIZE = 112  # the net sees 64

_SETTINGS = sampler.Settings(
    people=PEOPLE, images_per_person=1, answers=2, vary="attributes", margin=MARGIN, jitter=0.0, occlusion=0.05
)
_BEYOND_SHARE = 0.3  # pairs whose light no training set has


def scene(seed, index):
    """Returns scene `index` of the set; 2k and 2k + 1 differ in one to three attributes and what these entail."""
    drawn = sampler.sample_scene(seed, index, _SETTINGS)
    rng = np.random.default_rng([seed, index // 2, 1])
    light = scenes.unusual_light(rng) if rng.uniform() < _BEYOND_SHARE else drawn.light
    return dataclasses.replace(drawn, light=light)


def render_range(start, stop, image_size, seed):
    """Returns the records of scenes `start` to `stop` - 1."""
    return reading_sets.records_of([scene(seed, index) for index in range(start, stop)], image_size)


def render(directory, count, seed=SEED, workers=2, progress=True):
    """Renders the head net's training set into `directory`, or goes on with an interrupted one; see `reading_sets`."""
    return reading_sets.render(directory, count, seed, sys.modules[__name__], workers, progress)
