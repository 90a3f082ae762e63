"""The 40 CelebA labels of a scene, and the one true scene of "the same, but with this attribute".

Two labels restate the expression and are derived from it: ``Smiling`` from AU06 and AU12, ``Mouth_Slightly_Open`` from
AU25 and AU26. Asking for them edits the action units, by amounts that are the person's own.
"""

import dataclasses

import numpy as np

from tfface import conventions
from tfface.errors import InputError
from tfface.synthetic import attributes as rules
from tfface.synthetic.genes import gene_rng
from tfface.synthetic.scene import ATTRIBUTES

DERIVED = ("Smiling", "Mouth_Slightly_Open")
EDITABLE = tuple(sorted(ATTRIBUTES + DERIVED))

# A smile is a lip corner that is pulled clearly (FACS level B, 2 of 5), or slightly with raised cheeks.
SMILE_AU12, SMILE_AU12_WITH_CHEEKS, SMILE_AU06 = 2.0, 1.0, 1.5
OPEN_MOUTH = 1.0  # of AU25 or AU26: level A is a trace, with the lips still closed


def is_smiling(action_units):
    """Whether 17 intensities (0-5) show a smile; lip corners pulled down (AU15) harder than up undo it."""
    au = dict(zip(conventions.ACTION_UNITS, action_units, strict=True))
    pulled = au["AU12"] >= SMILE_AU12 or (au["AU12"] >= SMILE_AU12_WITH_CHEEKS and au["AU06"] >= SMILE_AU06)
    return pulled and au["AU12"] > au["AU15"]


def is_mouth_open(action_units):
    """Whether 17 intensities (0-5) part the lips visibly."""
    au = dict(zip(conventions.ACTION_UNITS, action_units, strict=True))
    return max(au["AU25"], au["AU26"]) >= OPEN_MOUTH


def labels(scene):
    """Returns int8 (40,) in CelebA's order: 1, 0, or -1 where the picture does not settle it."""
    known = dict(rules.complete(scene.identity, scene.attributes))
    if scene.occluder and scene.occluder.kind == "sunglasses":
        known["Eyeglasses"] = conventions.UNKNOWN  # seen on the face, but they come and go with the occluder
    known["Smiling"] = is_smiling(scene.action_units)
    known["Mouth_Slightly_Open"] = is_mouth_open(scene.action_units)
    return np.array([known.get(name, conventions.UNKNOWN) for name in conventions.ATTRIBUTES], np.int8)


def with_attribute(scene, name, value):
    """Returns the scene that truly shows `name` = `value` (0 or 1): the same one if it already does.

    Pose, light, camera, background and everything else about the person stay. What the rules of
    `tfface.synthetic.attributes` exclude goes too. Raises InputError for attributes that are not rendered.
    """
    if name not in EDITABLE:
        raise InputError(f"attribute {name!r} cannot be rendered, expected one of {' '.join(EDITABLE)}")
    if value not in (0, 1):
        raise InputError(f"attribute {name} is {value!r}, expected 0 or 1")
    if name in ATTRIBUTES:
        edited = rules.edit(scene.identity, scene.attributes, name, value)
        return dataclasses.replace(scene, attributes=edited)
    shown = is_smiling(scene.action_units) if name == "Smiling" else is_mouth_open(scene.action_units)
    if shown == bool(value):
        return scene
    au = dict(zip(conventions.ACTION_UNITS, scene.action_units, strict=True))
    au.update(_smile(scene.identity, au, value) if name == "Smiling" else _open_mouth(scene.identity, value))
    return dataclasses.replace(scene, action_units=tuple(au.values()))


def _smile(identity, au, value):
    if not value:
        return {"AU06": 0.0, "AU12": 0.0}
    rng = gene_rng("smile", identity)
    strength, cheeks = rng.uniform(2.4, 4.2), rng.uniform(0.5, 0.9)
    return {"AU12": max(au["AU12"], strength), "AU06": max(au["AU06"], strength * cheeks), "AU15": 0.0}


def _open_mouth(identity, value):
    if not value:
        return {"AU25": 0.0, "AU26": 0.0}
    rng = gene_rng("open mouth", identity)
    return {"AU25": rng.uniform(1.8, 3.6), "AU26": rng.uniform(0.6, 2.4)}
