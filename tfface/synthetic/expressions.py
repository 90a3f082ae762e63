"""What each action unit does to the surface.

Most are mixtures of the ARKit face units and of MakeHuman's expression units. Where those are too weak to be seen, soft
bumps of our own are added (raised cheeks, dimples, the chin's boss). Blinking closes what the other units left open, so
that eyes of any shape close exactly and lids never cross.
"""

import functools

import numpy as np

from tfface import conventions

# {side} stands for both of Left and Right, {low} for left and right.
_UNIT = "faceunits/"
_EXPRESSION = "expression/units/caucasian/"
_TARGETS = {
    "AU01": {_UNIT + "browInnerUp": 1.3},
    "AU02": {_UNIT + "browOuterUp{side}": 1.15},
    "AU04": {_UNIT + "browDown{side}": 1.0, _EXPRESSION + "eyebrows-{low}-down": 0.15},
    "AU05": {_UNIT + "eyeWide{side}": 1.25},
    "AU06": {_UNIT + "cheekSquint{side}": 1.1, _UNIT + "eyeSquint{side}": 0.6},
    "AU07": {_UNIT + "eyeSquint{side}": 1.0, _EXPRESSION + "eye-{low}-slit": 0.35},
    "AU09": {
        _UNIT + "noseSneer{side}": 1.35,
        _EXPRESSION + "nose-{low}-elevation": 0.8,
        _UNIT + "mouthUpperUp{side}": 0.15,
        _UNIT + "eyeSquint{side}": 0.25,
    },
    "AU10": {_UNIT + "mouthUpperUp{side}": 1.0, _EXPRESSION + "nose-{low}-elevation": 0.3},
    "AU12": {_UNIT + "mouthSmile{side}": 0.9},
    "AU14": {_UNIT + "mouthDimple{side}": 0.6, _UNIT + "mouthPress{side}": 0.2},
    "AU15": {_UNIT + "mouthFrown{side}": 1.15},
    "AU17": {_UNIT + "mouthShrugLower": 1.1, _UNIT + "mouthShrugUpper": 0.4},
    "AU20": {_UNIT + "mouthStretch{side}": 1.25, _EXPRESSION + "neck-platysma": 0.4},
    "AU23": {_UNIT + "mouthRollUpper": 0.4, _UNIT + "mouthRollLower": 0.6, _UNIT + "mouthPress{side}": 0.15},
    "AU25": {_UNIT + "mouthLowerDown{side}": 0.9, _UNIT + "mouthUpperUp{side}": 0.3},
    "AU26": {_UNIT + "jawOpen": 0.62, _UNIT + "mouthUpperUp{side}": 0.2},
    "AU45": {},
}  # fmt: skip

# AU: (centre on the base mesh, radius, offset), all in dm, of the person's left side; the right one mirrors it.
_BUMPS = {
    "AU06": [((0.44, 6.96, 1.38), 0.20, (0.015, 0.04, 0.05))],
    "AU09": [((0.13, 6.97, 1.50), 0.10, (0.0, 0.035, 0.012))],
    "AU12": [((0.38, 6.90, 1.42), 0.16, (0.01, 0.015, 0.03))],
    "AU14": [((0.33, 6.61, 1.38), 0.075, (0.0, 0.0, -0.06)), ((0.43, 6.64, 1.33), 0.09, (0.01, 0.0, 0.02))],
    "AU15": [((0.30, 6.45, 1.38), 0.08, (0.0, -0.01, 0.025))],
    "AU17": [((0.07, 6.33, 1.53), 0.12, (0.0, 0.05, 0.02))],
    "AU23": [((0.25, 6.61, 1.42), 0.11, (-0.04, 0.0, 0.015))],
}

# Edge of the upper lid and the lower lid's below it, from the outer to the inner corner.
_LIDS = {
    "Right": ((1057, 1067), (1055, 1068), (1056, 1069), (1073, 1070)),
    "Left": ((3255, 3252), (3237, 3250), (3238, 3251), (3239, 3249)),
}
_OVERLAP = 1.08  # of the opening: a closed lid covers the edge of the other
_EYEBALL_CLEARANCE = 0.006  # dm


def apply(template, vertices, action_units):
    """Moves the neutral `vertices` (5495, 3) in place; `action_units` are 17 intensities 0-1."""
    amounts = dict(zip(conventions.ACTION_UNITS, action_units, strict=True))
    weights = {}
    for name, amount in amounts.items():
        for target, weight in _targets()[name]:
            weights[target] = weights.get(target, 0.0) + weight * amount
    template.add(vertices, weights)
    for name, bumps in _bumps(template).items():
        if amounts[name]:
            index, offset = bumps
            vertices[index] += np.float32(amounts[name]) * offset
    # The unit leaves the tongue at the palate.
    tongue = template.part_vertices["helper-tongue"]
    vertices[tongue] += np.float32(amounts["AU26"]) * np.array([0, -0.11, -0.03], np.float32)
    if amounts["AU45"]:
        for side in _LIDS:
            _close(template, vertices, side, amounts["AU45"])


def _close(template, vertices, side, amount):
    """Lowers the upper lid until `amount` of what is open is closed, at each place along the lid."""
    index, offset = template.target(f"faceunits/eyeBlink{side}")
    travel = np.zeros(len(vertices))
    travel[index] = -offset[:, 1]
    upper, lower = np.array(_LIDS[side]).T
    opening = vertices[upper, 1] - vertices[lower, 1]
    weight = np.clip(amount * _OVERLAP * opening / travel[upper], 0, 2)
    at, order = vertices[upper, 0], np.argsort(vertices[upper, 0])
    vertices[index] += np.interp(vertices[index, 0], at[order], weight[order])[:, None].astype(np.float32) * offset
    ball = vertices[template.part_vertices[f"helper-{side[0].lower()}-eye"]]
    centre = ball.mean(0)
    radius = np.linalg.norm(ball - centre, axis=1).max() + _EYEBALL_CLEARANCE
    lid = np.intersect1d(index, template.skin_vertices)
    out = vertices[lid] - centre
    distance = np.linalg.norm(out, axis=1)
    inside = (distance < radius) & (out[:, 2] > 0.5 * radius)
    vertices[lid[inside]] = centre + out[inside] * (radius / distance[inside])[:, None]


@functools.cache
def _targets():
    both = (("Left", "left"), ("Right", "right"))
    return {
        name: sorted({(t.format(side=s, low=low), w) for t, w in targets.items() for s, low in both})
        for name, targets in _TARGETS.items()
    }


@functools.cache
def _bumps(template):
    """Returns AU -> (vertex numbers (N,), offsets (N, 3)) of the body's surface, teeth and eyes stay."""
    points = template.vertices
    body = np.zeros(len(points), bool)
    body[template.part_vertices["body"]] = True
    result = {}
    for name, bumps in _BUMPS.items():
        total = np.zeros_like(points)
        for centre, radius, offset in bumps:
            for side in (1, -1):
                away = points - np.multiply(centre, (side, 1, 1))
                total += np.exp(-((away / radius) ** 2).sum(1))[:, None] * np.multiply(offset, (side, 1, 1))
        index = np.flatnonzero(body & (np.abs(total).max(1) > 1e-4))
        result[name] = index, total[index].astype(np.float32)
    return result
