import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfface.conventions import ACTION_UNITS, ATTGAN_ATTRIBUTES, ATTRIBUTES
from tfface.errors import InputError
from tfface.synthetic import attributes, background, camera, cooccurrence, labels, sampler
from tfface.synthetic.scene import Scene


def scenes(count, seed=0, **options):
    return [sampler.sample_scene(seed, index, sampler.Settings(**options)) for index in range(count)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**30))
def test_a_scene_is_a_function_of_seed_and_number(seed, index):
    scene = sampler.sample_scene(seed, index)
    assert sampler.sample_scene(seed, index) == scene
    assert Scene.from_json(scene.to_json()) == scene
    assert sampler.sample_scene(seed + 1, index).identity != scene.identity


def test_people_come_in_groups_with_new_expressions_and_light():
    drawn = scenes(12, images_per_person=3)
    assert len({scene.identity for scene in drawn}) == 4
    assert len({scene.action_units for scene in drawn}) >= 10
    assert len({scene.light for scene in drawn}) == len({scene.pose for scene in drawn}) == 12
    for first, second in zip(drawn[::3], drawn[1::3]):
        first, second = (dict(attributes.complete(s.identity, s.attributes)) for s in (first, second))
        assert {n for n in first if first[n] != second[n]} <= {"Eyeglasses", "Wearing_Lipstick"}


@given(st.integers(0, 2**20), st.integers(0, 2**20), st.sampled_from(sampler.ROLES), st.sampled_from(sampler.ROLES))
def test_roles_never_share_a_person(first, second, role_a, role_b):
    a, b = sampler.person_identity(first, second, role_a), sampler.person_identity(second, first, role_b)
    assert sampler.role(a) == role_a and sampler.role(b) == role_b
    assert role_a == role_b or a != b


def test_a_setting_changes_only_its_own_thing():
    plain, other = scenes(6), scenes(6, expressions=False)
    for a, b in zip(plain, other):
        assert dataclasses.replace(a, action_units=b.action_units) == b


def test_batches_of_a_factor_are_centred_or_steady():
    (centred,), (steady,) = scenes(1, factor="azimuth"), scenes(1, factor="azimuth", framing="steady", margin=1.1)
    assert (centred.camera, steady.camera) == (camera.centred(), camera.steady(1.1))
    assert dataclasses.replace(steady, camera=centred.camera) == centred


def test_portrait_and_wide_ranges():
    portrait = np.array([dataclasses.astuple(s.pose) for s in scenes(150, framing="centred")])
    assert np.abs(portrait[:, 0]).max() <= 45 and 12 < portrait[:, 0].std() < 24
    assert np.abs(portrait[:, 1]).max() <= 30 and np.abs(portrait[:, 2]).max() <= 20
    wide = np.array([dataclasses.astuple(s.pose) for s in scenes(150, framing="centred", poses="wide")])
    assert np.abs(wide[:, 0]).max() > 75 and wide[:, 0].std() > 40
    frontal = np.array([dataclasses.astuple(s.pose) for s in scenes(20, framing="centred", poses="frontal")])
    assert np.abs(frontal).max() <= 10 and frontal[:, 0].std() > 2
    light = np.array([(s.light.azimuth, s.light.elevation) for s in scenes(150)])
    assert np.abs(light[:, 0]).max() <= 90 and np.abs(light[:, 1]).max() <= 45 and light[:, 0].std() > 25


def test_spread_keeps_to_its_range_and_shape():
    rng = np.random.default_rng(0)
    normal = np.array([sampler.Spread(-45, 45, 10, 20).draw(rng) for _ in range(2000)])
    assert normal.min() >= -45 and normal.max() <= 45 and 7 < normal.mean() < 12
    uniform = np.array([sampler.Spread(-30, 60).draw(rng) for _ in range(2000)])
    assert uniform.min() < -28 and uniform.max() > 58


def test_views_hold_everything_but_the_turn():
    drawn = scenes(9, views=("frontal", "left", "60"))
    for first in range(0, 9, 3):
        frontal, left, right = drawn[first : first + 3]
        assert frontal.pose.yaw == 0 and -90 <= left.pose.yaw <= -15 and right.pose.yaw == 60
        for side in (left, right):
            assert dataclasses.replace(side, pose=frontal.pose, camera=frontal.camera) == frontal
    options = sampler.Settings(views=("frontal", "left", "60"))
    assert [sampler.view_name(i, options) for i in range(4)] == ["frontal", "left", "60", "frontal"]


def test_margin_shows_more_around_the_same_face():
    near, far = scenes(4), scenes(4, margin=1.5)
    for a, b in zip(near, far):
        assert dataclasses.replace(a, camera=b.camera) == b
        assert b.camera.scale * 1.5 == pytest.approx(a.camera.scale, rel=1e-3)


def test_occluders_come_as_often_as_asked():
    drawn = scenes(200, occlusion=0.3)
    occluded = [scene.occluder for scene in drawn if scene.occluder]
    assert 0.2 < len(occluded) / 200 < 0.4 and len({occluder.kind for occluder in occluded}) > 1


@pytest.mark.parametrize("factor", sampler.FACTORS)
def test_exactly_one_factor_varies_in_a_batch(factor):
    drawn = scenes(sampler.FACTOR_BATCH, factor=factor)
    values = {
        "azimuth": {s.pose.yaw for s in drawn},
        "elevation": {s.pose.pitch for s in drawn},
        "light": {s.light for s in drawn},
        "shape": {s.identity for s in drawn},
    }
    assert {name: len(found) for name, found in values.items()} == {n: 20 if n == factor else 1 for n in values}
    assert len({(s.action_units, s.background, s.camera, s.pose.roll) for s in drawn}) == 1


def test_bare_heads_are_alike_but_for_shape_and_skin():
    (plain,), (bare,) = scenes(1, factor="light"), scenes(1, factor="light", bare=True)
    worn = dict(bare.attributes)
    assert (worn["Bald"], worn["No_Beard"], worn["Eyeglasses"], worn["Mustache"], worn["Black_Hair"]) == (1, 1, 0, 0, 0)
    assert bare.background.kind == "black" and not background.paint("black", 3, 8).any()
    assert dataclasses.replace(bare, attributes=plain.attributes, background=plain.background) == plain
    assert "black" not in {scene.background.kind for scene in scenes(100)}


def test_all_factors_take_turns_and_batches_are_numbered():
    options = sampler.Settings(factor="all")
    names = [sampler.view_name(index, options) for index in range(0, 100, 20)]
    assert names == ["azimuth/000000", "elevation/000001", "light/000002", "shape/000003", "azimuth/000004"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (dict(people="tests"), "tests"),
        (dict(poses="sideways"), "sideways"),
        (dict(views=("front",)), "front"),
        (dict(views=("120",)), "120"),
        (dict(factor="hair"), "hair"),
        (dict(factor="light", views=("frontal",)), "choose one"),
        (dict(answers=2, views=("frontal",)), "neither with views"),
        (dict(answers=0), "answers 0"),
        (dict(answers=2, expressions=False), "expressions are needed"),
        (dict(vary="hair"), "vary 'hair'"),
        (dict(margin=0.1), "margin"),
        (dict(occlusion=2.0), "occlusion"),
        (dict(images_per_person=0), "images per person"),
    ],
)
def test_bad_settings_are_named(options, word):
    with pytest.raises(InputError, match=word):
        sampler.Settings(**options)


def test_answers_differ_in_action_units_alone():
    settings = sampler.Settings(answers=2)
    for number in range(20):
        first, second = (sampler.sample_scene(5, 2 * number + k, settings) for k in range(2))
        assert first.action_units != second.action_units
        assert dataclasses.replace(second, action_units=first.action_units) == first
        assert sampler.view_name(2 * number, settings) == sampler.view_name(2 * number + 1, settings)


def test_half_of_the_answers_change_few_action_units():
    settings = sampler.Settings(answers=2)
    pairs = [[sampler.sample_scene(5, 2 * n + k, settings).action_units for k in range(2)] for n in range(60)]
    changed = np.array([np.sum(np.array(a) != np.array(b)) for a, b in pairs])
    assert 0.3 < np.mean(changed <= 3) < 0.7


def test_answers_show_no_action_units_that_exclude_each_other():
    drawn = np.array([sampler._expression(5, group, 1) for group in range(400)])
    for first, second in cooccurrence.EXCLUSIVE:
        both = drawn[:, [ACTION_UNITS.index(first), ACTION_UNITS.index(second)]]
        assert not (both > 0).all(1).any() and (both > 0).any(0).all()


def test_yaws_of_views_may_be_numbers():
    assert sampler.Settings(views=("frontal", -60)) == sampler.Settings(views=("frontal", "-60"))


def test_answers_exclude_views():
    with pytest.raises(InputError, match="answers 2"):
        sampler.Settings(answers=2, views=("frontal", "left"))


def answer_sets(vary, count=40, **options):
    """Returns scenes (count, 3 answers) that differ in `vary`."""
    options = sampler.Settings(answers=3, vary=vary, **options)
    return [[sampler.sample_scene(5, 3 * number + k, options) for k in range(3)] for number in range(count)]


@pytest.mark.parametrize("vary", sampler.VARY)
def test_the_first_picture_of_a_scene_is_drawn_as_any_other(vary):
    alone = [sampler.sample_scene(5, number) for number in range(40)]
    assert [answers[0] for answers in answer_sets(vary)] == alone
    assert [first.action_units for first, *_ in answer_sets("action_units")] == [s.action_units for s in alone]


def known_labels(scene):
    return {n: int(v) for n, v in zip(ATTRIBUTES, labels.labels(scene)) if v != -1}


def test_answers_may_differ_in_attributes_alone():
    changes = []
    for first, *others in answer_sets("attributes", 150):
        before = known_labels(first)
        for other in others:
            after = known_labels(other)
            changes.append({name for name in before if before[name] != after[name]})
            held = dataclasses.replace(other, attributes=first.attributes, action_units=first.action_units)
            assert held == first
            moved = {u for u, a, b in zip(ACTION_UNITS, first.action_units, other.action_units) if a != b}
            assert not moved or changes[-1] & set(labels.DERIVED)
            assert Scene.from_json(other.to_json()) == other
    # One to three are asked for; the rules tie at most three more to each (bald: no colour, no bangs).
    assert all(changes) and np.mean([len(names) <= 3 for names in changes]) > 0.6
    counts = {name: sum(name in names for names in changes) for name in labels.EDITABLE}
    assert min(counts.values()) > 10
    inside = [names <= set(ATTGAN_ATTRIBUTES) for names in changes]
    assert 0.5 < np.mean(inside) < 0.85


def test_an_attribute_answer_is_the_edit_of_the_first_picture():
    # Where one attribute tells two pictures apart, asking the first for it gives the second.
    single = 0
    for first, second, _ in answer_sets("attributes", 100):
        before, after = known_labels(first), known_labels(second)
        names = [name for name in before if before[name] != after[name]]
        if len(names) == 1 and names[0] not in labels.DERIVED:
            single += 1
            asked = labels.with_attribute(first, names[0], after[names[0]])
            assert dict(asked.attributes) == dict(second.attributes)
    assert single > 10


def test_what_cannot_be_seen_is_not_varied():
    for first, *others in answer_sets("attributes", occlusion=1.0, expressions=False):
        for other in others:
            assert not any(other.action_units)
            if first.occluder.kind == "sunglasses":
                assert dict(other.attributes)["Eyeglasses"] == dict(first.attributes)["Eyeglasses"]


def test_answers_may_differ_in_the_pose_alone():
    for answers in answer_sets("pose", poses="wide"):
        first = answers[0]
        assert len({scene.pose for scene in answers}) == 3
        for scene in answers:
            assert dataclasses.replace(scene, pose=first.pose, camera=first.camera) == first
            assert scene.camera.field_of_view == first.camera.field_of_view
    yaws = [scene.pose.yaw for answers in answer_sets("pose", poses="wide") for scene in answers[1:]]
    assert np.std(yaws) > 40
    assert sampler.Settings(answers=2, vary="pose", expressions=False)
