"""Poses as the command line writes them, as models take them, and what their edits are scored by."""

import dataclasses
import logging
import types

import numpy as np
import pytest

from tfface import tasks
from tfface.errors import InputError
from tfface.scoring import Case
from tfface.synthetic import sampler
from tfface.synthetic.scene import Pose
from tfface.tasks.pose import ANGLES, GALLERY

POSE = tasks.get("pose")


def model(reach=45.0):
    """What the task reads of a model: its settings."""
    return types.SimpleNamespace(config=types.SimpleNamespace(pose_range=reach))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["yam=3"], "did you mean 'yaw'"),
        (["yaw"], "no angle"),
        (["yaw=left"], "no angle"),
        (["yaw=nan"], "no angle"),
        (["yaw=120"], "outside -90 to 90"),
        (["pitch=3", "pitch=3"], "twice"),
    ],
)
def test_bad_requests_are_named(texts, expected):
    with pytest.raises(InputError, match=expected) as caught:
        POSE.parse(texts, model())
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"--pose {texts[-1]}")


def test_angles_in_any_case_and_a_warning_outside_the_trained_range(caplog):
    assert POSE.parse(["Yaw=30", "pitch=-5.5"], model()) == {"yaw": 30.0, "pitch": -5.5}
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert POSE.parse(["yaw=-60"], model()) == {"yaw": -60.0}
    assert "--pose yaw=-60: the model learnt -45 to 45 degrees" in caplog.text


def test_requests_cover_the_judged_range():
    requests = POSE.requests(model())
    assert [wanted["yaw"] for _, wanted in requests[:-1]] == [-45, -30, -15, 0, 15, 30, 45]
    assert requests[-1][1] is None


def test_inputs_keep_what_is_not_asked():
    labels = {"pose": np.array([10.0, -5.0, 2.0], np.float32), "attributes": np.full(40, 0.5, np.float32)}
    inputs = POSE.inputs(model(), labels, {"yaw": -30.0})
    np.testing.assert_array_equal(inputs["pose"], np.array([-30, -5, 2], np.float32))
    np.testing.assert_array_equal(inputs["attributes"], labels["attributes"])
    np.testing.assert_array_equal(inputs["source_pose"], labels["pose"])
    np.testing.assert_array_equal(POSE.inputs(model(), labels, {"pitch": 3.0}, keep_others=False)["pose"], [0, 3, 0])
    without = POSE.inputs(model(), {"pose": labels["pose"]}, {})
    assert set(without) == {"pose", "source_pose"}  # the model estimates the attributes
    np.testing.assert_array_equal(POSE.inputs(model(), labels, POSE.shown(labels))["pose"], labels["pose"])


def test_the_answer_is_the_scene_turned():
    scene = sampler.sample_scene(1, 2, sampler.Settings(poses="turning"))
    answer = POSE.answer(scene, {"yaw": 40.0})
    assert answer.pose == Pose(40.0, scene.pose.pitch, scene.pose.roll)
    assert dataclasses.replace(answer, pose=scene.pose, camera=scene.camera) == scene
    assert POSE.answer(scene, {}) == scene


def judged(yaw, attributes):
    return {"pose": np.array([yaw, 0.0, 0.0]), "attributes": np.asarray(attributes, float)}


def case(number, source, asked, edited, descriptor):
    """Person `number`, whose yaw of `source` degrees was asked to be `asked` and is judged to be `edited`."""
    true = np.full(40, 0.5)
    true[:3] = [1, 0, 1]
    seen = np.full(40, np.nan)
    seen[:2] = [0.9, 0.8]  # right, wrong; the third is not judged
    person = types.SimpleNamespace(identity=number, labels={"pose": np.array([source, 0.0, 0.0])})
    own = np.zeros(128)
    own[number] = 1.0
    return Case(
        "yaw", False, {"yaw": asked}, person, None, {"pose": np.array([asked, 0.0, 0.0]), "attributes": true},
        pictures={"edit": None, "copy": None},
        judged={"edit": judged(edited, seen), "copy": judged(source, seen)},
        descriptors={"edit": descriptor, "copy": own},
        likeness={"edit": {"psnr": 20.0 + number, "ssim": 0.5}, "copy": {"psnr": 10.0, "ssim": 0.25}},
    )  # fmt: skip


def test_scores_by_request_and_by_turn():
    one, other = np.eye(128)[0], np.eye(128)[1]
    cases = [case(n, 0.0, 10.0 if n < 25 else -30.0, 14.0 if n < 25 else -32.0, np.eye(128)[n]) for n in range(GALLERY)]
    cases[0] = case(0, 0.0, 10.0, 14.0, other)  # taken for the next person
    cases[2] = case(2, 0.0, 10.0, 14.0, np.eye(128)[2] * 0.9 + one * 0.1)
    scores = POSE.scores(types.SimpleNamespace(cases=cases))
    edit = scores["by_request"]["yaw"]["edit"]
    assert edit["pose_error"] == {"yaw": pytest.approx(3.0), "pitch": 0.0, "roll": 0.0}
    assert edit["rank1"] == pytest.approx(49 / 50)
    assert edit["attributes"] == pytest.approx(0.5)
    assert scores["by_request"]["yaw"]["copy"]["rank1"] == 1.0
    assert scores["by_request"]["yaw"]["oracle"]["rank1"] is None
    assert list(scores["by_turn"]) == ["0-15", "30-60"]
    near, far = scores["by_turn"]["0-15"]["edit"], scores["by_turn"]["30-60"]["edit"]
    assert (near["cases"], far["cases"]) == (25, 25)
    assert near["psnr"] == pytest.approx(20 + 12) and far["psnr"] == pytest.approx(20 + 37)
    assert far["pose_error"]["yaw"] == pytest.approx(2.0)
    assert set(scores["by_request"]["yaw"]) == {"edit", "copy", "oracle"} and len(ANGLES) == 3


def test_too_few_people_have_no_rank():
    scores = POSE.scores(types.SimpleNamespace(cases=[case(n, 0.0, 10.0, 14.0, np.eye(128)[n]) for n in range(5)]))
    assert scores["by_request"]["yaw"]["edit"]["rank1"] is None
