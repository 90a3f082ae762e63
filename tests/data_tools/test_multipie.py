"""The Multi-PIE import: names, cameras, pairs of the same light, own folders, reasons for what is left out."""

import csv

import cv2
import numpy as np
import pytest

from data_tools import multipie
from tfface import conventions, patches
from tfface.data import pipeline, records

FIVE = np.array([[44.0, 41.0], [86.0, 41.0], [64.0, 65.0], [48.0, 89.0], [82.0, 89.0]])  # of the official crops


def cropped(folder, name, colour=90, points=FIVE):
    """A picture named as TP-GAN's, and its points."""
    folder.mkdir(parents=True, exist_ok=True)
    image = np.full((128, 128, 3), colour, np.uint8)
    image[:, 64:] = 200
    cv2.imwrite(str(folder / f"{name}_cropped.png"), image)
    np.savetxt(folder / f"{name[:-3]}_trans.5pt", points, fmt="%g")


def run(*arguments):
    return multipie.main([str(argument) for argument in arguments])


def rejects(directory):
    with open(directory / "rejects.csv", newline="") as file:
        return {row["picture"]: row["reason"] for row in csv.DictReader(file)}


@pytest.fixture
def tree(tmp_path):
    """Two subjects, two lights, three cameras; one light without its frontal picture."""
    root = tmp_path / "pie"
    for subject in (1, 7):
        for light in (6, 7):
            for camera in ("051", "190", "080"):
                if (subject, light, camera) != (7, 7, "051"):
                    cropped(root / f"session01/{subject:03d}", f"{subject:03d}_01_01_{camera}_{light:02d}", 10 * light)
    cropped(root, "001_01_01_081_06")  # overhead
    cropped(root, "001_01_01_999_06")
    cv2.imwrite(str(root / "readme.png"), np.zeros((8, 8, 3), np.uint8))
    return root


def test_pictures_pair_with_the_frontal_one_of_their_light(tree, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("--images", tree, "-o", out, "--image-size", 32) == 0
    found = {record["source"].split("/")[-1]: record for record in records.open_dataset(out)}
    assert len(found) == 9
    assert rejects(out) == {
        "001_01_01_081_06_cropped.png": "an overhead camera (081, 191)",
        "001_01_01_999_06_cropped.png": "a camera that is not known",
        "readme.png": "the name is not of Multi-PIE's form",
        **dict.fromkeys(
            [f"session01/007/007_01_01_{camera}_07_cropped.png" for camera in ("190", "080")],
            "no frontal picture of the same person, expression and light",
        ),
    }
    turned = found["001_01_01_190_07_cropped.png"]
    assert (turned["identity"], turned["view"].split("/")[0]) == (1, "45")
    np.testing.assert_array_equal(turned["pose"], [45, 0, 0])
    np.testing.assert_array_equal(found["001_01_01_080_07_cropped.png"]["pose"], [-45, 0, 0])
    for light in ("06", "07"):
        group = {found[f"001_01_01_{camera}_{light}_cropped.png"]["view"].split("/")[1] for camera in ("051", "190")}
        assert len(group) == 1
    batches = pipeline.training_batches(
        records.open_dataset(out), 9, image_size=32, seed=0, split=None, pairs="frontal", partners=("landmarks",),
        keys=("image", "landmarks", "identity"), flip=False,
    )  # fmt: skip
    (batch,) = batches.take(1).as_numpy_iterator()
    shade, answer = (np.rint((batch[key][:, 16, 4, 0] + 1) * 127.5) for key in ("image", "target_image"))
    np.testing.assert_allclose(shade, answer, atol=2)  # the same light
    assert "9 records" in capsys.readouterr().out


def test_cameras_have_the_signs_of_the_published_crops():
    # In TP-GAN's loader the patch of the nose reaches far to the left of the tip at 240 (+90) and little at 110 (-90):
    # at positive yaw the face lies to the left of the nose, which is where a positive yaw of tfface points.
    assert (multipie.YAWS["240"], multipie.YAWS["110"], multipie.YAWS["051"]) == (90, -90, 0)
    assert sorted(multipie.YAWS.values()) == list(range(-90, 91, 15))


def test_points_become_landmarks_that_have_them_exactly():
    for squeeze in (1.0, 0.6, 0.15):
        points = FIVE.copy()
        points[:, 0] = 64 + (points[:, 0] - 64) * squeeze
        points[2, 0] += 12 * (1 - squeeze)
        found = multipie.landmarks_of_five(points)
        assert found.shape == (68, 2) and np.isfinite(found).all()
        np.testing.assert_allclose(patches.five_points(found[None].astype(np.float32))[0], points, atol=1e-3)
    frontal = multipie.landmarks_of_five(FIVE)
    assert frontal[8, 1] > 100 and frontal[0, 0] < 40 and frontal[16, 0] > 90  # chin and cheeks
    mirrored = conventions.mirror_landmarks(frontal, 128)
    np.testing.assert_allclose(mirrored, frontal, atol=3)


def test_own_folders_with_a_frontal_picture(tmp_path):
    from tfface.synthetic import sampler
    from tfface.synthetic.labelled import record_of
    from tfface.tasks.frontal import seen_from

    root = tmp_path / "people"
    for number, name in enumerate(("ada", "bob")):
        scene = sampler.sample_scene(3, 4 * number, sampler.Settings(margin=1.6, jitter=0.0))
        for yaw, file in ((0, f"{name}.png" if number else f"{name}/Frontal.png"), (35, f"{name}/side.png")):
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / file).write_bytes(record_of(seen_from(scene, float(yaw)), 192)["image"])
    (root / "zoe").mkdir()
    (root / "zoe/side.png").write_bytes((root / "ada/side.png").read_bytes())
    (root / "nobody.png").write_bytes((root / "ada/side.png").read_bytes())
    out = tmp_path / "out"
    assert run("--images", root, "-o", out, "--image-size", 48) == 0
    found = list(records.open_dataset(out))
    assert [(r["identity"], r["view"], r["source"]) for r in found] == [
        (0, "frontal/000000", "ada/Frontal.png"), (0, "turned/000000", "ada/side.png"),
        (1, "frontal/000001", "bob.png"), (1, "turned/000001", "bob/side.png"),
    ]  # fmt: skip
    for record in found:
        assert abs(record["pose"][0] - (0 if "frontal" in record["view"] else 35)) < 15
        assert abs(record["landmarks"][36:48].mean(0)[0] - 24) < 3
    assert rejects(out) == {
        "zoe/side.png": "no frontal picture of the same person, expression and light",
        "nobody.png": "no folder of this name holds other pictures of the person",
    }


def test_lights_limit_and_dry_run(tree, tmp_path, capsys):
    assert run("--images", tree, "--dry-run", "--lights", "06") == 0
    assert "6 pictures of 2 people, 2 with a frontal view" in capsys.readouterr().out
    out = tmp_path / "out"
    assert run("--images", tree, "-o", out, "--image-size", 32, "--lights", "06", "--limit", 4) == 0
    assert len(records.open_dataset(out)) == 4
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run("--images", tree, "-o", out, "--image-size", 32, "--lights", "06", "--limit", 4) == 0
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_spoilt_frontal_picture_takes_its_group_along(tree, tmp_path):
    (tree / "session01/001/001_01_01_051_06_cropped.png").write_bytes(b"no picture")
    (tree / "session01/007/007_01_01_190_trans.5pt").write_text("1 2\n3 4\n")
    out = tmp_path / "out"
    assert run("--images", tree, "-o", out, "--image-size", 32) == 0
    assert len(records.open_dataset(out)) == 5
    found = rejects(out)
    assert found["session01/001/001_01_01_051_06_cropped.png"] == "the picture cannot be read"
    assert found["session01/001/001_01_01_190_06_cropped.png"] == "its frontal picture cannot be used"
    assert found["session01/007/007_01_01_190_06_cropped.png"].startswith("its file of points")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "-o: name"), (("-o", "x", "--lights", "6"), "--lights 6: expected"), (("-o", "x", "--limit", 0), "--limit 0"),
     (("-o", "x", "--margin", 9), "--margin 9"), (("-o", "x", "--image-size", 4), "--image-size 4"),
     (("-o", "x", "--lights", "19"), "no picture with a frontal view")],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(tree, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("--images", tree, *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not (tmp_path / "x").exists()


def test_folders_without_pictures_are_named(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder, message in (("empty", "no pictures in this folder"), ("none", "no such folder")):
        assert run("--images", tmp_path / folder, "-o", tmp_path / "x") == 2
        assert message in capsys.readouterr().err
