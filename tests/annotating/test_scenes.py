"""The annotator learns from nobody that judges, models or evaluations know."""

import pytest

from tfface.annotating import scenes
from tfface.errors import InputError
from tfface.judging import scenes as judging
from tfface.synthetic import sampler


def test_people_are_its_own():
    own = {scenes.scene(scenes.SEED, index).identity for index in range(0, 40, 2)}
    others = {
        sampler.person_identity(seed, number, role)
        for role in ("train", "judge", "evaluation")
        for seed in (0, scenes.SEED, judging.SEED)
        for number in range(50)
    }
    assert len(own) == 20 and not own & others
    assert {sampler.role(identity) for identity in own} == {"annotator"}
    scenes.check_people(own)
    with pytest.raises(InputError, match="not one of the people of role 'annotator'"):
        scenes.check_people([judging.scene(judging.SEED, 0).identity])
    with pytest.raises(InputError):
        judging.check_people(own)


def test_scenes_are_functions_of_their_number_and_go_beyond_training_sets():
    some = [scenes.scene(scenes.SEED, index) for index in range(60)]
    assert some[7] == scenes.scene(scenes.SEED, 7)
    assert any(scene.occluder for scene in some) and not all(scene.occluder for scene in some)
    assert max(abs(scene.pose.yaw) for scene in some) > 45
    lenses = [scene.camera.field_of_view for scene in some]
    assert min(lenses) < 12 and max(lenses) > 32
