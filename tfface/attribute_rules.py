"""Which attributes a face can show together, as data, and what else changes when one of them is asked for.

Names are CelebA's (`conventions.ATTRIBUTES`). A value is 0 (no) to 1 (yes), 0.5 where it is unknown; what users ask may
go beyond, which exaggerates. The renderer's people, users' edits and the targets of training follow these same rules.
In the 1,500 CelebA pictures that these were checked on, the excluded pairs hardly occur together: two hair colours in
22, Bald with a hair colour in 11 (all Gray_Hair: the fringe), Mustache or Goatee with No_Beard in 3; a shadow is
labelled No_Beard in 38 of 161. No TensorFlow.
"""

import numpy as np

HAIR_COLORS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")

# At most one of each group.
ONE_OF = (HAIR_COLORS, ("Straight_Hair", "Wavy_Hair"))

# Each name with those that cannot be shown together with it.
EXCLUDED = {
    "Bald": ("Bangs", *HAIR_COLORS, "Straight_Hair", "Wavy_Hair"),
    "Bangs": ("Receding_Hairline",),
    "No_Beard": ("Mustache", "Goatee", "5_o_Clock_Shadow", "Sideburns"),
}

# Styles that name a beard: without the last of them there is none (No_Beard), unless another kind is asked for.
BEARD_STYLES = ("Mustache", "Goatee")

# Which hair colour takes the place of one that goes, where the picture does not tell.
STAND_INS = ("Brown_Hair", "Black_Hair", "Blond_Hair", "Gray_Hair")


def _pairs():
    pairs = {(a, b) for group in ONE_OF for a in group for b in group if a != b}
    for name, others in EXCLUDED.items():
        pairs |= {(name, other) for other in others} | {(other, name) for other in others}
    return pairs


_PAIRS = frozenset(_pairs())


def excludes(first, second):
    """Whether no face shows both attributes."""
    return (first, second) in _PAIRS


def exclusions(names):
    """Returns (n, n) bool for n names: which of them exclude each other; symmetric."""
    return np.array([[excludes(a, b) for b in names] for a in names], bool).reshape(len(names), len(names))


def conflict(values):
    """Returns what a dict of values has too much of, such as ``"Bald excludes Bangs"``, or an empty text."""
    shown = sorted(name for name, value in values.items() if value > 0.5)
    return next((f"{a} excludes {b}" for a in shown for b in shown if a < b and excludes(a, b)), "")


def edited(values, wanted, stand_ins=STAND_INS):
    """Returns values with some of them as wanted and the least else changed.

    What is wanted lowers what it excludes, by as much as it is wanted. A hair colour or baldness that goes leaves its
    place to the first of `stand_ins`, a beard's last named style to No_Beard. A change by a part moves these by the
    same part, so that a sweep has no jump.

    Args:
        values: name -> 0 to 1 of what is shown, 0.5 for unknown; names that are missing play no part.
        wanted: name -> value; they are exactly so in the result.
        stand_ins: hair colours in the order to choose from, None for one that has no name (red). Those in `wanted` are
            not chosen.
    """
    result = dict(values)
    free = [color for color in stand_ins if color not in wanted]
    # What is denied first: what then comes in its place gives way to what is asked for.
    for name, value in sorted(wanted.items(), key=lambda item: (item[1], item[0])):
        _change(result, name, value, free)
    return {**result, **wanted}


def _change(values, name, value, stand_ins):
    before, yes = values.get(name, 0.5), min(max(value, 0), 1)
    values[name] = value
    bald = values.get("Bald", 0) > 0.5 or (name == "Bald" and before > 0.5)
    if value > before:
        for other in values:
            if excludes(name, other):
                values[other] = min(values[other], 1 - yes)
        if bald and excludes(name, "Bald") and name not in HAIR_COLORS:
            _stand_in(values, name, yes, stand_ins)
    elif value < before and before > 0.5:
        if name in HAIR_COLORS or name == "Bald":
            _stand_in(values, name, 1 - yes, stand_ins)
        if name in BEARD_STYLES and "No_Beard" in values:
            if not any(values.get(style, 0) > 0.5 for style in BEARD_STYLES if style != name):
                values["No_Beard"] = max(values["No_Beard"], 1 - yes)


def _stand_in(values, going, amount, stand_ins):
    if any(values.get(color, 0) > 0.5 for color in HAIR_COLORS if color != going):
        return
    color = next((color for color in stand_ins if color is None or color in values), None)
    if color:
        values[color] = max(values[color], amount)


def settled(probabilities):
    """Returns 0 or 1 for each probability of a dict: the likeliest first, and none that an earlier one excludes."""
    shown = []
    for name in sorted(probabilities, key=probabilities.get, reverse=True):
        if probabilities[name] > 0.5 and not any(excludes(name, other) for other in shown):
            shown.append(name)
    return {name: int(name in shown) for name in probabilities}
