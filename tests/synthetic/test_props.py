"""Glasses and occluders: fitted to each person, deterministic, bad names refused."""

import dataclasses

import numpy as np
import pytest

from tfface.errors import InputError
from tfface.synthetic import glasses, head, people, props
from tfface.synthetic.surface import eye_frame

SHAPES = ("rectangle", "round", "square", "aviator", "cat_eye")


def fitted(identity, shape, rim="full"):
    person = people.person(identity, ())
    neutral = head.neutral(person.shape)
    genes = dataclasses.replace(person.glasses, shape=shape, rim=rim)
    origin, unit = eye_frame(neutral)
    return (glasses.build(genes, neutral)[0].vertices - origin) / unit, (neutral - origin) / unit


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("identity", [1, 8, 31])
def test_rims_surround_the_eyes_and_stand_before_the_eyeballs(shape, identity):
    frame, face = fitted(identity, shape)
    balls = face[np.concatenate([head.template().part_vertices[f"helper-{side}-eye"] for side in "lr"])]
    rims = frame[(np.abs(frame[:, 0]) < 1.5) & (frame[:, 2] > 0)]
    assert rims[:, 2].min() > balls[:, 2].max()
    for side in (-1, 1):
        beside = frame[(side * frame[:, 0] > 0.2) & (frame[:, 2] > 0.3)] * [side, 1, 1]
        assert beside[:, 0].min() < 0.55 < 1.4 < beside[:, 0].max()
        assert beside[:, 1].min() < -0.3 and beside[:, 1].max() > 0.2


@pytest.mark.parametrize("rim", ["full", "half", "none"])
def test_temples_reach_the_ears_outside_the_head(rim):
    frame, face = fitted(8, "square", rim)
    face = face[np.unique(head.template().surface)]
    for side in (-1, 1):
        beside = frame[side * frame[:, 0] > 1.2]
        assert beside[:, 2].min() < -1.8
        # Between eye and ear the temple runs further out than the head at that height.
        middle = beside[(beside[:, 2] < -0.5) & (beside[:, 2] > -1.4)]
        skin = face[(np.abs(face[:, 1] - 0.3) < 0.3) & (face[:, 2] < -0.5) & (face[:, 2] > -1.4)]
        if len(middle):
            assert (side * middle[:, 0]).min() > (side * skin[:, 0]).max() - 0.15


def test_sunglasses_have_dark_lenses():
    person = people.person(3, ())
    frame, lenses = glasses.build(person.glasses, head.neutral(person.shape), opaque=True)
    assert lenses.texture[..., :3].max() < 0.05 and len(lenses.triangles) > 20 < len(frame.triangles)


@pytest.mark.parametrize("kind", props.OCCLUDERS)
def test_occluders_stand_before_the_face_and_repeat(kind):
    person = people.person(21, ())
    neutral = head.neutral(person.shape)
    one, again, other = (props.occluder(kind, seed, person, neutral) for seed in (4, 4, 5))
    origin, unit = eye_frame(neutral)
    front = max(((mesh.vertices - origin) / unit)[:, 2].max() for mesh in one)
    assert front > 0.6
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.texture, b.texture)
        assert a.triangles.max() < len(a.vertices) and np.isfinite(a.vertices).all()
    assert not all(np.array_equal(a.vertices, b.vertices) for a, b in zip(one, other, strict=True))


def test_mask_covers_nose_tip_and_mouth():
    person = people.person(21, ())
    neutral = head.neutral(person.shape)
    origin, unit = eye_frame(neutral)
    cloth = ((props.occluder("mask", 1, person, neutral)[0].vertices) - origin) / unit
    face = (neutral - origin) / unit
    nose = face[np.argmax(np.where(np.abs(face[:, 0]) < 0.3, face[:, 2], -9))]
    near = cloth[np.hypot(cloth[:, 0] - nose[0], cloth[:, 1] - nose[1]) < 0.3]
    assert near[:, 2].max() > nose[2]


def test_unknown_occluder_is_refused():
    person = people.person(1, ())
    with pytest.raises(InputError, match="occluder: kind 'umbrella' is unknown, expected one of hand"):
        props.occluder("umbrella", 0, person, head.neutral(person.shape))
