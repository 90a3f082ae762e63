"""Faces are followed, found again, and smoothed without smearing turns and cuts."""

import numpy as np
import pytest
from skimage import data

from tfface import tracking
from tfface.faces import Landmarker


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


def frame(shift):
    return np.ascontiguousarray(data.astronaut()[:256, 100 - shift : 356 - shift])


def test_a_face_is_followed_lost_and_found_again(landmarker):
    tracker = tracking.Tracker(landmarker)
    black = np.zeros((256, 256, 3), np.uint8)
    assert tracker(black) == []
    assert [tracker(frame(0)) for _ in range(3)] == [[]] * 3  # a whole frame is searched from time to time only
    shifts = (0, 4, 8)
    found = [tracker(frame(shift))[0] for shift in shifts]
    middles = [(face.box[0] + face.box[2]) / 2 for face in found]
    np.testing.assert_allclose(np.diff(middles), 4, atol=1)
    gone = [tracker(black) for _ in range(2)]
    assert gone == [[None]] * 2
    back = [tracker(frame(40)) for _ in range(4)]
    assert back[-1][0] is not None
    assert abs((back[-1][0].box[0] + back[-1][0].box[2]) / 2 - middles[0] - 40) < 3


def jittering(frames=60, seed=0):
    """A still face of 100 pixels whose points jitter by 0.2 pixels."""
    random = np.random.default_rng(seed)
    mesh = random.uniform(0, 100, (478, 3))
    return mesh, (mesh + random.normal(0, 0.2, (frames, 478, 3))).astype(np.float32)


def test_jitter_of_a_still_face_is_averaged_away():
    mesh, meshes = jittering()
    before, after = (np.abs(x - mesh).mean() for x in (meshes, tracking.smooth_meshes(meshes)))
    assert after < 0.5 * before


def test_a_cut_is_not_smeared_and_a_gap_stays_a_gap():
    mesh, meshes = jittering()
    meshes[30:] += 50
    meshes[10:12] = np.nan
    smooth = tracking.smooth_meshes(meshes)
    assert np.abs(smooth[29] - mesh).max() < 1 and np.abs(smooth[30] - mesh - 50).max() < 1
    assert np.isnan(smooth[10:12]).all() and np.isfinite(smooth[[9, 12]]).all()


def test_a_moving_face_does_not_lag():
    mesh, _ = jittering()
    meshes = (mesh + np.arange(60)[:, None, None] * 3.0).astype(np.float32)
    np.testing.assert_allclose(tracking.smooth_meshes(meshes)[10:50], meshes[10:50], atol=1e-2)


def test_labels_are_averaged_over_frames_with_a_face():
    values = np.ones((20, 2), np.float32)
    values[5] = np.nan
    values[10, 0] = 5.0
    smooth = tracking.smooth_labels(values)
    assert np.isnan(smooth[5]).all() and np.isfinite(np.delete(smooth, 5, 0)).all()
    np.testing.assert_allclose(smooth[:5], 1, atol=1e-6)
    np.testing.assert_allclose(smooth[:, 1][np.arange(20) != 5], 1, atol=1e-6)
    assert 1.5 < smooth[10, 0] < 3 and smooth[9, 0] > smooth[8, 0] > 1
    assert smooth[:, 0][np.arange(20) != 5].sum() == pytest.approx(23, abs=0.1)  # nothing is added


def test_a_face_with_another_mesh_has_its_box(landmarker):
    face = landmarker.find(frame(0))[0]
    moved = tracking.with_mesh(face, face.mesh + np.float32([5, 7, 0]))
    np.testing.assert_allclose(moved.box, face.box + [5, 7, 5, 7], atol=1e-3)
    np.testing.assert_allclose(moved.landmarks, face.landmarks + [5, 7], atol=1e-3)
