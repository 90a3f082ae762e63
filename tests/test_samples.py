import dataclasses

import cv2
import numpy as np
import pytest

from tfface import people, samples, tasks, training
from tfface.conventions import ACTION_UNITS
from tfface.tasks.expression import Expression


@pytest.fixture(scope="module")
def held_out(trained_run):
    return people.held_out_people(training.open_data(trained_run.data), 2, 16, ("action_units",))


@pytest.fixture(scope="module")
def model(trained_run):
    return training.load_model(trained_run.path)


def test_the_sample_grid_shows_people_requests_truths_and_masks(trained_run, held_out, model):
    grid = samples.Grid(model, held_out)
    picture = grid.draw(model)
    step = 96 + samples.GAP
    assert picture.shape == (samples.TITLE_HEIGHT + 6 * step, samples.LABEL_WIDTH + 7 * step, 3)
    top, left = samples.TITLE_HEIGHT, samples.LABEL_WIDTH
    np.testing.assert_array_equal(picture[top : top + 96 : 6, left : left + 96 : 6], held_out[0].image)
    truth = picture[top + step : top + step + 96 : 6, left + 2 * step : left + 2 * step + 96 : 6]
    np.testing.assert_array_equal(truth, grid.answers[1][0].image)
    assert np.abs(truth.astype(int) - held_out[0].image).max() > 30  # the mouth is open
    saved = cv2.imread(str(trained_run.path / "samples" / "step-000008.png"))
    assert saved.shape[1] == picture.shape[1]


def test_what_is_asked_of_each_person(held_out, model):
    one, other = held_out
    asked = samples.asked(model, held_out)
    assert [column.title for column in asked] == [title for title, _ in tasks.get("expression").requests(model)]
    assert [column.everything for column in asked] == [False] * 5 + [True]
    assert asked[2].wanted == [{"AU45": 1.0}] * 2
    units = dict(zip(ACTION_UNITS, other.labels["action_units"], strict=True))
    assert asked[-1].wanted[0] == pytest.approx(units)
    assert all(column.people == held_out for column in asked)
    answer = next(asked[2].answers(tasks.get("expression")))
    np.testing.assert_allclose(answer.labels["action_units"][:-1], one.labels["action_units"][:-1], atol=1e-6)
    assert answer.labels["action_units"][-1] == 1 and answer.scene.pose == one.scene.pose


class Turned(Expression):
    """Requests that start from another picture, or depend on what it shows."""

    def requests(self, model):
        return [("from the side", {}), ("the other eyes", lambda shown: {"AU45": 1 - shown["action_units"][-1]})]

    def before(self, title, scene):
        return dataclasses.replace(scene, pose=type(scene.pose)(40.0)) if title[0] == "f" else scene


def test_requests_may_start_from_another_scene_and_from_what_is_shown(held_out, model, monkeypatch):
    monkeypatch.setattr(samples.tasks, "get", lambda name: Turned())
    turned, other = samples.asked(model, held_out)
    assert [person.labels["pose"][0] for person in turned.people] == [40, 40]
    assert [answer.image is person.image for answer, person in zip(turned.answers(Turned()), turned.people)] == [1, 1]
    assert other.wanted[0]["AU45"] == 1 - held_out[0].labels["action_units"][-1]
    grid = samples.Grid(model, held_out[:1])
    left, step = samples.LABEL_WIDTH, 96 + samples.GAP
    shown = grid.draw(model)[samples.TITLE_HEIGHT :][:96:6, left + step :][:, :96:6]
    np.testing.assert_array_equal(shown, turned.people[0].image)


def test_an_edit_does_not_depend_on_how_many_are_made_together(held_out, model):
    wanted = [{"AU12": 1.0}, {"AU12": 0.0}]
    images, attention = samples.edit(model, held_out, wanted)
    assert images.dtype == np.uint8 and attention.shape == (2, 16, 16, 1)
    alone, _ = samples.edit(model, held_out[1:], wanted[1:])
    assert np.abs(alone[0].astype(int) - images[1]).max() <= 1
    np.testing.assert_array_equal(samples.edit(model, held_out, wanted, batch=1)[0][1], alone[0])
