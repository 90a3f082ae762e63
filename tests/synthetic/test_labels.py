import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfface import conventions
from tfface.errors import InputError
from tfface.synthetic import labels
from tfface.synthetic.scene import ATTRIBUTES, Scene, action_units

faces = st.lists(st.floats(0, 5), min_size=17, max_size=17)


def shown(scene, name):
    return labels.labels(scene)[conventions.ATTRIBUTES.index(name)]


def test_labels_are_in_celeba_order_and_unknown_where_nothing_is_drawn():
    values = labels.labels(Scene(3, attributes=(("Eyeglasses", 1),)))
    assert values.dtype == np.int8 and values.shape == (40,)
    known = {name for name, value in zip(conventions.ATTRIBUTES, values) if value != conventions.UNKNOWN}
    assert known == set(labels.EDITABLE) == {*ATTRIBUTES, "Smiling", "Mouth_Slightly_Open"}
    assert values[conventions.ATTRIBUTES.index("Eyeglasses")] == 1


@settings(max_examples=200)
@given(st.integers(0, 2**41), faces, st.sampled_from(labels.EDITABLE), st.integers(0, 1))
def test_an_edited_scene_shows_what_was_asked_and_nothing_else_moves(identity, face, name, value):
    scene = Scene(identity, action_units=face)
    edited = labels.with_attribute(scene, name, value)
    assert shown(edited, name) == value
    assert labels.with_attribute(edited, name, value) == edited
    field = "action_units" if name in labels.DERIVED else "attributes"
    assert dataclasses.replace(edited, **{field: getattr(scene, field)}) == scene
    assert Scene.from_json(edited.to_json()) == edited


@given(st.integers(0, 2**41), faces, st.sampled_from(labels.DERIVED), st.integers(0, 1))
def test_the_two_derived_labels_do_not_move_each_other(identity, face, name, value):
    other = labels.DERIVED[1 - labels.DERIVED.index(name)]
    scene = Scene(identity, action_units=face)
    assert shown(labels.with_attribute(scene, name, value), other) == shown(scene, other)


@pytest.mark.parametrize(
    ("face", "smiling"),
    [
        (dict(AU12=2.5), True),
        (dict(AU12=1.2, AU06=2.0), True),
        (dict(AU12=1.2), False),
        (dict(AU06=4.0), False),
        (dict(AU12=3.0, AU15=3.5), False),
    ],
)
def test_what_a_smile_is(face, smiling):
    assert labels.is_smiling(action_units(**face)) == smiling


def test_unknown_attribute_or_value_is_an_input_error():
    with pytest.raises(InputError, match="Wearing_Hat"):
        labels.with_attribute(Scene(1), "Wearing_Hat", 1)
    with pytest.raises(InputError, match="Smiling is 2"):
        labels.with_attribute(Scene(1), "Smiling", 2)
