"""The photo as the head's texture: where each vertex is seen, whose mirror image is, and what fills the rest."""

import dataclasses
import functools

import cv2
import numpy as np

from tfface.rerendering import shape
from tfface.synthetic import head, landmarks, raster

_BIAS = 0.06  # dm behind the nearest surface that still count as seen
_FACING = (0.02, 0.12)  # cosine between the view and the normal from which on a surface is seen
_STRETCHED = (0.12, 0.45)  # of the pixels that a view needs, those that the photo has: fewer are taken from elsewhere
_GAP = 150  # of this many picture sides is the rim of parted lips that still tells of the teeth
_SOFT, _TURNED = 4, 10.0  # rounds of smoothing at the end of what is seen, in views turned by so many degrees or more
_TONE = 2.2  # largest factor between a side and the mirrored other one
# sRGB of what a closed mouth hides, under light in which skin is as bright as _SKIN.
_INSIDE = {"helper-upper-teeth": (0.80, 0.76, 0.70), "helper-lower-teeth": (0.70, 0.66, 0.61),
           "helper-tongue": (0.58, 0.33, 0.32), "mouth": (0.22, 0.10, 0.10)}  # fmt: skip
_LIP, _DARKENS, _DARKEST = 0.12, 0.3, 0.4  # dm behind the lips' front where it begins to get dark, over which, how dark
_FAINT, _FIRM = 1e-4, 0.3  # pulls of `extend`
_SCLERA = (0.78, 0.75, 0.73)
_SKIN = 0.62
_EYES = ("helper-l-eye", "helper-r-eye")


@functools.cache
def triangles():
    """Returns (T, 3) triangles of skin, eyes, teeth and tongue into the 5495 vertices; a photo has its own lashes."""
    template = head.template()
    lashes = [number for number, name in enumerate(template.part_names) if "lashes" in name]
    return np.ascontiguousarray(template.surface[~np.isin(template.part, lashes)])


@functools.cache
def groups():
    """Returns dict of name to vertex numbers: the parts of `_INSIDE`, "eyes", "sockets" and "skin"."""
    template = head.template()
    parts = template.part_vertices
    hidden = np.setdiff1d(parts["body"], template.skin_vertices)
    eyes = np.concatenate([parts[name] for name in _EYES])
    low = template.vertices[hidden, 1] < template.vertices[eyes, 1].min() - 0.1
    inside = {name: parts[name] for name in _INSIDE if name in parts}
    return inside | {"mouth": hidden[low], "sockets": hidden[~low], "eyes": eyes, "skin": template.skin_vertices}


@functools.cache
def _laplacian():
    from scipy import sparse

    faces, count = triangles(), len(head.template().vertices)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.unique(np.sort(ends, 1), axis=0)
    ones = np.ones(len(ends))
    links = sparse.coo_matrix((ones, (ends[:, 0], ends[:, 1])), (count, count))
    links = (links + links.T).tocsr()
    return sparse.diags(np.asarray(links.sum(1)).ravel()) - links


def extend(values, known, otherwise, pull):
    """Returns (V, C): `values` where `known` (V,), elsewhere smooth over the surface and drawn to `otherwise` (V, C) by
    `pull` (V,), which is above 0."""
    from scipy import sparse
    from scipy.sparse import linalg

    result = values.copy()
    rest = np.flatnonzero(~known)
    rows = _laplacian()[rest]
    matrix = rows[:, rest] + sparse.diags(pull[rest])
    right = -rows[:, np.flatnonzero(known)] @ values[known] + pull[rest, None] * otherwise[rest]
    result[rest] = linalg.splu(matrix.tocsc()).solve(right)
    return result


@dataclasses.dataclass(frozen=True, eq=False)
class Texture:
    """What a photo says about the 5495 vertices.

    Attributes:
        at: (V, 2) where each lies in the photo, pixels.
        facing: (V,) cosine between its normal and the view, 0 where it is hidden or not the person.
        sure: (V,) the same, 0 also at the person's rim, where some of what is behind may be seen.
        tone: (V, 3) factor that turns the mirrored side's colour into this side's.
        fill: (V, 3) sRGB 0-1 where neither side is seen.
    """

    at: np.ndarray
    facing: np.ndarray
    sure: np.ndarray
    tone: np.ndarray
    fill: np.ndarray

    def weights(self, facing, turn):
        """Returns (V,) shares of the vertex's own place, and of the mirrored one among the rest, for a new view.

        Args:
            facing: (V,) cosine between normal and view in the new picture.
            turn: degrees between the two views; the farther, the more softly what was seen ends.
        """
        need = np.maximum(facing, 0.25)
        soft = np.minimum(self.facing, _smoothed(self.sure[:, None], _SOFT)[:, 0].clip(0))
        inside = _inside()
        soft[inside] = np.where(self.facing[inside] > 0, 1.0, 0.0)  # teeth that are seen stay teeth
        soft = self.facing + min(turn / _TURNED, 1.0) * (soft - self.facing)
        mirrored = soft[shape.mirrored()]
        return _rise(soft / need, _STRETCHED) * (soft > 0), _rise(mirrored / need, _STRETCHED) * (mirrored > 0)


def seen(points, distance, normals, cover, size):
    """Returns (V,) cosines between normals and the view, 0 for vertices that are hidden or do not show the person.

    Args:
        points: (V, 2) in pixels of a (size, size) picture, distance (V,) from the camera.
        normals: (V, 3) in camera axes.
        cover: (size, size) of `cutout.person`.
    """
    faces = triangles()
    both = np.zeros(len(faces), bool)
    number, _, buffer = raster.rasterize(np.column_stack([points, 1 / distance]), faces, both, size)
    far = np.where(np.isneginf(buffer), -np.inf, 1 / np.maximum(buffer, 1e-9))
    far = cv2.dilate(far.astype(np.float32), np.ones((3, 3), np.uint8))
    column, row = np.clip(points, 0, size - 1).astype(int).T
    inside = ((points >= 0) & (points < size)).all(1)
    visible = inside & (distance <= far[row, column] + _BIAS) & (cover[row, column] > 0.5)
    facing = np.where(visible, np.clip(normals[:, 2], 0, 1) * _rise(normals[:, 2], _FACING), 0.0)
    # Between parted lips few vertices are seen; all teeth along the same lines of sight look like what is.
    behind_lips, teeth = np.zeros(len(points), bool), np.concatenate([groups()[name] for name in head.TEETH])
    behind_lips[_inside()] = True
    gap = ((number >= 0) & behind_lips[faces].all(1)[number]).astype(np.uint8)
    brush = np.ones((2 * (size // _GAP) + 1,) * 2, np.uint8)
    gap = cv2.dilate(cv2.morphologyEx(gap, cv2.MORPH_OPEN, brush), brush) > 0
    facing[teeth] = gap[row, column][teeth]
    return facing


def make(photo, cover, points, facing):
    """Returns the `Texture`.

    Args:
        photo: (S, S, 3) float32 sRGB 0-1, of `cutout.continued`; cover (S, S) of `cutout.person`.
        points: (V, 2) of the vertices in pixels; facing: (V,) of `seen`.
    """
    side = 2 * (len(photo) // 120) + 1
    well_within = cv2.erode(cover, np.ones((side, side), np.uint8)) > 0.9
    column, row = np.clip(points, 0, len(photo) - 1).astype(int).T
    sure = np.where(well_within[row, column], facing, 0.0)
    known = sure > 0.15
    smooth = cv2.GaussianBlur(photo, (0, 0), len(photo) / 160)
    colors = sample(smooth, points).astype(np.float64)
    mirror, parts = shape.mirrored(), groups()
    skin = np.zeros(len(points), bool)
    skin[parts["skin"]] = True
    both = known & known[mirror]
    ratio = np.log((colors + 0.03) / (colors[mirror] + 0.03)).clip(-np.log(_TONE), np.log(_TONE))
    tone = np.exp(_smoothed(extend(ratio, both, np.zeros_like(ratio), np.full(len(points), _FAINT))))
    only_mirror = known[mirror] & ~known
    base = np.where(only_mirror[:, None], colors[mirror] * tone, colors)
    has = known | only_mirror
    level = np.median(colors[known & skin], 0).mean() if (known & skin).any() else _SKIN
    otherwise = np.tile(np.median(colors[has & skin], 0) if (has & skin).any() else np.full(3, 0.5), (len(points), 1))
    pull = np.full(len(points), _FAINT)
    top, back = _scalp()
    if known[top].any():
        otherwise[back], pull[back] = np.median(colors[top][known[top]], 0), _FIRM
    bright = np.clip(level / _SKIN, 0.3, 1.25)
    fixed = has.copy()
    for name, color in _INSIDE.items():
        unseen = parts[name][~known[parts[name]]]
        base[unseen], fixed[unseen] = np.multiply(color, bright) * _depth_shade()[unseen, None], True
    for name in ("eyes", "sockets"):
        otherwise[parts[name]] = np.multiply(_SCLERA, bright)
    return Texture(points, facing, sure, tone, np.clip(extend(base, fixed, otherwise, pull), 0, 1))


def sample(picture, points):
    """Returns (N, C) or (N,) values of a picture at points (N, 2), pixel centres at + 0.5, its border repeated."""
    x, y = (np.asarray(points, np.float32) - np.float32(0.5)).T.reshape(2, -1, 1)
    # OpenCV maps at most 32767 rows at once.
    parts = [
        cv2.remap(picture, x[i : i + 32000], y[i : i + 32000], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for i in range(0, len(x), 32000)
    ]
    return np.concatenate(parts)[:, 0] if parts else np.zeros((0, *picture.shape[2:]), picture.dtype)


@functools.cache
def _inside():
    """Returns the vertices of the mouth's inside."""
    return np.concatenate([groups()[name] for name in _INSIDE])


@functools.cache
def _depth_shade():
    """Returns (V,) how much light reaches each vertex of the mouth's inside, by how far it lies behind the lips."""
    z = head.template().vertices[:, 2]
    lips = z[landmarks.VERTICES[60:]].max()
    return _DARKEST + (1 - _DARKEST) * np.exp(-np.maximum(lips - _LIP - z, 0) / _DARKENS)


@functools.cache
def _scalp():
    """Returns the vertices of the top of the head, whose hair a photo shows, and of the back, which looks alike."""
    vertices, skin = head.template().vertices, head.template().skin_vertices
    eyes = vertices[groups()["eyes"]].mean(0)
    y, z = (vertices[skin] - eyes)[:, 1:].T
    return skin[(y > 0.85) & (z < 0.1)], skin[(y > -0.35) & (z < -1.15)]


def _smoothed(values, times=6):
    laplacian = _laplacian()
    degree = np.maximum(laplacian.diagonal(), 1)[:, None]
    for _ in range(times):
        values = values - 0.6 * (laplacian @ values) / degree
    return values


def _rise(x, limits):
    x = np.clip((x - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return x * x * (3 - 2 * x)
