"""Scenes by number: scene k of a set is a function of (seed, k, settings) alone, whoever draws it and in what order.

People never overlap between the roles: the identities of each are a range of their own (`ROLES`), so a judge that
scores a model was trained on nobody the model or the annotator saw, and none of them saw the people of the evaluation.
"""

import dataclasses
import statistics
import zlib

import numpy as np

from tfface.conventions import ATTGAN_ATTRIBUTES, ATTRIBUTES, MAX_INTENSITY
from tfface.errors import InputError
from tfface.synthetic import attributes as rules
from tfface.synthetic import background, camera, labels, people, props
from tfface.synthetic.cooccurrence import exclude, sample_action_units
from tfface.synthetic.scene import Background, Camera, Light, Occluder, Pose, Scene, action_units

# Role number r owns the identities r * PEOPLE_PER_ROLE to (r + 1) * PEOPLE_PER_ROLE - 1.
ROLES = ("train", "judge", "evaluation", "annotator")
PEOPLE_PER_ROLE = 2**40

# Side views by name: the yaw's size and its sign (0: either). A whole number is a view too: its yaw in degrees.
VIEWS = {"frontal": ((0, 0), 0), "turned": ((15, 90), 0), "left": ((15, 90), -1), "right": ((15, 90), 1)}
MAX_VIEW_YAW = 90

# Batches of DC-IGN (Kulkarni et al. 2015): one factor of four varies, ranges as on the paper's plots (1.5 rad azimuth,
# 0.4 rad elevation, 80 degrees of light). "all" gives the four in turn.
FACTORS = ("azimuth", "elevation", "light", "shape")
FACTOR_BATCH = 20
_FACTOR_YAW, _FACTOR_PITCH, _FACTOR_LIGHT = 86.0, 23.0, 80.0  # degrees either side

# View of the pictures of one scene that differ in `Settings.vary` alone, before the scene's number.
ANSWER_VIEW = "answer/"
VARY = ("action_units", "attributes", "pose")
# Every other attribute comes half as often as the 13 that AttGAN edits: the answers that differ in one of the others
# say nothing to a model that was not told of it.
_OTHER_ATTRIBUTE = 0.5

# What changes between pictures of one person: glasses come off, lipstick too.
_CHANGEABLE = (("Eyeglasses", 0.08), ("Wearing_Lipstick", 0.08))

_BARE = (("Bald", 1), ("No_Beard", 1), ("Eyeglasses", 0))


@dataclasses.dataclass(frozen=True)
class Spread:
    """A number from `low` to `high`: normal around `centre` and cut off there, or uniform if `deviation` is None."""

    low: float
    high: float
    centre: float = 0.0
    deviation: float | None = None

    def draw(self, rng):
        """Draws one value; always takes one uniform number from `rng`."""
        share = rng.uniform()
        if self.deviation is None:
            return float(self.low + share * (self.high - self.low))
        normal = statistics.NormalDist(self.centre, self.deviation)
        below, above = normal.cdf(self.low), normal.cdf(self.high)
        return float(np.clip(normal.inv_cdf(below + share * (above - below)), self.low, self.high))


POSES = {
    "portrait": {"yaw": Spread(-45, 45, 0, 20), "pitch": Spread(-30, 30, 0, 8), "roll": Spread(-20, 20, 0, 4)},
    "wide": {"yaw": Spread(-90, 90), "pitch": Spread(-30, 30), "roll": Spread(-20, 20)},
    "turning": {"yaw": Spread(-50, 50), "pitch": Spread(-25, 25, 0, 8), "roll": Spread(-20, 20, 0, 4)},
    "frontal": {"yaw": Spread(-10, 10, 0, 4), "pitch": Spread(-10, 10, 0, 4), "roll": Spread(-10, 10, 0, 3)},
}


FRAMINGS = ("aligned", "centred", "steady")


def _choice(name, value, allowed):
    if value not in allowed:
        raise InputError(f"{name} {value!r}: expected one of {', '.join(allowed)}")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a set of scenes is made of. Degrees as in `conventions`.

    Attributes:
        people: one of `ROLES`.
        images_per_person: consecutive scenes with the same person (with `views`: one scene a view instead).
        poses: one of `POSES`: "portrait" (mostly near frontal, as cropped photos are), "wide" (uniform), "turning"
            (every yaw to 50 degrees alike) or "frontal".
        occlusion: chance that something stands before the face.
        expressions: False keeps every face neutral.
        answers: consecutive scenes that differ in `vary` alone: each is the true answer to editing another.
        vary: one of `VARY`. The first picture of a scene is drawn as any other. Each further one has other action units
            (half of the time a few of them), or one to three other attributes and what the rules tie to these (the two
            that restate the expression only with `expressions`), or another pose.
        framing: "aligned" (as `alignment` crops the person's face without expression; the drawn roll then says how far
            the crop is turned off upright), "centred" (the head's middle at a fixed size) or "steady" (likewise, but as
            an aligned crop frames an average frontal face). Batches of a factor are steady or else centred.
        margin: of an aligned or steady crop: 1 shows forehead to chin, 1.5 the whole head with its hair.
        jitter: how far the crop is off, as a detector's landmarks make it: deviation of shift (in picture widths) and
            of log scale.
        views: names of `VIEWS` or whole yaws. One person, expression and light is shown in each of them in turn.
        factor: one of `FACTORS` or "all": batches of `FACTOR_BATCH` neutral scenes in which only that varies.
        bare: heads without hair, beard and glasses before black, as those of the Basel Face Model.
    """

    people: str = "train"
    images_per_person: int = 4
    poses: str = "portrait"
    occlusion: float = 0.0
    expressions: bool = True
    answers: int = 1
    vary: str = "action_units"
    framing: str = "aligned"
    margin: float = 1.0
    jitter: float = 0.015
    views: tuple = ()
    factor: str = ""
    bare: bool = False

    def __post_init__(self):
        object.__setattr__(self, "views", tuple(map(str, self.views)))  # whole yaws may be numbers
        _choice("people", self.people, ROLES)
        _choice("poses", self.poses, POSES)
        _choice("framing", self.framing, FRAMINGS)
        _choice("vary", self.vary, VARY)
        if self.factor:
            _choice("factor", self.factor, (*FACTORS, "all"))
        if self.factor and self.views:
            raise InputError(f"views {','.join(self.views)} and factor {self.factor!r}: choose one of the two")
        for view in self.views:
            view_range(view)
        if not 0 <= self.occlusion <= 1:
            raise InputError(f"occlusion {self.occlusion}: expected a chance from 0 to 1")
        if not 0.5 <= self.margin <= 4:
            raise InputError(f"margin {self.margin}: expected 0.5 to 4")
        if not 0 <= self.jitter <= 0.2:
            raise InputError(f"jitter {self.jitter}: expected 0 to 0.2 picture widths")
        if self.answers < 1:
            raise InputError(f"answers {self.answers}: expected 1 or more pictures of a scene")
        if self.answers > 1 and (self.views or self.factor):
            raise InputError(f"answers {self.answers}: go neither with views nor with a factor")
        if self.answers > 1 and self.vary == "action_units" and not self.expressions:
            raise InputError(f"answers {self.answers}: differ in action units, so expressions are needed")
        if self.images_per_person < 1:
            raise InputError(f"images per person {self.images_per_person}: expected 1 or more")


def view_range(view):
    """Returns ((smallest, largest) size of the yaw, sign or 0 for either) of a view's name; InputError if unknown."""
    if view in VIEWS:
        return VIEWS[view]
    try:
        yaw = int(view)
    except ValueError:
        yaw = MAX_VIEW_YAW + 1
    if abs(yaw) > MAX_VIEW_YAW:
        raise InputError(f"view {view!r}: expected {', '.join(VIEWS)} or a whole yaw from -90 to 90 degrees")
    return (abs(yaw), abs(yaw)), 1 if yaw >= 0 else -1


def person_identity(seed, number, people="train"):
    """The identity of person `number` of a set: anywhere in the role's range, so that another seed has other people."""
    own = _stream(seed, "person", number).integers(PEOPLE_PER_ROLE)
    return int(ROLES.index(people) * PEOPLE_PER_ROLE + own)


def role(identity):
    """Which of `ROLES` an identity belongs to."""
    return ROLES[identity // PEOPLE_PER_ROLE]


def sample_scene(seed, index, settings=Settings()):
    """Returns scene `index` (from 0) of the set that `seed` and `settings` name."""
    scene = _factor_scene(seed, index, settings) if settings.factor else _natural_scene(seed, index, settings)
    return _bared(scene) if settings.bare else scene


def _natural_scene(seed, index, settings):
    index, answer = divmod(index, settings.answers)
    other = {thing: answer if thing == settings.vary else 0 for thing in VARY}
    # Pictures of one group share what `settings.views` must hold still; without views each is a group of its own.
    group = index // len(settings.views) if settings.views else index
    number = group if settings.views else index // settings.images_per_person
    identity = person_identity(seed, number, settings.people)
    worn = _worn(identity, _stream(seed, "worn", group))
    expression = _expression(seed, group, other["action_units"]) if settings.expressions else action_units()
    person = people.person(identity, worn)
    drawn = _pose(seed, index, group, settings, other["pose"])
    pose, crop = _framed(seed, index, group, person, drawn, settings)
    scene = Scene(
        identity=identity,
        action_units=tuple(round(v, 4) for v in expression),
        attributes=worn,
        pose=pose,
        light=_light(_stream(seed, "light", group)),
        camera=crop,
        background=_background(_stream(seed, "background", group)),
        occluder=_occluder(_stream(seed, "occluder", index), settings.occlusion),
    )
    if not other["attributes"]:
        return scene
    return _other_attributes(scene, _stream(seed, "attribute answer", group, answer), settings)


def view_name(index, settings):
    """What a record's `view` says: the view's name, factor and batch ("light/000012") or scene ("answer/000012")."""
    if settings.views:
        return settings.views[index % len(settings.views)]
    if settings.factor:
        return f"{_batch_factor(index, settings)}/{index // FACTOR_BATCH:06d}"
    if settings.answers > 1:
        return f"{ANSWER_VIEW}{index // settings.answers:06d}"
    return ""


def _stream(seed, name, *numbers):
    """A random stream per thing that is drawn: a setting that changes one leaves the others as they were."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed, *numbers])


def _expression(seed, group, answer):
    """Action units of a picture. Every other answer to a scene changes a few of them alone, as a user's edits do."""
    first = sample_action_units(_stream(seed, "expression", group))
    if not answer:
        return first
    rng = _stream(seed, "answer", group, answer)
    if rng.uniform() < 0.5:
        return sample_action_units(rng)
    changed = rng.choice(len(first), rng.integers(1, 4), replace=False)
    edited = np.array(first, float)
    drop = (edited[changed] > 0.5) & (rng.uniform(size=len(changed)) < 0.5)
    edited[changed] = np.where(drop, 0.0, rng.uniform(0.5, MAX_INTENSITY, len(changed)))
    exclude(edited, asked=changed)
    return edited


def _worn(identity, rng):
    worn = rules.default_attributes(identity)
    for name, chance in _CHANGEABLE:
        if rng.uniform() < chance:
            worn = rules.edit(identity, worn, name, 1 - dict(worn)[name])
    return worn


def _other_attributes(scene, rng, settings):
    """The scene with one to three attributes the other way round, and what the rules tie to them."""
    names = [name for name in labels.EDITABLE if settings.expressions or name not in labels.DERIVED]
    if scene.occluder and scene.occluder.kind == "sunglasses":
        names.remove("Eyeglasses")  # nobody could see the change
    shares = np.array([1.0 if name in ATTGAN_ATTRIBUTES else _OTHER_ATTRIBUTE for name in names])
    changed = rng.choice(names, rng.integers(1, 4), replace=False, p=shares / shares.sum())
    shown = dict(zip(ATTRIBUTES, labels.labels(scene).tolist(), strict=True))
    for name in map(str, changed):  # a later one may undo an earlier one; the last stands
        scene = labels.with_attribute(scene, name, 1 - shown[name])
    return dataclasses.replace(scene, action_units=tuple(round(v, 4) for v in scene.action_units))


def _pose(seed, index, group, settings, answer):
    spreads = POSES[settings.poses]
    rng = _stream(seed, "pose answer", group, answer) if answer else _stream(seed, "pose", group)
    yaw, pitch, roll = (spreads[name].draw(rng) for name in ("yaw", "pitch", "roll"))
    if settings.views:
        (low, high), sign = view_range(settings.views[index % len(settings.views)])
        rng = _stream(seed, "view", index)
        size, side = rng.uniform(low, high), rng.choice([-1, 1])
        yaw = size * (sign or side)
    return Pose(yaw, pitch, roll)


def _light(rng):
    azimuth = Spread(-90, 90, 0, 40).draw(rng)
    elevation = Spread(-45, 45, 20, 18).draw(rng)
    intensity = Spread(0.7, 1.4, 1.0, 0.15).draw(rng)
    ambient = Spread(0.15, 0.65, 0.38, 0.12).draw(rng)
    return _rounded(Light(azimuth, elevation, intensity, ambient))


def _framed(seed, index, group, person, pose, settings):
    """The pose and camera of the crop: where `settings.framing` puts the head, a little off."""
    field_of_view = _stream(seed, "lens", group).uniform(12, 32)
    roll = np.deg2rad(pose.roll)
    if settings.framing == "centred":
        crop = camera.centred(field_of_view)
    elif settings.framing == "steady":
        crop = camera.steady(settings.margin, field_of_view)
    else:
        upright, crop = camera.aligned(person.shape, pose, field_of_view, settings.margin)
        # An aligned crop is upright; the roll that was drawn turns the whole crop about its middle.
        x = crop.x * np.cos(roll) + crop.y * np.sin(roll)
        crop = dataclasses.replace(crop, x=x, y=crop.y * np.cos(roll) - crop.x * np.sin(roll))
        pose = dataclasses.replace(pose, roll=pose.roll + upright.roll)
    shift_x, shift_y, zoom = settings.jitter * _stream(seed, "framing", index).standard_normal(3)
    crop = Camera(crop.scale * np.exp(zoom), crop.x + shift_x, crop.y + shift_y, field_of_view)
    return _rounded(pose), _rounded(crop)


def _rounded(part):
    """Four decimals are far below a pixel or a visible degree, and keep a scene's JSON short."""
    return type(part)(**{name: round(value, 4) for name, value in dataclasses.asdict(part).items()})


def _background(rng):
    return Background(str(rng.choice(background.DRAWN)), int(rng.integers(2**31)))


def _bared(scene):
    worn = scene.attributes
    for name, value in _BARE:
        worn = rules.edit(scene.identity, worn, name, value)
    return dataclasses.replace(scene, attributes=worn, background=Background("black"))


def _occluder(rng, chance):
    if rng.uniform() >= chance:
        return None
    return Occluder(str(rng.choice(props.OCCLUDERS)), int(rng.integers(2**31)))


def _batch_factor(index, settings):
    if settings.factor == "all":
        return FACTORS[index // FACTOR_BATCH % len(FACTORS)]
    return settings.factor


def _factor_scene(seed, index, settings):
    """One picture of a DC-IGN batch: all by the batch's number but the one factor, which goes by the picture's."""
    batch, factor = index // FACTOR_BATCH, _batch_factor(index, settings)

    def drawn(name, limit):
        number = (batch, index % FACTOR_BATCH) if name == factor else (batch,)
        return round(_stream(seed, name, *number).uniform(-limit, limit), 3)

    number = index if factor == "shape" else batch * FACTOR_BATCH
    light = _light(_stream(seed, "light level", batch))
    identity = person_identity(seed, number, settings.people)
    return Scene(
        identity=identity,
        attributes=rules.default_attributes(identity),
        pose=Pose(drawn("azimuth", _FACTOR_YAW), drawn("elevation", _FACTOR_PITCH), 0.0),
        light=dataclasses.replace(light, azimuth=drawn("light", _FACTOR_LIGHT), elevation=20.0),
        camera=camera.steady(settings.margin) if settings.framing == "steady" else camera.centred(),
        background=_background(_stream(seed, "background", batch)),
    )
