import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfface import attribute_rules as rules
from tfface.conventions import ATTGAN_ATTRIBUTES, ATTRIBUTES

names = st.sampled_from(ATTRIBUTES)
TIED = ("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Mustache", "No_Beard", "Wavy_Hair")
amounts = st.floats(-0.5, 1.5).map(lambda value: round(value, 3))


def face(**shown):
    return {**dict.fromkeys(ATTRIBUTES, 0), "No_Beard": 1, "Black_Hair": 1, **shown}


def changed(before, **wanted):
    after = rules.edited(before, wanted)
    assert after.items() >= wanted.items()
    return {name: value for name, value in after.items() if value != before[name]}


def test_rules_name_attributes_that_exist():
    named = {*rules.EXCLUDED, *rules.HAIR_COLORS, *rules.BEARD_STYLES, *rules.STAND_INS}
    named |= {name for group in (*rules.ONE_OF, *rules.EXCLUDED.values()) for name in group}
    assert named <= set(ATTRIBUTES)
    assert set(rules.STAND_INS) == set(rules.HAIR_COLORS)


def test_exclusions_of_the_published_13():
    matrix = rules.exclusions(ATTGAN_ATTRIBUTES)
    assert matrix.shape == (13, 13) and matrix.dtype == bool
    np.testing.assert_array_equal(matrix, matrix.T)
    pairs = {(ATTGAN_ATTRIBUTES[a], ATTGAN_ATTRIBUTES[b]) for a, b in zip(*np.nonzero(np.triu(matrix)))}
    colors = {("Black_Hair", "Blond_Hair"), ("Black_Hair", "Brown_Hair"), ("Blond_Hair", "Brown_Hair")}
    bald = {("Bald", "Bangs"), ("Bald", "Black_Hair"), ("Bald", "Blond_Hair"), ("Bald", "Brown_Hair")}
    assert pairs == colors | bald | {("Mustache", "No_Beard")}
    assert rules.exclusions(()).shape == (0, 0)


@pytest.mark.parametrize(
    ("shown", "wanted", "changes"),
    [
        ({}, dict(Blond_Hair=1), dict(Blond_Hair=1, Black_Hair=0)),
        ({}, dict(Bald=1), dict(Bald=1, Black_Hair=0)),
        (dict(Bangs=1), dict(Bald=1), dict(Bald=1, Bangs=0, Black_Hair=0)),
        (dict(Bald=1, Black_Hair=0), dict(Bangs=1), dict(Bangs=1, Bald=0, Brown_Hair=1)),
        (dict(Bald=1, Black_Hair=0), dict(Blond_Hair=1), dict(Bald=0, Blond_Hair=1)),
        (dict(Bald=1, Black_Hair=0), dict(Bald=0), dict(Bald=0, Brown_Hair=1)),
        (dict(Bald=1, Black_Hair=0), dict(Bald=0, Black_Hair=1), dict(Bald=0, Black_Hair=1)),
        ({}, dict(Black_Hair=0), dict(Black_Hair=0, Brown_Hair=1)),
        ({}, dict(Black_Hair=0, Brown_Hair=0), dict(Black_Hair=0, Blond_Hair=1)),
        ({}, dict(Mustache=1), dict(Mustache=1, No_Beard=0)),
        (dict(Mustache=1, No_Beard=0), dict(Mustache=0), dict(Mustache=0, No_Beard=1)),
        (dict(Mustache=1, No_Beard=0), dict(Mustache=0, No_Beard=0), dict(Mustache=0)),
        (dict(Mustache=1, Goatee=1, No_Beard=0), dict(Mustache=0), dict(Mustache=0)),
        ({"Mustache": 1, "Sideburns": 1, "No_Beard": 0}, dict(No_Beard=1), dict(No_Beard=1, Mustache=0, Sideburns=0)),
        ({}, dict(No_Beard=0), dict(No_Beard=0)),
        (dict(Receding_Hairline=1), dict(Bangs=1), dict(Bangs=1, Receding_Hairline=0)),
        (dict(Straight_Hair=1), dict(Wavy_Hair=1), dict(Wavy_Hair=1, Straight_Hair=0)),
        ({}, dict(Eyeglasses=1), dict(Eyeglasses=1)),
        ({}, dict(Eyeglasses=1.5), dict(Eyeglasses=1.5)),
        ({}, dict(Black_Hair=1), {}),
        ({}, {}, {}),
    ],
)
def test_what_an_edit_changes(shown, wanted, changes):
    assert changed(face(**shown), **wanted) == changes


def test_a_part_of_an_edit_changes_by_that_part():
    assert changed(face(), Blond_Hair=0.25) == {"Blond_Hair": 0.25, "Black_Hair": 0.75}
    assert changed(face(), Black_Hair=0.75) == {"Black_Hair": 0.75, "Brown_Hair": 0.25}
    assert changed(face(), Blond_Hair=1.5) == {"Blond_Hair": 1.5, "Black_Hair": 0}
    assert changed(face(Mustache=1, No_Beard=0), Mustache=-0.5) == {"Mustache": -0.5, "No_Beard": 1}


def test_unknown_gives_way_and_brings_nothing():
    unknown = dict.fromkeys(ATTRIBUTES, 0.5)
    assert changed(unknown, Bald=1) == dict.fromkeys(("Bangs", *rules.HAIR_COLORS, "Straight_Hair", "Wavy_Hair"), 0) | {
        "Bald": 1
    }
    assert changed(unknown, Black_Hair=0) == {"Black_Hair": 0}


def test_names_that_are_missing_play_no_part():
    assert rules.edited({"Bald": 0, "Bangs": 1}, {"Bald": 1}) == {"Bald": 1, "Bangs": 0}
    assert rules.edited({"Bald": 1, "Bangs": 0}, {"Bangs": 1}) == {"Bald": 0, "Bangs": 1}
    assert rules.edited({"Mustache": 1}, {"Mustache": 0}) == {"Mustache": 0}


@settings(max_examples=300)
@given(st.lists(st.tuples(names, st.integers(0, 1)), max_size=5))
def test_any_chain_of_edits_ends_without_contradiction(edits):
    values = face()
    for name, value in edits:
        values = rules.edited(values, {name: value})
        assert values[name] == value and not rules.conflict(values)
        assert rules.edited(values, {name: value}) == values


@settings(max_examples=400)
@given(st.sampled_from(TIED), amounts, amounts)
def test_a_sweep_has_no_jumps(name, a, b):
    for shown in (face(), face(Bald=1, Black_Hair=0), face(Mustache=1, No_Beard=0)):
        first, second = rules.edited(shown, {name: a}), rules.edited(shown, {name: b})
        assert all(abs(first[n] - second[n]) <= abs(a - b) + 1e-9 for n in shown)


def test_conflicts_are_named():
    assert rules.conflict(face(Bald=1)) == "Bald excludes Black_Hair"
    assert rules.conflict({"No_Beard": 1, "Mustache": 1}) == "Mustache excludes No_Beard"
    assert rules.conflict({"Bald": 1, "Bangs": 0.5}) == "" == rules.conflict({})


def test_settled_keeps_the_likeliest():
    seen = {"Black_Hair": 0.6, "Brown_Hair": 0.7, "Bald": 0.55, "Bangs": 0.2, "Mustache": 0.9, "No_Beard": 0.8}
    assert rules.settled(seen) == {
        "Black_Hair": 0, "Brown_Hair": 1, "Bald": 0, "Bangs": 0, "Mustache": 1, "No_Beard": 0
    }  # fmt: skip
