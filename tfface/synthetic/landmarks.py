"""The 68 iBUG 300-W points of a synthetic face, in that order: point 36 is the outer corner of the eye at image left.

All are fixed vertices of the mesh, which makes them exact and comparable across people, expressions and poses; points
17-67 were chosen to lie where `faces.Landmarker` finds them on frontal renderings, so that photos and renderings are
aligned alike. The jaw (0-16) is the line seen in a frontal picture; on a turned head it stays on the bone and is hidden
on the far side, unlike hand-made 2D labels that slide along the visible outline. Upper and lower points of the inner
lips (60-67) meet when the mouth is closed.
"""

import numpy as np

# iBUG order: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, outer lips 48-59, inner lips 60-67.
VERTICES = np.array(
    [
        867, 868, 869, 912, 895, 893, 891, 921, 747, 3113, 3083, 3085, 3087, 3104, 3064, 3063, 3062,
        1736, 1735, 1734, 230, 233, 2496, 2493, 3902, 3903, 3904,
        133, 131, 201, 294, 286, 313, 312, 2566, 2545,
        1063, 1057, 1073, 69, 1070, 1067, 2343, 3255, 3239, 3245, 3249, 3252,
        1456, 410, 450, 455, 2700, 2660, 3635, 2656, 2735, 496, 490, 406,
        436, 1835, 520, 3997, 2686, 2755, 523, 518,
    ]
)  # fmt: skip

# How far in front of a point that is still seen something may stand, dm: lashes and the roundness of lips; the jaw line
# is a broad edge, which bends away from the camera before it turns its back.
HIDDEN_BEHIND = np.where(np.arange(68) < 17, 0.22, 0.09)


def visible(points, distance, depth, occluder):
    """Tells which points are seen.

    Args:
        points: (68, 2) in pixels of the picture, y down.
        distance: (68,) from the camera in dm.
        depth: (N, N) distance of the nearest surface in dm, NaN where nothing is; N may be a multiple of the size.
        occluder: (S, S) bool, what stands in front of the head.

    Returns:
        (68,) int8: 1 seen, 0 behind something, turned away or outside the picture.
    """
    size, finer = len(occluder), len(depth) // len(occluder)
    inside = ((points >= 0) & (points < size)).all(1)
    column, row = np.clip(points, 0, size - 1e-3).T
    # The farthest surface of a 3x3 neighbourhood: a point on an outline must not be hidden by its own edge.
    farthest = np.where(np.isnan(depth), -np.inf, depth)
    padded = np.pad(farthest, 1, constant_values=-np.inf)
    r, c = (row * finer).astype(int), (column * finer).astype(int)
    around = np.stack([padded[r + i, c + j] for i in range(3) for j in range(3)]).max(0)
    seen = np.isneginf(around) | (distance <= around + HIDDEN_BEHIND)
    return (inside & seen & ~occluder[row.astype(int), column.astype(int)]).astype(np.int8)
