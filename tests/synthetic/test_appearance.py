"""The whole texture: same bytes again, and each attribute paints its own region and nothing else."""

import dataclasses

import numpy as np
import pytest

from tfface.synthetic import appearance, attributes, people
from tfface.synthetic.regions import regions, scalp_depth
from tfface.synthetic.surface import surface

IDENTITY = 12
PLAIN = tuple(
    sorted(
        {
            **dict(attributes.default_attributes(IDENTITY)), "Bald": 0, "Bangs": 0, "Brown_Hair": 1, "Black_Hair": 0,
            "Blond_Hair": 0, "Gray_Hair": 0, "Male": 1, "No_Beard": 1, "Mustache": 0, "Goatee": 0, "Young": 1,
            "Bushy_Eyebrows": 0, "Pale_Skin": 0, "Wearing_Lipstick": 0, "Eyeglasses": 0,
        }.items()
    )
)  # fmt: skip


def texels(**changes):
    """(N, 4) colours of the texels in use, of the plain man with some attributes changed."""
    values = tuple(sorted({**dict(PLAIN), **changes}.items()))
    s = surface()
    return appearance.face_texture(people.person(IDENTITY, values))[s.row, s.column]


def changed(**changes):
    return np.abs(texels(**changes) - texels()).max(1) > 2e-3


def test_texture_is_finite_in_range_and_read_only():
    texture = appearance.face_texture(people.person(IDENTITY, PLAIN))
    assert texture.shape == (512, 512, 4) and texture.dtype == np.float32
    assert np.isfinite(texture).all() and texture.min() >= 0 and texture.max() <= 1
    with pytest.raises(ValueError):
        texture[0, 0] = 0


def test_same_person_same_bytes_without_the_cache():
    person = people.person(IDENTITY, PLAIN)
    first = appearance.face_texture(person)
    appearance.clear()
    np.testing.assert_array_equal(appearance.face_texture(person), first)


def test_bushy_eyebrows_change_brows_alone():
    s = surface()
    where = changed(Bushy_Eyebrows=1)
    assert where.sum() > 300
    assert s.where("head")[where].all()
    assert (np.abs(s.y[where] - 0.75) < 0.65).all() and (np.abs(s.x[where]) < 2.2).all()


def test_mustache_changes_the_upper_lip_alone():
    s = surface()
    where = changed(Mustache=1, No_Beard=0)
    assert where.sum() > 200
    assert (s.y[where] < -1.5).all() and (s.y[where] > -2.7).all() and (np.abs(s.x[where]) < 1.3).all()


def test_goatee_changes_the_chin_alone():
    s = surface()
    where = changed(Goatee=1, No_Beard=0)
    assert where.sum() > 200 and (s.y[where] < -2.5).all() and (np.abs(s.x[where]) < 1.1).all()


def test_beard_changes_the_beard_area_alone():
    where = changed(No_Beard=0)
    assert where.sum() > 2000 and (regions()["beard"][where] > 0).all()


def test_lipstick_changes_the_lips_alone_and_visibly():
    where = changed(Wearing_Lipstick=1)
    assert where.sum() > 300 and (regions()["lips"][where] > 0).all()
    lips = regions()["lips"] > 0.9
    assert np.abs(texels(Wearing_Lipstick=1)[lips] - texels()[lips])[:, :3].mean() > 0.03


def test_hair_colour_changes_the_scalp_alone():
    where = changed(Brown_Hair=0, Blond_Hair=1)
    assert (scalp_depth()[where] > -0.8).all()


def test_pale_skin_is_lighter_everywhere_on_bare_skin():
    cheek = regions()["cheek"] > 0.5
    pale, plain = texels(Pale_Skin=1)[cheek, :3], texels()[cheek, :3]
    assert pale.mean() > plain.mean() + 0.05
    still = surface().where("left_eye_front", "right_eye_front", "upper_teeth", "tongue")
    np.testing.assert_array_equal(texels(Pale_Skin=1)[still], texels()[still])


def test_glasses_and_bangs_are_not_painted():
    assert not changed(Eyeglasses=1).any()
    assert (scalp_depth()[changed(Bangs=1)] > -0.8).all()


def test_people_differ():
    s = surface()
    face = s.where("head") & (s.z > 0) & (s.y < 2)
    tones = []
    for identity in range(8):
        person = people.person(identity, ())
        tones.append(appearance.face_texture(person)[s.row, s.column][face, :3].mean(0))
    assert np.std(tones, 0).max() > 0.05


def test_cached_textures_tell_looks_apart():
    person = people.person(IDENTITY, PLAIN)
    other = dataclasses.replace(person, identity=IDENTITY + 1, skin=dataclasses.replace(person.skin, melanin=0.9))
    assert np.abs(appearance.face_texture(other) - appearance.face_texture(person)).max() > 0.1
