"""Scene in, labelled picture out."""

import dataclasses
import functools

import numpy as np

from tfface import conventions
from tfface.synthetic import (
    appearance,
    background,
    camera,
    clothes,
    glasses,
    hair,
    head,
    landmarks,
    people,
    props,
    raster,
    shading,
    wrinkles,
)

# Raise it with every change after which a scene gives another picture or label, or a seed other scenes (sampler,
# people, cooccurrence): data sets carry it, and one that another version made is neither continued nor reused.
RENDERER_VERSION = 1

_EYES = ("helper-l-eye", "helper-r-eye")
_BRIGHTEST, _STEPS = 2.0, 32768
_WET = ("helper-upper-teeth", "helper-lower-teeth", "helper-tongue")


@dataclasses.dataclass(frozen=True, eq=False)
class Rendering:
    """A picture and its exact labels.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        mask: (S, S) uint8, 255 where the head with its hair and glasses is seen or would be without the occluder.
        occluder: (S, S) uint8, 255 where something stands in front of the head or the background.
        landmarks: (68, 2) float32 in pixels, y down, pixel centres at +0.5.
        landmarks_visible: (68,) int8, see `landmarks.visible`.
        depth: (S, S) float32, distance of the head from the camera in dm, NaN where it is not.
    """

    image: np.ndarray
    mask: np.ndarray
    occluder: np.ndarray
    landmarks: np.ndarray
    landmarks_visible: np.ndarray
    depth: np.ndarray


def render(scene, image_size=128, supersample=2):
    """Draws a `scene.Scene`; the same scene gives the same bytes on every call and in every process.

    Args:
        scene: what to draw.
        image_size: side of the square picture in pixels.
        supersample: samples per pixel and axis.

    Returns:
        A `Rendering`.

    Raises:
        InputError: the scene names a background or an occluder that does not exist.
    """
    person = people.person(scene.identity, scene.attributes)
    geometry = head.deform(person.shape, scene.action_units)
    instead = scene.occluder is not None and scene.occluder.kind == "sunglasses"  # nobody wears two pairs
    worn = _worn(scene.identity, scene.attributes, not instead)
    before = []
    if scene.occluder:
        before = props.occluder(scene.occluder.kind, scene.occluder.seed, person, geometry.neutral)
    model = _Model([face_mesh(person, geometry), *worn, *before], geometry, 1 + len(worn))
    fine = image_size * supersample
    points, turned, distance = camera.project(model.vertices, camera.pivot(geometry.neutral), scene.pose, scene.camera)
    seen = np.column_stack([points * fine, 1 / distance])
    head_number, weights, nearness = raster.rasterize(
        seen, model.triangles[: model.head_triangles], model.two_sided[: model.head_triangles], fine
    )
    number = head_number
    if before:
        number, weights, _ = raster.rasterize(seen, model.triangles, model.two_sided, fine)
    picture = _shaded(scene, model, number, weights, turned, distance)
    hit = head_number >= 0
    depth = np.where(hit, 1 / np.where(hit, nearness, 1), np.nan)
    covered = _coarse(number >= 0, supersample)[..., None]
    behind = background.paint(scene.background.kind, scene.background.seed, image_size)
    occluder = _coarse(number >= model.head_triangles, supersample) >= 0.5
    at = points[model.landmarks] * image_size
    return Rendering(
        image=to_srgb(_coarse(picture, supersample) + behind * (1 - covered)),
        mask=_as_mask(_coarse(hit, supersample) >= 0.5),
        occluder=_as_mask(occluder),
        landmarks=at.astype(np.float32),
        landmarks_visible=landmarks.visible(at, distance[model.landmarks], depth, occluder),
        depth=_coarse_depth(depth, supersample),
    )


def face_mesh(person, geometry):
    """Returns the `head.Mesh` of skin, eyes, teeth, tongue and lashes of a person wearing an expression."""
    template = head.template()
    texture = appearance.face_texture(person)
    return head.Mesh(geometry.vertices[template.source], template.triangles, template.uv, texture)


@functools.lru_cache(maxsize=24)
def _worn(identity, attributes, with_glasses):
    """Shirt, hair and glasses: kept for the last two dozen people, whose pictures usually follow one another."""
    person = people.person(identity, attributes)
    neutral = head.neutral(person.shape)
    worn = [*clothes.meshes(identity, neutral), *hair.meshes(person, neutral)]
    return tuple(worn + glasses.meshes(person, neutral) if person.glasses.worn and with_glasses else worn)


class _Model:
    """All meshes of a scene as one list of vertices and triangles: the face, what is worn, what stands before it."""

    def __init__(self, meshes, geometry, head_meshes):
        template = head.template()
        self.meshes = meshes
        vertex = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
        self.first = np.cumsum([0] + [len(mesh.triangles) for mesh in meshes])
        self.head_triangles = self.first[head_meshes]
        self.vertices = np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float64)
        self.triangles = np.concatenate([m.triangles + np.int32(v) for m, v in zip(meshes, vertex, strict=False)])
        self.uv = np.concatenate([mesh.uv for mesh in meshes])
        self.two_sided = np.repeat([mesh.two_sided for mesh in meshes], [len(mesh.triangles) for mesh in meshes])
        # Seams of the texture double vertices of the face; its normals come from the surface without seams.
        face = head.normals(geometry.vertices)[template.source]
        rest = [raster.vertex_normals(mesh.vertices, mesh.triangles) for mesh in meshes[1:]]
        self.normals = np.concatenate([face, *rest])
        self.material = np.full(len(self.triangles), shading.SOLID, np.int8)
        self.material[: len(template.part)] = _face_materials(template)
        # Lashes are sheets: as sheets they would throw the shadow of a board.
        self.casts = np.ones(len(self.triangles), bool)
        self.casts[: len(template.part)] = _face_casts(template)
        self.landmarks = _drawn(template)[landmarks.VERTICES]


def _face_materials(template):
    kinds = [
        shading.EYE if name in _EYES else shading.WET if name in _WET else shading.SKIN for name in template.part_names
    ]
    return np.array(kinds, np.int8)[template.part]


def _face_casts(template):
    return np.array(["lashes" not in name for name in template.part_names])[template.part]


def _drawn(template):
    """Returns (5495,) the first drawn vertex of each vertex of the surface."""
    first = np.zeros(len(template.vertices), np.int64)
    first[template.source[::-1]] = np.arange(len(template.source))[::-1]
    return first


def _shaded(scene, model, number, weights, turned, distance):
    rotation = conventions.rotation_matrix(scene.pose.yaw, scene.pose.pitch, scene.pose.roll)
    own_axes = turned @ rotation
    casting, both = model.triangles[model.casts], model.two_sided[model.casts]
    open_sky = shading.openness(own_axes, model.normals, casting, both, len(model.vertices))
    toward = conventions.light_direction(scene.light.azimuth, scene.light.elevation)
    light_points, light_heights = shading.depth_view(
        turned, casting, both, shading.look_along(toward), shading.SHADOW_SIZE, shading.SHADOW_REACH
    )
    light = np.array([*toward, scene.light.intensity, scene.light.ambient])
    normals = model.normals @ rotation.T.astype(np.float32)
    crease = wrinkles.creases(scene.action_units)
    picture = np.zeros((*number.shape, 3), np.float32)
    for mesh, first, last in zip(model.meshes, model.first, model.first[1:], strict=False):
        shading.shade(
            first, last, number, weights, distance, model.triangles, model.uv, normals, open_sky, light_points,
            mesh.texture, model.material, light_heights, light, crease, picture,
        )  # fmt: skip
    return picture


def _coarse(picture, factor):
    """Averages blocks of factor x factor pixels of (N, N) or (N, N, C)."""
    rows = sum(picture[k::factor].astype(np.float32) for k in range(factor))
    return sum(rows[:, k::factor] for k in range(factor)) / np.float32(factor * factor)


def _coarse_depth(depth, factor):
    """Nearest of the samples that hit the head; averages across an outline would lie on neither side."""
    samples = [depth[i::factor, k::factor] for i in range(factor) for k in range(factor)]
    return functools.reduce(np.fmin, samples).astype(np.float32)


def _as_mask(chosen):
    return np.where(chosen, np.uint8(255), np.uint8(0))


def to_srgb(picture):
    """Returns uint8 sRGB (IEC 61966-2-1) of a linear float picture; highlights roll off instead of clipping."""
    return _srgb_table()[(np.clip(picture, 0, _BRIGHTEST) * (_STEPS / _BRIGHTEST) + 0.5).astype(np.int32)]


@functools.cache
def _srgb_table():
    linear = np.arange(_STEPS + 1) * (_BRIGHTEST / _STEPS)
    soft = np.where(linear > 0.8, 1 - 0.2 * np.exp(-(linear - 0.8) / 0.2), linear)
    encoded = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * soft ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255).astype(np.uint8)
