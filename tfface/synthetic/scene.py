"""What one synthetic picture shows: a frozen, serialisable description from which `render` makes exactly one picture.

Every field is independent of the others: `dataclasses.replace` on one of them changes exactly one thing in the picture,
which is what makes the true answer to an edit available.
"""

import dataclasses
import json
import math
import numbers

from tfface import conventions
from tfface.errors import InputError

# The attributes that a picture is drawn from; the rest of CelebA's 40 are derived from these and the rest of the scene.
ATTRIBUTES = (
    "Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Goatee", "Gray_Hair",
    "Male", "Mustache", "No_Beard", "Pale_Skin", "Wearing_Lipstick", "Young",
)  # fmt: skip


def _set_number(instance, name, low, high):
    where = f"{type(instance).__name__.lower()}.{name}"
    object.__setattr__(instance, name, _number(getattr(instance, name), where, low, high))


def _number(value, where, low, high):
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"scene: {where} is {value!r}, expected a number from {low} to {high}") from None
    if not math.isfinite(number) or not low <= number <= high:
        raise InputError(f"scene: {where} is {value!r}, expected a number from {low} to {high}")
    return number


def _set_kind_and_seed(instance):
    where = type(instance).__name__.lower()
    if not isinstance(instance.kind, str) or not instance.kind:
        raise InputError(f"scene: {where}.kind is {instance.kind!r}, expected a name")
    object.__setattr__(instance, "seed", _seed(instance.seed, f"{where}.seed"))


def _seed(value, where):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 <= value < 2**62:
        raise InputError(f"scene: {where} is {value!r}, expected an integer from 0 to 2^62")
    return int(value)


def _action_units(values):
    values = tuple(values)
    if len(values) != len(conventions.ACTION_UNITS):
        raise InputError(f"scene: action_units has {len(values)} values, expected {len(conventions.ACTION_UNITS)}")
    return tuple(
        _number(value, name, 0, conventions.MAX_INTENSITY)
        for name, value in zip(conventions.ACTION_UNITS, values, strict=True)
    )


def _attributes(pairs):
    result = {}
    for pair in pairs:
        if len(pair) != 2:
            raise InputError(f"scene: attribute {pair!r}, expected a (name, 0 or 1) pair")
        name, value = pair
        if name not in ATTRIBUTES:
            raise InputError(f"scene: attribute {name!r} cannot be rendered, expected one of {' '.join(ATTRIBUTES)}")
        if value not in (0, 1):
            raise InputError(f"scene: attribute {name} is {value!r}, expected 0 or 1")
        if name in result:
            raise InputError(f"scene: attribute {name} is given twice")
        result[name] = int(value)
    return tuple(sorted(result.items()))


@dataclasses.dataclass(frozen=True)
class Pose:
    """Head rotation in degrees, signs as in `conventions`."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def __post_init__(self):
        _set_number(self, "yaw", -180, 180)
        _set_number(self, "pitch", -90, 90)
        _set_number(self, "roll", -180, 180)


@dataclasses.dataclass(frozen=True)
class Light:
    """One distant light: degrees as in `conventions`, relative to the camera; strengths are factors."""

    azimuth: float = 20.0
    elevation: float = 30.0
    intensity: float = 1.0
    ambient: float = 0.35

    def __post_init__(self):
        _set_number(self, "azimuth", -180, 180)
        _set_number(self, "elevation", -90, 90)
        _set_number(self, "intensity", 0, 4)
        _set_number(self, "ambient", 0, 2)


@dataclasses.dataclass(frozen=True)
class Camera:
    """Where the head's pivot lands in the square picture and how large it is.

    Attributes:
        scale: picture widths per decimetre at the pivot's depth.
        x, y: where the pivot lies relative to the picture's centre, in picture widths, right and down.
        field_of_view: degrees that a 4 dm wide head box would fill; it sets only the strength of the perspective.
    """

    scale: float = 0.33
    x: float = 0.0
    y: float = 0.0
    field_of_view: float = 20.0

    def __post_init__(self):
        _set_number(self, "scale", 0.01, 10)
        _set_number(self, "x", -4, 4)
        _set_number(self, "y", -4, 4)
        _set_number(self, "field_of_view", 1, 60)


@dataclasses.dataclass(frozen=True)
class Background:
    """What is behind the head; kinds are listed in `synthetic.background`."""

    kind: str = "gradient"
    seed: int = 0

    def __post_init__(self):
        _set_kind_and_seed(self)


@dataclasses.dataclass(frozen=True)
class Occluder:
    """What stands in front of the head; kinds are listed in `synthetic.props`."""

    kind: str
    seed: int = 0

    def __post_init__(self):
        _set_kind_and_seed(self)


@dataclasses.dataclass(frozen=True)
class Scene:
    """One picture.

    Attributes:
        identity: seed of the person: genes of shape and skin, and what is drawn when an attribute is not asked for.
        action_units: 17 intensities 0-5 in the order of `conventions.ACTION_UNITS`.
        attributes: sorted `(name, 0 or 1)` pairs, names from `ATTRIBUTES`; a name left out is the person's own default.
    """

    identity: int
    action_units: tuple = (0.0,) * len(conventions.ACTION_UNITS)
    attributes: tuple = ()
    pose: Pose = Pose()
    light: Light = Light()
    camera: Camera = Camera()
    background: Background = Background()
    occluder: Occluder | None = None

    def __post_init__(self):
        object.__setattr__(self, "identity", _seed(self.identity, "identity"))
        object.__setattr__(self, "action_units", _action_units(self.action_units))
        object.__setattr__(self, "attributes", _attributes(self.attributes))

    def to_json(self):
        """Returns one line of JSON; `from_json` gives back an equal scene."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text):
        """Reads what `to_json` wrote. Raises InputError that names a key unknown, missing or out of range."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"scene: not JSON ({error.msg} at character {error.pos})") from None
        values = _known(values, cls, "scene")
        if "identity" not in values:
            raise InputError("scene: identity is missing, expected an integer seed of the person")
        for name, part in (("pose", Pose), ("light", Light), ("camera", Camera), ("background", Background)):
            if name in values:
                values[name] = part(**_known(values[name], part, name))
        if values.get("occluder") is not None:
            fields = _known(values["occluder"], Occluder, "occluder")
            if "kind" not in fields:
                raise InputError("occluder: kind is missing, expected its name")
            values["occluder"] = Occluder(**fields)
        return cls(**values)


def action_units(**intensities):
    """Returns the tuple of 17 from names: `action_units(AU12=5, AU26=2.5)`; those not named are 0."""
    unknown = sorted(set(intensities) - set(conventions.ACTION_UNITS))
    if unknown:
        raise InputError(f"action units: {unknown[0]} is unknown, expected one of {' '.join(conventions.ACTION_UNITS)}")
    return tuple(float(intensities.get(name, 0.0)) for name in conventions.ACTION_UNITS)


def _known(values, cls, where):
    if not isinstance(values, dict):
        raise InputError(f"{where}: is {values!r}, expected a JSON object")
    names = [field.name for field in dataclasses.fields(cls)]
    for key in values:
        if key not in names:
            raise InputError(f"{where}: key {key!r} is unknown, expected one of {', '.join(names)}")
    return dict(values)
