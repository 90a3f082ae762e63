"""Shape genes: one number per MakeHuman modifier that makes one head differ from another.

The names are those of the CC0 MakeHuman targets in ``assets/head.npz``. A modifier is a pair of targets that pull in
opposite directions (``nose-hump-decr`` / ``-incr``), so one signed gene sets one of the two and never both. Genes of
paired features (eyes, cheeks, ears) are shared by left and right plus a little per side, and the ``asym`` targets bend
the whole: real faces are not symmetric, and a model that has only seen symmetric ones learns to copy half a face.
"""

import numpy as np

ETHNICITIES = ("african", "asian", "caucasian")
LIMIT = 0.9  # of a modifier's full range; beyond it the targets make monsters when several meet
SIDE_SHARE = 0.18  # a side's own part of a paired gene, relative to the gene's deviation
# A few features of a face stand out and the rest are near the average: each gene is a wide draw with this chance and a
# narrow one otherwise. Wide draws for all of them gave caricatures.
DISTINCT, WIDE, NARROW = 0.3, 1.5, 0.4

# The base mesh's mouth looks sad: without this a person with a neutral face would seem to frown.
MEAN = {"mouth/mouth-angles": 0.3}

# "name:negative/positive*factor": decr/incr and factor 1 when left out. Group -> (prefix, deviation, modifiers).
_SINGLE = {
    "head": ("head/head-", 0.36, "angle:in/out back-scale-depth*.7 fat scale-depth*.8 scale-horiz*.8 scale-vert*.7"),
    "nose": (
        "nose/nose-", 0.32,
        "base:down/up compression:compress/uncompress curve:concave/convex flaring greek hump nostrils-angle:down/up "
        "nostrils-width point:down/up point-width scale-depth scale-horiz scale-vert septumangle "
        "trans:backward/forward*.7 trans:down/up volume width1 width2 width3",
    ),
    "mouth": (
        "mouth/mouth-", 0.31,
        "angles:down/up*.5 cupidsbow cupidsbow-width dimples:in/out*.5 laugh-lines:in/out*.5 lowerlip-ext:down/up "
        "lowerlip-height lowerlip-middle:down/up lowerlip-volume lowerlip-width philtrum-volume scale-depth "
        "scale-horiz scale-vert*.7 trans:backward/forward*.7 trans:down/up upperlip-ext:down/up upperlip-height "
        "upperlip-middle:down/up upperlip-volume upperlip-width",
    ),
    "chin": ("chin/chin-", 0.38, "bones cleft height jaw-drop*.6 prognathism*.7 prominent width"),
    "forehead": ("forehead/forehead-", 0.37, "nubian scale-vert*.5 temple trans:backward/forward"),
    "eyebrows": ("eyebrows/eyebrows-", 0.35, "angle:down/up trans:backward/forward trans:down/up"),
    "neck": ("neck/", 0.3, "measure-neck-circ neck-double"),
}  # fmt: skip
_PAIRED = {
    "eyes": (
        "eyes/{}-eye-", 0.34,
        "bag bag-height bag:in/out corner1:down/up corner2:down/up epicanthus:in/out eyefold-angle:down/up "
        "eyefold:concave/convex eyefold:down/up height1*.7 height2*.7 height3*.7 push1:in/out push2:in/out scale "
        "trans:down/up*.6 trans:in/out",
    ),
    "cheeks": ("cheek/{}-cheek-", 0.37, "bones inner trans:down/up volume"),
    "ears": (
        "ears/{}-ear-", 0.3,
        "flap lobe rot:backward/forward scale scale-depth scale-vert trans:backward/forward*.5 trans:down/up*.5 wing "
        "shape:round/square",
    ),
}  # fmt: skip
_OUTLINES = ("diamond", "invertedtriangular", "oval", "rectangular", "round", "square", "triangular")
_ASYMMETRIES = {
    "brown": 2, "cheek": 2, "ear": 4, "eye": 7, "jaw": 3, "mouth": 2, "nose": 4, "temple": 2, "top": 2,
}  # fmt: skip
ASYMMETRY = 0.14


def macro_weights(ethnicity, male, age, weight):
    """Weights of the macro targets; together they turn MakeHuman's base mesh into an average person.

    Args:
        ethnicity: three weights of sum 1 in the order of `ETHNICITIES`.
        male: 0 (woman) to 1 (man).
        age: 0 (25 years) to 1 (90 years).
        weight: -1 (thin) to 1 (heavy).
    """
    weights = {}
    for sex, sex_share in (("male", male), ("female", 1 - male)):
        for years, years_share in (("young", 1 - age), ("old", age)):
            for name, share in zip(ETHNICITIES, ethnicity):
                weights[f"macrodetails/{name}-{sex}-{years}"] = float(share * sex_share * years_share)
            build = "maxweight" if weight > 0 else "minweight"
            name = f"macrodetails/universal-{sex}-{years}-averagemuscle-{build}"
            weights[name] = float(abs(weight) * sex_share * years_share)
    return weights


def modifier_weights(rng):
    """Draws every modifier of one person from `rng` -> dict of target name to weight in 0..`LIMIT`."""
    weights = {}
    for prefix, deviation, modifiers in _SINGLE.values():
        for name, negative, positive, factor in _parse(modifiers):
            gene = MEAN.get(prefix + name, 0.0) + deviation * factor * _draw(rng)
            _set(weights, prefix + name, negative, positive, gene)
    for prefix, deviation, modifiers in _PAIRED.values():
        for name, negative, positive, factor in _parse(modifiers):
            gene = deviation * factor * _draw(rng)
            for side in "lr":
                own = deviation * factor * SIDE_SHARE * rng.standard_normal()
                _set(weights, prefix.format(side) + name, negative, positive, gene + own)
    weights[f"head/head-{_OUTLINES[rng.integers(len(_OUTLINES))]}"] = float(rng.uniform(0.0, 0.6))
    weights["chin/chin-triangle"] = float(max(0.0, rng.normal(0.0, 0.3)))
    for name, count in _ASYMMETRIES.items():
        for i in range(1, count + 1):
            _set(weights, f"asym/asym-{name}-{i}", "l", "r", ASYMMETRY * rng.standard_normal())
    return weights


def _draw(rng):
    return (WIDE if rng.uniform() < DISTINCT else NARROW) * rng.standard_normal()


def _parse(modifiers):
    for item in modifiers.split():
        item, _, factor = item.partition("*")
        name, _, ends = item.partition(":")
        negative, positive = (ends or "decr/incr").split("/")
        yield name, negative, positive, float(factor or 1)


def _set(weights, name, negative, positive, gene):
    gene = float(np.clip(gene, -LIMIT, LIMIT))
    weights[f"{name}-{positive if gene > 0 else negative}"] = abs(gene)
