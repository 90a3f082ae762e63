import dataclasses
import json

import pytest

from tfface.errors import InputError
from tfface.synthetic import scene as scenes


def full_scene():
    return scenes.Scene(
        identity=12345678901,
        action_units=scenes.action_units(AU12=3.25, AU26=5),
        attributes=(("Young", 0), ("Male", 1)),
        pose=scenes.Pose(yaw=-30.5, pitch=4, roll=1.25),
        light=scenes.Light(azimuth=-70, elevation=10, intensity=1.2, ambient=0.1),
        camera=scenes.Camera(scale=0.4, x=0.01, y=-0.125, field_of_view=24),
        background=scenes.Background("gradient", 7),
        occluder=scenes.Occluder("hand", 9),
    )


def test_json_gives_the_same_scene_back():
    scene = full_scene()
    assert scenes.Scene.from_json(scene.to_json()) == scene
    without = dataclasses.replace(scene, occluder=None)
    assert scenes.Scene.from_json(without.to_json()) == without
    assert scenes.Scene.from_json('{"identity": 3}') == scenes.Scene(3)


def test_equal_scenes_hash_equally_and_attributes_are_sorted():
    assert hash(full_scene()) == hash(full_scene())
    assert full_scene().attributes == (("Male", 1), ("Young", 0))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("colour",), 1, "colour"),
        (("pose", "tilt"), 1, "tilt"),
        (("occluder", "size"), 1, "size"),
        (("pose", "yaw"), 999, "pose.yaw"),
        (("light", "ambient"), float("nan"), "light.ambient"),
        (("camera", "scale"), 0, "camera.scale"),
        (("camera", "scale"), "large", "camera.scale"),
        (("identity",), -1, "identity"),
        (("identity",), 1.5, "identity"),
        (("action_units",), [1, 2], "action_units"),
        (("action_units",), [6] + [0] * 16, "AU01"),
        (("attributes",), [["Smiling", 1]], "Smiling"),
        (("attributes",), [["Male", 2]], "Male"),
        (("attributes",), [["Male", 1], ["Male", 0]], "Male"),
        (("background", "kind"), "", "background.kind"),
        (("background", "seed"), -3, "background.seed"),
        (("pose",), 3, "pose"),
    ],
)
def test_bad_values_are_named(path, value, named):
    values = json.loads(full_scene().to_json())
    part = values
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(InputError, match=named) as error:
        scenes.Scene.from_json(json.dumps(values))
    assert "\n" not in str(error.value)


def test_text_that_is_not_a_scene():
    with pytest.raises(InputError, match="not JSON"):
        scenes.Scene.from_json("{")
    with pytest.raises(InputError, match="identity is missing"):
        scenes.Scene.from_json("{}")
    with pytest.raises(InputError, match="AU99"):
        scenes.action_units(AU99=1)
