"""Latents as the command line writes them, and the scenes they are read as."""

import dataclasses

import numpy as np
import pytest

from tfface import tasks
from tfface.errors import InputError
from tfface.synthetic import sampler

TASK = tasks.get("latents")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["azimuth=1"], "unknown latent 'azimuth'"),
        (["view_azimuth=4"], "outside -3 to 3"),
        (["view_azimuth=left"], "no number"),
        (["light_azimuth"], "no number"),
        (["light_azimuth=0", "light_azimuth=1"], "twice"),
    ],
)
def test_bad_requests_are_named(texts, expected):
    with pytest.raises(InputError, match=expected) as caught:
        TASK.parse(texts, model=None)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"--latent {texts[-1]}")


def test_requests_become_values_and_what_was_asked():
    wanted = TASK.parse(["view_azimuth=-1", "light_azimuth=0.5"], model=None)
    assert wanted == {"view_azimuth": -1.0, "light_azimuth": 0.5}
    inputs = TASK.inputs(None, {}, wanted)
    np.testing.assert_array_equal(inputs["latents"], [-1.0, 0.0, 0.5])
    np.testing.assert_array_equal(inputs["asked"], [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(TASK.inputs(None, {}, wanted, keep_others=False)["asked"], [1.0, 1.0, 1.0])
    assert TASK.shown({"latents": np.array([0.5, 1.0, -1.0])}) == {
        "view_azimuth": 0.5, "view_elevation": 1.0, "light_azimuth": -1.0,
    }  # fmt: skip


def test_one_spread_is_read_as_that_of_the_rendered_range():
    scene = sampler.sample_scene(0, 0, sampler.Settings(factor="all", framing="steady"))
    answer = TASK.answer(scene, {"view_azimuth": 1.0, "light_azimuth": -1.0})
    drawn = [sampler.sample_scene(0, n, sampler.Settings(factor="azimuth")).pose.yaw for n in range(300)]
    assert answer.pose.yaw == pytest.approx(np.std(drawn), rel=0.08)
    assert answer.light.azimuth == pytest.approx(-80 / 3**0.5)
    assert answer.pose.pitch == scene.pose.pitch and answer.identity == scene.identity
    assert TASK.answer(scene, {"view_elevation": 3.0}).pose.pitch == 23.0  # no further than the range
    back = dataclasses.replace(answer, pose=scene.pose, light=scene.light)
    assert back == scene
