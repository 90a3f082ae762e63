"""One paper, one file. `get` finds a model class by the name used on the command line, without importing the others."""

import importlib

from tfface.errors import InputError

_CLASSES = {
    "attgan": "AttGAN",
    "dcign": "DCIGN",
    "ganimation": "GANimation",
    "recognizer": "Recognizer",
    "rotator": "Rotator",
    "tpgan": "TPGAN",
}


def names():
    """Returns the names `get` knows, sorted."""
    return sorted(_CLASSES)


def get(name):
    """Returns the model class of `name` (for instance ``"ganimation"``).

    Raises:
        InputError: no such model.
    """
    if name not in _CLASSES:
        raise InputError(f"model {name!r} is unknown: choose one of {', '.join(names())}")
    return getattr(importlib.import_module(f"tfface.models.{name}"), _CLASSES[name])
