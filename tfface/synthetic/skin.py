"""Bare skin: colour from pigment and blood, and everything that makes one skin differ from another.

Colour follows the two-chromophore view of skin (Tsumura et al. 1999, "Independent-component analysis of skin color
image"): the logarithm of albedo is a base minus melanin and hemoglobin amounts times their absorbances. Every layer
adds to one of the two maps, so that freckles are brown and flushed cheeks red on any skin.
"""

import functools

import numba
import numpy as np

from tfface.synthetic import atlas, noise
from tfface.synthetic.regions import regions
from tfface.synthetic.surface import surface

BASE = np.array([0.89, 0.72, 0.64], np.float32)  # linear RGB without pigment
MELANIN = np.array([1.95, 2.45, 2.75], np.float32)  # absorbance of the darkest skin
BLOOD = np.array([0.10, 0.62, 0.50], np.float32)

# Regions whose pigment and blood every person has an amount of his own: mean and deviation of (pigment, blood).
_PERSONAL = {
    "cheek": (0.0, 0.035, 0.20, 0.20),
    "nose": (0.0, 0.03, 0.25, 0.20),
    "bridge": (0.0, 0.03, 0.0, 0.12),
    "forehead": (0.01, 0.04, 0.0, 0.14),
    "chin": (0.0, 0.035, 0.08, 0.14),
    "perioral": (0.015, 0.04, 0.02, 0.10),
    "temple": (0.0, 0.035, 0.0, 0.10),
    "jaw": (0.0, 0.035, 0.0, 0.12),
    "ear": (0.0, 0.02, 0.30, 0.18),
    "under_eye": (0.02, 0.035, 0.10, 0.12),
    "eyelid": (0.02, 0.04, 0.10, 0.14),
    "neck": (-0.01, 0.02, 0.0, 0.08),
}


def paint(person):
    """Returns (N, 4) float32 over the texels of `surface()`: linear RGB and gloss of a shaven, unpainted skin."""
    genes, s = person.skin, surface()
    rng = np.random.default_rng([genes.seed, 1])
    strength = 0.5 + genes.unevenness
    pigment_gain = 0.35 + 0.65 * min(1.0, genes.melanin / 0.25)  # the palest have little to be uneven with
    weights = np.zeros((len(_REGION_NAMES), 2), np.float32)
    for k, (pigment, pigment_spread, blood, blood_spread) in enumerate(_PERSONAL.values()):
        draw = rng.standard_normal(2)
        weights[k, 0] = (pigment + strength * pigment_spread * draw[0]) * pigment_gain
        weights[k, 1] = (0.5 + genes.redness) * (blood + blood_spread * draw[1])
    names = list(_PERSONAL)
    weights[names.index("under_eye")] += np.array([0.06, 0.22]) * genes.eye_shadows
    weights[names.index("perioral"), 0] += 0.035 * person.male * rng.uniform()
    offsets = rng.integers(0, noise.TILE, (8, 2)).astype(np.int64)
    # Streams of their own: one more mole must not move the blotches.
    spots = _spots(genes)
    lines, folds = _lines(person, np.random.default_rng([genes.seed, 14]))
    tone = np.array(
        [0.93 * genes.melanin**1.4, 0.22 + 0.5 * genes.redness, genes.undertone, strength * pigment_gain, strength],
        np.float32,
    )
    gloss = np.array([0.05 + 0.16 * genes.shine, 0.10 * genes.shine], np.float32)
    out = np.zeros((len(s.x), 4), np.float32)
    at, masks, folded, shade = _masks()
    tiles = noise.tiles()
    _tone(at, s.row, s.column, masks, folded, shade, weights, folds, tiles, offsets, spots, lines, tone, gloss, out)
    return out


_REGION_NAMES = tuple(_PERSONAL)
_FOLDS = ("nasolabial", "marionette", "eye_bag")


@functools.cache
def _masks():
    """Texels of skin (M,), their regions (M, R) and folds (M, F), and how lit hollows are (M,)."""
    r = regions()
    at = np.flatnonzero(surface().where("head", "neck"))
    masks = np.stack([r[name][at] for name in _REGION_NAMES], 1)
    folds = np.stack([r[name][at] for name in _FOLDS], 1)
    shade = 1 - 0.75 * r["nostril"] - 0.30 * r["lid_edge"] * r["eyelid"]
    return at, masks, folds, shade[at]


def _spots(genes):
    """Freckles, age spots and moles as extra pigment, (SIZE, SIZE) float32."""
    spots = np.zeros((atlas.SIZE, atlas.SIZE), np.float32)
    s = surface()
    face = s.where("head") & (s.z > -1.2) & (s.y < 2.6)
    if genes.freckles > 0:
        rng = np.random.default_rng([genes.seed, 12])
        near = np.exp(-(((s.y + 0.75) / 1.0) ** 2) - (np.abs(s.x) / 1.9) ** 2) + 0.10
        place = _draw_places(rng, face * near, int(60 + 420 * genes.freckles))
        size = rng.uniform(0.5, 1.15, len(place))
        strength = rng.uniform(0.06, 0.24, len(place)) * (0.5 + 0.8 * genes.freckles)
        _splat(spots, s.row[place], s.column[place], size.astype(np.float32), strength.astype(np.float32))
    if genes.wrinkles > 0.3:  # age spots
        rng = np.random.default_rng([genes.seed, 15])
        place = _draw_places(rng, face * (np.abs(s.x) + 0.4), int(70 * rng.uniform(0.2, 1.0) * genes.wrinkles))
        size = rng.uniform(1.2, 3.0, len(place))
        strength = rng.uniform(0.04, 0.13, len(place))
        _splat(spots, s.row[place], s.column[place], size.astype(np.float32), strength.astype(np.float32))
    if genes.moles:
        rng = np.random.default_rng([genes.seed, 13])
        place = _draw_places(rng, face * (1.0 - regions()["lips"]), genes.moles)
        size = rng.uniform(0.7, 1.9, len(place))
        strength = rng.uniform(0.45, 0.95, len(place))
        _splat(spots, s.row[place], s.column[place], size.astype(np.float32), strength.astype(np.float32))
    return spots


def _draw_places(rng, density, count):
    total = np.cumsum(density, dtype=np.float64)
    return np.minimum(np.searchsorted(total, rng.uniform(0, total[-1], count)), len(density) - 1)


@numba.njit(cache=True)
def _splat(image, rows, columns, sizes, strengths):
    for k in range(len(rows)):
        reach = int(3 * sizes[k]) + 1
        for row in range(max(0, rows[k] - reach), min(image.shape[0], rows[k] + reach + 1)):
            for column in range(max(0, columns[k] - reach), min(image.shape[1], columns[k] + reach + 1)):
                d = ((row - rows[k]) ** 2 + (column - columns[k]) ** 2) / (sizes[k] * sizes[k])
                image[row, column] = max(image[row, column], strengths[k] * np.exp(-0.5 * d * d))


def _lines(person, rng):
    """How dark wrinkles are: (N,) float32 of forehead lines, crow's feet and neck, and weights (F,) of the folds."""
    age, base = person.skin.wrinkles, rng.uniform(0, 1, 8)
    lines = np.zeros(len(surface().x), np.float32)
    beside_nose = 0.03 + 0.42 * age * (0.6 + 0.5 * base[0])
    below_eyes = 0.04 * base[7] + 0.32 * age * (0.3 + 0.7 * base[2])
    folds = np.array([beside_nose, 0.36 * age * base[1], below_eyes], np.float32)  # in the order of _FOLDS
    if age > 0.08:
        at, x, y, across, forehead, beside_eye, between_brows, neck = _line_texels()
        wave = 0.07 * np.sin(2.1 * x + np.float32(6 * base[3])) + 0.05 * np.sin(4.7 * x + np.float32(9 * base[4]))
        rows = (y + wave - 0.16 * across) / np.float32(0.27 + 0.12 * base[5])
        ridge = np.exp(-(((rows - np.round(rows)) / 0.11) ** 2)) * forehead
        rays = np.arctan2(y + 0.02, across - 1.5) / 0.36 + np.float32(base[6])
        crow = np.exp(-(((rays - np.round(rays)) / 0.16) ** 2)) * beside_eye
        frown = np.float32(0.2 + 0.3 * base[0]) * between_brows
        lines[at] = np.float32(age) * (0.40 * ridge + 0.46 * crow + frown + 0.32 * neck)
    return lines, folds


@functools.cache
def _line_texels():
    s = surface()
    at = np.flatnonzero(
        (s.where("head") & (s.y > 0.3) & (s.y < 3.0) & (s.z > -0.8))
        | (s.where("head") & (np.abs(s.x) > 1.4) & (np.abs(s.y) < 1.0) & (s.z > -1.0))
        | (s.where("head", "neck") & (s.y < -4) & (s.y > -5))
    )
    x, y, across = s.x[at], s.y[at], np.abs(s.x[at])
    in_front = (s.z[at] > 0).astype(np.float32)
    beside_eye = np.exp(-(((across - 2.0) / 0.3) ** 2 + ((y + 0.1) / 0.42) ** 2)) * (s.z[at] > -0.9)
    between_brows = np.exp(-(((across - 0.2) / 0.05) ** 2) - ((y - 0.75) / 0.3) ** 2) * in_front
    neck = np.exp(-(((y + 4.55 + 0.1 * np.cos(2 * x)) / 0.06) ** 2)) * (y < -4)
    return at, x, y, across, regions()["forehead"][at], beside_eye, between_brows, neck


@numba.njit(cache=True)
def _tone(at, row, column, masks, folded, shade, weights, folds, tiles, offsets, spots, lines, tone, gloss, out):
    side = tiles.shape[1] - 1  # a power of two: & wraps around
    warm = tone[2]
    for m in range(len(at)):
        i = at[m]
        pigment, blood = tone[0], tone[1]
        for k in range(masks.shape[1]):
            share = masks[m, k]
            if share > 0.003:
                pigment += weights[k, 0] * share
                blood += weights[k, 1] * share
        line = lines[i]
        for k in range(folded.shape[1]):
            line += folds[k] * folded[m, k]
        line = min(line, np.float32(0.6))
        r, c = row[i], column[i]
        coarse = tiles[5, (r + offsets[0, 0]) & side, (c + offsets[0, 1]) & side]
        large = tiles[4, (r + offsets[1, 0]) & side, (c + offsets[1, 1]) & side]
        middle = tiles[3, (r + offsets[2, 0]) & side, (c + offsets[2, 1]) & side]
        fine = tiles[1, (r + offsets[3, 0]) & side, (c + offsets[3, 1]) & side]
        pores = tiles[0, (r + offsets[4, 0]) & side, (c + offsets[4, 1]) & side]
        red_large = tiles[4, (r + offsets[5, 0]) & side, (c + offsets[5, 1]) & side]
        red_middle = tiles[3, (r + offsets[6, 0]) & side, (c + offsets[6, 1]) & side]
        red_fine = tiles[2, (r + offsets[7, 0]) & side, (c + offsets[7, 1]) & side]
        uneven = np.float32(0.030) * coarse + np.float32(0.022) * large + np.float32(0.012) * middle
        uneven += np.float32(0.006) * fine + np.float32(0.004) * pores
        blotches = np.float32(0.10) * red_large + np.float32(0.07) * red_middle + np.float32(0.05) * red_fine
        pigment = max(pigment + tone[3] * uneven, np.float32(0.0)) + spots[r, c]
        blood = max(blood + tone[4] * blotches, np.float32(0.0))
        blood /= np.float32(1.0) + np.float32(1.2) * pigment  # it shows less through pigment
        lit = shade[m]
        out[i, 0] = BASE[0] * np.exp(-MELANIN[0] * pigment - BLOOD[0] * blood) * lit * (np.float32(1.0) - line)
        green = np.exp(-MELANIN[1] * pigment - BLOOD[1] * blood - np.float32(0.02) * warm)
        out[i, 1] = BASE[1] * green * lit * (np.float32(1.0) - np.float32(1.12) * line)
        blue = np.exp(-MELANIN[2] * pigment - BLOOD[2] * blood - np.float32(0.16) * warm)
        out[i, 2] = BASE[2] * blue * lit * (np.float32(1.0) - np.float32(1.2) * line)
        t_zone = masks[m, 1] + masks[m, 2] + np.float32(0.6) * masks[m, 3]
        out[i, 3] = max(np.float32(0.0), gloss[0] + gloss[1] * t_zone + np.float32(0.010) * fine)
