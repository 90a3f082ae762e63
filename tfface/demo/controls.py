"""What can be set on a face, for each kind of edit: names, ranges and ready-made choices. No TensorFlow."""

import dataclasses

from tfface import emotions
from tfface.conventions import ACTION_UNIT_NAMES, ACTION_UNITS, MAX_INTENSITY
from tfface.tasks import latents

STRONG, SLIGHT = 0.8, 0.5  # of the action units that most people show for a category, and that some do
_PITCH = 20.0  # degrees up and down that heads in training data mostly stay within


@dataclasses.dataclass(frozen=True)
class Control:
    """One number of a request.

    Attributes:
        name: as in the request.
        label: what people read.
        low, high: its range.
        switch: whether it is yes (1) or no (0).
    """

    name: str
    label: str
    low: float = 0.0
    high: float = 1.0
    switch: bool = False

    def clipped(self, value):
        """Returns a value as the control can show it."""
        return float(value > 0.5) if self.switch else float(min(max(value, self.low), self.high))


def of(model):
    """Returns the `Control`s of a model; none where all there is to ask is the edit itself."""
    if model.task == "expression":
        return [Control(name, f"{name} {ACTION_UNIT_NAMES[name]}") for name in ACTION_UNITS]
    if model.task == "attributes":
        return [Control(name, name.replace("_", " "), switch=True) for name in model.config.attributes]
    if model.task == "pose":
        reach = model.config.pose_range
        sides = (("yaw", "nose to the image's right", reach), ("pitch", "nose down", min(reach, _PITCH)))
        return [Control(name, f"{name}, degrees: {meaning}", -limit, limit) for name, meaning, limit in sides]
    if model.task == "latents":
        limit = latents.LIMIT
        return [Control(name, f"{name.replace('_', ' ')}, spreads", -limit, limit) for name in latents.LATENTS]
    return []


def choices(model):
    """Returns ``{name: request}`` of ready-made requests, the neutral face first; empty where there are none."""
    if model.task != "expression":
        return {}
    requests = {emotions.NEUTRAL: dict.fromkeys(ACTION_UNITS, 0.0)}
    for name in emotions.CATEGORIES[1:]:
        most, some = emotions.prototype(name)
        request = dict.fromkeys(ACTION_UNITS, 0.0) | dict.fromkeys(most, STRONG)
        for unit in some:  # as long as it does not make another category of it
            more = request | {unit: SLIGHT}
            if emotions.category([MAX_INTENSITY * more[unit] for unit in ACTION_UNITS]) == name:
                request = more
        requests[name.replace("_", " ")] = request
    return requests
