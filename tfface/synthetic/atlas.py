"""Where each part of the base mesh lies in the one texture of a head (512 x 512).

MakeHuman's UV map is made for a whole body: the face takes 6 % of it. `pack` moves the islands that a head uses into
one square atlas in which the head island is 500 texels high, the eyes are enlarged and nothing else takes room.
"""

import numpy as np

SIZE = 512

# name: (u0, v0, u1, v1 in MakeHuman's map), (x, y of the top left corner in the atlas, texels), texels per unit
_SCALE = 740.0
ISLANDS = {
    "head": ((0.640, 0.148, 0.995, 0.819), (4, 8), _SCALE),
    "neck": ((0.236, 0.840, 0.525, 0.975), (280, 8), _SCALE),
    "mouth": ((0.757, 0.011, 0.925, 0.137), (280, 120), _SCALE),
    "left_eye_front": ((0.7600, 0.9442, 0.77266, 0.9571), (284, 224), 7000.0),
    "left_eye_back": ((0.77266, 0.9315, 0.7855, 0.9444), (420, 224), 1400.0),
    "right_eye_back": ((0.7879, 0.9315, 0.800745, 0.9444), (444, 224), 1400.0),
    "right_eye_front": ((0.800748, 0.9442, 0.8134, 0.9571), (284, 324), 7000.0),
    "right_socket": ((0.011, 0.546, 0.078, 0.634), (420, 120), _SCALE),
    "left_socket": ((0.085, 0.546, 0.152, 0.634), (420, 330), _SCALE),
    "upper_teeth": ((0.677, 0.8745, 0.739, 0.8978), (280, 424), 800.0),
    "lower_teeth": ((0.677, 0.8978, 0.739, 0.9205), (280, 448), 800.0),
    "tongue": ((0.622, 0.928, 0.649, 0.985), (484, 430), _SCALE),
    "lashes": ((0.657, 0.926, 0.759, 0.986), (380, 424), _SCALE),
}


def pack(uv):
    """Moves MakeHuman UV coordinates into the atlas.

    Args:
        uv: (N, 2) MakeHuman coordinates, v up.

    Returns:
        (N, 2) float32 in [0, 1]: column = u * SIZE, row = v * SIZE, row 0 at the top (v runs down), texel centres at
        +0.5. Points of no island (the hair helper) land at (0, 0).
    """
    uv = np.asarray(uv, np.float64)
    packed = np.zeros_like(uv)
    for (u0, v0, u1, v1), (x, y), scale in ISLANDS.values():
        inside = (uv[:, 0] >= u0) & (uv[:, 0] <= u1) & (uv[:, 1] >= v0) & (uv[:, 1] <= v1)
        packed[inside] = np.stack([x + (uv[inside, 0] - u0) * scale, y + (v1 - uv[inside, 1]) * scale], 1) / SIZE
    return packed.astype(np.float32)
