"""Brows and beards, painted hair by hair where the texture can show it."""

import functools

import numba
import numpy as np

from tfface.synthetic import noise
from tfface.synthetic.regions import regions, step
from tfface.synthetic.surface import surface

BROW_START, BROW_HEIGHT = 0.36, 0.62  # |x| of the inner end and y of the middle of an average brow, h


@functools.cache
def brow_texels():
    """Texels that any brow may cover: nothing outside of them depends on the brow genes."""
    s = surface()
    across = np.abs(s.x)
    box = (across > 0.12) & (across < 2.15) & (s.y > 0.22) & (s.y < 1.35) & (s.z > -0.9)
    return np.flatnonzero(s.where("head") & box)


@functools.cache
def beard_texels():
    """Texels that any beard may cover."""
    r = regions()
    return np.flatnonzero(r["beard"] > 1e-3)


def paint_brows(colors, genes):
    """Paints the brows on (N, 4) `colors` in place."""
    at = brow_texels()
    s = surface()
    across, y = np.abs(s.x[at]), s.y[at]
    rng = np.random.default_rng([genes.seed, 2])
    jitter = rng.normal(0, 1, 6)
    end = 1.62 + 0.28 * genes.length
    t = (across - BROW_START - 0.05 * jitter[0]) / (end - BROW_START)
    peak = 0.62 + 0.06 * jitter[1]
    arch = 0.05 + 0.24 * genes.arch
    middle = BROW_HEIGHT + 0.03 * jitter[2] + 0.16 * genes.tilt * (t - 0.4)
    middle = middle + arch * (1 - ((t - peak) / peak) ** 2 * np.where(t > peak, 1.5, 1.0))
    half = (0.055 + 0.17 * genes.thickness) * np.interp(t, (0.0, 0.12, 0.5, 1.0), (0.75, 1.0, 0.95, 0.28))
    distance = (y - middle) / half
    # Hairs lean outwards, steeply at the inner end; streaks run along (u, v) turned by that lean.
    lean = np.interp(t, (0, 0.25, 1), (1.2, 0.55, -0.1))
    along = across * np.cos(lean) + (y - middle) * np.sin(lean)
    beside = -across * np.sin(lean) + (y - middle) * np.cos(lean)
    streak = _strand_noise(along * 60, beside * 95, rng) * 0.30 + _strand_noise(along * 110, beside * 190, rng) * 0.22
    soft = 0.42 if genes.bushy else 0.55
    cover = step(1.0 + soft, 1.0 - soft, np.abs(distance) + 0.30 * streak)
    cover = cover * step(-0.05, 0.14, t) * step(1.06, 0.86, t)
    strength = np.clip(0.40 + 0.62 * genes.density, 0, 1) * cover * np.clip(0.86 + 0.30 * streak, 0, 1)
    _blend(colors, at, np.clip(strength, 0, 0.97), np.asarray(genes.color) * (1 + 0.22 * streak)[:, None], 0.03)


def paint_beard(colors, genes):
    """Paints beard shadow, stubble, mustache, goatee or beard on (N, 4) `colors` in place."""
    at = beard_texels()
    r, s = regions(), surface()
    rng = np.random.default_rng([genes.seed, 3])
    full, mustache, goatee = r["beard"][at], r["mustache"][at], r["goatee"][at]
    streak = 0.45 * _strand_noise(s.y[at] * 60, s.x[at] * 120 + s.z[at] * 90, rng) + 0.5 * _tile(0, at, rng)
    patches = 0.35 * _tile(3, at, rng) + 0.25 * _tile(2, at, rng)
    dots = np.clip(0.6 + 0.5 * _tile(0, at, rng), 0, 1)
    if genes.shadow > 0:  # a shaven man's skin is bluish where the beard grows
        cool = 0.85 * genes.shadow * np.clip(full * (0.75 + 0.3 * patches), 0, 1) * (0.6 + 0.4 * dots)
        _blend(colors, at, cool * 0.6, colors[at, :3] * np.array([0.50, 0.55, 0.60]), 0.06)
    if genes.style == "none":
        return
    density = 0.45 + 0.55 * genes.density
    color = np.asarray(genes.color)
    if genes.style == "stubble":
        cover = np.clip(full * (0.7 + 0.3 * patches), 0, 1) * (0.30 + 0.30 * density) * (0.35 + 0.75 * dots)
    else:
        area = {
            "mustache": mustache, "goatee": goatee, "van_dyke": np.maximum(mustache, goatee),
            "short": full, "full": full,
        }[genes.style]  # fmt: skip
        edge = np.clip(area * 1.5 - 0.22 + 0.30 * patches * (area < 0.97) + 0.10 * streak, 0, 1) * (area > 1e-3)
        cover = edge * np.clip((0.62 if genes.style == "short" else 0.80) + 0.20 * density + 0.14 * streak, 0, 0.98)
    _blend(colors, at, np.clip(cover, 0, 1), color * np.clip(1 + 0.35 * streak, 0.3, 2)[:, None], 0.05)


def paint_scalp(colors, coverage, color):
    """Paints cropped hair or hair roots: `coverage` (N,) 0..1 of the texels, linear RGB `color`."""
    s = surface()
    _paint_roots(colors, s.row, s.column, coverage, np.asarray(color, np.float32), noise.tiles()[0])


@numba.njit(cache=True)
def _paint_roots(colors, row, column, coverage, color, tile):
    side = len(tile) - 1
    for i in range(len(coverage)):
        share = coverage[i]
        if share > 1e-3:
            shade = np.float32(1.0) + np.float32(0.25) * tile[(row[i] + 77) & side, (column[i] + 191) & side]
            for k in range(3):
                mixed = colors[i, k] * (np.float32(1.0) - share) + color[k] * shade * share
                colors[i, k] = min(max(mixed, np.float32(0.0)), np.float32(1.0))
            colors[i, 3] = colors[i, 3] * (np.float32(1.0) - share) + np.float32(0.06) * share


def _blend(colors, at, share, target, gloss):
    share = share[:, None].astype(np.float32)
    colors[at, :3] = np.clip(colors[at, :3] * (1 - share) + target * share, 0, 1)
    colors[at, 3:] = colors[at, 3:] * (1 - share) + gloss * share


def _strand_noise(along, beside, rng):
    """Streaks at texel-like coordinates, a place of its own in the tile."""
    shift = rng.integers(0, noise.TILE, 2)
    rows = (np.floor(beside).astype(np.int64) + shift[0]) % noise.TILE
    columns = (np.floor(along).astype(np.int64) + shift[1]) % noise.TILE
    return noise.strands()[rows, columns]


def _tile(octave, at, rng):
    s, shift = surface(), rng.integers(0, noise.TILE, 2)
    return noise.tiles()[octave][(s.row[at] + shift[0]) % noise.TILE, (s.column[at] + shift[1]) % noise.TILE]
