import numpy as np
import pytest

from tfface import conventions
from tfface.errors import InputError
from tfface.synthetic import attributes, expressions, head, landmarks, people
from tfface.synthetic.scene import action_units

PEOPLE = (3, 7, 12, 40, 41)


def shape_of(identity):
    return people.person(identity, attributes.default_attributes(identity)).shape


def face(identity, **units):
    return head.deform(shape_of(identity), action_units(**units))


def points(geometry):
    return geometry.vertices[landmarks.VERTICES]


def eye_openings(geometry):
    p = points(geometry)[:, 1]
    return np.array([p[37] - p[41], p[38] - p[40], p[43] - p[47], p[44] - p[46]])


def test_template_is_one_closed_account_of_its_parts():
    template = head.template()
    assert template.vertices.shape == (5495, 3)
    assert template.triangles.max() == len(template.source) - 1
    assert template.part.shape == (len(template.triangles),)
    assert (template.uv >= 0).all() and (template.uv <= 1).all()
    drawn = {template.part_names[p] for p in np.unique(template.part)}
    assert {"body", "helper-l-eye", "helper-tongue", "helper-upper-teeth"} <= drawn
    assert not drawn & set(head.UNDRAWN)


def test_no_expression_is_the_neutral_surface():
    geometry = face(3)
    np.testing.assert_array_equal(geometry.vertices, geometry.neutral)
    np.testing.assert_array_equal(geometry.neutral, head.neutral(shape_of(3)))


def test_unknown_target_is_named():
    with pytest.raises(InputError, match="nose/none"):
        head.neutral({"nose/none": 1.0})


@pytest.mark.parametrize("name", conventions.ACTION_UNITS)
def test_every_unit_moves_the_face_more_the_stronger_it_is(name):
    for identity in PEOPLE[:2]:
        rest = face(identity)
        moved = [np.abs(face(identity, **{name: x}).vertices - rest.vertices).max() for x in (1, 2.5, 5)]
        assert 0 < moved[0] < moved[1] < moved[2]
        assert 0.025 < moved[2] < 0.5  # dm


@pytest.mark.parametrize("identity", PEOPLE)
def test_directions_of_the_movements(identity):
    rest = points(face(identity))

    def rise(indices, **units):
        return (points(face(identity, **units))[indices, 1] - rest[indices, 1]).mean()

    corners, brows = [48, 54], [19, 20, 23, 24]
    assert rise([21, 22], AU01=5) > 0.02
    assert rise([17, 18, 25, 26], AU02=5) > 0.02
    assert rise(brows, AU04=5) < -0.02
    assert rise(corners, AU12=5) > 0.05
    assert rise(corners, AU15=5) < -0.02
    assert rise([8], AU26=5) < -0.08
    assert rise([66], AU25=5) < -0.02
    assert rise([50, 51, 52], AU10=5) > 0.02
    assert rise([57], AU17=5) > 0.02
    assert rise([31, 35], AU09=5) > 0.01
    wide = points(face(identity, AU20=5))
    assert wide[54, 0] - wide[48, 0] > rest[54, 0] - rest[48, 0] + 0.05
    tight = points(face(identity, AU23=5))
    assert tight[54, 0] - tight[48, 0] < rest[54, 0] - rest[48, 0]


@pytest.mark.parametrize("identity", PEOPLE)
@pytest.mark.parametrize("others", [{}, {"AU07": 5}, {"AU05": 5}, {"AU06": 5, "AU12": 5}])
def test_blinking_closes_any_eye_exactly(identity, others):
    before = eye_openings(face(identity, **others))
    after = eye_openings(face(identity, AU45=5, **others))
    assert (after <= 0.004).all()
    assert (after >= -0.02).all()
    half = eye_openings(face(identity, AU45=2.5, **others))
    assert half.sum() < 0.75 * before.sum()


def test_upper_lid_raises_and_squints():
    opening = eye_openings(face(3)).mean()
    assert eye_openings(face(3, AU05=5)).mean() > 1.15 * opening
    assert eye_openings(face(3, AU07=5)).mean() < 0.8 * opening
    assert eye_openings(face(3, AU06=5)).mean() < opening


def test_units_stay_where_they_belong():
    rest = face(7)
    mouth = face(7, AU12=5, AU26=5).vertices - rest.vertices
    brows = face(7, AU01=5, AU02=5, AU04=5).vertices - rest.vertices
    assert np.abs(mouth[landmarks.VERTICES[17:27]]).max() < 0.01
    assert np.abs(brows[landmarks.VERTICES[48:68]]).max() < 0.01


def test_lower_teeth_and_tongue_follow_the_jaw_and_upper_teeth_do_not():
    template = head.template()
    moved = face(7, AU26=5).vertices - face(7).vertices
    assert moved[template.part_vertices["helper-lower-teeth"], 1].mean() < -0.05
    assert moved[template.part_vertices["helper-tongue"], 1].mean() < -0.05
    assert np.abs(moved[template.part_vertices["helper-upper-teeth"]]).max() < 0.01


def test_lashes_follow_the_lids():
    template = head.template()
    moved = face(7, AU45=5).vertices - face(7).vertices
    lashes = moved[template.lashes, 1].min()
    assert lashes < 0.7 * moved[landmarks.VERTICES[[37, 38]], 1].mean() < 0


@pytest.mark.parametrize("identity", PEOPLE)
def test_eyeballs_stay_in_their_sockets(identity):
    geometry = face(identity)
    parts = head.template().part_vertices
    p = points(geometry)
    for name, ring in (("helper-r-eye", slice(36, 42)), ("helper-l-eye", slice(42, 48))):
        ball, lids = geometry.vertices[parts[name]], p[ring]
        centre = ball.mean(0)
        radius = np.linalg.norm(ball - centre, axis=1).max()
        assert lids[:, 0].min() < centre[0] < lids[:, 0].max()
        # Lids lie on the ball: neither inside it nor far before it.
        distance = np.linalg.norm(lids - centre, axis=1)
        assert (distance > 0.78 * radius).all()
        assert (distance < 1.45 * radius).all()


def test_all_units_at_once_do_not_explode():
    rng = np.random.default_rng(0)
    for identity in PEOPLE:
        for units in (np.full(17, 5.0), *rng.uniform(0, 5, (3, 17))):
            geometry = head.deform(shape_of(identity), units)
            assert np.isfinite(geometry.vertices).all()
            assert np.abs(geometry.vertices - geometry.neutral).max() < 0.8


def test_each_unit_has_targets_or_closes_lids():
    assert set(expressions._TARGETS) == set(conventions.ACTION_UNITS)
