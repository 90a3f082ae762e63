"""Who a synthetic person is: every gene drawn from ``default_rng([gene, identity])``.

Each gene has its own random stream, so that changing one attribute changes what the attribute says and nothing else:
the man that a woman becomes keeps her nose, iris and moles. Where an attribute leaves many answers ("not black hair",
"a beard") the answer is a gene too, which makes every edit have exactly one true picture.

What each attribute moves (`tfface.synthetic.attributes` holds the rules between them):

* ``Male``: sex of the shape, brow weight, hair length, beard shadow;
* ``Young``: age of the shape, wrinkles, hairline;
* ``Pale_Skin``: melanin and redness; without it melanin stays above the palest range;
* hair colours: the named colour in the person's own shade, the person's red or auburn if none is named;
* ``Bald``: horseshoe or shaven scalp by gene;
* ``Bangs``, ``Bushy_Eyebrows``, ``Eyeglasses``, ``Wearing_Lipstick``: on/off;
* ``No_Beard`` = 0: the person's stubble, short or full beard, unless ``Mustache`` and/or ``Goatee`` name the style.

Colours are linear RGB in 0..1. No TensorFlow.
"""

import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfface.synthetic import attributes as rules
from tfface.synthetic import genes, shapegenes
from tfface.synthetic.genes import gene_rng, hair_color_order

BEARD_STYLES = ("none", "stubble", "short", "full", "mustache", "goatee", "van_dyke")
GLASSES_SHAPES = ("rectangle", "round", "square", "aviator", "cat_eye")
GLASSES_RIMS = ("full", "half", "none")


@dataclass(frozen=True)
class SkinGenes:
    """`melanin` 0 (palest) to 1 (darkest); `undertone` -1 (cool, rosy) to 1 (warm, olive); the rest 0 to 1.

    `seed` drives the places of freckles, moles and blotches; `moles` is their number.
    """

    melanin: float
    undertone: float
    redness: float
    freckles: float
    moles: int
    shine: float
    unevenness: float
    wrinkles: float
    eye_shadows: float
    seed: int


@dataclass(frozen=True)
class HairGenes:
    """Scalp hair. `color_name` is one of `genes.HAIR_COLORS` (also set when bald: the fringe and stubble have it).

    `length` 0 (cropped) to 1 (below the shoulders); `parting` -1 (image's left) to 1; `hairline` 0 (low) to 1
    (receding); `bald_fringe` 0 (shaven) to 1 (thick horseshoe) matters when `bald`, `bangs_length` when `bangs`.
    """

    bald: bool
    bangs: bool
    color_name: str
    color: tuple
    length: float
    volume: float
    curl: float
    parting: float
    hairline: float
    bald_fringe: float
    bangs_length: float
    seed: int


@dataclass(frozen=True)
class BrowGenes:
    """`thickness`, `density`, `length` and `arch` 0 to 1; `tilt` -1 (outer end down) to 1. `bushy` has raised them."""

    bushy: bool
    thickness: float
    density: float
    length: float
    arch: float
    tilt: float
    color: tuple
    seed: int


@dataclass(frozen=True)
class BeardGenes:
    """`style` is one of `BEARD_STYLES`; `shadow` 0 to 0.35 is the faint beard area of a shaven man (0 for women)."""

    style: str
    density: float
    length: float
    shadow: float
    color: tuple
    seed: int


@dataclass(frozen=True)
class EyeGenes:
    """`iris_size` is its radius relative to the average; `sclera` 0 (white) to 1 (yellowish, veined); `lashes` 0-1."""

    iris_color: tuple
    iris_size: float
    sclera: float
    lashes: float
    seed: int


@dataclass(frozen=True)
class MouthGenes:
    """`lip_redness` and `lip_contrast` (how much darker than skin) 0 to 1; `teeth` 0 (white) to 1 (yellow)."""

    lip_redness: float
    lip_contrast: float
    lipstick: bool
    lipstick_color: tuple
    lipstick_gloss: float
    teeth: float


@dataclass(frozen=True)
class GlassesGenes:
    """The person's glasses, drawn also when not `worn`. `size` is relative to the average."""

    worn: bool
    shape: str
    rim: str
    color: tuple
    thickness: float
    size: float


@dataclass(frozen=True)
class Person:
    """One person with one set of attributes. `shape` maps target names of ``assets/head.npz`` to weights.

    `male` 0 to 1 and `age` 0 (25 years) to 1 (90 years) are the amounts that ``Male`` and ``Young`` chose the side of.
    `ethnicity` has three weights of sum 1 in the order of `shapegenes.ETHNICITIES`. `attributes` is the sorted tuple
    of all 15, so that (identity, attributes) names the person's look in caches.
    """

    identity: int
    attributes: tuple
    ethnicity: tuple
    male: float
    age: float
    shape: Mapping
    skin: SkinGenes
    hair: HairGenes
    brows: BrowGenes
    beard: BeardGenes
    eyes: EyeGenes
    mouth: MouthGenes
    glasses: GlassesGenes


@functools.lru_cache(maxsize=512)
def person(identity, attributes):
    """Returns the `Person` for a non-negative identity and a tuple of (name, 0 or 1); what is left out is the person's.

    Raises InputError where the attributes contradict each other.
    """
    attributes = rules.complete(identity, attributes)
    on = {name for name, value in attributes if value}
    ethnicity = genes.ethnicity(identity)
    male = _between(gene_rng("sex", identity), *((0.72, 1.05) if "Male" in on else (-0.05, 0.22)))
    age = _between(gene_rng("age", identity), *((0.0, 0.22) if "Young" in on else (0.5, 0.95)))
    weight = float(np.clip(gene_rng("weight", identity).normal(0.0, 0.38), -0.8, 0.9))
    shape = shapegenes.macro_weights(ethnicity, male, age, weight)
    shape.update(_modifiers(identity))
    natural = _hair_color(identity, _natural_color(identity))
    return Person(
        identity=int(identity),
        attributes=attributes,
        ethnicity=tuple(float(e) for e in ethnicity),
        male=male,
        age=age,
        shape=types.MappingProxyType(shape),
        skin=_skin(identity, ethnicity, age, "Pale_Skin" in on),
        hair=_hair(identity, on, ethnicity, age),
        brows=_brows(identity, on, natural),
        beard=_beard(identity, on, natural),
        eyes=_eyes(identity, ethnicity),
        mouth=_mouth(identity, "Wearing_Lipstick" in on),
        glasses=_glasses(identity, "Eyeglasses" in on),
    )


@functools.lru_cache(maxsize=512)
def _modifiers(identity):
    return types.MappingProxyType(shapegenes.modifier_weights(gene_rng("shape", identity)))


def _between(rng, low, high):
    return float(rng.uniform(low, high))


def _seed(gene, identity):
    return int(gene_rng(gene, identity).integers(2**31))


def _linear(red, green, blue):
    """sRGB 0..255 -> linear RGB 0..1 (IEC 61966-2-1)."""
    c = np.array([red, green, blue]) / 255
    return tuple(float(x) for x in np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4))


def _mix(a, b, share):
    return tuple(float(x + (y - x) * share) for x, y in zip(a, b))


def _skin(identity, ethnicity, age, pale):
    rng = gene_rng("skin", identity)
    tone = float(ethnicity @ [0.76, 0.34, 0.24] + rng.normal(0, 0.1))
    spread = rng.uniform()
    melanin = 0.02 + 0.06 * spread if pale else float(np.clip(tone, 0.16, 0.98))
    undertone = float(np.clip(rng.normal(0, 0.4) + ethnicity @ [0.1, 0.3, -0.1], -1, 1))
    redness = float(np.clip(rng.beta(2, 3), 0, 1)) * (0.35 if pale else 1.0)
    freckles = float(rng.beta(1, 3) if rng.uniform() < 0.3 * (ethnicity[2] + 0.2) else 0.0)
    return SkinGenes(
        melanin=melanin,
        undertone=undertone,
        redness=redness,
        freckles=freckles,
        moles=int(min(rng.geometric(0.3) - 1, 10)),
        shine=float(rng.beta(2, 3)),
        unevenness=float(rng.beta(2, 3)),
        wrinkles=float(np.clip(age * 1.15 - 0.12 + rng.normal(0, 0.08), 0, 1)),
        eye_shadows=float(np.clip(rng.beta(2, 4) + 0.25 * age, 0, 1)),
        seed=_seed("skin texture", identity),
    )


_SHADES = {
    "black": (_linear(10, 9, 9), _linear(34, 26, 22)),
    "brown": (_linear(58, 38, 25), _linear(122, 82, 50)),
    "blond": (_linear(170, 132, 86), _linear(234, 208, 164)),
    "gray": (_linear(126, 126, 128), _linear(222, 221, 218)),
    "red": (_linear(86, 38, 24), _linear(158, 82, 46)),
}


def _hair_color(identity, name):
    dark, light = _SHADES[name]
    return _mix(dark, light, gene_rng("hair shade", identity).uniform())


def _natural_color(identity):
    """Brows and beard keep the colour a person grew up with, whatever is asked of the hair."""
    return next(name for name in hair_color_order(identity) if name != "gray")


def _hair(identity, on, ethnicity, age):
    rng = gene_rng("hair", identity)
    length, curl, fringe = rng.uniform(), rng.uniform(), rng.uniform()
    # One gene, two distributions: most men are short-haired, most women not, and a short-haired man becomes one of the
    # shorter-haired women.
    length = 0.5 * length**2.2 if "Male" in on else 0.2 + 0.8 * length**0.8
    named = [color for name, color in rules.HAIR_ATTRIBUTES.items() if name in on]
    color_name = named[0] if named else hair_color_order(identity)[0] if "Bald" in on else "red"
    return HairGenes(
        bald="Bald" in on,
        bangs="Bangs" in on,
        color_name=color_name,
        color=_hair_color(identity, color_name),
        length=float(length),
        volume=float(rng.beta(3, 3)),
        curl=float(np.clip(0.65 * curl**2 + 0.5 * ethnicity[0] - 0.15 * ethnicity[1], 0, 1)),
        parting=float(rng.choice([-1, 0, 1], p=[0.4, 0.25, 0.35]) * rng.uniform(0.4, 1)),
        hairline=float(np.clip(rng.beta(2, 4) + 0.3 * age, 0, 1)),
        bald_fringe=float(0.0 if fringe < 0.45 else fringe),
        bangs_length=_between(rng, 0.3, 1.0),
        seed=_seed("hair strands", identity),
    )


def _brows(identity, on, color):
    rng = gene_rng("brows", identity)
    thickness, density = rng.beta(3, 3), rng.beta(3, 2.5)
    thickness = 0.72 + 0.28 * thickness if "Bushy_Eyebrows" in on else 0.52 * thickness + 0.1 * ("Male" in on)
    density = 0.8 + 0.2 * density if "Bushy_Eyebrows" in on else 0.3 + 0.5 * density
    return BrowGenes(
        bushy="Bushy_Eyebrows" in on,
        thickness=float(thickness),
        density=float(density),
        length=float(rng.beta(3, 3)),
        arch=float(rng.beta(2.5, 2.5)),
        tilt=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        color=_mix(color, _linear(30, 22, 18), 0.35),  # brows are darker than the hair
        seed=_seed("brow hairs", identity),
    )


def _beard(identity, on, color):
    rng = gene_rng("beard", identity)
    own = str(rng.choice(["stubble", "short", "full"], p=[0.3, 0.4, 0.3]))
    if {"Mustache", "Goatee"} <= on:
        style = "van_dyke"
    elif "Mustache" in on:
        style = "mustache"
    elif "Goatee" in on:
        style = "goatee"
    else:
        style = "none" if "No_Beard" in on else own
    return BeardGenes(
        style=style,
        density=_between(rng, 0.55, 1.0),
        length=float(rng.beta(2, 3)),
        shadow=_between(rng, 0.0, 0.35) if "Male" in on else 0.0,
        color=_mix(color, _linear(30, 22, 18), 0.2),
        seed=_seed("beard hairs", identity),
    )


_IRISES = {  # sRGB, and how common with African, Asian and European ancestry
    "dark": (_linear(52, 32, 22), (0.75, 0.7, 0.1)),
    "brown": (_linear(96, 60, 34), (0.22, 0.27, 0.25)),
    "hazel": (_linear(124, 98, 56), (0.02, 0.02, 0.17)),
    "green": (_linear(98, 122, 84), (0.005, 0.005, 0.13)),
    "blue": (_linear(96, 136, 172), (0.005, 0.005, 0.25)),
    "gray": (_linear(130, 142, 150), (0.0, 0.0, 0.1)),
}


def _eyes(identity, ethnicity):
    rng = gene_rng("eyes", identity)
    chances = np.array([ethnicity @ common for _, common in _IRISES.values()])
    color = list(_IRISES.values())[rng.choice(len(chances), p=chances / chances.sum())][0]
    return EyeGenes(
        iris_color=tuple(float(c * rng.uniform(0.75, 1.25)) for c in color),
        iris_size=float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)),
        sclera=float(rng.beta(2, 5)),
        lashes=float(rng.beta(2, 2)),
        seed=_seed("iris", identity),
    )


_LIPSTICKS = (
    _linear(176, 22, 40), _linear(140, 16, 44), _linear(204, 60, 84), _linear(196, 86, 88), _linear(214, 104, 120),
    _linear(110, 24, 40), _linear(202, 60, 44),
)  # fmt: skip


def _mouth(identity, lipstick):
    rng = gene_rng("mouth", identity)
    return MouthGenes(
        lip_redness=float(rng.beta(2.5, 2.5)),
        lip_contrast=float(rng.beta(2.5, 2.5)),
        lipstick=lipstick,
        lipstick_color=_LIPSTICKS[rng.integers(len(_LIPSTICKS))],
        lipstick_gloss=float(rng.beta(2, 2)),
        teeth=float(rng.beta(2, 3)),
    )


_FRAMES = (
    _linear(18, 18, 20), _linear(18, 18, 20), _linear(60, 36, 22), _linear(96, 60, 34), _linear(128, 120, 108),
    _linear(150, 118, 60), _linear(110, 20, 30), _linear(24, 40, 84), _linear(170, 172, 176),
)  # fmt: skip


def _glasses(identity, worn):
    rng = gene_rng("glasses", identity)
    return GlassesGenes(
        worn=worn,
        shape=str(rng.choice(GLASSES_SHAPES, p=[0.35, 0.2, 0.2, 0.15, 0.1])),
        rim=str(rng.choice(GLASSES_RIMS, p=[0.78, 0.14, 0.08])),
        color=_FRAMES[rng.integers(len(_FRAMES))],
        thickness=float(rng.beta(2, 2)),
        size=_between(rng, 0.9, 1.12),
    )
