"""Eyeglasses fitted to a person's neutral face: rims before the eyes, a bridge over the nose, temples over the ears."""

import functools

import numpy as np

from tfface.synthetic import head, shapes
from tfface.synthetic.surface import eye_frame, mean_head

SEGMENTS = 28
# Half width and half height of a lens and how square its corners are (exponent of a superellipse), h.
_LENS = {
    "rectangle": (0.84, 0.47, 4.5), "round": (0.72, 0.70, 2.0), "square": (0.82, 0.62, 4.0),
    "aviator": (0.84, 0.68, 2.6), "cat_eye": (0.86, 0.54, 3.0),
}  # fmt: skip
_BELOW_EYES = 0.10  # lens centres lie a little under the pupils


def meshes(person, neutral):
    """Returns the list of rigid meshes of the person's glasses, whether worn or not.

    Args:
        person: `people.Person`.
        neutral: (5495, 3) vertices of the person without expression, dm.
    """
    return build(person.glasses, neutral)


def build(genes, neutral, opaque=False):
    """As `meshes`, from `people.GlassesGenes`; with `opaque` lenses they are sunglasses."""
    origin, unit = eye_frame(neutral)
    r = (neutral - origin) / unit
    half_width, half_height, corner = _LENS[genes.shape]
    half_width, half_height = half_width * genes.size, half_height * genes.size
    centre = max(1.0, half_width + 0.20)
    plane = _plane(r, centre, half_width, half_height)
    thickness = (0.026 if genes.rim == "none" else 0.040) + 0.050 * genes.thickness
    pieces = []
    for side in (1, -1):
        outline = _outline(genes.shape, half_width, half_height, corner)
        rim = _place(outline, side, centre, plane)
        if side < 0:
            rim = rim[::-1]
        if genes.rim == "full" or opaque:
            pieces.append(shapes.tube(rim, thickness, closed=True, sides=6))
        elif genes.rim == "half":
            upper = outline[: SEGMENTS // 2 + 1]  # from the outer end over the top to the nose
            pieces.append(shapes.tube(_place(upper, side, centre, plane), thickness, sides=6))
        else:
            pieces.append(shapes.tube(rim, 0.016, closed=True, sides=4))
        pieces.append(_temple(r, side, centre, half_width, half_height, plane, thickness))
    pieces.append(_bridge(centre, half_width, half_height, plane, thickness))
    result = [_finish(pieces, genes.color, 0.55, origin, unit)]
    if opaque:
        lenses = []
        for side in (1, -1):
            rim = _place(_outline(genes.shape, half_width, half_height, corner), side, centre, plane)
            lenses.append(_fan(rim[::side]))
        result.append(_finish(lenses, (0.012, 0.012, 0.014), 0.9, origin, unit))
    return result


def _plane(r, centre, half_width, half_height):
    """How far before the eyes' middle the lens plane stands, h: clear of lids, brows and cheeks."""
    across = np.abs(r[:, 0])
    near = (across > centre - half_width * 0.75) & (across < centre + half_width * 0.7) & (r[:, 2] > -0.5)
    near &= (r[:, 1] < half_height * 0.8 - _BELOW_EYES) & (r[:, 1] > -half_height * 0.8 - _BELOW_EYES)
    eyes = np.concatenate([r[head.template().part_vertices[f"helper-{side}-eye"], 2] for side in "lr"])
    return max((r[near, 2] + _sag(across[near])).max() + 0.06, eyes.max() + _sag(1.5) + 0.1)


def _sag(across):
    """How far a frame curves back towards the ears."""
    return 0.055 * across**2


def _outline(shape, half_width, half_height, corner):
    """(SEGMENTS, 2) outline of the lens at positive x, counter-clockwise, its centre at 0."""
    angle = np.arange(SEGMENTS) * 2 * np.pi / SEGMENTS
    c, s = np.cos(angle), np.sin(angle)
    x = half_width * np.sign(c) * np.abs(c) ** (2 / corner)
    y = half_height * np.sign(s) * np.abs(s) ** (2 / corner)
    if shape == "aviator":  # wide above, drop-shaped towards the cheek
        x = x * (1 + 0.10 * y / half_height) + 0.10 * np.minimum(y, 0)
        y = np.where(y < 0, y * 1.12, y * 0.85)
    if shape == "cat_eye":
        y = y + 0.16 * (x / half_width) * (y > -0.2)
    return np.stack([x, y], 1)


def _place(outline, side, centre, plane):
    x = outline[:, 0] + centre
    return np.stack([side * x, outline[:, 1] - _BELOW_EYES, plane - _sag(x)], 1)


def _bridge(centre, half_width, half_height, plane, thickness):
    inner = centre - half_width
    t = np.linspace(-1, 1, 9)
    y = 0.16 * half_height - _BELOW_EYES + 0.10 * (1 - t**2) + 0.10
    z = plane + 0.05 * (1 - t**2)
    return shapes.tube(np.stack([t * (inner + 0.03), y, z], 1), thickness * 0.9, sides=6)


@functools.cache
def _side_vertices():
    """Vertices beside the head that a temple passes, front to back, for the positive side and the negative one."""
    vertices, origin, unit = mean_head()
    r = (vertices - origin) / unit
    targets = np.array([[2.2, 0.35, -0.8], [2.35, 0.35, -1.5], [2.52, 0.45, -2.25]])
    return [
        [int(np.argmin(((r - t * [side, 1, 1]) ** 2).sum(1))) for t in targets]
        for side in (1, -1)
    ]  # fmt: skip


def _temple(r, side, centre, half_width, half_height, plane, thickness):
    beside = r[_side_vertices()[0 if side > 0 else 1]]
    hinge_x = centre + half_width + 0.02
    hinge = np.array([side * hinge_x, 0.45 * half_height - _BELOW_EYES, plane - _sag(hinge_x) - 0.02])
    ear = beside[2] + np.array([-side * 0.02, 0.06, 0.0])
    widest = max(abs(p[0]) for p in beside[:2]) + 0.07
    elbow = np.array([side * max(widest, hinge_x + 0.05), hinge[1], hinge[2] - 0.30])
    middle = np.array([side * max(widest, hinge_x + 0.03), (hinge[1] + ear[1]) / 2, (elbow[2] + ear[2]) / 2])
    tip = ear + np.array([-side * 0.10, -0.55, -0.55])
    path = np.array([hinge, elbow, middle, ear, tip])
    return shapes.tube(path, thickness * 1.1, sides=6, up=(0.0, 1.0, 0.05), flatten=0.7)


def _fan(outline):
    count = len(outline)
    middle = outline.mean(0) + np.array([0, 0, 0.03])
    k = np.arange(count)
    triangles = np.stack([np.full(count, count), k, (k + 1) % count], 1)
    return np.concatenate([outline, middle[None]]), triangles


def _finish(pieces, color, gloss, origin, unit):
    scaled = [(piece[0] * unit + origin, *piece[1:]) for piece in pieces]
    return shapes.mesh(scaled, shapes.flat(color, gloss), two_sided=True)
