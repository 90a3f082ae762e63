"""The fit finds the head that points were projected from; the light finds the light; the cut keeps the person."""

import dataclasses

import numpy as np
import pytest

from tfface import conventions
from tfface.conventions import ACTION_UNITS
from tfface.rerendering import cutout, fitting, light, outline, shape, texture
from tfface.synthetic import camera, head, people
from tfface.synthetic.scene import Camera, Pose


def points_of(neutral, action_units, pose, lens, size):
    """What a perfect landmarker would see: pixels and depth that grows away from the camera."""
    surface = shape.points()[0] @ shape.express(neutral, action_units)
    at, turned, _ = camera.project(surface, 0.0, pose, lens)
    return np.column_stack([at * size, -turned[:, 2] * lens.scale * size])


def test_fit_finds_the_truth():
    drawn = head.neutral(people.person(5000, ()).shape).astype(np.float64)
    neutral = drawn - camera.pivot(drawn)
    worn = np.zeros(17)
    worn[[ACTION_UNITS.index("AU12"), ACTION_UNITS.index("AU26")]] = 0.8, 0.6
    pose, lens = Pose(22.0, -7.0, 4.0), Camera(0.2, 0.03, -0.02, fitting.FIELD_OF_VIEW)
    points = points_of(neutral, worn, pose, lens, 400)
    fit = fitting.fit(points, 400, (15.0, 0.0, 0.0))
    assert abs(fit.pose.yaw - 22) < 1.5 and abs(fit.pose.roll - 4) < 1 and abs(fit.pose.pitch + 7) < 4
    assert fit.error < 0.02  # dm; the head is a fifth of the picture per dm
    np.testing.assert_allclose(
        fit.action_units[[ACTION_UNITS.index("AU12"), ACTION_UNITS.index("AU26")]], (0.8, 0.6), atol=0.25
    )
    assert (fit.action_units >= 0).all() and (fit.action_units <= 1).all()
    # The correction takes away most of what is left.
    again, _, _ = camera.project(shape.points()[0] @ fit.surface(), 0.0, fit.pose, fit.camera)
    off = np.linalg.norm(again * 400 - points[:, :2], axis=1)
    assert np.sqrt((off**2).mean()) < fit.error * lens.scale * 400


def test_model_is_made_of_heads():
    model = shape.model()
    assert model.mean.shape == (5495, 3) and model.units.shape == (17, 5495, 3)
    sizes = np.sqrt((model.components**2).sum((1, 2)))
    assert (np.diff(sizes) <= 1e-3).all()  # in falling order
    weights, spread = shape.points()
    np.testing.assert_allclose(np.asarray(weights.sum(1)).ravel(), 1, atol=1e-5)
    assert spread.min() > 0 and np.median(spread) < 0.05
    mirror = shape.mirrored()
    assert (mirror[mirror] == np.arange(len(mirror))).mean() > 0.99
    # The landmarker's points of the eyes' outer corners and the mouth's lie at the head's own landmarks.
    from tfface.synthetic import landmarks

    at, own = weights @ head.template().vertices, head.template().vertices[landmarks.VERTICES]
    for point, landmark in ((33, 36), (263, 45), (61, 48), (291, 54), (1, 30)):
        assert np.linalg.norm(at[point] - own[landmark]) < 0.12


def test_light_of_a_lit_ball():
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((3000, 3))
    normals[:, 2] = np.abs(normals[:, 2]) + 0.3
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    toward = conventions.light_direction(40.0, 25.0)
    brightness = 0.3 + 0.25 * normals @ toward
    colors = np.repeat(brightness[:, None] ** (1 / 2.2), 3, 1)
    colors[:300] = 0.05  # a beard
    found = light.estimate(colors, normals)
    assert abs(found.direction[0] - 40) < 8 and abs(found.direction[1] - 25) < 8
    same = found.gain(normals, normals)
    np.testing.assert_allclose(same, 1)
    toward_light, away = toward[None], np.array([[-toward[0], 0, toward[2]]])
    assert found.gain(away, toward_light)[0] > 1.1


def test_fill_keeps_what_is_known_and_is_smooth_elsewhere():
    values = np.zeros((33, 41, 2), np.float32)
    values[..., 0], values[..., 1] = 3.0, np.arange(41)
    weight = np.ones((33, 41), np.float32)
    weight[8:20, 10:25] = 0
    values[8:20, 10:25] = 1000
    filled = cutout.fill(values, weight)
    np.testing.assert_allclose(filled[..., 0], 3, atol=1e-3)
    np.testing.assert_allclose(filled[weight > 0], values[weight > 0], atol=1e-3)
    assert 5 < filled[14, 12, 1] < filled[14, 22, 1] < 30


def test_extend_is_harmonic():
    known = np.zeros(5495, bool)
    known[texture.groups()["skin"][::3]] = True
    values = np.full((5495, 1), 7.0)
    values[~known] = -100
    found = texture.extend(values, known, np.full((5495, 1), 7.0), np.full(5495, 1e-4))
    np.testing.assert_allclose(found[texture.groups()["skin"]], 7, atol=1e-3)


def test_skull_follows_the_outline():
    mean = shape.model().mean
    fit = fitting.Fit(mean, np.zeros_like(mean), np.zeros(17), Pose(), Camera(0.2, 0, 0, 20.0), 0.0)
    row, column = np.mgrid[:200, :200] + 0.5
    points, _, _ = camera.project(mean, 0.0, fit.pose, fit.camera)
    top = points[:, 1].min()
    cover = ((row / 200 > top - 0.05) & (np.abs(column / 200 - 0.5) < 0.3)).astype(np.float32)  # hair above the skull
    wrapped = outline.wrap(fit, cover)
    at, _, _ = camera.project(wrapped.surface(), 0.0, fit.pose, fit.camera)
    assert at[:, 1].min() < top - 0.03
    moved = np.linalg.norm(shape.points()[0] @ wrapped.correction, axis=1)
    assert moved.max() < 0.02  # dm: the face stays


@pytest.mark.parametrize("strength", (0.0, 1.0))
def test_surface_wears_the_expression(strength):
    mean = shape.model().mean
    fit = fitting.Fit(mean, np.full_like(mean, 0.01), np.zeros(17), Pose(), Camera(0.2, 0, 0, 20.0), 0.0)
    worn = np.zeros(17)
    worn[ACTION_UNITS.index("AU12")] = strength
    lifted = fit.surface(worn) - fit.surface()
    corner = shape.points()[0][61] @ lifted
    assert (corner[..., 1] > 0.05) == bool(strength)
    assert dataclasses.replace(fit, action_units=worn).surface().shape == (5495, 3)
