"""Frontal views: what is asked and answered, and what their edits are scored by."""

import types

import numpy as np
import pytest

from tfface import frontal_scores, scoring, tasks
from tfface.data import records
from tfface.evaluation import Evaluation
from tfface.identity import describe
from tfface.people import held_out_people
from tfface.synthetic import sampler
from tfface.tasks.frontal import JUDGED_YAWS, seen_from

FRONTAL = tasks.get("frontal")
VIEWS = sampler.Settings(views=("frontal", "60", "-45"), jitter=0.0)


def test_one_request_from_every_angle():
    requests = FRONTAL.requests(None)
    assert [wanted for _, wanted in requests] == [{"frontal": 1}] * 12
    assert FRONTAL.parse([], None) == FRONTAL.shown({}) == {"frontal": 1}
    scene = sampler.sample_scene(1, 0)
    yaws = [FRONTAL.before(title, scene).pose.yaw for title, _ in requests]
    assert sorted(yaws) == sorted([*JUDGED_YAWS, *(-yaw for yaw in JUDGED_YAWS)])


def test_inputs_are_the_landmarks():
    points = np.random.default_rng(0).uniform(0, 64, (68, 2))
    inputs = FRONTAL.inputs(None, {"landmarks": points, "pose": np.zeros(3)}, {"frontal": 1})
    assert set(inputs) == {"landmarks"} and inputs["landmarks"].dtype == np.float32
    assert FRONTAL.estimate(None, np.zeros((2, 8, 8, 3))) == [{}, {}]  # nothing that would replace a photo's own


@pytest.mark.parametrize("group", range(3))
def test_answers_are_the_frontal_views_of_rendered_sets(group):
    frontal, right, left = (sampler.sample_scene(5, 3 * group + view, VIEWS) for view in range(3))
    for turned in (right, left, frontal):
        answer = FRONTAL.answer(turned, {"frontal": 1})
        assert answer.pose.yaw == 0
        for name in ("pitch", "roll"):
            assert getattr(answer.pose, name) == pytest.approx(getattr(frontal.pose, name), abs=1e-3)
        for name in ("scale", "x", "y"):
            assert getattr(answer.camera, name) == pytest.approx(getattr(frontal.camera, name), abs=2e-3)
        assert (answer.action_units, answer.light, answer.identity) == (
            frontal.action_units, frontal.light, frontal.identity,
        )  # fmt: skip
    assert seen_from(frontal, 60.0).pose.roll == pytest.approx(right.pose.roll, abs=1e-3)


def test_symmetry_error_by_hand():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, 3] = 90  # two of four columns differ from their mirror image by 90
    assert frontal_scores.symmetry_error(picture) == 45
    assert frontal_scores.symmetry_error(picture[:, :3]) == 0


@pytest.fixture(scope="module")
def evaluation(synthetic_data):
    """Four people seen from 60 degrees either side and from 15; the edit is the person's picture of the gallery."""
    people = held_out_people(records.open_dataset(synthetic_data), 4, 32)
    cases = []
    for person in people:
        gallery = person.rendered(frontal_scores.gallery_scene(person.scene))
        for yaw in (60.0, -60.0, 15.0):
            turned = person.rendered(seen_from(person.scene, yaw))
            answer = turned.rendered(FRONTAL.answer(turned.scene, {"frontal": 1}))
            pictures = {"edit": gallery.image, "copy": turned.image, "oracle": answer.image}
            case = scoring.Case(f"from {yaw:+g}", False, {"frontal": 1}, turned, answer, answer.labels, pictures)
            case.compare(None)
            points = [gallery.labels["landmarks"], turned.labels["landmarks"], answer.labels["landmarks"]]
            case.descriptors = dict(zip(pictures, describe(list(pictures.values()), points), strict=True))
            cases.append(case)
    model = types.SimpleNamespace(config=types.SimpleNamespace(recognizer=""))
    return Evaluation(None, model, None, people, cases)


def test_scores_by_the_size_of_the_yaw(evaluation):
    found = FRONTAL.scores(evaluation)["frontal"]
    assert found["people"] == len(evaluation.people) and set(found["by_yaw"]) == {"15", "60"}
    turned = [case for case in evaluation.cases if abs(case.person.scene.pose.yaw) == 60]
    kinds = found["by_yaw"]["60"]
    assert kinds["copy"]["psnr"] == pytest.approx(np.mean([case.likeness["copy"]["psnr"] for case in turned]))
    assert kinds["edit"]["symmetry_error"] == pytest.approx(
        np.mean([frontal_scores.symmetry_error(case.pictures["edit"]) for case in turned])
    )
    assert kinds["edit"]["rank1"] == 1.0  # each is in the gallery itself
    assert "recognizer_rank1" not in kinds["edit"]


def test_photos_have_no_true_view_to_score(evaluation):
    photos = [case for case in evaluation.cases if case.answer is None]
    assert FRONTAL.scores(Evaluation(None, evaluation.model, None, [], photos)) == {}
    assert FRONTAL.sections(evaluation, {}) == []


def test_the_report_has_a_table_for_each_score(evaluation):
    ((title, html),) = FRONTAL.sections(evaluation, FRONTAL.scores(evaluation))
    assert "angle" in title and html.count("<table>") == 4 and "±60°" in html
