"""The parts of a face that each action unit moves: 43 regions over 68 landmarks, and the 8 groups that share regions.

The partition is that of AU R-CNN (Ma, Chen & Yong 2019, "AU R-CNN: Encoding expert prior knowledge into R-CNN for
action unit detection", table 2, and its published code machanic/AU_R-CNN for the vertices). Landmarks are iBUG 300-W
points, counted from 0. What differs, and why:

* A vertex that the source moves up by 20 or 40 pixels of its pictures moves by a length of the face (`UP`), along the
  face's own upward direction, so that regions keep their shape at any size and roll.
* A region is the convex hull of its vertices. The source connects them by angle about their middle, which is the same
  for the convex ones and leaves a notch in the others.
* A box has to hold 1 % of the source's crop, also counted in lengths of the face (`SMALLEST`).

No TensorFlow.
"""

from typing import NamedTuple

import cv2
import numpy as np

from tfface.alignment import HALF_SIZE, alignment_matrix, invert
from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError

# Vertices: a landmark, "17u" that landmark moved up once, "27uu" twice, "41~2" the middle of two.
_VERTICES = """
1: 17u 19u 19 17          2: 19u 21u 21 19           3: 21u 27uu 27 21        4: 27uu 22u 27 22
5: 22u 24u 24 22          6: 24u 26u 26 24           7: 1 17 36               8: 17 19 37 36
9: 19 38 39 21            10: 21 27 28 39            11: 22 27 28 42          12: 22 42 43 24
13: 24 44 45 26           14: 26 16 15 45            15: 2 41~2 3~29 3        16: 41 2~41 3~29 39
17: 39 3~29 29 28         18: 28 29 13~29 42         19: 42 46 14~46 13~29    20: 14~46 14 13 13~29
21: 3 3~29 4~33 4         22: 4~33 3~29 29 33        23: 33 29 13~29 12~33    24: 13~29 13 12 12~33
25: 4 4~33 5~59 5         26: 5~59 4~33 33 59        27: 33 55 11~55 12~33    28: 11~55 12~33 12 11
29: 59 58 6~58 5~59       30: 6~58 58 57 8~57        31: 57 8~57 10~56 56     32: 56 10~56 11~55 55
33: 5 5~59 6~58 6         34: 6 6~58 8~57 8          35: 8~57 10~56 10 8      36: 10~56 10 11 11~55
37: 33 55 56 57 58 59     38: 1 2 36 37              39: 14 15 44 45          40: 19 37 38
41: 24 43 44              42: 36 37 38 39 40 41      43: 42 43 44 45 46 47
"""


def _parse(text):
    """{region: ((landmarks to average, times up), ...)} of `_VERTICES`."""
    regions, number = {}, None
    for word in text.split():
        if word.endswith(":"):
            number = int(word[:-1])
            regions[number] = ()
        else:
            points = tuple(int(point) for point in word.rstrip("u").split("~"))
            regions[number] += ((points, word.count("u")),)
    return regions


VERTICES = _parse(_VERTICES)


class Group(NamedTuple):
    """Action units that share regions."""

    action_units: tuple  # names among the 17; the source's group may hold others, which nothing here reads
    regions: tuple  # numbers 1-43
    fetched: tuple = ()  # groups whose regions these contain: its boxes carry their labels too ("label fetch")


_EYES = (8, 9, 12, 13, 40, 41, 42, 43)

# Group 1 lies on both sides of the face and gives two boxes. Table 2 has no group for AU45: the published code gives it
# the lids and eyes, which is group 1 without the skin above the brows.
GROUPS = {
    1: Group(("AU01", "AU02", "AU05", "AU07"), (1, 2, 5, 6, *_EYES)),
    2: Group(("AU04",), (1, 2, 3, 4, 5, 6, 8, 9, 12, 13, 40, 41), fetched=(1,)),
    3: Group(("AU06",), (16, 17, 18, 19, 42, 43), fetched=(4,)),
    4: Group(("AU09",), (10, 11, 17, 18, 22, 23)),
    5: Group(("AU10", "AU12", "AU14", "AU15"), (21, 22, 23, 24, 25, 26, 27, 28, 37), fetched=(6,)),
    6: Group(("AU20", "AU25", "AU26"), (*range(25, 38),), fetched=(5, 7, 8)),
    7: Group(("AU17",), (*range(29, 37),), fetched=(8,)),
    8: Group(("AU23",), (26, 27, 29, 30, 31, 32, 37)),
}

AU_REGIONS = {name: group.regions for group in GROUPS.values() for name in group.action_units} | {"AU45": _EYES}
AU_REGIONS = {name: AU_REGIONS[name] for name in ACTION_UNITS}

# The source crops the landmarks' box with 50 pixels above and 20 at the sides and resizes it to 512: its static boxes
# begin 30 rows down, so a pixel of its pictures is about one of that crop, in which brows to chin then take 462. On the
# average head without expression they take 4.35 halves of the distance between the eyes, the length `alignment` has.
_CROP, _FACE = 512, (512 - 50) / 4.35
UP = 20 / _FACE  # 0.19 half eye distances
SMALLEST = 0.01 * (_CROP / _FACE) ** 2  # in squares of that length; a smaller connected part has no box


class Region(NamedTuple):
    """Where on a picture something shows."""

    mask: np.ndarray  # (size, size) bool
    boxes: np.ndarray  # (N, 4) int: top, left, bottom, right, the last two exclusive; from left to right


def au_regions(landmarks, size):
    """Returns ``{"AU01": Region, ...}`` of the 17 action units.

    Args:
        landmarks: (68, 2) in pixels of a square picture, y down, pixel centres at integers + 0.5; hidden ones where
            they would be.
        size: side of that picture in pixels.

    Raises:
        InputError: landmarks of another shape, or unknown ones (NaN).
    """
    by_regions = _drawn(landmarks, size, set(AU_REGIONS.values()))
    return {name: by_regions[regions] for name, regions in AU_REGIONS.items()}


def group_regions(landmarks, size):
    """Returns ``{1: Region, ...}`` of the 8 groups of `GROUPS`; arguments and errors as for `au_regions`."""
    by_regions = _drawn(landmarks, size, {group.regions for group in GROUPS.values()})
    return {number: by_regions[group.regions] for number, group in GROUPS.items()}


def box_labels(number):
    """Returns the action units that the boxes of a group carry: its own and those of the groups it contains."""
    numbers = {number, *GROUPS[number].fetched}
    held = {name for each in numbers for name in GROUPS[each].action_units}
    return tuple(name for name in ACTION_UNITS if name in held)


def polygons(landmarks):
    """Returns ``{1: (N, 2) corners, ...}`` of the 43 regions in pixels, clockwise; see `au_regions`."""
    points, up, _ = _face(landmarks)
    corners = {
        number: np.array([points[list(averaged)].mean(0) + times * up for averaged, times in vertices])
        for number, vertices in VERTICES.items()
    }
    return {n: cv2.convexHull(c.astype(np.float32), clockwise=True)[:, 0].astype(float) for n, c in corners.items()}


def _face(landmarks):
    """Checked landmarks, the vector that moves a vertex up once, and the face's unit of length in pixels."""
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2):
        raise InputError(f"landmarks have shape {points.shape}, expected (68, 2) in iBUG 300-W order")
    if not np.isfinite(points).all():
        raise InputError("landmarks are unknown (NaN): regions need all 68; align or annotate the pictures first")
    down = invert(alignment_matrix(points, 2 * HALF_SIZE))[:, 1]  # of a crop in which the unit of length is a pixel
    return points, -UP * down, float(np.linalg.norm(down))


def _drawn(landmarks, size, wanted):
    """{region numbers: Region} of some tuples of region numbers."""
    _, _, unit = _face(landmarks)
    corners = polygons(landmarks)
    result = {}
    for numbers in wanted:
        mask = np.zeros((size, size), np.uint8)
        for number in numbers:
            _fill(mask, corners[number])
        result[numbers] = Region(mask.astype(bool), _boxes(mask, SMALLEST * unit**2))
    return result


def _fill(mask, corners):
    fraction = 4  # bits
    # A point a picture's width outside is as good as one further off, and no fixed-point number overflows.
    inside = np.clip(corners - 0.5, -10 * len(mask), 10 * len(mask))
    cv2.fillConvexPoly(mask, np.rint(inside * 2**fraction).astype(np.int32), 1, shift=fraction)


def _boxes(mask, smallest):
    """Boxes of the 8-connected parts of a mask that have at least `smallest` pixels."""
    _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes = [
        (top, left, top + height, left + width)
        for left, top, width, height, area in statistics[1:]  # the first is what is outside
        if area >= smallest
    ]
    return np.array(sorted(boxes, key=lambda box: box[1]), int).reshape(-1, 4)
