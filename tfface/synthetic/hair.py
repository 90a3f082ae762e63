"""Scalp hair: sheets of combed strands over the shell of the head, in the person's cut, and the roots on the skin.

A sheet is a grid of strands: each starts at the parting, follows the skull to the hairline and, when long enough, hangs
from there. Its texture has strands along one axis, so that streaks run the way the hair is combed.
"""

import functools

import numpy as np

from tfface.synthetic import noise, shapes, shell
from tfface.synthetic.regions import hairline_depth, scalp_depth, step
from tfface.synthetic.surface import mean_head, surface

STRANDS, NODES = 120, 18
CUTS = ("bald", "buzz", "short", "swept", "curly", "bob", "long", "wavy", "tail")


def cut(person):
    """The name of the person's cut, one of `CUTS`: a function of the hair genes alone."""
    genes = person.hair
    if genes.bald:
        return "bald"
    chance = np.random.default_rng([genes.seed, 5]).uniform()
    if genes.curl > 0.66 and genes.length > 0.05:
        return "curly"
    if genes.length < 0.07:
        return "short" if genes.bangs else "buzz"  # a fringe needs something to grow from
    if genes.length < 0.36:
        return "swept" if chance < 0.45 and abs(genes.parting) > 0 else "short"
    if chance > 0.80:
        return "tail"
    if genes.length < 0.58:
        return "bob"
    return "wavy" if genes.curl > 0.3 else "long"


def root_color(person):
    """Linear RGB of the hair where it meets the skin."""
    return np.asarray(person.hair.color) * 0.8


def scalp_coverage(person):
    """Returns (N,) float32, how much of each texel of the texture is hair roots."""
    genes, depth = person.hair, scalp_depth()
    line = _recession(person)
    if genes.bald:
        ring = step(0.0, 0.5, depth) * step(0.35, -0.35, _above_horseshoe())
        return (0.8 * genes.bald_fringe * ring).astype(np.float32)
    soft = 0.16 if cut(person) == "buzz" else 0.10
    return np.float32(0.80 if cut(person) == "buzz" else 0.92) * step(0.0, soft, depth - line)


def meshes(person, neutral):
    """Returns the list of rigid `head.Mesh` of the person's hair (empty when bald or cropped).

    Args:
        person: `people.Person`.
        neutral: (5495, 3) vertices of the person without expression, dm.
    """
    style = cut(person)
    if style in ("bald", "buzz"):
        return []
    skull = shell.Shell(neutral)
    texture = _strand_texture(person.hair, style)
    points = _cap(person, skull, style)
    result = [shapes.mesh([shapes.grid(points, closed=True)], texture, two_sided=True)]
    if style == "tail":
        result.append(shapes.mesh(_tail(person, skull), texture, two_sided=True))
    if person.hair.bangs:
        result.append(shapes.mesh([shapes.grid(_bangs(person, skull))], texture, two_sided=True))
    return result


@functools.lru_cache(maxsize=64)
def _strand_texture(genes, style):
    """Returns (64, 256, 4) float32: rows along the strands (v), columns across them (u)."""
    rng = np.random.default_rng([genes.seed, 6])
    shift = rng.integers(0, noise.TILE, 2)
    streak = np.roll(noise.strands(), shift, (0, 1)).T[:64]  # v, u
    if style == "curly":
        streak = 0.6 * np.roll(noise.tiles()[1], shift, (0, 1))[:64] + 0.6 * noise.tiles()[2][:64]
    along = np.linspace(0, 1, 64)[:, None]
    shade = np.exp(0.30 * streak) * (0.72 + 0.34 * step(0.0, 0.5, along))
    color = np.asarray(genes.color)[None, None] * shade[..., None]
    gloss = (0.05 if style == "curly" else 0.11) * (1 + 0.6 * streak)
    return np.clip(np.concatenate([color, gloss[..., None]], -1), 0, 1).astype(np.float32)


def _recession(person):
    """How far the hairline lies inside the average one, h."""
    return 0.42 * person.hair.hairline - 0.12


@functools.cache
def _above_horseshoe():
    """(N,) height in h above the upper edge of the hair that a balding man keeps at the sides and the back."""
    s = surface()
    return s.y - 0.85 - 0.12 * (s.z + 2.2) - 0.25 * noise.tiles()[4][s.row % noise.TILE, s.column % noise.TILE]


@functools.cache
def _ear_vertices():
    vertices, origin, unit = mean_head()
    r = (vertices - origin) / unit
    return np.flatnonzero((np.abs(r[:, 0]) > 2.45) & (r[:, 1] > -2.1) & (r[:, 1] < 0.8))


@functools.cache
def _hairline_table():
    """Depth inside the average hairline along 96 azimuths and 64 angles from up, of the average head."""
    vertices, _, _ = mean_head()
    skull = shell.Shell(vertices)
    azimuth = (np.arange(STRANDS) / STRANDS * 2 - 1) * np.pi
    angle = np.linspace(0, 2.3, 93)
    x, y = np.sin(azimuth)[:, None] * angle, np.cos(azimuth)[:, None] * angle
    r = (skull.at(x, y) - skull.origin) / skull.unit
    depth = hairline_depth(r[..., 0], r[..., 1], r[..., 2])
    ear = (np.abs(r[..., 2] + 2.3) < 1.1) & (r[..., 1] < 0.45)
    return azimuth, angle, np.where(ear, np.minimum(depth, -0.5), depth)


def _edge(recession):
    """Angle from up of the hairline at each of the STRANDS azimuths; above the ears, not along the sideburns."""
    azimuth, angle, depth = _hairline_table()
    front = np.clip(1.4 - np.abs(azimuth), 0, 1)
    outside = depth < (recession * front)[:, None]
    outside[:, 0], outside[:, -1] = False, True
    first = np.argmax(outside, 1)
    edge = angle[first]
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    return azimuth, np.convolve(np.concatenate([edge[-2:], edge, edge[:2]]), kernel, "valid")


# Lift above the skull (at the parting, in the middle, at the hairline) in h and length below the hairline in h.
_LIFT = {
    "short": (0.20, 0.34, 0.06), "swept": (0.26, 0.48, 0.07), "curly": (0.55, 0.80, 0.30), "bob": (0.18, 0.42, 0.34),
    "long": (0.16, 0.36, 0.30), "wavy": (0.20, 0.46, 0.40), "tail": (0.10, 0.18, 0.07),
}  # fmt: skip


def _cap(person, skull, style):
    """Returns the (STRANDS, NODES, 3) main sheet."""
    genes = person.hair
    rng = np.random.default_rng([genes.seed, 8])
    azimuth, edge = _edge(_recession(person))
    hang = np.zeros(STRANDS)
    if style in ("bob", "long", "wavy"):
        longer = genes.length - 0.36
        length = 1.6 + 4.0 * longer if style == "bob" else 0.9 + 5.2 * np.clip(longer / 0.64, 0, 1)
        beside = step(0.85, 1.25, np.abs(azimuth))  # strands over the forehead end there
        hang = (length + 1.2) * beside
    elif style == "curly":
        hang = max(0.0, genes.length - 0.15) * 3.6 * step(1.0, 1.5, np.abs(azimuth))
    jitter = rng.standard_normal(STRANDS)
    lock = _smooth_ring(rng, 5)
    hang = hang * (1 + 0.05 * jitter + 0.05 * lock)
    # Where each strand starts: a line from the forehead to the crown, off-centre by the parting gene.
    from_crown = style in ("short", "curly", "tail")
    side = 0.0 if from_crown and abs(genes.parting) < 0.7 else 0.55 * genes.parting
    back = (1 - np.cos(azimuth)) / 2
    front_edge = edge[STRANDS // 2]
    crown_y = -0.35
    start_y = crown_y if from_crown else (front_edge * 0.96) * (1 - back) + crown_y * back
    start_y = np.broadcast_to(start_y, STRANDS)
    start_x = side * (1 - 0.5 * back)
    end_x, end_y = np.sin(azimuth) * edge, np.cos(azimuth) * edge
    skull_nodes = NODES // 2 + 1 if np.max(hang) > 0.3 else NODES
    t = np.linspace(0, 1, skull_nodes)[None]
    x = start_x[:, None] * (1 - t) + end_x[:, None] * t
    y = start_y[:, None] * (1 - t) + end_y[:, None] * t
    low, middle, rim = (v * (0.55 + 0.9 * genes.volume) for v in _LIFT[style])
    if np.max(hang) > 0.3:  # long enough to fall over the ears, not through them
        ear = np.abs((skull.neutral[_ear_vertices(), 0] - skull.origin[0]) / skull.unit).max() - 2.32
        rim = np.maximum(rim, ear * np.sin(azimuth) ** 4)[:, None]
    profile = low * (1 - t) ** 2 + 2 * (1.6 * middle - 0.3 * (low + rim)) * t * (1 - t) + rim * t**2
    front = step(1.1, 0.5, np.abs(azimuth))[:, None]
    if style == "swept":  # a quiff: higher above the forehead, more to one side
        profile = profile + 0.28 * front * step(0.2, 0.8, t) * (1 - 0.6 * t)
    profile = profile * (1 + 0.06 * lock[:, None] + 0.03 * jitter[:, None])
    if style == "curly":
        bump = _bumps(rng, STRANDS, skull_nodes)
        profile = profile + (0.10 + 0.08 * genes.volume) * bump
    else:
        profile = profile * (1 - 0.35 * front * t)
    points = skull.at(x, y, np.maximum(profile, 0.03))
    if skull_nodes == NODES:
        return points
    return np.concatenate([points, _hanging(points, skull, hang, azimuth, genes, style, rng)], 1)


def _hanging(points, skull, hang, azimuth, genes, style, rng):
    """Continues strands below the hairline: (STRANDS, NODES - nodes on the skull, 3)."""
    count = NODES - points.shape[1]
    unit, end = skull.unit, points[:, -1]
    t = np.linspace(0, 1, count + 1)[None, 1:, None]
    local = (end - skull.origin) / unit
    axis = np.array([0.0, 0.0, -2.3])
    flat = local - axis
    radius = np.hypot(flat[:, 0], flat[:, 2])[:, None, None]
    outward = np.stack([flat[:, 0], np.zeros(len(flat)), flat[:, 2]], 1)[:, None] / np.maximum(radius, 1e-6)
    drop = hang[:, None, None] * t
    # Hair stands off the ears and cheeks, then falls in towards the neck, and flares over the shoulders.
    height = local[:, 1][:, None, None] - drop
    clear = np.maximum(radius, 2.5 + 0.16 * genes.volume)
    want = clear - 0.13 * np.clip(-1.5 - height, 0, 2.2) + 0.45 * np.clip(-4.6 - height, 0, 3)
    spread = np.where(outward[..., 2:] < 0, 1.0 + 0.22 * np.clip(-outward[..., 2:], 0, 1), 1.0)
    share = step(0.0, 0.9, drop)
    new_radius = radius * (1 - share) + np.maximum(want * spread, 0.6) * share
    moved = axis + outward * new_radius
    moved[..., 1] = height[..., 0]
    wave = np.zeros_like(t)
    if style == "wavy" or genes.curl > 0.25:
        phase = _smooth_ring(rng, 4)[:, None, None] * 2.0
        wave = (0.05 + 0.16 * genes.curl) * np.sin(2 * np.pi * drop / 1.5 + phase) * share
    moved = moved + outward * wave * 0.8
    ends = step(0.75, 1.0, t) * 0.10
    moved = moved - outward * ends
    hanging = moved * unit + skull.origin
    keep = (hang < 0.05)[:, None, None]
    return np.where(keep, end[:, None], hanging)


def _bangs(person, skull):
    """Hair combed over the forehead, ending above the brows."""
    genes = person.hair
    rng = np.random.default_rng([genes.seed, 9])
    rows, nodes = 64, 9
    azimuth = np.linspace(-0.98, 0.98, rows)
    _, edge = _edge(_recession(person))
    at_edge = np.interp(azimuth, (np.arange(STRANDS) / STRANDS * 2 - 1) * np.pi, edge)
    sweep = 0.30 * genes.parting * (0.3 + 0.7 * rng.uniform())
    lock = np.interp(np.linspace(0, 13, rows), np.arange(15), rng.standard_normal(15))
    end = 1.34 + 0.16 * genes.bangs_length + 0.012 * lock + 0.015 * rng.standard_normal(rows)
    end = end - 0.10 * sweep * azimuth + 0.06 * azimuth**2
    start = np.maximum(at_edge * 0.55, 0.2)
    t = np.linspace(0, 1, nodes)[None]
    angle = start[:, None] * (1 - t) + end[:, None] * t
    turn = azimuth[:, None] * (1 - 0.10 * t) + sweep * t**1.5 * 0.6
    base = 0.30 * (0.6 + 0.8 * genes.volume)
    lift = base * (1 - t) + 0.13 * t + 0.16 * np.sin(np.pi * t) + 0.020 * lock[:, None] * (0.4 + t)
    if genes.curl > 0.45:
        lift = lift + 0.07 * _bumps(rng, rows, nodes)
    return skull.at(np.sin(turn) * angle, np.cos(turn) * angle, lift)


def _tail(person, skull):
    """A pony tail, or a bun above it when the hair is not long enough."""
    genes = person.hair
    rng = np.random.default_rng([genes.seed, 10])
    high = rng.uniform(-1.35, -0.55)
    root = skull.at(np.array(0.0), np.array(high), 0.25)
    if genes.length < 0.62 or rng.uniform() < 0.4:
        size = (0.75 + 0.35 * genes.volume) * skull.unit
        centre = root + np.array([0, 0.25, -0.2]) * skull.unit
        return [shapes.ellipsoid(centre, np.diag([size, size * 0.9, size * 0.85]))]
    t = np.linspace(0, 1, 10)
    reach = 2.5 + 3.0 * genes.length
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.4)
    path = np.stack([side * t**2, 0.35 * np.sin(np.pi * t) - reach * t**1.6, -0.9 * np.sin(np.pi * t * 0.6)], 1)
    radius = skull.unit * (0.28 + 0.45 * np.sin(np.pi * np.clip(t * 0.8 + 0.12, 0, 1)))
    return [shapes.tube(root + path * skull.unit, radius, sides=10)]


def _smooth_ring(rng, every):
    """Noise around the head, (STRANDS,), mean 0 and about 1 strong, smooth over `every` strands."""
    knots = rng.standard_normal(STRANDS // every)
    at = np.arange(STRANDS) / every
    return np.interp(at, np.arange(len(knots) + 1), np.append(knots, knots[0]))


def _bumps(rng, rows, nodes):
    """Curls: smooth random bumps over a sheet, around 1 strong, periodic in rows."""
    waves = np.zeros((rows, nodes))
    u, v = np.meshgrid(np.arange(rows) / rows, np.arange(nodes) / nodes, indexing="ij")
    for _ in range(10):
        waves += np.sin(2 * np.pi * (rng.integers(3, 18) * u + rng.uniform(1, 5) * v) + rng.uniform(0, 6.28))
    return waves / 2.2
