"""Expressions: action units by name, intensities 0 to 1."""

import dataclasses

import numpy as np

from tfface import config, regions
from tfface.conventions import ACTION_UNITS, MAX_INTENSITY
from tfface.errors import InputError
from tfface.tasks.base import Task

SEEN = 1.0  # of 5 levels of intensity: what counts as a visible change


class Expression(Task):
    """``{"AU12": 0.8}``: action units that are not named stay as the face shows them."""

    labels = ("action_units",)
    flag, metavar = "--au", "AU=VALUE"
    parts = ACTION_UNITS
    help = "action units, for instance AU12=0.8 (0 to 1)"
    example = "AU12=0.8"
    liked = "action_units"

    def parse(self, texts, model):
        wanted = {}
        for text in texts:
            name, _, value = text.partition("=")
            where = f"{self.flag} {text}"
            if name.upper() not in ACTION_UNITS:
                raise InputError(f"{where}: unknown action unit {name!r}{config.nearest(name.upper(), ACTION_UNITS)}")
            name = name.upper()
            if name in wanted:
                raise InputError(f"{where}: {name} is given twice; give it once")
            wanted[name] = _intensity(value, where)
        return wanted

    def requests(self, model):
        return [
            ("AU06+12 smile", {"AU06": 0.6, "AU12": 0.9}),
            ("AU25+26 open", {"AU25": 0.9, "AU26": 0.9}),
            ("AU45 closed", {"AU45": 1.0}),
            ("AU01+02 brows up", {"AU01": 0.9, "AU02": 0.9}),
            ("AU04 frown", {"AU04": 1.0}),
            ("other's AUs", None),
        ]

    def shown(self, labels):
        return dict(zip(ACTION_UNITS, map(float, labels["action_units"]), strict=True))

    def inputs(self, model, labels, wanted, keep_others=True):
        source = np.asarray(labels["action_units"], np.float32)
        return {
            "action_units": _asked(source if keep_others else np.zeros_like(source), wanted),
            "source_action_units": source,
        }

    def estimate(self, model, images):
        return [{"action_units": units} for units in np.asarray(model.estimate_action_units(images), np.float32)]

    def answer(self, scene, wanted):
        units = _asked(np.asarray(scene.action_units) / MAX_INTENSITY, wanted)
        return dataclasses.replace(scene, action_units=tuple(float(unit) * MAX_INTENSITY for unit in units))

    def asked(self, labels, wanted):
        return {**labels, "action_units": _asked(labels["action_units"], wanted)}

    def region(self, wanted, landmarks, size):
        masks = regions.au_regions(landmarks, size)
        return np.any([masks[name].mask for name in wanted], 0)

    def scores(self, evaluation):
        """Adds to each request of named units, averaged over them and over people (intensities 0-5): how strong they
        were asked to be (`asked`), are judged to be (`judged`), and the share of people on whom the judge sees at least
        one level of change the right way, where at least one was asked for (`seen`)."""
        groups = {}
        for case in evaluation.cases:
            if not case.everything:
                units = [ACTION_UNITS.index(name) for name in case.wanted]
                groups.setdefault(case.title, []).append((case, units))
        return {"by_request": {title: _strength(group) for title, group in groups.items()}}


def _strength(group):
    """Scores of one request: `group` lists (case, places of the units that were named)."""
    asked = np.array([case.asked["action_units"][units].mean() for case, units in group]) * MAX_INTENSITY
    shown = np.array([case.person.labels["action_units"][units].mean() for case, units in group]) * MAX_INTENSITY
    told = np.abs(asked - shown) >= SEEN
    result = {"asked": float(asked.mean())}
    for kind in ("edit", "copy", "oracle"):
        if any(kind not in case.judged for case, _ in group):
            continue
        judged, before = (
            np.array([case.judged[which]["action_units"][units].mean() for case, units in group])
            for which in (kind, "copy")
        )
        seen = (judged - before) * np.sign(asked - shown) >= SEEN
        result[kind] = {"judged": float(judged.mean()), "seen": float(seen[told].mean()) if told.any() else None}
    return result


def _asked(units, wanted):
    units = units.copy()
    for name, intensity in wanted.items():
        units[ACTION_UNITS.index(name)] = intensity
    return units


def _intensity(text, where):
    try:
        value = float(text)
    except ValueError:
        raise InputError(
            f"{where}: {text!r} is no intensity; expected a number from 0 to 1, such as AU12=0.8"
        ) from None
    if not 0 <= value <= 1:
        hint = f"; OpenFace's {value:g} of 5 is {value / 5:g} here" if 1 < value <= 5 else ""
        raise InputError(f"{where}: intensity {value:g} is outside 0 to 1{hint}")
    return value
