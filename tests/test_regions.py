import numpy as np
import pytest

from tfface import alignment, conventions, regions
from tfface.errors import InputError
from tfface.synthetic import head
from tfface.synthetic.landmarks import VERTICES

# Regions and their mirror images. The source's 7 leaves out the corner that its mirror image 14 has.
MIRROR = {1: 6, 2: 5, 3: 4, 8: 13, 9: 12, 10: 11, 15: 20, 16: 19, 17: 18, 21: 24, 22: 23, 25: 28, 26: 27, 29: 32,
          30: 31, 33: 36, 34: 35, 37: 37, 38: 39, 40: 41, 42: 43}  # fmt: skip


def average_face(size=256):
    """Landmarks of the average head without expression, cropped as photos are; exactly symmetric."""
    points = head.template().vertices[VERTICES][:, :2] * [1, -1]
    points = (points + conventions.mirror_landmarks(points, 0)) / 2
    return alignment.apply(alignment.alignment_matrix(points, size), points)


def square_face():
    """Landmarks in the middle of a 100-pixel picture but for the eyes, 40 apart, and what a test moves."""
    points = np.full((68, 2), 50.0)
    points[36:42], points[42:48], points[31:36] = (30.0, 40.0), (70.0, 40.0), (50.0, 71.0)  # unit of length: 20
    return points


def area(corners):
    x, y = corners.T
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


def test_the_partition_covers_the_17_and_every_vertex_is_a_landmark():
    assert sorted(regions.VERTICES) == list(range(1, 44))
    points = [point for vertices in regions.VERTICES.values() for averaged, _ in vertices for point in averaged]
    assert min(points) == 1 and max(points) < 68
    assert regions.VERTICES[3] == (((21,), 1), ((27,), 2), ((27,), 0), ((21,), 0))
    assert regions.VERTICES[16] == (((41,), 0), ((2, 41), 0), ((3, 29), 0), ((39,), 0))
    assert tuple(regions.AU_REGIONS) == conventions.ACTION_UNITS
    grouped = [name for group in regions.GROUPS.values() for name in group.action_units]
    assert sorted(grouped) == sorted(set(conventions.ACTION_UNITS) - {"AU45"})
    assert set(regions.AU_REGIONS["AU45"]) == {8, 9, 12, 13, 40, 41, 42, 43}


def test_mirrored_vertices_are_those_of_the_other_side():
    def mirrored(number):
        return {(frozenset(conventions.LANDMARK_MIRROR[list(p)].tolist()), up) for p, up in regions.VERTICES[number]}

    for left, right in MIRROR.items():
        assert mirrored(left) == {(frozenset(points), up) for points, up in regions.VERTICES[right]}, left
    assert len(mirrored(7)) == 3 and len(regions.VERTICES[14]) == 4


def test_regions_of_hand_made_landmarks():
    face = square_face()
    face[[33, 55, 56, 57, 58, 59]] = [(50, 60), (62, 70), (58, 80), (50, 80), (42, 80), (38, 70)]
    face[31:36] += (50.0, 71.0) - face[31:36].mean(0)  # moves the nose base back, and with it point 33
    corners = regions.polygons(face)[37]
    assert area(corners) == pytest.approx((24 * (70 - face[33, 1])) / 2 + (24 + 16) / 2 * 10)
    # Up is 20 of the source's pixels, and its neutral face is 462 high, 4.35 half eye distances (here 20).
    up = 20 / 462 * 4.35 * 20
    face[[17, 19]] = [(20, 30), (40, 30)]
    assert area(regions.polygons(face)[1]) == pytest.approx(20 * up, rel=1e-6)
    face[[21, 27]] = [(45, 30), (55, 30)]  # 21u, 27uu, 27, 21
    assert area(regions.polygons(face)[3]) == pytest.approx(10 * 1.5 * up, rel=1e-6)
    # An average of two landmarks: 2, 2~41, 3~29, 3.
    face[[2, 41, 3, 29]] = [(10, 50), (50, 40), (10, 60), (50, 60)]
    face[[36, 37, 38, 39, 40]] += ((30.0, 40.0) - face[36:42].mean(0)) * 6 / 5
    assert sorted(map(tuple, regions.polygons(face)[15].round(4))) == [(10, 50), (10, 60), (30, 45), (30, 60)]


def test_up_is_20_pixels_of_the_source_crop():
    """The average face cropped as the source does has the box the source falls back on, within its mean face."""
    points = average_face(1000)
    low, high = points[1:].min(0), points[1:].max(0)
    assert regions.UP * alignment_unit(points) == pytest.approx(20 * (high - low)[1] / 462, rel=0.005)
    scale = 462 / (high - low)[1]
    across = 512 / ((high - low)[0] * scale + 40)
    crop = ((points - low) * scale + (20, 50)) * (across, 1)
    boxes = regions.group_regions(crop, 512)[1].boxes
    assert np.abs(boxes - [(30, 58, 140, 223), (30, 297, 141, 457)]).max() <= 32


def alignment_unit(points):
    return 1 / np.sqrt(np.linalg.det(alignment.alignment_matrix(points, 2 * alignment.HALF_SIZE)[:, :2]))


def test_masks_and_boxes_of_the_groups():
    found = regions.group_regions(average_face(), 256)
    assert {number: len(region.boxes) for number, region in found.items()} == {1: 2} | dict.fromkeys(range(2, 9), 1)
    for region in found.values():
        rows, columns = np.nonzero(region.mask)
        top, left, bottom, right = np.concatenate([region.boxes[:, :2].min(0), region.boxes[:, 2:].max(0)])
        assert (top, left, bottom, right) == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    assert found[1].boxes[0, 3] < 128 < found[1].boxes[1, 1]
    # Brows above nose above mouth above chin; contained groups lie within.
    assert found[1].boxes[0, 2] < found[5].boxes[0, 2] < found[7].boxes[0, 2]
    assert (found[6].mask | ~found[7].mask).all() and (found[6].mask | ~found[8].mask).all()


def test_action_units_have_the_masks_of_their_groups():
    face = average_face(64)
    of_units, of_groups = regions.au_regions(face, 64), regions.group_regions(face, 64)
    assert tuple(of_units) == conventions.ACTION_UNITS
    for number, group in regions.GROUPS.items():
        for name in group.action_units:
            assert np.array_equal(of_units[name].mask, of_groups[number].mask)
    assert len(of_units["AU45"].boxes) == 2
    assert (of_groups[1].mask | ~of_units["AU45"].mask).all()
    assert of_units["AU12"].mask.shape == (64, 64) and 0.03 < of_units["AU12"].mask.mean() < 0.3


def test_regions_scale_and_turn_with_the_face():
    face = average_face(256)
    small, large = regions.polygons(face), regions.polygons(face * 3)
    assert all(np.allclose(3 * small[n], large[n]) for n in small)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    turned = regions.polygons((face - 128) @ turn.T + 128)
    for number, corners in small.items():
        assert area(turned[number]) == pytest.approx(area(corners))
    masks = regions.au_regions(face, 256), regions.au_regions(face * 2, 512)
    for name in conventions.ACTION_UNITS:
        assert masks[1][name].mask.sum() == pytest.approx(4 * masks[0][name].mask.sum(), rel=0.05)
        assert np.abs(masks[1][name].boxes - 2 * masks[0][name].boxes).max() <= 2


def test_a_mirrored_face_has_mirrored_regions():
    face = average_face(256) + np.random.default_rng(0).normal(0, 2, (68, 2))
    found = regions.group_regions(face, 256)
    for number, region in regions.group_regions(conventions.mirror_landmarks(face, 256), 256).items():
        assert (region.mask[:, ::-1] != found[number].mask).mean() < 0.003, number
        assert np.abs(region.boxes[::-1][:, [1, 3]] - (256 - found[number].boxes[:, [3, 1]])).max() <= 1


def test_parts_below_one_percent_of_the_crop_have_no_box():
    face = average_face(256)
    far = np.array([*range(22, 27), *range(42, 48)])  # the right eye and brow, as seen on a head that turns away
    folded = face.copy()
    folded[far] = (folded[far] - folded[42]) * (0.05, 1) + folded[42]
    region = regions.group_regions(folded, 256)[1]
    assert len(region.boxes) == 1 and region.boxes[0, 3] < 128
    assert region.mask[:, 150:].any()  # it still is where the action unit shows


def test_labels_that_boxes_fetch():
    assert regions.box_labels(1) == ("AU01", "AU02", "AU05", "AU07")
    assert regions.box_labels(2) == ("AU01", "AU02", "AU04", "AU05", "AU07")
    assert regions.box_labels(3) == ("AU06", "AU09")
    assert regions.box_labels(7) == ("AU17", "AU23")
    mouth = ("AU10", "AU12", "AU14", "AU15", "AU20", "AU25", "AU26")
    assert regions.box_labels(5) == mouth
    assert regions.box_labels(6) == (*mouth[:4], "AU17", "AU20", "AU23", "AU25", "AU26")


def test_faces_outside_the_picture_and_bad_landmarks():
    away = regions.au_regions(average_face(64) + 500, 64)
    assert not any(region.mask.any() or len(region.boxes) for region in away.values())
    with pytest.raises(InputError, match="expected \\(68, 2\\)"):
        regions.au_regions(np.zeros((5, 2)), 64)
    with pytest.raises(InputError, match="unknown"):
        regions.group_regions(np.full((68, 2), np.nan), 64)
