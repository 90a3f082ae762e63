"""Scalp hair."""

import numpy as np

from tfface.synthetic.regions import scalp_depth, step


def scalp_coverage(person):
    return 0.9 * step(0.0, 0.12, scalp_depth())


def root_color(person):
    return np.asarray(person.hair.color)
