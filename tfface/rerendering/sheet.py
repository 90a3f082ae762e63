"""What the head's mesh does not have, hair and shoulders, as a sheet of the photo that turns with the head.

The sheet hangs on the mesh: at the mesh's outline it has the mesh's depth, and further away it lies in the plane that
goes through the head from ear to ear, so that it turns to the front no farther than hair does.
"""

import dataclasses

import cv2
import numpy as np

from tfface import conventions
from tfface.rerendering import cutout, texture
from tfface.synthetic import camera, raster

CELLS = 96
_BEHIND = 0.07  # dm that the sheet lies behind the mesh where both are
_OVERLAP = 0.16  # dm of the mesh, within its outline, that the sheet lies under
_PLANE = -0.3  # dm before the pivot, where that plane is
_NEAR = 0.12  # dm from the mesh to it
_LEAST_COVER = 0.03
_STEEPEST = 2.5  # change of depth over a cell, in cells: steeper parts are smears


@dataclasses.dataclass(frozen=True, eq=False)
class Sheet:
    """A surface.

    Attributes:
        vertices: (N, 3) dm about the pivot, in the head's own axes.
        triangles: (M, 3); steep (K, 3) those that join parts of very different depth, to be drawn behind all else.
        at: (N, 2) pixels of the cut.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    steep: np.ndarray
    at: np.ndarray


def make(points, turned, distance, cover, pose, lens):
    """Returns the `Sheet` of a person in a square picture.

    Args:
        points, turned, distance: of the mesh's vertices, from `camera.project`.
        cover: (S, S) of `cutout.person`.
        pose, lens: of the picture.
    """
    side = CELLS + 1
    faces = texture.triangles()
    at = np.arange(side) / CELLS  # corners of cells; the raster samples there when the picture grows by half a cell
    seen = np.column_stack([(points * CELLS + 0.5), 1 / distance])
    number, _, near = raster.rasterize(seen, faces, np.zeros(len(faces), bool), side)
    covered = number >= 0
    far = camera.BOX / 2 / np.tan(np.deg2rad(lens.field_of_view) / 2)
    depth = np.where(covered, far - 1 / np.where(covered, near, 1), 0).astype(np.float32)
    step = 1 / CELLS / lens.scale  # dm between corners
    within = cv2.distanceTransform(covered.astype(np.uint8), cv2.DIST_L2, 5) * step
    outside = cv2.distanceTransform((~covered).astype(np.uint8), cv2.DIST_L2, 5) * step
    rim = covered & (within < 2.5 * step)
    hung = cutout.fill(depth[..., None], rim.astype(np.float32))[..., 0]
    rotation = conventions.rotation_matrix(pose.yaw, pose.pitch, pose.roll)
    x, y = np.meshgrid(at, at)
    across, up = (x - 0.5 - lens.x) / (lens.scale * far), (0.5 + lens.y - y) / (lens.scale * far)
    lean = across * rotation[0, 2] + up * rotation[1, 2]
    plane = (_PLANE - far * lean) / np.maximum(rotation[2, 2] - lean, 0.2)
    share = np.clip(outside / _NEAR, 0, 1)
    beyond = hung + (np.minimum(plane, hung) - hung) * share * share * (3 - 2 * share)
    depth = np.where(covered, depth, beyond) - _BEHIND * np.minimum(1, within / _OVERLAP + covered)
    flat = np.stack([across * (far - depth), up * (far - depth), depth], -1).reshape(-1, 3)
    vertices = flat @ rotation
    size = len(cover)
    cell = -(-size // CELLS)  # corners a cell away from the person still carry a part of them
    most = cv2.dilate(cover, np.ones((2 * cell + 1, 2 * cell + 1), np.uint8))
    here = texture.sample(most, np.stack([x, y], -1).reshape(-1, 2) * size).reshape(side, side)
    used = (here > _LEAST_COVER) & (within < _OVERLAP)
    corner = np.arange(side * side).reshape(side, side)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    low, high = (cv2.erode(depth, np.ones((2, 2))), cv2.dilate(depth, np.ones((2, 2))))
    steep = (high - low)[1:, 1:] > _STEEPEST * step
    keep = used[:-1, :-1] & used[:-1, 1:] & used[1:, :-1] & used[1:, 1:]
    first, second = np.stack([a, c, d], -1), np.stack([a, d, b], -1)
    gentle, smeared = (
        np.concatenate([first[some], second[some]]).astype(np.int32) for some in (keep & ~steep, keep & steep)
    )
    at = np.stack([x, y], -1).reshape(-1, 2) * size
    return Sheet(vertices, gentle, smeared, at)
