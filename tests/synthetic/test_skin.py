"""Bare skin: pigment, blood, spots and lines."""

import dataclasses

import numpy as np

from tfface.synthetic import people, skin
from tfface.synthetic.regions import regions
from tfface.synthetic.surface import surface


def painted(**genes):
    person = people.person(5, ())
    return skin.paint(dataclasses.replace(person, skin=dataclasses.replace(person.skin, **genes)))


def luminance(colors, region):
    return colors[regions()[region] > 0.5, :3].mean()


def test_more_melanin_is_darker_and_never_black():
    tones = [luminance(painted(melanin=m), "forehead") for m in (0.02, 0.25, 0.6, 0.98)]
    assert tones == sorted(tones, reverse=True) and tones[0] > 0.4 and tones[-1] > 0.02


def test_redness_reddens_cheeks():
    def red_over_green(colors):
        cheek = colors[regions()["cheek"] > 0.5]
        return (cheek[:, 0] / cheek[:, 1]).mean()

    assert red_over_green(painted(redness=0.9)) > red_over_green(painted(redness=0.05)) + 0.05


def test_undertone_moves_blue():
    cool, warm = painted(undertone=-1.0), painted(undertone=1.0)
    assert warm[:, 2].mean() < 0.9 * cool[:, 2].mean()


def test_freckles_lie_on_the_face_and_differ_between_people():
    plain, one = painted(freckles=0.0, moles=0), painted(freckles=0.8, moles=0)
    other = painted(freckles=0.8, moles=0, seed=7)
    s = surface()
    spots = plain[:, 1] - one[:, 1] > 0.01
    assert spots.sum() > 500 and s.where("head")[spots].all() and (s.z[spots] > -1.6).all()
    assert np.abs(one - other).max() > 0.05


def test_each_mole_is_a_small_dark_spot():
    none, some = painted(moles=0, freckles=0.0), painted(moles=4, freckles=0.0)
    dark = none[:, 1] - some[:, 1] > 0.03
    assert 8 < dark.sum() < 1200


def test_wrinkles_darken_lines_of_the_forehead_and_beside_the_nose():
    young, old = painted(wrinkles=0.0), painted(wrinkles=1.0)
    darker = young[:, 1] - old[:, 1]
    assert darker[regions()["nasolabial"] > 0.8].min() > 0.01
    forehead = darker[regions()["forehead"] > 0.6]
    assert forehead.max() > 0.05 and np.median(forehead) < 0.05
    assert not darker[surface().where("tongue", "upper_teeth")].any()


def test_eye_shadows_darken_below_the_eyes():
    assert luminance(painted(eye_shadows=1.0), "under_eye") < luminance(painted(eye_shadows=0.0), "under_eye") - 0.01


def test_paint_depends_on_the_genes_alone():
    np.testing.assert_array_equal(painted(), painted())
