"""Fits the skull to the outline of the person: landmarks say nothing of it, and hair, hats and scarves reshape it."""

import dataclasses

import cv2
import numpy as np

from tfface import conventions
from tfface.rerendering import shape, texture
from tfface.synthetic import camera, head, raster

_RAYS = 240
_RASTER = 256  # pixels
# By the angle from straight up, degrees: how much the head may shrink and grow. At the sides hair hangs away from the
# skull, and further down the outline is that of neck and shoulders.
_ANGLES = (0, 45, 75, 100, 125, 180)
_LEAST = (0.80, 0.80, 0.80, 0.80, 0.95, 1.0)
_MOST = (1.40, 1.35, 1.15, 1.08, 1.0, 1.0)
_WITHIN = 1.02  # of the outline: what the rim shows of the person is spread over all that turns there
_CROWN = 50  # degrees from straight up
_MORE, _LEAST_HAIR, _THICKNESS = 1.5, 0.1, (0.0, 0.5)  # dm; the first a factor: combed hair lies flattest on top
_HAIR = (-0.1, 0.4)  # dm above the pivot: from no hair to hair
_BLUR = 6.0  # degrees
_FACE = (0.06, 0.42)  # dm from the landmarker's points: from not moved to fully moved


def wrap(fit, cover):
    """Returns the `fitting.Fit` with the skull moved in the picture's plane to where the person's outline is.

    Args:
        fit: of the picture.
        cover: (S, S) of `cutout.person`.
    """
    vertices = fit.surface()
    points, turned, _ = camera.project(vertices, 0.0, fit.pose, fit.camera)
    middle = camera.project(np.zeros((1, 3)), 0.0, fit.pose, fit.camera)[0][0]
    faces = texture.triangles()
    flat = np.column_stack([points * _RASTER, np.zeros(len(points))])
    mesh = raster.rasterize(flat, faces, np.zeros(len(faces), bool), _RASTER)[0] >= 0
    person = cv2.resize(cover, (_RASTER, _RASTER), interpolation=cv2.INTER_AREA) > 0.5
    angles = (np.arange(_RAYS) + 0.5) * 360 / _RAYS - 180  # from straight up, positive to the right
    ours, theirs = (_reach(mask, middle * _RASTER, angles) for mask in (mesh, person))
    low, high = (np.interp(np.abs(angles), _ANGLES, limits) for limits in (_LEAST, _MOST))
    factor = _blurred(np.clip(_WITHIN * theirs / np.maximum(ours, 1), low, high))
    off = turned[:, :2]
    own = np.rad2deg(np.arctan2(off[:, 0], off[:, 1]))
    grown = np.interp(own, angles, factor, period=360) - 1
    free = _freedom()
    rotation = conventions.rotation_matrix(fit.pose.yaw, fit.pose.pitch, fit.pose.roll)
    # Hair is as thick toward the camera and away from it as it stands above the head.
    crown = np.abs(angles) < _CROWN
    thick = np.mean((theirs - ours)[crown]) / (_RASTER * fit.camera.scale)
    facing = (head.normals(np.ascontiguousarray(vertices)) @ rotation.T)[:, 2]
    high = np.clip((turned[:, 1] - _HAIR[0]) / (_HAIR[1] - _HAIR[0]), 0, 1)
    depth = np.clip(_MORE * thick + _LEAST_HAIR, *_THICKNESS) * facing * high
    moved = np.column_stack([off * grown[:, None], depth]) * free[:, None]
    return dataclasses.replace(fit, correction=fit.correction + moved @ rotation)


def _reach(mask, middle, angles):
    """Returns (N,) pixels from `middle` to the first point outside the mask along each ray."""
    steps = np.arange(1, _RASTER)
    across = np.stack([np.sin(np.deg2rad(angles)), -np.cos(np.deg2rad(angles))], 1)
    at = middle + across[:, None] * steps[None, :, None]
    column, row = np.clip(at, 0, _RASTER - 1).astype(int).transpose(2, 0, 1)
    out = ~mask[row, column] | ((at < 0) | (at >= _RASTER)).any(2)
    out[:, -1] = True
    return steps[out.argmax(1)].astype(float)


def _blurred(values):
    sigma = _BLUR * _RAYS / 360
    return cv2.GaussianBlur(np.tile(values, 3)[None], (0, 0), sigma)[0, _RAYS : 2 * _RAYS]


def _freedom():
    """Returns (V,) 0 on the face, which the landmarks hold, to 1 on the rest of the skin."""
    from scipy import spatial

    vertices = head.template().vertices
    away = spatial.cKDTree(shape.points()[0] @ vertices).query(vertices)[0]
    share = np.clip((away - _FACE[0]) / (_FACE[1] - _FACE[0]), 0, 1)
    share = share * share * (3 - 2 * share)
    bound = np.ones(len(vertices), bool)
    bound[texture.groups()["skin"]] = False
    share[bound] = 0
    return share
