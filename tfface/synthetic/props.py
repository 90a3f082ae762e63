"""What a person holds or wears before the face: occluders, as meshes in the head's rest space."""

import dataclasses
import types

import numpy as np

from tfface.errors import InputError
from tfface.synthetic import glasses, shapes
from tfface.synthetic.shell import Shell


def _color(rng, low=0.03, high=0.8):
    value = rng.uniform(low, high)
    return np.clip(value * rng.uniform(0.6, 1.4, 3), 0.01, 0.9)


def _frame(ahead, up=(0.0, 1.0, 0.0)):
    """Right-handed unit rows (across, up, ahead) with the third along `ahead`."""
    ahead = np.asarray(ahead, np.float64) / np.linalg.norm(ahead)
    across = np.cross(up, ahead)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(ahead, across), ahead])


def _in_head(pieces, skull):
    return [(piece[0] * skull.unit + skull.origin, *piece[1:]) for piece in pieces]


def _hand(rng, person, skull):
    """A palm with four fingers and a thumb over a cheek, the mouth, an eye or the chin, in anybody's skin colour."""
    spot = np.array([[1.3, -1.4, 1.0], [0.2, -2.4, 1.4], [1.0, 0.1, 0.9], [0.5, -3.4, 1.2]])[rng.integers(4)]
    side = rng.choice([-1.0, 1.0])
    centre = spot * [side, 1, 1] + rng.normal(0, 0.15, 3) * [1, 1, 0] + [0, 0, 0.45]
    lean = side * rng.uniform(-0.2, 0.9)
    out = np.array([0.45 * np.sign(centre[0]), -0.05, 1.0])
    frame = _frame(out, (np.sin(-lean), np.cos(lean), 0.0))
    pieces = [shapes.ellipsoid(centre - 0.6 * frame[1], frame * np.array([[0.85], [0.95], [0.26]]))]
    for k in range(4):
        x = (k - 1.5) * 0.44
        length = (1.45, 1.7, 1.6, 1.25)[k] * rng.uniform(0.9, 1.05)
        t = np.linspace(0, 1, 6)[:, None]
        path = centre + frame[0] * x * (1 + 0.12 * t) + frame[1] * (0.1 + length * t) - frame[2] * 0.28 * t * t
        pieces.append(shapes.tube(path, np.array([0.24, 0.23, 0.21, 0.21, 0.19, 0.10]), sides=8, up=frame[2]))
    thumb = [centre - frame[1] * (0.7 - 0.8 * t) + side * frame[0] * (0.7 + 0.55 * t) for t in np.linspace(0, 1, 5)]
    pieces.append(shapes.tube(thumb, np.array([0.28, 0.26, 0.24, 0.22, 0.12]), sides=8, up=frame[2]))
    wrist = [centre - frame[1] * (1.2 + t) - frame[2] * 0.1 * t for t in np.linspace(0, 3.0, 4)]
    pieces.append(shapes.tube(wrist, np.array([0.62, 0.6, 0.66, 0.75]), sides=10, up=frame[2], flatten=1.0))
    tone = np.array([0.62, 0.36, 0.26]) * np.exp(-np.array([1.6, 2.1, 2.4]) * rng.uniform(0, 0.9) ** 1.3)
    return [shapes.mesh(_in_head(pieces, skull), shapes.flat(tone, 0.10))]


def _mask(rng, person, skull):
    """A surgical mask: pleated cloth from the nose to under the chin."""
    rows, columns = 31, 17
    u, v = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    azimuth = u * 0.98
    top = 1.78 + 0.16 * np.abs(u) ** 1.5 + rng.uniform(-0.03, 0.05)
    angle = top + (2.56 - top) * v
    pleats = 0.05 * np.abs(np.sin(v * np.pi * 3)) * (1 - u**4)
    face = skull.at(np.sin(azimuth) * angle, np.cos(azimuth) * angle)
    away = face - skull.centre
    distance = np.linalg.norm(away, axis=-1)
    reach = _stretched(distance) + (0.14 + pleats) * skull.unit
    points = skull.centre + away * (reach / distance)[..., None]
    cloth = [(0.30, 0.55, 0.68), (0.75, 0.77, 0.78), (0.02, 0.02, 0.025), _color(rng)][rng.integers(4)]
    return [shapes.mesh([shapes.grid(points[:, ::-1])], shapes.flat(cloth, 0.03), two_sided=True)]


def _scarf(rng, person, skull):
    """A scarf up to the mouth or over the nose, in stripes."""
    rows, columns = 40, 14
    t = np.linspace(0, 2 * np.pi, rows, endpoint=False)
    top = rng.uniform(-2.7, -1.0)
    v = np.linspace(0, 1, columns)
    height = top + (-5.6 - top) * v[None]
    height = height + 0.12 * np.sin(5 * t)[:, None] * v[None] + 0.25 * np.cos(t)[:, None] * (1 - v[None])
    bulge = 1 + 0.16 * np.sin(np.pi * v)[None] + 0.05 * np.sin(9 * v + 3 * np.sin(t)[:, None])
    x = 2.35 * np.sin(t)[:, None] * bulge
    z = -1.9 + (3.35 * np.where(np.cos(t) > 0, 1.0, 0.75) * np.cos(t))[:, None] * bulge
    points = np.stack([x, height, z], -1)
    stripes = np.where((np.arange(24) // rng.integers(1, 4)) % 2, 1.0, 0.0)[:, None]
    colors = stripes * _color(rng) + (1 - stripes) * _color(rng)
    texture = np.concatenate([colors, np.full((24, 1), 0.02)], 1)[:, None].astype(np.float32)
    vertices, triangles, uv = shapes.grid(points * skull.unit + skull.origin, closed=True)
    return [shapes.mesh([(vertices, triangles[:, ::-1], uv)], texture, two_sided=True)]


def _microphone(rng, person, skull):
    side = rng.choice([-1.0, 1.0])
    head = np.array([side * rng.uniform(0.0, 0.7), rng.uniform(-3.3, -2.4), rng.uniform(2.0, 2.5)])
    away = np.array([side * rng.uniform(0.1, 0.9), -1.0, rng.uniform(0.3, 0.9)])
    away /= np.linalg.norm(away)
    ball = shapes.ellipsoid(head, np.eye(3) * rng.uniform(0.55, 0.75), 10, 16)
    path = [head + away * t for t in (0.3, 0.9, 3.0, 6.0)]
    grip = shapes.tube(path, np.array([0.46, 0.40, 0.30, 0.26]), sides=10, up=(1.0, 0.0, 0.2))
    mesh = (np.indices((24, 48)).sum(0) % 2)[..., None] * 0.16 + rng.uniform(0.03, 0.3)
    texture = np.concatenate([np.repeat(mesh, 3, -1), np.full((24, 48, 1), 0.5)], -1).astype(np.float32)
    body = shapes.flat(_color(rng, 0.01, 0.15), 0.6)
    return [shapes.mesh(_in_head([ball], skull), texture), shapes.mesh(_in_head([grip], skull), body)]


def _sunglasses(rng, person, skull):
    genes = dataclasses.replace(
        person.glasses,
        shape=str(rng.choice(["aviator", "square", "round", "cat_eye"])),
        rim="full", size=float(rng.uniform(1.0, 1.12)), thickness=float(rng.uniform(0.2, 0.9)),
        color=tuple(_color(rng, 0.01, 0.3)),
    )  # fmt: skip
    return glasses.build(genes, skull.neutral, opaque=True)


def _card(rng, person, skull):
    """A phone, book or sheet held before a part of the face."""
    centre = np.array([rng.uniform(-1.8, 1.8), rng.uniform(-3.6, 1.2), rng.uniform(1.9, 2.6)])
    turn = rng.normal(0, 0.35, 2)
    frame = _frame([turn[0], turn[1], 1.0], (np.sin(rng.normal(0, 0.4)), 1.0, 0.0))
    half = np.array([rng.uniform(0.7, 1.6), rng.uniform(0.8, 1.9), 0.08])
    colors = np.clip(_color(rng)[None, None] + rng.normal(0, 0.12, (6, 6, 3)) * rng.integers(0, 2), 0.01, 0.9)
    texture = np.concatenate([colors, np.full((6, 6, 1), rng.uniform(0.05, 0.5))], -1).astype(np.float32)
    return [shapes.mesh(_in_head([shapes.box(centre, frame * half[:, None])], skull), texture)]


def _cup(rng, person, skull):
    centre = np.array([rng.uniform(-0.4, 0.4), rng.uniform(-3.4, -2.7), 2.1])
    up = np.array([0.1 * rng.normal(), 1.0, 0.5])
    path = [centre + up * t for t in (-1.1, 0.0, 0.75)]
    body = shapes.tube(path, np.array([0.62, 0.72, 0.80]), sides=18, up=(0.0, 0.2, 1.0))
    return [shapes.mesh(_in_head([body], skull), shapes.flat(_color(rng), 0.35))]


def _stretched(distance):
    """Cloth spans hollows and never sinks into what stands out: a smooth sheet over (M, N) distances."""
    around = np.pad(distance, 2, "edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, (5, 5))
    outer = windows.max((2, 3))
    around = np.pad(outer, 2, "edge")
    return np.maximum(np.lib.stride_tricks.sliding_window_view(around, (5, 5)).mean((2, 3)), distance)


_MAKERS = types.MappingProxyType(
    {
        "hand": _hand, "mask": _mask, "scarf": _scarf, "microphone": _microphone, "sunglasses": _sunglasses,
        "card": _card, "cup": _cup,
    }
)  # fmt: skip
OCCLUDERS = tuple(_MAKERS)


def occluder(kind, seed, person, neutral):
    """Returns the list of rigid `head.Mesh` of an occluder.

    Args:
        kind: one of `OCCLUDERS`; InputError otherwise.
        seed: integer from 0 that fixes colour, place and size.
        person: `people.Person`.
        neutral: (5495, 3) vertices of the person without expression, dm; the occluder is fitted to them.
    """
    if kind not in _MAKERS:
        raise InputError(f"occluder: kind {kind!r} is unknown, expected one of {' '.join(OCCLUDERS)}")
    rng = np.random.default_rng([OCCLUDERS.index(kind), seed])
    return _MAKERS[kind](rng, person, Shell(neutral))
