"""What can be asked of a model: one file for each kind of edit. `get` finds it by name and imports no other."""

import importlib

# Name -> class, in the module of that name.
_CLASSES = {
    "attributes": "Attributes",
    "expression": "Expression",
    "frontal": "Frontal",
    "latents": "Latents",
    "pose": "Pose",
}


def names():
    """Returns the names `get` knows, sorted."""
    return sorted(_CLASSES)


def get(name):
    """Returns the `base.Task` of a name; KeyError if there is none."""
    return getattr(importlib.import_module(f"tfface.tasks.{name}"), _CLASSES[name])()
