import numpy as np

from tfface.synthetic import head, landmarks
from tfface.synthetic.landmarks import VERTICES, visible

MIRROR = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38,
          37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]  # fmt: skip


def test_the_points_are_each_others_mirror_images():
    points = head.template().vertices[VERTICES]
    np.testing.assert_allclose(points[MIRROR] * [-1, 1, 1], points, atol=0.03)
    assert len(set(VERTICES)) == 68


def test_ibug_order():
    x, y, z = head.template().vertices[VERTICES].T
    assert (np.diff(x[:17]) > -0.01).all()  # jaw from image left to right, lowest in the middle
    assert y[:17].argmin() == 8
    assert (np.diff(x[17:27]) > 0).all()
    assert (np.diff(y[27:31]) < 0).all()
    assert z[27:36].argmax() == 3
    assert (np.diff(x[31:36]) > 0).all()
    for ring in (slice(36, 42), slice(42, 48)):
        a, b, c, d, e, f = np.stack([x[ring], y[ring]], 1)
        assert a[0] < b[0] < c[0] < d[0] and d[0] > e[0] > f[0] > a[0]
        assert min(b[1], c[1]) > max(e[1], f[1])
    assert (np.diff(x[48:55]) > 0).all() and (np.diff(x[54:60]) < 0).all()
    assert y[49:54].min() > y[55:60].max()
    assert (np.diff(x[60:65]) > 0).all() and (np.diff(x[64:68]) < 0).all()
    # brows above eyes above nose above mouth above chin
    assert y[17:27].min() > y[36:48].max() > y[31:36].max() > y[48:60].max() > y[8]
    inside = y[[61, 62, 63]].max() < y[[50, 51, 52]].max() and y[[65, 66, 67]].min() > y[[56, 57, 58]].min()
    assert inside


def test_visibility_is_a_depth_test_within_the_picture():
    depth = np.full((8, 8), np.nan)
    depth[:, :4] = 10.0
    occluder = np.zeros((4, 4), bool)
    occluder[3] = True
    points = np.full((68, 2), 0.6)
    distance = np.full(68, 10.0)
    points[1:4] = [[3.5, 0.5], [0.5, 3.5], [-0.1, 1.0]]  # before nothing, behind the occluder, outside
    distance[4] = 10.5  # behind the surface
    distance[60] = 10 + landmarks.HIDDEN_BEHIND[60] / 2  # between the lips
    seen = visible(points, distance, depth, occluder)
    np.testing.assert_array_equal(seen[:6], [1, 1, 0, 0, 0, 1])
    assert seen[60] == 1
    assert seen.dtype == np.int8
