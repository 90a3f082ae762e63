"""The head's surface: MakeHuman's base mesh, bent by a person's genes and by action units.

Space: MakeHuman decimetres, x to the image's right when the head looks at the camera, y up, z toward the camera. The
person's own left side is at positive x.
"""

import dataclasses
import functools
import pathlib

import numpy as np

from tfface import conventions
from tfface.errors import InputError
from tfface.synthetic import atlas, expressions, raster

ASSET = pathlib.Path(__file__).parent.parent / "assets" / "head.npz"
# Lower lashes are wide flaps that no real eye has; the hair helper is not a surface.
UNDRAWN = ("helper-hair", "helper-l-eyelashes-1", "helper-r-eyelashes-1")
UPPER_LASHES = ("helper-l-eyelashes-2", "helper-r-eyelashes-2")
# MakeHuman's teeth touch the lips from behind and come through when lips press, and so does the tongue the teeth.
BACKWARD = {"helper-upper-teeth": 0.05, "helper-lower-teeth": 0.05, "helper-tongue": 0.1}  # dm
TEETH = ("helper-upper-teeth", "helper-lower-teeth")
MOUTH_MIDDLE = np.array([0.0, 6.65, 0.95])  # dm on the base mesh
LASH_LENGTH = 0.55  # of MakeHuman's, which are stage lashes


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """A textured surface in the head's rest space.

    Attributes:
        vertices: (V, 3) float32.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        uv: (V, 2) float32 in 0..1, u along the texture's columns, v along its rows (downward).
        texture: (H, W, 4) float32, linear RGB and strength of the gloss, all 0..1.
        two_sided: whether back faces are drawn (with their normals turned).
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    texture: np.ndarray
    two_sided: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry:
    """One person's surface, (5495, 3) float32 each, in the order of the asset's vertices.

    `vertices` wear the expression, `neutral` do not.
    """

    vertices: np.ndarray
    neutral: np.ndarray


class Template:
    """The asset, unpacked: the average surface, its parts and its blend targets.

    Attributes:
        vertices: (5495, 3) float32, MakeHuman's base mesh.
        source: (V,) int32, which of those each drawn vertex is; seams of the texture double some.
        triangles: (T, 3) int32 into drawn vertices, without the hair helper.
        uv: (V, 2) float32, atlas coordinates of the drawn vertices.
        part: (T,) int8 index into `part_names` of each triangle.
        part_names: tuple of names, as in the asset.
        skin_vertices: sorted numbers of the outer skin's vertices, without eye sockets and the mouth's inside.
        part_vertices: dict of part name to its sorted vertex numbers.
        target_names: tuple of the 477 targets' names.
    """

    def __init__(self, path):
        with np.load(path) as data:
            arrays = {name: data[name] for name in data.files}
        self.vertices = arrays["vertices"]
        self.part_names = tuple(str(name) for name in arrays["part_names"])
        self.target_names = tuple(str(name) for name in arrays["target_names"])
        self._target_number = {name: number for number, name in enumerate(self.target_names)}
        self._start = arrays["target_ptr"]
        self._index = arrays["target_index"].astype(np.int32)
        self._offset = arrays["target_delta_e3"].astype(np.float32) / 1000
        quads = np.stack([arrays["faces"], arrays["faces_uv"]], -1).astype(np.int64)
        self.part_vertices = {
            name: np.unique(quads[arrays["part"] == number, :, 0]) for number, name in enumerate(self.part_names)
        }
        for name, distance in BACKWARD.items():
            self.vertices[self.part_vertices[name], 2] -= np.float32(distance)
        self.skin_vertices = _on_islands(quads, arrays["uv"], ("head", "neck"))
        drawn = ~np.isin(arrays["part"], [self.part_names.index(name) for name in UNDRAWN])
        teeth = np.isin(arrays["part"], [self.part_names.index(name) for name in TEETH])
        drawn &= ~(teeth & _faces_inward(self.vertices[quads[:, :, 0]]))
        corners, numbers = np.unique(quads[drawn].reshape(-1, 2), axis=0, return_inverse=True)
        numbers = numbers.reshape(-1, 4)
        self.source = corners[:, 0].astype(np.int32)
        self.uv = atlas.pack(arrays["uv"][corners[:, 1]])
        self.triangles = numbers[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.int32)
        self.part = np.repeat(arrays["part"][drawn], 2)
        self.surface = self.source[self.triangles]
        self.lashes = np.concatenate([self.part_vertices[name] for name in UPPER_LASHES])
        away = self.vertices[self.lashes][:, None] - self.vertices[self.skin_vertices][None]
        self.lash_roots = self.skin_vertices[np.linalg.norm(away, axis=2).argmin(1)]

    def target(self, name):
        """Returns vertex numbers (N,) and offsets (N, 3) in dm of one target."""
        number = self._number(name)
        part = slice(self._start[number], self._start[number + 1])
        return self._index[part], self._offset[part]

    def _number(self, name):
        if name not in self._target_number:
            raise InputError(f"head: shape target {name!r} is unknown, expected one of Template.target_names")
        return self._target_number[name]

    def add(self, vertices, weights):
        """Moves `vertices` (5495, 3) in place by a mapping of target names to weights."""
        used = [(self._number(name), weight) for name, weight in weights.items() if weight]
        if used:
            numbers, amounts = (np.array(values) for values in zip(*used, strict=True))
            amounts = amounts.astype(np.float32)
            raster.add_offsets(vertices, self._start, self._index, self._offset, numbers, amounts)


@functools.cache
def template():
    """Returns the `Template`, read once per process."""
    return Template(ASSET)


def neutral(shape):
    """Returns the (5495, 3) float32 surface of a person without expression; `shape` maps target names to weights."""
    vertices = template().vertices.copy()
    template().add(vertices, shape)
    _shorten_lashes(vertices)
    return vertices


def deform(shape, action_units):
    """Returns the `Geometry` of a person wearing an expression.

    Args:
        shape: mapping of target names to weights (`people.Person.shape`).
        action_units: 17 intensities 0-5 in the order of `conventions.ACTION_UNITS`.
    """
    rest = neutral(shape)
    vertices = template().vertices.copy()
    template().add(vertices, shape)
    expressions.apply(template(), vertices, np.asarray(action_units, np.float64) / conventions.MAX_INTENSITY)
    _shorten_lashes(vertices)
    return Geometry(vertices=vertices, neutral=rest)


def _shorten_lashes(vertices):
    roots = vertices[template().lash_roots]
    vertices[template().lashes] = roots + np.float32(LASH_LENGTH) * (vertices[template().lashes] - roots)


def _faces_inward(corners):
    """Tells which (Q, 4, 3) quads look at the middle of the mouth: the teeth's backs, planks that no one should see."""
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    outward = (corners.mean(1) - MOUTH_MIDDLE) * [1, 0, 1]
    cosine = (normal * outward).sum(1) / (np.linalg.norm(normal, axis=1) * np.linalg.norm(outward, axis=1) + 1e-9)
    return cosine < -0.2


def _on_islands(quads, uv, names):
    """Returns the sorted vertices of `quads` (Q, 4, 2: vertex and coordinate numbers) on islands of the texture."""
    chosen = []
    for name in names:
        (u0, v0, u1, v1), _, _ = atlas.ISLANDS[name]
        u, v = uv[quads[:, :, 1]].mean(1).T
        chosen.append(quads[(u > u0) & (u < u1) & (v > v0) & (v < v1), :, 0].ravel())
    return np.unique(np.concatenate(chosen))


def normals(vertices):
    """Returns (5495, 3) float32 unit normals of the drawn surface (zero for vertices of no drawn triangle)."""
    return raster.vertex_normals(vertices, template().surface)
