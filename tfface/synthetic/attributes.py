"""The attributes that a picture is drawn from: what a person has by default, and the rules between them.

* At most one hair colour; none of the four named means red or auburn.
* ``Bald`` excludes ``Bangs`` and every hair colour.
* ``Mustache`` and ``Goatee`` name a beard's style, as CelebA's annotators use them (a full beard has neither): they
  imply ``No_Beard`` = 0, and a beard without them is the person's stubble, short or full beard.

`edit` keeps the rules by changing the least: taking away what a person's look rests on (their hair colour, their only
beard) puts the person's own next answer there, so that every edit has exactly one true picture.
"""

from tfface.errors import InputError
from tfface.synthetic.genes import gene_rng, hair_color_order
from tfface.synthetic.scene import ATTRIBUTES

HAIR_ATTRIBUTES = {"Black_Hair": "black", "Brown_Hair": "brown", "Blond_Hair": "blond", "Gray_Hair": "gray"}

# Chances for women and men. The order of size follows CelebA (list_attr_celeba.txt: Bald 0.00/0.06, Bangs 0.20/0.07,
# Eyeglasses 0.04/0.14, Mustache 0.00/0.11, Goatee 0.00/0.16, beard 0.00/0.41, Pale_Skin 0.05/0.02, lipstick 0.77/0.01,
# Bushy_Eyebrows 0.07/0.20, Young 0.86/0.64). Rare ones are raised, and none is impossible for either sex, so that a
# model sees enough of each and cannot learn "lipstick" as a word for "woman".
_CHANCES = {
    "Young": (0.72, 0.62),
    "Bald": (0.03, 0.14),
    "Bangs": (0.30, 0.16),
    "Bushy_Eyebrows": (0.14, 0.28),
    "Eyeglasses": (0.14, 0.20),
    "Pale_Skin": (0.12, 0.08),
    "Wearing_Lipstick": (0.55, 0.06),
}
# Beard styles (none, the person's own kind, mustache, goatee, both) for women and men.
_BEARDS = ((0.95, 0.015, 0.015, 0.015, 0.005), (0.46, 0.22, 0.13, 0.11, 0.08))
_GRAY_WHEN_OLD = 0.4  # CelebA: 0.185 of those who are not Young, 0.003 of the others
_OTHER_COLOR = 0.25  # hair of another colour than the person's own: dyed; separates hair from ancestry


def default_attributes(identity):
    """Returns the person's own 15 attributes as a sorted tuple of (name, 0 or 1); they keep the rules."""
    rng = gene_rng("attributes", identity)
    male = int(rng.uniform() < 0.5)
    values = {"Male": male}
    for name, chances in _CHANCES.items():
        values[name] = int(rng.uniform() < chances[male])
    beard = rng.choice(5, p=_BEARDS[male])
    values["No_Beard"] = int(beard == 0)
    values["Mustache"] = int(beard in (2, 4))
    values["Goatee"] = int(beard in (3, 4))
    gray, other, which = rng.uniform() < _GRAY_WHEN_OLD, rng.uniform() < _OTHER_COLOR, rng.integers(1, 4)
    order = hair_color_order(identity)
    color = order[which] if other else order[0]
    if gray and not values["Young"]:
        color = "gray"
    for name, own in HAIR_ATTRIBUTES.items():
        values[name] = int(own == color and not values["Bald"])
    if values["Bald"]:
        values["Bangs"] = 0
    return tuple(sorted(values.items()))


def complete(identity, attributes):
    """Returns all 15 as a sorted tuple: those given, and the person's own for the rest, changed where rules demand it.

    Raises:
        InputError: for an unknown name, a value that is not 0 or 1, or given attributes that contradict each other.
    """
    given = dict(attributes)
    for name, value in given.items():
        if name not in ATTRIBUTES:
            raise InputError(f"attribute {name!r} cannot be rendered, expected one of {' '.join(ATTRIBUTES)}")
        if value not in (0, 1):
            raise InputError(f"attribute {name} is {value!r}, expected 0 or 1")
    if broken := _broken_rule({**dict.fromkeys(ATTRIBUTES, 0), **given}):
        shown = ", ".join(f"{name}={value}" for name, value in sorted(given.items()) if value)
        raise InputError(f"attributes {shown}: {broken}; change one of them")
    if len(given) == len(ATTRIBUTES):
        return tuple(sorted(given.items()))
    values = dict(default_attributes(identity))
    # What is denied first: it may bring in an answer of the person's own, which what is asked for then replaces.
    for name, value in sorted(given.items(), key=lambda item: (item[1], item[0])):
        values = _edited(identity, values, name, value, frozenset(given))
    return tuple(sorted(values.items()))


def edit(identity, attributes, name, value):
    """Returns the complete attributes with `name` set to `value` (0 or 1) and the least else changed."""
    if name not in ATTRIBUTES:
        raise InputError(f"attribute {name!r} cannot be rendered, expected one of {' '.join(ATTRIBUTES)}")
    if value not in (0, 1):
        raise InputError(f"attribute {name} is {value!r}, expected 0 or 1")
    values = dict(complete(identity, attributes))
    return tuple(sorted(_edited(identity, values, name, value, frozenset()).items()))


def _edited(identity, values, name, value, kept):
    """One edit of a complete dict; hair colours in `kept` are not chosen in another's place."""
    if values[name] == value:
        return values
    values = {**values, name: value}
    if name in HAIR_ATTRIBUTES and value:
        values.update({other: 0 for other in HAIR_ATTRIBUTES if other != name}, Bald=0)
    elif name in HAIR_ATTRIBUTES or (name == "Bald" and not value):
        values.update(_next_hair_color(identity, kept | {name}))
    elif name == "Bald":
        values.update({other: 0 for other in HAIR_ATTRIBUTES}, Bangs=0)
    elif name == "Bangs" and values["Bald"]:
        values.update(_next_hair_color(identity, kept), Bald=0)
    elif name in ("Mustache", "Goatee"):
        values["No_Beard"] = int(not (values["Mustache"] or values["Goatee"]))
    elif name == "No_Beard" and value:
        values.update(Mustache=0, Goatee=0)
    return values


def _next_hair_color(identity, excluded):
    colors = {color: name for name, color in HAIR_ATTRIBUTES.items()}
    color = next(c for c in hair_color_order(identity) if colors.get(c) not in excluded)
    return {name: int(name == colors.get(color)) for name in HAIR_ATTRIBUTES}


def _broken_rule(values):
    colors = [name for name in HAIR_ATTRIBUTES if values[name]]
    if len(colors) > 1:
        return f"hair has one colour, not {' and '.join(colors)}"
    if values["Bald"] and (colors or values["Bangs"]):
        return f"Bald excludes {(colors or ['Bangs'])[0]}"
    if values["No_Beard"] and (values["Mustache"] or values["Goatee"]):
        return "a Mustache or Goatee is a beard, so No_Beard must be 0"
    return ""
