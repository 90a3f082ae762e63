"""Hair meshes and roots: cuts, what attributes move, determinism."""

import dataclasses

import numpy as np
import pytest

from tfface.synthetic import attributes, hair, head, people
from tfface.synthetic.regions import regions, scalp_depth
from tfface.synthetic.surface import eye_frame


def someone(identity=12, **genes):
    person = people.person(identity, ())
    genes = {"bald": False, "bangs": False, **genes}
    return dataclasses.replace(person, hair=dataclasses.replace(person.hair, **genes))


def in_units(person, mesh):
    origin, unit = eye_frame(head.neutral(person.shape))
    return (mesh.vertices - origin) / unit


def drawn(person):
    return hair.meshes(person, head.neutral(person.shape))


def test_every_cut_occurs_among_people():
    cuts = {hair.cut(people.person(identity, attributes.default_attributes(identity))) for identity in range(300)}
    assert cuts == set(hair.CUTS)


@pytest.mark.parametrize("length", [0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("curl", [0.0, 0.5, 0.9])
def test_meshes_are_sound(length, curl):
    for mesh in drawn(someone(length=length, curl=curl, bangs=True)):
        assert np.isfinite(mesh.vertices).all()
        assert mesh.triangles.min() >= 0 and mesh.triangles.max() < len(mesh.vertices) == len(mesh.uv)
        assert mesh.uv.min() >= 0 and mesh.uv.max() <= 1
        assert mesh.texture.min() >= 0 and mesh.texture.max() <= 1


def test_hair_lies_outside_the_skull_and_off_the_face():
    person = someone(length=0.2, curl=0.0)
    r = in_units(person, drawn(person)[0])
    assert r[:, 1].max() > 3.5
    in_front = r[r[:, 2] > 0.3]
    assert (in_front[:, 1] > 1.6).all()


def test_longer_genes_reach_lower():
    people_of_lengths = [someone(length=length, curl=0.0, seed=3) for length in (0.2, 0.45, 0.9)]
    ends = [in_units(person, drawn(person)[0])[:, 1].min() for person in people_of_lengths]
    assert ends[0] > ends[1] + 1 > ends[2] + 2


def test_bald_has_no_mesh_and_shaven_has_no_roots():
    person = someone(bald=True, bald_fringe=0.0)
    assert drawn(person) == [] and hair.scalp_coverage(person).max() == 0
    fringe = hair.scalp_coverage(someone(bald=True, bald_fringe=1.0))
    assert fringe.max() > 0.5 and (scalp_depth()[fringe > 0.1] > 0).all()


def test_bangs_add_hair_over_the_forehead_above_the_eyes_and_change_nothing_else():
    without, with_bangs = someone(length=0.5, curl=0.0), someone(length=0.5, curl=0.0, bangs=True)
    plain, fringe = drawn(without), drawn(with_bangs)
    assert len(fringe) == len(plain) + 1
    np.testing.assert_array_equal(plain[0].vertices, fringe[0].vertices)
    r = in_units(with_bangs, fringe[-1])
    end = r[r[:, 2] > 0.4][:, 1].min()
    assert 0.25 < end < 1.7
    np.testing.assert_array_equal(hair.scalp_coverage(without), hair.scalp_coverage(with_bangs))


def test_colour_changes_texture_alone():
    black, blond = (someone(length=0.6, color=c) for c in ((0.01, 0.01, 0.01), (0.6, 0.45, 0.2)))
    for one, other in zip(drawn(black), drawn(blond), strict=True):
        np.testing.assert_array_equal(one.vertices, other.vertices)
        assert other.texture[..., :3].mean() > 5 * one.texture[..., :3].mean()


def test_roots_stay_off_ears_and_face():
    coverage = hair.scalp_coverage(someone(length=0.5))
    assert coverage[regions()["ear"] > 0.9].max() < 0.05
    assert coverage[regions()["cheek"] > 0.2].max() == 0


def test_a_receding_hairline_bares_the_forehead():
    low, high = (hair.scalp_coverage(someone(length=0.02, curl=0.0, hairline=x)).sum() for x in (0.0, 1.0))
    assert high < 0.95 * low


def test_same_person_same_bytes():
    one, other = drawn(someone(length=0.8)), drawn(someone(length=0.8))
    np.testing.assert_array_equal(one[0].vertices, other[0].vertices)
    np.testing.assert_array_equal(one[0].texture, other[0].texture)
