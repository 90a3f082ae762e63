import dataclasses

import numpy as np
import pytest

from tfface.synthetic import sampler
from tfface.synthetic.scene import Pose
from tfface.synthetic.turning import turned


# The sampler's zoom is about the head's pivot, that of a turned scene about the crop's middle, as a wider margin's is.
@pytest.mark.parametrize(("margin", "jitter", "tolerance"), [(1.0, 0.0, 3e-4), (1.5, 0.0, 3e-4), (1.0, 0.015, 0.015)])
def test_turned_heads_are_cropped_as_the_pictures_of_one_scene_are(margin, jitter, tolerance):
    settings = sampler.Settings(answers=3, vary="pose", poses="turning", margin=margin, jitter=jitter)
    for number in range(3):
        scenes = [sampler.sample_scene(0, 3 * number + answer, settings) for answer in range(3)]
        for scene in scenes:
            for other in scenes:
                result = turned(scene, other.pose)
                assert dataclasses.replace(result, camera=other.camera) == other
                for name, value in dataclasses.asdict(other.camera).items():
                    assert getattr(result.camera, name) == pytest.approx(value, abs=tolerance), name


def test_the_same_pose_is_the_same_scene():
    scene = sampler.sample_scene(3, 5, sampler.Settings(poses="turning", margin=1.2))
    assert turned(scene, scene.pose) == scene


def test_turning_poses_reach_every_yaw_alike():
    settings = sampler.Settings(poses="turning")
    yaws = np.array([sampler.sample_scene(1, number, settings).pose.yaw for number in range(0, 400, 4)])
    assert np.abs(yaws).max() <= 50
    assert all(count > 8 for count in np.histogram(yaws, 5, (-50, 50))[0])


def test_turning_back_returns():
    scene = sampler.sample_scene(2, 1)
    there = turned(scene, Pose(30.0, 5.0, -3.0))
    assert there.pose == Pose(30.0, 5.0, -3.0)
    back = turned(there, scene.pose)
    for name, value in dataclasses.asdict(scene.camera).items():
        assert getattr(back.camera, name) == pytest.approx(value, abs=3e-4)
