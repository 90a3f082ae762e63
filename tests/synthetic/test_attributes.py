import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfface.errors import InputError
from tfface.synthetic import attributes
from tfface.synthetic.genes import hair_color_order
from tfface.synthetic.scene import ATTRIBUTES

identities = st.integers(0, 2**42)
names = st.sampled_from(ATTRIBUTES)
bits = st.integers(0, 1)
HAIR = tuple(attributes.HAIR_ATTRIBUTES)


def keeps_rules(values):
    values = dict(values)
    colors = sum(values[name] for name in HAIR)
    bald_rule = not values["Bald"] or (colors == 0 and not values["Bangs"])
    beard_rule = not values["No_Beard"] or not (values["Mustache"] or values["Goatee"])
    return set(values) == set(ATTRIBUTES) and colors <= 1 and bald_rule and beard_rule


@given(identities)
def test_defaults_are_complete_and_keep_the_rules(identity):
    values = attributes.default_attributes(identity)
    assert keeps_rules(values)
    assert list(values) == sorted(values)
    assert attributes.complete(identity, ()) == values


@settings(max_examples=300)
@given(identities, st.lists(st.tuples(names, bits), max_size=6))
def test_any_chain_of_edits_keeps_the_rules_and_shows_the_last_one(identity, edits):
    values = attributes.default_attributes(identity)
    for name, value in edits:
        values = attributes.edit(identity, values, name, value)
        assert dict(values)[name] == value
        assert keeps_rules(values)
        assert attributes.edit(identity, values, name, value) == values


@settings(max_examples=300)
@given(identities, st.dictionaries(names, bits, max_size=6))
def test_given_attributes_are_shown_or_refused(identity, given_values):
    try:
        values = attributes.complete(identity, tuple(given_values.items()))
    except InputError:
        on = {name for name, value in given_values.items() if value}
        bald = "Bald" in on and on & {"Bangs", *HAIR}
        beard = "No_Beard" in on and on & {"Mustache", "Goatee"}
        assert len(on & set(HAIR)) > 1 or bald or beard
    else:
        assert keeps_rules(values)
        assert given_values.items() <= dict(values).items()


@given(identities, names, bits)
def test_an_edit_changes_only_what_the_rules_tie_to_it(identity, name, value):
    tied = {"Bald": {"Bangs", *HAIR}, "Bangs": {"Bald", *HAIR}, "No_Beard": {"Mustache", "Goatee"}}
    tied |= {color: {"Bald", *HAIR} for color in HAIR} | {"Mustache": {"No_Beard"}, "Goatee": {"No_Beard"}}
    before = dict(attributes.default_attributes(identity))
    after = dict(attributes.edit(identity, tuple(before.items()), name, value))
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {name} | tied.get(name, set())


@given(identities, st.sampled_from(HAIR))
def test_not_this_colour_is_the_persons_next_own_colour(identity, name):
    colored = attributes.edit(identity, (), name, 1)
    without = dict(attributes.edit(identity, colored, name, 0))
    shown = [attributes.HAIR_ATTRIBUTES[color] for color in HAIR if without[color]] or ["red"]
    expected = next(c for c in hair_color_order(identity) if c != attributes.HAIR_ATTRIBUTES[name])
    assert shown == [expected]


@given(identities)
def test_shaving_and_baldness_round_trip(identity):
    bald = attributes.edit(identity, (), "Bald", 1)
    assert not any(dict(bald)[name] for name in (*HAIR, "Bangs"))
    assert not dict(attributes.edit(identity, bald, "Bald", 0))["Bald"]
    goatee = attributes.edit(identity, attributes.edit(identity, (), "No_Beard", 1), "Goatee", 1)
    assert dict(goatee)["No_Beard"] == 0
    assert dict(attributes.edit(identity, goatee, "Goatee", 0))["No_Beard"] == 1


def test_beards_are_mostly_male_and_nothing_is_rare():
    people = [dict(attributes.default_attributes(i)) for i in range(2000)]
    for name in ATTRIBUTES:
        assert 0.04 < sum(p[name] for p in people) / len(people) < 0.96, name
    bearded = [p["Male"] for p in people if not p["No_Beard"]]
    assert 0.8 < sum(bearded) / len(bearded) < 1.0


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ((("Smiling", 1),), "Smiling"),
        ((("Bald", 2),), "Bald"),
        ((("Bald", 1), ("Bangs", 1)), "Bangs"),
        ((("Black_Hair", 1), ("Blond_Hair", 1)), "Black_Hair"),
    ],
)
def test_contradictions_are_named(asked, word):
    with pytest.raises(InputError, match=word):
        attributes.complete(1, asked)
