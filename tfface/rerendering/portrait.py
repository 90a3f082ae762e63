"""One face of a photo, fitted and cut out, that can be drawn with another pose and expression."""

import dataclasses

import cv2
import numpy as np

from tfface import alignment, conventions, images
from tfface.rerendering import cutout, fitting, outline, shape, sheet, texture
from tfface.rerendering import light as lights
from tfface.synthetic import camera, head, landmarks, raster
from tfface.synthetic.scene import Pose

MARGIN = 2.3  # of the square around the face that is looked at, as in `alignment.alignment_matrix`
LARGEST_ERROR = 0.06  # dm between the fitted head and the landmarker's points
SUPERSAMPLE = 2
_TURNED = 10.0  # degrees from which on a view has nothing of the photo's own rim
_TOWARD = 4.0  # 1 / the cosine from which on a surface faces the camera


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """A picture of a portrait and its labels, those of `synthetic.render.Rendering`."""

    image: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray
    landmarks_visible: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    """A face in a square cut of a photo.

    Attributes:
        picture: (S, S, 3) float32 sRGB 0-1, the cut; person (S, S, 3) the person's colours, continued around them.
        cover: (S, S) float32 0-1, where the person is; reach (S, S) the same, a little wider and softer.
        background: (S, S, 3) float32 sRGB 0-1, the picture without the person.
        matrix: 2x3, photo to pixels of the cut.
        fit: `fitting.Fit`; light: `light.Light`; texture: `texture.Texture`; sheet: `sheet.Sheet`.
    """

    picture: np.ndarray
    person: np.ndarray
    cover: np.ndarray
    reach: np.ndarray
    background: np.ndarray
    matrix: np.ndarray
    fit: fitting.Fit
    light: lights.Light
    texture: texture.Texture
    sheet: sheet.Sheet

    @classmethod
    def of(cls, photo, face, size):
        """Fits a face.

        Args:
            photo: (H, W, 3) uint8 RGB.
            face: `tfface.faces.Face`.
            size: side in pixels of the square that is cut out around it (`MARGIN`).
        """
        matrix = alignment.alignment_matrix(face.landmarks, size, MARGIN)
        cut = images.warp(photo, matrix, size)
        scale = np.sqrt(np.linalg.det(matrix[:, :2]))
        mesh = np.column_stack([alignment.apply(matrix, face.mesh[:, :2]), face.mesh[:, 2] * scale])
        fit = fitting.fit(mesh, size, conventions.pose_in_crop(face.pose, matrix))
        picture, cover = cut.astype(np.float32) / 255, cutout.person(cut)
        cover *= _inside(photo, matrix, size)
        person = cutout.continued(picture, cover)
        fit = outline.wrap(fit, cover)
        vertices = fit.surface()
        points, turned, distance = camera.project(vertices, 0.0, fit.pose, fit.camera)
        normals = _normals(vertices, fit.pose)
        facing = texture.seen(points * size, distance, normals, cover, size)
        skin = _bare_skin()
        skin = skin[facing[skin] > 0.3]
        colors = texture.sample(cv2.GaussianBlur(person, (0, 0), size / 200), points[skin] * size)
        return cls(
            picture=picture,
            person=person,
            cover=cover,
            reach=cutout.widened(cover),
            background=cutout.background(picture, cover),
            matrix=matrix,
            fit=fit,
            light=lights.estimate(colors, normals[skin]),
            texture=texture.make(person, cover, points * size, facing),
            sheet=sheet.make(points, turned, distance, cover, fit.pose, fit.camera),
        )

    def crop(self, pose, image_size, margin):
        """Returns 2x3, pixels of the cut to those of an aligned crop of the face in another pose."""
        at = self._landmarks(self.fit.surface(), pose)[0]
        return alignment.alignment_matrix(at, image_size, margin)

    def render(self, pose, action_units, matrix, image_size):
        """Draws the person.

        Args:
            pose: `scene.Pose` in the cut's axes; its pivot stays where it is.
            action_units: 17 intensities 0-1.
            matrix: 2x3, pixels of the cut to those of the result, such as `crop` gives.
            image_size: side of the result.

        Returns:
            `View`.
        """
        fine, size = image_size * SUPERSAMPLE, len(self.person)
        to_fine = np.asarray(matrix, np.float64) * SUPERSAMPLE
        vertices = self.fit.surface(action_units)
        points, _, distance = camera.project(vertices, 0.0, pose, self.fit.camera)
        normals = _normals(vertices, pose)
        before = _normals(self.fit.surface(), self.fit.pose)
        turn = _turn(self.fit.pose, pose)
        own, other = self.texture.weights(np.clip(normals[:, 2], 0, 1), turn)
        # From where it was taken, the photo itself is the best picture of the person's rim.
        colors = self.picture + min(turn / _TURNED, 1.0) * (self.person - self.picture)
        toward = np.clip(before[:, 2] * _TOWARD, 0, 1)
        gain = 1 + toward * (self.light.gain(before, normals) - 1)  # what fills the rest has the light of no place
        mirror = shape.mirrored()
        attributes = np.column_stack([
            self.texture.at, self.texture.at[mirror], own, other, gain, toward, self.texture.tone, self.texture.fill,
        ])  # fmt: skip
        faces = texture.triangles()
        seen = np.column_stack([alignment.apply(to_fine, points * size), 1 / distance])
        number, near, values = _drawn(seen, faces, distance, attributes, fine, False)
        hit = number >= 0
        color, cover = np.zeros((fine, fine, 3), np.float32), np.zeros((fine, fine), np.float32)
        color[hit], cover[hit] = self._skin(values, colors)

        hung = self.sheet
        points, _, distance = camera.project(hung.vertices, 0.0, pose, self.fit.camera)
        seen = np.column_stack([alignment.apply(to_fine, points * size), 1 / distance])
        hair, hair_cover, hair_near = self._hung(seen, hung.triangles, distance, colors, fine)
        smear, smear_cover, _ = self._hung(seen, hung.steep, distance, colors, fine)

        result = images.warp(self.background, to_fine, fine)
        in_front = (hair_near > near)[..., None]
        first, first_cover = np.where(in_front, color, hair), np.where(in_front[..., 0], cover, hair_cover)
        last, last_cover = np.where(in_front, hair, color), np.where(in_front[..., 0], hair_cover, cover)
        for layer, layer_cover in ((smear, smear_cover), (first, first_cover), (last, last_cover)):
            result += layer_cover[..., None] * (layer - result)
        covered = 1 - (1 - cover) * (1 - hair_cover) * (1 - smear_cover)
        coarse = _coarse(result)
        at, away = self._landmarks(vertices, pose)
        at = alignment.apply(matrix, at)
        near = np.maximum(near, np.where(hair_cover > 0.5, hair_near, -np.inf))
        depth = np.where(np.isneginf(near), np.nan, 1 / np.where(np.isneginf(near), 1, near))
        return View(
            image=np.rint(coarse.clip(0, 1) * 255).astype(np.uint8),
            mask=np.where(_coarse(covered) >= 0.5, np.uint8(255), np.uint8(0)),
            landmarks=at.astype(np.float32),
            landmarks_visible=landmarks.visible(at, away, depth, np.zeros((image_size, image_size), bool)),
        )

    def _skin(self, values, colors):
        """Returns (N, 3) colours and (N,) cover of drawn pixels from their interpolated attributes."""
        at, mirrored, own, other, gain, toward, tone, fill = np.split(values, [2, 4, 5, 6, 7, 8, 11], 1)
        rest = other * texture.sample(colors, mirrored) * tone + (1 - other) * fill
        color = own * texture.sample(colors, at) + (1 - own) * rest
        # What would be seen in the photo, where it shows what is behind the person, is not there.
        return color * gain, 1 - toward[:, 0] * (1 - texture.sample(self.reach, at))

    def _hung(self, seen, triangles, distance, colors, size):
        """Returns (size, size, 3) colours, (size, size) cover and nearness of a part of the sheet."""
        number, near, values = _drawn(seen, triangles, distance, self.sheet.at, size, True)
        color, cover = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
        color[number >= 0] = texture.sample(colors, values)
        cover[number >= 0] = texture.sample(self.cover, values)
        return color, cover, near

    def _landmarks(self, vertices, pose):
        """Returns (68, 2) pixels of the cut and (68,) distances from the camera."""
        at, _, distance = camera.project(vertices[landmarks.VERTICES], 0.0, pose, self.fit.camera)
        return at * len(self.person), distance


def turned_to(pose, yaw):
    """Returns a `Pose` with another yaw (degrees) and the same pitch and roll."""
    return Pose(yaw, pose.pitch, pose.roll)


def _inside(photo, matrix, size):
    """Returns (size, size) 0 where the square cut leaves the photo; below it the picture goes on, mirrored."""
    height, width = photo.shape[:2]
    inside = images.warp(np.ones((3 * height, width), np.float32), matrix, size, border="black")
    return inside.clip(0, 1)


def _turn(before, after):
    """Returns the angle in degrees between two poses."""
    first, last = (conventions.rotation_matrix(pose.yaw, pose.pitch, pose.roll) for pose in (before, after))
    return float(np.rad2deg(np.arccos(np.clip((np.trace(first.T @ last) - 1) / 2, -1, 1))))


def _normals(vertices, pose):
    own = head.normals(np.ascontiguousarray(vertices))
    return own.astype(np.float64) @ conventions.rotation_matrix(pose.yaw, pose.pitch, pose.roll).T


def _bare_skin():
    """Returns vertices of cheeks, nose, forehead and chin, where skin shows nothing but its shade."""
    vertices = head.template().vertices
    points = shape.points()[0] @ vertices
    skin = head.template().skin_vertices
    from scipy import spatial

    near = spatial.cKDTree(points).query(vertices[skin])[0] < 0.15
    features = np.concatenate([vertices[landmarks.VERTICES[17:27]], vertices[landmarks.VERTICES[36:]]])
    away = spatial.cKDTree(features).query(vertices[skin])[0] > 0.14
    return skin[near & away]


def _drawn(seen, triangles, distance, attributes, size, two_sided):
    """Rasterises a mesh: (size, size) triangle numbers and nearness, (N, C) float32 attributes of the hit pixels."""
    number, weights, near = raster.rasterize(seen, triangles, np.full(len(triangles), two_sided), size)
    hit = number >= 0
    corners = triangles[number[hit]]
    second, third = weights[hit].astype(np.float64).T
    share = np.stack([1 - second - third, second, third], 1) / distance[corners]  # linear in space, not in the picture
    share /= share.sum(1, keepdims=True)
    values = sum(share[:, k, None] * attributes[corners[:, k]] for k in range(3))
    return number, near, values.astype(np.float32)


def _coarse(picture):
    return sum(picture[i::SUPERSAMPLE, k::SUPERSAMPLE] for i in range(SUPERSAMPLE) for k in range(SUPERSAMPLE)) / 4
