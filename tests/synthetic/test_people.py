import dataclasses

import numpy as np
import pytest

from tfface.errors import InputError
from tfface.synthetic import head, people
from tfface.synthetic.scene import ATTRIBUTES

# Which fields of a Person each attribute may move ("shape" means its macro targets).
MOVES = {
    "Bald": {"hair"}, "Bangs": {"hair"}, "Black_Hair": {"hair"}, "Blond_Hair": {"hair"}, "Brown_Hair": {"hair"},
    "Gray_Hair": {"hair"}, "Bushy_Eyebrows": {"brows"}, "Eyeglasses": {"glasses"}, "Goatee": {"beard"},
    "Mustache": {"beard"}, "No_Beard": {"beard"}, "Pale_Skin": {"skin"}, "Wearing_Lipstick": {"mouth"},
    "Male": {"male", "shape", "hair", "brows", "beard"}, "Young": {"age", "shape", "skin", "hair"},
}  # fmt: skip
PLAIN = {name: 0 for name in ATTRIBUTES} | {"No_Beard": 1, "Black_Hair": 1}


def person(identity, **changes):
    return people.person(identity, tuple(sorted({**PLAIN, **changes}.items())))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_moves_its_own_genes_only(name):
    together = {"Goatee": {"No_Beard": 0}, "Mustache": {"No_Beard": 0}, "Bald": {"Black_Hair": 0}}
    together |= {color: {"Black_Hair": 0} for color in ("Blond_Hair", "Brown_Hair", "Gray_Hair")}
    for identity in range(20):
        before = person(identity, **{name: 0})
        after = person(identity, **together.get(name, {}), **{name: 1})
        fields = [field.name for field in dataclasses.fields(people.Person)]
        moved = {field for field in fields if getattr(before, field) != getattr(after, field)}
        assert moved - {"attributes"} <= MOVES[name]
        assert moved & MOVES[name]


def test_sex_and_age_leave_the_persons_own_modifiers():
    for changes in ({"Male": 1}, {"Young": 1}):
        before, after = person(7).shape, person(7, **changes).shape
        different = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert different and all(name.startswith("macrodetails/") for name in different)


def test_shape_names_exist_and_weights_are_bounded():
    names = set(head.template().target_names)
    for identity in range(50):
        shape = people.person(identity, ()).shape
        assert set(shape) <= names
        assert all(-0.1 <= weight <= 1.1 for weight in shape.values())
        macros = [w for n, w in shape.items() if n.startswith("macrodetails/") and "universal" not in n]
        assert sum(macros) == pytest.approx(1.0)


def test_people_differ_and_are_not_symmetric():
    shapes = [head.neutral(person(identity).shape) for identity in range(12)]
    distances = [np.abs(a - b).max() for i, a in enumerate(shapes) for b in shapes[:i]]
    assert min(distances) > 0.08  # dm
    weights = person(3).shape
    assert weights.get("eyes/l-eye-scale-incr") != weights.get("eyes/r-eye-scale-incr") or (
        weights.get("eyes/l-eye-scale-decr") != weights.get("eyes/r-eye-scale-decr")
    )


def test_genes_span_their_ranges():
    crowd = [people.person(identity, ()) for identity in range(400)]
    melanin = [p.skin.melanin for p in crowd]
    assert min(melanin) < 0.1 and max(melanin) > 0.8
    assert {p.beard.style for p in crowd} == set(people.BEARD_STYLES)
    assert {p.glasses.shape for p in crowd} == set(people.GLASSES_SHAPES)
    men, women = ([p.hair.length for p in crowd if (p.male > 0.5) == male] for male in (True, False))
    assert np.median(men) < np.median(women)
    for p in crowd:
        for genes in (p.skin, p.hair, p.brows, p.beard, p.eyes, p.mouth, p.glasses):
            for field in dataclasses.fields(genes):
                value = getattr(genes, field.name)
                if isinstance(value, float) and field.name not in ("iris_size", "size"):
                    assert -1 <= value <= 1, field.name


def test_left_out_attributes_are_the_persons_own_and_contradictions_are_refused():
    assert people.person(5, ()) == people.person(5, people.person(5, ()).attributes)
    with pytest.raises(InputError, match="Bald excludes"):
        people.person(5, (("Bald", 1), ("Bangs", 1)))
