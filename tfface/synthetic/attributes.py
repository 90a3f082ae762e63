"""The attributes that a picture is drawn from: what a person has by default, kept to the rules of `attribute_rules`.

* At most one hair colour; none of the four named means red or auburn.
* ``Bald`` excludes ``Bangs`` and every hair colour.
* ``Mustache`` and ``Goatee`` name a beard's style, as CelebA's annotators use them (a full beard has neither): they
  imply ``No_Beard`` = 0, and a beard without them is the person's stubble, short or full beard.

`edit` keeps the rules by changing the least: taking away what a person's look rests on (their hair colour, their only
beard) puts the person's own next answer there, so that every edit has exactly one true picture.
"""

from tfface import attribute_rules
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
    if broken := attribute_rules.conflict(given):
        shown = ", ".join(f"{name}={value}" for name, value in sorted(given.items()) if value)
        raise InputError(f"attributes {shown}: {broken}; change one of them")
    if len(given) == len(ATTRIBUTES):
        return tuple(sorted(given.items()))
    return _edited(identity, dict(default_attributes(identity)), given)


def edit(identity, attributes, name, value):
    """Returns the complete attributes with `name` set to `value` (0 or 1) and the least else changed."""
    if name not in ATTRIBUTES:
        raise InputError(f"attribute {name!r} cannot be rendered, expected one of {' '.join(ATTRIBUTES)}")
    if value not in (0, 1):
        raise InputError(f"attribute {name} is {value!r}, expected 0 or 1")
    return _edited(identity, dict(complete(identity, attributes)), {name: value})


def _edited(identity, values, wanted):
    names = {color: name for name, color in HAIR_ATTRIBUTES.items()}
    order = [names.get(color) for color in hair_color_order(identity)]
    return tuple(sorted(attribute_rules.edited(values, wanted, order).items()))
