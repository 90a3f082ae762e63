import dataclasses

import numpy as np
import pytest

from tfface import people
from tfface.conventions import ATTRIBUTES
from tfface.data.records import RecordWriter, open_dataset
from tfface.synthetic import sampler
from tfface.synthetic.dataset import synthesize
from tfface.synthetic.labels import labels
from tfface.synthetic.render import render


@pytest.fixture(scope="module")
def dataset(synthetic_data):
    return open_dataset(synthetic_data)


def test_a_held_out_picture_is_its_own_truth(dataset):
    for size in (16, 32):
        held_out = people.held_out_people(dataset, 9, size)
        assert [len(person.image) for person in held_out] == [size, size]
        for person in held_out:
            assert person.rendered(person.scene) is person
            np.testing.assert_array_equal(people.resized(render(person.scene, 32).image, size), person.image)


def test_labels_are_in_the_units_of_tasks(dataset):
    (record,) = [r for r in dataset.records("test")][:1]
    (person,) = people.held_out_people(dataset, 1, 16)
    np.testing.assert_allclose(person.labels["action_units"], record["action_units"] / 5)
    np.testing.assert_allclose(person.labels["landmarks"], record["landmarks"] / 2)
    np.testing.assert_array_equal(person.labels["pose"], record["pose"])
    attributes = person.labels["attributes"]
    assert set(np.unique(attributes)) <= {0, 0.5, 1} and attributes[ATTRIBUTES.index("Attractive")] == 0.5
    np.testing.assert_array_equal(attributes == 0.5, labels(person.scene) == -1)


def test_another_scene_of_a_person_has_its_own_labels(dataset):
    (person,) = people.held_out_people(dataset, 1, 16)
    pose = dataclasses.replace(person.scene.pose, yaw=60.0)
    turned = person.rendered(dataclasses.replace(person.scene, pose=pose))
    assert turned.labels["pose"][0] == 60 and len(turned.image) == 16 and turned.identity == person.identity
    assert np.abs(turned.labels["landmarks"] - person.labels["landmarks"]).max() > 1


def test_people_whose_scenes_render_differently_count_as_photos(dataset, tmp_path):
    with RecordWriter(tmp_path / "old", image_size=32, total=40) as writer:
        for record in dataset.records():
            writer.write(record | {"image": 255 - record["image"]})
    with pytest.warns(UserWarning, match="2 of 2 held-out pictures were rendered by another version"):
        held_out = people.held_out_people(open_dataset(tmp_path / "old"), 9, 16)
    assert [person.scene for person in held_out] == [None, None]


def test_labels_that_are_needed_choose_the_people(tmp_path):
    with RecordWriter(tmp_path / "photos", image_size=16, total=60) as writer:
        for number in range(60):
            known = {"pose": (number, 0, 0)} if number % 2 else {"action_units": np.full(17, 5.0)}
            writer.write({"image": np.zeros((16, 16, 3), np.uint8), "source": f"{number}.jpg", **known})
    photos = open_dataset(tmp_path / "photos")
    everybody = people.held_out_people(photos, 99, 16)
    posed = people.held_out_people(photos, 99, 16, ("pose",))
    assert 0 < len(posed) < len(everybody)
    assert all(list(person.labels) == ["pose"] and person.scene is None for person in posed)
    units = next(person.labels["action_units"] for person in everybody if "action_units" in person.labels)
    np.testing.assert_array_equal(units, 1)
    assert people.further_people(photos, 5, 16) == []


def test_further_people_are_drawn_like_the_set_and_shown_to_no_model(dataset):
    further = people.further_people(dataset, 3, 16)
    assert len({person.identity for person in further}) == 3
    assert {sampler.role(person.identity) for person in further} == {"evaluation"}
    assert [person.image.shape for person in further] == [(16, 16, 3)] * 3
    assert [person.rendered_size for person in further] == [32] * 3


def test_in_a_set_for_evaluation_everybody_is_held_out_and_views_are_taken_in_turn(tmp_path):
    views = ("frontal", "left", "right")
    synthesize(tmp_path, 12, 16, 0, workers=1, progress=False, people="evaluation", views=views)
    dataset = open_dataset(tmp_path)
    held_out = people.held_out_people(dataset, 99, 16)
    assert len(held_out) == 4
    assert [float(np.sign(person.labels["pose"][0])) for person in held_out] == [0, -1, 1, 0]
    further = people.further_people(dataset, 3, 16)
    assert [float(np.sign(person.labels["pose"][0])) for person in further] == [0, -1, 1]
    assert not {person.identity for person in further} & {person.identity for person in held_out}


def test_grey_people_stay_grey_in_other_scenes(dataset):
    (person,) = people.held_out_people(dataset, 1, 16)
    grey = person.in_grey((0.25, 0.5, 0.25))
    red, green, blue = (int(value) for value in person.image[5, 5])
    assert grey.image[5, 5].tolist() == [round(red / 4 + green / 2 + blue / 4)] * 3
    pose = dataclasses.replace(person.scene.pose, yaw=60.0)
    turned = grey.rendered(dataclasses.replace(person.scene, pose=pose))
    assert turned.labels["pose"][0] == 60
    np.testing.assert_array_equal(turned.image[..., 0], turned.image[..., 2])
