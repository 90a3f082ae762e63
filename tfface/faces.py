"""Finds every face of a photo: box, 478-point mesh, 68 landmarks, blendshapes and head pose. No TensorFlow.

The detector was made for one large face, so a photo is searched at several scales in overlapping tiles; every candidate
is then looked at twice by the mesh network (the second time through the mesh it just found, which makes the answer
independent of where the detector's box happened to lie), doubles are dropped, and the detector must find the face again
in upright views of it. That last step is what tells faces from car wheels: measured on 550 photos, real faces score
above 0.77 there, while the mesh network alone believes in almost anything.
"""

import dataclasses
import functools
from importlib import resources

import cv2
import numpy as np

from tfface import conventions, images
from tfface.errors import InputError
from tfface.landmarker import BLENDSHAPES, DETECTOR_SIZE, MESH_POINTS, Networks

SMALLEST_FACE = 32  # pixels; below that the mesh is guesswork
_SMALLEST_IN_TILE = 16  # pixels of a 128x128 tile that the detector still finds reliably
_TILE_STEP = 96
_LEVEL_STEP, _FINEST = 2.5, 2048  # between searched scales; longer side of the finest, for a bound on the time
_FLAT = 3.0  # levels of 255; a tile that varies less shows sky or a wall, and costs as much as a face
_CANDIDATE, _PRESENCE, _OVERLAP = 0.4, 0.5, 0.5
_CONFIRMED, _CONFIRMED_LARGE, _LARGE = 0.75, 0.4, 0.3  # large: this share of the photo's longer side, rarely a wheel
_CONFIRMED_TURNED = 0.8  # upside down, faces appear where there are none
_VIEWS = ((1.6, False), (2.2, True), (3.0, False))  # tile side in units of the face, mirrored
_AROUND_FACE = 1.5  # side of the mesh network's square, in units of the face's box

# iBUG 300-W points 17-67 in terms of mesh points; a pair means the middle of the two.
_INNER_68 = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # eyebrows, their upper edge
    (168, 6), 197, 5, (1, 4),  # bridge of the nose
    98, 97, 2, 326, 327,  # nose base
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyelids
    61, (39, 40), 37, 0, 267, (269, 270), 291, (321, 405), 314, 17, 84, (91, 181),  # outer lips
    78, 81, 13, 311, 308, 402, 14, 178,  # inner lips
)  # fmt: skip
# The face's rim from ear to ear through the chin; 0-16 are 17 points evenly spaced along it on the average face.
_JAW = (
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
    377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356,
)  # fmt: skip
# The face's whole rim, forehead included, clockwise from the top.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Face:
    """One face of a photo; every coordinate in pixels of the photo, y down, pixel centres at integers + 0.5."""

    box: np.ndarray  # (4,) float32: left, top, right, bottom of the mesh
    score: float  # the detector's in upright views of this face, 0-1
    presence: float  # the mesh network's, 0-1
    mesh: np.ndarray  # (478, 3) float32; z grows away from the camera, in pixels too
    blendshapes: np.ndarray  # (52,) float32, 0-1, in the order of `tfface.landmarker.BLENDSHAPES`

    @functools.cached_property
    def landmarks(self):
        """(68, 2) float32 in iBUG 300-W order; those turned away are where the mesh says they are, not on the rim."""
        return (mapping_68() @ self.mesh[:468, :2]).astype(np.float32)

    @functools.cached_property
    def pose(self):
        """(yaw, pitch, roll) in degrees, in the signs of `tfface.conventions`."""
        return head_pose(self.mesh)

    @property
    def size(self):
        """The longer side of the box in pixels."""
        return float(max(self.box[2:] - self.box[:2]))

    def blendshape(self, name):
        """Returns one blendshape's activation, 0-1, by its ARKit name such as ``jawOpen``."""
        return float(self.blendshapes[BLENDSHAPES.index(name)])


class Landmarker:
    """Finds faces; holds the networks, so make one and use it for many photos (one per thread)."""

    def __init__(self, threads=1):
        self._networks = Networks(threads)

    def find(self, image):
        """Finds all faces of a photo.

        Args:
            image: (H, W, 3) uint8 RGB, upright.

        Returns:
            list of `Face`, sorted by the middle of the box from left to right (then top to bottom), so that face N of a
            photo is always the same one. Faces below `SMALLEST_FACE` pixels, or 1/128 of the longer side, are not
            looked for; a picture without an upright face is searched again turned by 90, 180 and 270 degrees. Full
            profiles (yaw beyond about 60 degrees) are often missed: the mesh does not fit them.
        """
        image = np.ascontiguousarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(f"image is {image.dtype} {image.shape}: expected (height, width, 3) uint8 RGB")
        if min(image.shape[:2]) < SMALLEST_FACE:
            return []
        best = []
        for turns in range(4):
            candidates = self._candidates(np.ascontiguousarray(np.rot90(image, -turns)))
            faces = self._confirm(image, _turn_back(candidates, image.shape[1], image.shape[0], turns))
            if turns:
                faces = [face for face in faces if face.score > _CONFIRMED_TURNED]
            best = max(best, faces, key=lambda some: max((face.score for face in some), default=0.0))
            if any(abs(face.pose[2]) < 45 for face in best):
                break
        return sorted(best, key=lambda face: (face.box[0] + face.box[2], face.box[1] + face.box[3]))

    def follow(self, image, face):
        """Looks for `face` again in the next frame of a clip: cheaper and steadier than `find`; None if it is lost."""
        return self._look(image, face.mesh, face.score)

    def _candidates(self, image):
        """(N, 9) candidates of `Networks.detect` in pixels of `image`, best first, overlapping ones dropped."""
        height, width = image.shape[:2]
        found, small = [], image
        for level in reversed(
            _levels(max(height, width))
        ):  # each scale from the one before: a large photo is read once
            scale = level / max(height, width)
            size = max(round(width * scale), 1), max(round(height * scale), 1)
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            for x, y, tile in _tiles(small):
                if tile[::4, ::4].std() < _FLAT:
                    continue
                hits = self._networks.detect(tile, _CANDIDATE)
                hits[:, 1:] = (hits[:, 1:] + np.array([x, y] * 4, np.float32)) / scale
                found.append(hits)
        found = np.concatenate([np.zeros((0, 9), np.float32), *found])
        return found[_distinct(found[:, 1:5], found[:, 0])]

    def _confirm(self, image, candidates):
        faces = []
        for candidate in candidates:
            box, eyes = candidate[1:5], candidate[5:].reshape(2, 2)
            across = eyes[1] - eyes[0]
            centre, size = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * _AROUND_FACE
            # Only the second look decides whether this is a face: the first may have been cut or turned.
            mesh, _ = self._networks.mesh(image, centre, size, np.arctan2(across[1], across[0]))
            if face := self._look(image, mesh):
                score = self._score(image, face)
                if score >= (_CONFIRMED_LARGE if face.size > _LARGE * max(image.shape) else _CONFIRMED):
                    faces.append(dataclasses.replace(face, score=score))
        boxes = np.array([face.box for face in faces]).reshape(-1, 4)
        return [faces[i] for i in _distinct(boxes, np.array([face.score + face.presence for face in faces]))]

    def _score(self, image, face):
        """Mean score with which the detector finds `face` in upright views at several sizes."""
        scores = []
        across = face.mesh[263, :2] - face.mesh[33, :2]
        across /= np.linalg.norm(across)
        turn = np.array([across, (-across[1], across[0])])
        for wide, mirrored in _VIEWS:
            matrix = turn * (DETECTOR_SIZE / (face.size * wide))
            shift = DETECTOR_SIZE / 2 - matrix @ ((face.box[:2] + face.box[2:]) / 2)
            view = images.warp(image, np.column_stack([matrix, shift]), DETECTOR_SIZE, border="black")
            hits = self._networks.detect(view[:, ::-1] if mirrored else view, 0.05)
            off = np.abs((hits[:, 1:3] + hits[:, 3:5] - DETECTOR_SIZE) / 2).max(1)
            scores.append(hits[off < DETECTOR_SIZE * 0.15, 0].max(initial=0.0))
        return float(np.mean(scores))

    def _look(self, image, mesh, score=0.0):
        """Runs the mesh network on the square that an earlier mesh asks for."""
        across = mesh[263, :2] - mesh[33, :2]
        angle = np.arctan2(across[1], across[0])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        upright = mesh[:468, :2] @ turn
        low, high = upright.min(0), upright.max(0)
        size = max(high - low)
        if size < SMALLEST_FACE / 2:
            return None
        mesh, presence = self._networks.mesh(image, turn @ ((low + high) / 2), size * _AROUND_FACE, angle)
        if presence < _PRESENCE:
            return None
        box = np.concatenate([mesh[:468, :2].min(0), mesh[:468, :2].max(0)])
        if max(box[2:] - box[:2]) < SMALLEST_FACE:
            return None
        return Face(box, score, presence, mesh, self._networks.blendshapes(mesh))


def head_pose(mesh):
    """Returns (yaw, pitch, roll) in degrees of (478, 3) mesh points: weighted Procrustes on the average face's mesh."""
    canonical = _canonical()
    ids, weights = canonical["ids"], canonical["w"] / canonical["w"].sum()
    source = canonical["V"][ids].astype(np.float64)
    target = mesh[ids].astype(np.float64) * (1, -1, -1)  # to x right, y up, z toward the camera
    source, target = source - weights @ source, target - weights @ target
    u, _, vt = np.linalg.svd((target * weights[:, None]).T @ source)
    return conventions.pose_angles(u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt)


@functools.cache
def _canonical():
    with (resources.files("tfface") / "assets" / "canonical_mesh.npz").open("rb") as stream:
        return dict(np.load(stream))


def average_mesh():
    """Returns the (468, 3) mesh of the average face: x to the image's right, y up, z toward the viewer, centimetres."""
    return _canonical()["V"]


def rough_mesh(landmarks):
    """Returns a (478, 3) mesh around (68, 2) landmarks that says where a face is, for `Landmarker.follow` to look."""
    marks = np.asarray(landmarks, np.float64)
    # The average face's mesh, shifted, turned and scaled onto the landmarks: least squares over complex numbers.
    average = average_mesh() * (1, -1, -1)
    source = (mapping_68() @ average)[:, :2]
    a, b = (points - points.mean(0) for points in (source, marks))
    a, b = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    turn = np.vdot(a, b) / np.vdot(a, a)
    placed = (average[:, 0] - source[:, 0].mean()) + 1j * (average[:, 1] - source[:, 1].mean())
    placed = placed * turn + complex(*marks.mean(0))
    mesh = np.column_stack([placed.real, placed.imag, average[:, 2] * abs(turn)])
    return np.concatenate([mesh, mesh[: MESH_POINTS - len(mesh)]]).astype(np.float32)


@functools.cache
def mapping_68():
    """(68, 468) weights that turn mesh points into iBUG landmarks."""
    vertices = _canonical()["V"]
    mapping = np.zeros((68, len(vertices)))
    half = len(_JAW) // 2
    for first, run in ((0, _JAW[: half + 1]), (8, _JAW[half:])):
        lengths = np.linalg.norm(np.diff(vertices[list(run)], axis=0), axis=1)
        along = np.concatenate([[0], np.cumsum(lengths)])
        for i, place in enumerate(np.linspace(0, along[-1], 9)):
            before = min(np.searchsorted(along, place, side="right") - 1, len(lengths) - 1)
            share = (place - along[before]) / lengths[before]
            mapping[first + i] = 0
            mapping[first + i, run[before]] = 1 - share
            mapping[first + i, run[before + 1]] += share
    for i, points in enumerate(_INNER_68, start=17):
        mapping[i, np.atleast_1d(points)] = 1 / np.size(points)
    return mapping


def _levels(longer):
    """Longer sides, in pixels, to which a photo with this longer side is scaled for the search."""
    finest = np.clip(longer * _SMALLEST_IN_TILE / SMALLEST_FACE, DETECTOR_SIZE, _FINEST)
    steps = int(np.ceil(np.log(finest / DETECTOR_SIZE) / np.log(_LEVEL_STEP)))
    coarse = [DETECTOR_SIZE // 2]  # for faces that fill the frame or leave it
    return coarse + [round(DETECTOR_SIZE * (finest / DETECTOR_SIZE) ** (i / max(steps, 1))) for i in range(steps + 1)]


def _tiles(image):
    """Yields (left, top, 128x128 tile) covering `image`; a smaller image lies in the middle of one black tile."""
    for y in _steps(image.shape[0]):
        for x in _steps(image.shape[1]):
            tile = np.zeros((DETECTOR_SIZE, DETECTOR_SIZE, 3), np.uint8)
            left, top = max(x, 0), max(y, 0)
            part = image[top : y + DETECTOR_SIZE, left : x + DETECTOR_SIZE]
            tile[top - y : top - y + part.shape[0], left - x : left - x + part.shape[1]] = part
            yield x, y, tile


def _steps(length):
    spare = length - DETECTOR_SIZE
    if spare <= 0:
        return [spare // 2]
    return np.linspace(0, spare, -(-spare // _TILE_STEP) + 1).round().astype(int).tolist()


def _distinct(boxes, weights):
    """Indices of the boxes that no heavier box overlaps or swallows, heaviest first."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) if len(boxes) else np.zeros(0)
    kept = []
    for i in np.argsort(-weights, kind="stable"):
        for j in kept:
            shared = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2])
            if np.prod(shared.clip(0)) > _OVERLAP * min(area[i], area[j]):
                break
        else:
            kept.append(i)
    return kept


def _turn_back(candidates, width, height, turns):
    """Candidates found in a picture turned clockwise by `turns` quarters, in pixels of the (width, height) original."""
    points = candidates[:, 1:].reshape(-1, 4, 2)
    for turn in range(turns, 0, -1):
        side = height if turn % 2 else width  # of the picture before this quarter turn
        points = np.stack([points[..., 1], side - points[..., 0]], -1)
    box = np.concatenate([points[:, :2].min(1), points[:, :2].max(1)], 1)
    return np.concatenate([candidates[:, :1], box, points[:, 2:].reshape(-1, 4)], 1)
