"""The judges: what they give, that nothing but the picture matters, whom they learnt from, how they are made."""

import json

import cv2
import numpy as np
import pytest

from tfface import conventions, judges
from tfface.errors import InputError
from tfface.judging import heads, scenes, scoring, views
from tfface.synthetic import camera, people, sampler
from tfface.synthetic.labels import labels
from tfface.synthetic.render import render
from tfface.synthetic.scene import Pose, Scene, action_units

AU = {name: k for k, name in enumerate(conventions.ACTION_UNITS)}


def drawn(size=128, margin=1.0, yaw=0.0, person=2**41 + 77, **units):
    pose, view = camera.aligned(people.person(person, ()).shape, Pose(yaw, 0, 0), margin=margin)
    return render(Scene(person, action_units(**units), pose=pose, camera=view), size).image


def test_scores_have_their_shapes_and_ranges():
    found = judges.judge(np.stack([drawn(), drawn(AU12=5, AU25=3)]))
    assert found["action_units"].shape == (2, 17) and found["pose"].shape == (2, 3)
    assert found["attributes"].shape == (2, 40)
    assert (found["action_units"] >= 0).all() and (found["action_units"] <= 5).all()
    judged = judges.places(judges.JUDGED)
    assert ((found["attributes"][:, judged] >= 0) & (found["attributes"][:, judged] <= 1)).all()
    assert np.isnan(np.delete(found["attributes"], judged, 1)).all()
    nobody = judges.judge(np.zeros((0, 64, 64, 3), np.uint8))
    assert nobody["action_units"].shape == (0, 17) and nobody["attributes"].shape == (0, 40)


def test_what_the_renderer_shows_is_judged():
    from tfface.synthetic.labels import EDITABLE

    assert judges.JUDGED == EDITABLE


@pytest.mark.parametrize("margin", judges.MARGINS)
@pytest.mark.parametrize("size", (64, 100, 160))
def test_strong_expressions_are_seen_at_any_size_and_margin(size, margin):
    shown = [drawn(size, margin), drawn(size, margin, AU12=5), drawn(size, margin, AU26=5), drawn(size, margin, AU45=5)]
    neutral, smile, jaw, blink = judges.judge(np.stack(shown), margin)["action_units"]
    for name, one in (("AU12", smile), ("AU26", jaw), ("AU45", blink)):
        assert one[AU[name]] > neutral[AU[name]] + 1.5


def test_head_turns_are_seen_with_their_sign_also_in_grey():
    pictures = np.stack([drawn(yaw=yaw) for yaw in (-50, 0, 50)])
    grey = np.repeat(cv2.cvtColor(pictures[0], cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    yaw = judges.judge(np.concatenate([pictures, grey[None]]))["pose"][:, 0]
    np.testing.assert_allclose(yaw, [-50, 0, 50, -50], atol=12)


def test_a_score_depends_on_its_picture_alone():
    pictures = np.stack([drawn(96, yaw=yaw, AU12=2) for yaw in range(-20, 25, 5)])
    together = judges.judge(pictures)
    alone = [judges.judge(picture[None]) for picture in pictures]
    many = judges.judge(np.concatenate([pictures] * 5))
    for name, values in together.items():
        np.testing.assert_allclose(np.concatenate([one[name] for one in alone]), values, atol=1e-4)
        np.testing.assert_allclose(many[name][-len(pictures) :], values, atol=1e-4)


def test_the_middle_of_a_wide_crop_is_a_narrow_one():
    points = np.array([[64.0, 64.0], [80.0, 100.0]])
    wide = 0.5 * 192 + (points - 64)  # the same places in a 192 pixel crop of margin 1.5, whose middle is 128 wide
    for margin, size, at in ((1.0, 128, points), (1.5, 192, wide)):
        matrix = judges.face_matrix(size, margin)
        found = at @ matrix[:, :2].T + matrix[:, 2]
        if margin == 1.0:
            expected = found
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("pictures", "margin", "complaint"),
    [
        (np.zeros((1, 64, 64, 3), np.float32), 1.0, "float32"),
        (np.zeros((1, 64, 48, 3), np.uint8), 1.0, "square"),
        (np.zeros((1, 16, 16, 3), np.uint8), 1.0, "32 pixels"),
        (np.zeros((1, 64, 64, 3), np.uint8), 1.2, "margin 1.2"),
    ],
)
def test_other_pictures_are_refused(pictures, margin, complaint):
    with pytest.raises(InputError, match=complaint):
        judges.judge(pictures, margin)


def test_damaged_weights_are_named(tmp_path):
    path = tmp_path / "judges.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="judges.npz"):
        judges.load(path)


def test_accuracy_stands_beside_the_weights():
    known = judges.accuracy()
    for size in scoring.SIZES:
        for margin in judges.MARGINS:
            scores = known["portraits"][f"{size}px, margin {margin}"]
            assert set(scores["action_units"]["icc"]) == {*conventions.ACTION_UNITS, "mean"}
            assert set(judges.JUDGED) <= set(scores["attributes"])
        assert known["turned"][f"{size}px, margin 1.0"]["yaw"] < 10


# --- whom they learnt from --------------------------------------------------------------------------------------------
def test_no_model_knows_the_people_of_the_judges():
    own = {scenes.scene(scenes.SEED, k).identity for k in range(0, 64, 4)}
    assert len(own) == 16
    scenes.check_people(own)
    for seed in (0, scenes.SEED):
        settings = sampler.Settings()  # what models train on, even with the judges' seed
        models = {sampler.sample_scene(seed, k, settings).identity for k in range(0, 64, 4)}
        assert not own & models
        with pytest.raises(InputError, match="judge"):
            scenes.check_people(models)
    evaluation = sampler.sample_scene(0, 0, sampler.Settings(people="evaluation")).identity
    with pytest.raises(InputError, match="judge"):
        scenes.check_people([evaluation])
    assert len({scenes.SEED, scoring.SEED, 0, 1, 2}) == 5


def test_scenes_go_beyond_training_sets():
    own = [scenes.scene(scenes.SEED, k) for k in range(120)]
    lenses = np.array([one.camera.field_of_view for one in own])
    assert lenses.min() < 12 and lenses.max() > 32
    assert max(abs(one.light.azimuth) for one in own) > 90
    assert 0.02 < np.mean([one.occluder is not None for one in own]) < 0.3
    yaw = np.array([abs(one.pose.yaw) for one in own])
    assert yaw.max() > 60 and (yaw < 30).mean() > 0.5


def test_an_exact_view_shows_the_landmarks_where_they_are():
    one = scenes.scene(scenes.SEED, 3)
    picture = render(one, scenes.IMAGE_SIZE)
    labels = {
        "action_units": np.array(one.action_units),
        "pose": (one.pose.yaw, one.pose.pitch, one.pose.roll),
        "attributes": np.zeros(40, np.int8),
        "landmarks": picture.landmarks,
    }
    exact = views.face_example(picture.image, labels, None, (110, 1.0))
    middle = np.array([scenes.IMAGE_SIZE / 2, scenes.IMAGE_SIZE / 2 + 0.05 * 110])
    unit = judges.FACE_WINDOW * 110 / 2
    expected = (picture.landmarks - middle) / unit
    np.testing.assert_allclose(exact["landmarks"].reshape(68, 2), expected, atol=1e-4)
    np.testing.assert_allclose(exact["pose"] * judges.POSE_UNIT, labels["pose"], atol=1e-4)
    rng = np.random.default_rng(0)
    for _ in range(8):
        turned = views.face_example(picture.image, labels, rng)
        points = turned["landmarks"].reshape(68, 2)
        across = points[42:48].mean(0) - points[36:42].mean(0)  # from the eye at image left: a mirrored face too
        assert across[0] > 0
        yaw = turned["pose"][0] * judges.POSE_UNIT
        np.testing.assert_allclose(abs(yaw), abs(one.pose.yaw), atol=1e-3)


# --- scores and command -----------------------------------------------------------------------------------------------
def test_pose_errors_by_hand():
    truth = np.array([[10.0, 0, 0], [-40, 0, 0], [80, 0, 0]])
    found = truth + np.array([[1.0, 2, 3], [3, 4, 5], [30, 30, 30]])
    scores = scoring.pose(found, truth)
    assert (scores["yaw"], scores["pitch"], scores["roll"]) == (2, 3, 4)
    assert scores["yaw 0-15"] == 1 and scores["yaw 30-45"] == 3 and scores["yaw 75-90"] == 30


def test_attributes_that_are_unknown_do_not_count():
    truth = np.full((4, 40), conventions.UNKNOWN)
    found = np.full((4, 40), np.nan)
    (male,) = judges.places(["Male"])
    truth[:3, male], found[:, male] = (1, 0, 1), (0.9, 0.2, 0.4, 0.9)
    scores = scoring.attributes(found, truth)
    assert scores["Male"] == {"auc": 1.0, "accuracy": 0.6667, "share": 0.6667}


def test_changed_attributes_by_hand():
    """Two pairs: Male changed in the first and judged right, Young in both and judged right in the second."""
    male, young = judges.places(["Male", "Young"])
    truth = np.zeros((4, 40))
    truth[1, male], truth[1, young], truth[3, young] = 1, 1, 1
    found = np.zeros((4, 40))
    found[1, male], found[3, young], found[2, male] = 0.9, 0.6, 0.8
    scores = scoring.changed_attributes(found, truth)
    assert scores["Male"] == 1.0 and scores["Young"] == 0.5 and scores["mean"] == 0.75
    assert scores["others"] == round(1 - 1 / (4 * 17 - 6), 4)  # both pictures of a changed pair are left out


def test_pictures_of_the_head_net_are_pairs_that_differ_in_attributes():
    pairs = [(heads.scene(heads.SEED, k), heads.scene(heads.SEED, k + 1)) for k in range(0, 40, 2)]
    scenes.check_people({one.identity for pair in pairs for one in pair})
    for first, second in pairs:
        assert (first.identity, first.pose, first.light) == (second.identity, second.pose, second.light)
        assert not np.array_equal(labels(first), labels(second))


@pytest.fixture(scope="module")
def command():
    import importlib.util
    import pathlib

    path = pathlib.Path(__file__).parent.parent / "scripts" / "train_judges.py"
    spec = importlib.util.spec_from_file_location("train_judges", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_command_makes_usable_judges_and_goes_on_where_it_stopped(tmp_path, command, capsys):
    arguments = [str(tmp_path / "work"), "-o", str(tmp_path / "small.npz"), "--quiet", "--workers", "1"]
    arguments += ["--count", "96", "--head-count", "64", "--face-steps", "2", "--head-steps", "2", "--test-count", "16"]
    assert command.main(arguments) == 0
    assert "mean ICC" in capsys.readouterr().out
    found = judges.Judges(tmp_path / "small.npz").judge(drawn()[None])
    assert np.isfinite(found["action_units"]).all()
    scores = json.loads((tmp_path / "small.json").read_text())
    assert scores["made from"]["face"]["pictures"] == 96 and "64px, margin 1.5" in scores["portraits"]
    first = (tmp_path / "small.npz").read_bytes()
    (tmp_path / "small.npz").unlink()
    assert command.main(arguments) == 0  # from its checkpoints: the same weights
    with np.load(tmp_path / "small.npz") as again:
        names = again.files
        arrays = [again[name] for name in names]
    (tmp_path / "small.npz").write_bytes(first)
    with np.load(tmp_path / "small.npz") as before:
        assert before.files == names
        assert all(np.array_equal(before[name], array) for name, array in zip(names, arrays, strict=True))


@pytest.mark.parametrize("wrong", (["--count", "0"], ["--photos", "nowhere"]))
def test_command_refuses_bad_input(tmp_path, command, wrong, capsys):
    assert command.main([str(tmp_path / "work"), *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err and not (tmp_path / "work").exists()


def test_smiles_on_photographs_are_told_from_neutral_faces(real_data):
    scores = scoring.photos(real_data / "london", judges.judge)
    assert scores["people"] == 51
    assert scores["AU12 pairs color"] >= 0.9 and scores["AU12 pairs grey"] >= 0.9
    assert scores["AU12 color"] >= 0.9 and scores["AU12 grey"] >= 0.9
