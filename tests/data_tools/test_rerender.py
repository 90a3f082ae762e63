"""Photos in, pairs with labels out: unchanged faces stay, turned ones turn, bad input ends with 2, runs go on."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from data_tools import rerender
from tfface import alignment, images
from tfface.conventions import ACTION_UNITS, ATTRIBUTES
from tfface.data import records
from tfface.faces import Landmarker
from tfface.rerendering import dataset
from tfface.rerendering.portrait import Portrait, turned_to


@pytest.fixture(scope="module")
def photo():
    return np.ascontiguousarray(data.astronaut()[:300, 70:370])


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture(scope="module")
def portrait(photo, landmarker):
    (face,) = landmarker.find(photo)
    return Portrait.of(photo, face, 320)


def test_unchanged_it_comes_back(portrait, photo):
    own = portrait.fit.pose
    matrix = portrait.crop(own, 128, 1.2)
    view = portrait.render(own, portrait.fit.action_units, matrix, 128)
    cut = images.warp(images.warp(photo, portrait.matrix, 320), matrix, 128)
    face = np.zeros((128, 128), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.rint(view.landmarks).astype(np.int32)), 1)
    error = (view.image.astype(float) - cut)[face > 0]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 30
    assert (view.landmarks_visible[17:] == 1).mean() > 0.9


@pytest.mark.parametrize("yaw", (-30, 30))
def test_it_turns(portrait, landmarker, yaw):
    pose = turned_to(portrait.fit.pose, yaw)
    view = portrait.render(pose, portrait.fit.action_units, portrait.crop(pose, 256, 1.5), 256)
    (face,) = landmarker.find(view.image)
    assert abs(face.pose[0] - yaw) < 8
    assert np.linalg.norm(face.landmarks - view.landmarks, axis=1)[27:].mean() < 6  # pixels of 256
    assert view.mask[128, 128] == 255 and view.mask[:8, :8].max() == 0


def test_it_smiles_and_opens_the_mouth(portrait, landmarker):
    own, worn = portrait.fit.pose, portrait.fit.action_units
    matrix = portrait.crop(own, 256, 1.5)

    def seen(**changes):
        units = worn.copy()
        for name, value in changes.items():
            units[ACTION_UNITS.index(name)] = value
        (face,) = landmarker.find(portrait.render(own, units, matrix, 256).image)
        return face

    frown, smile = seen(AU12=0.0), seen(AU12=1.0)
    assert smile.blendshape("mouthSmileLeft") > frown.blendshape("mouthSmileLeft") + 0.2
    assert seen(AU26=1.0).blendshape("jawOpen") > seen(AU26=0.0).blendshape("jawOpen") + 0.08


def test_records(photo, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(photo).save(folder / "a.png")
    Image.fromarray(photo[:, ::-1]).save(folder / "more" / "b.png")
    (folder / "broken.png").write_bytes(b"nothing")
    command = [str(folder), "--yaw", "-20", "0", "--au", "AU12=1", "--image-size", "48", "-o", str(out), "--quiet"]
    assert rerender.main(command) == 0
    assert "8 pictures" in capsys.readouterr().out
    found = list(records.open_dataset(out))
    assert [r["view"] for r in found[:4]] == ["-20/000000", "-20/000001", "frontal/000000", "frontal/000001"]
    assert [r["identity"] for r in found] == [0] * 4 + [1] * 4
    assert found[4]["source"] == "more/b.png"
    smile = ACTION_UNITS.index("AU12")
    for record in found:
        assert record["action_units"][smile] == 5 or record["view"].endswith(("00", "02"))
        expected = -20 if record["view"].startswith("-20") else 0
        assert record["pose"][0] == pytest.approx(expected, abs=0.01) and np.isfinite(record["light"]).all()
        matrix = alignment.alignment_matrix(record["landmarks"], 48)
        if not record["action_units"][smile] == 5:  # crops of a pose are those of the photo's own expression
            np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=2e-3)
        known = dict(zip(ATTRIBUTES, record["attributes"], strict=True))
        assert 1 in known.values() and 0 in known.values()  # the rotator asks for some that are known
        assert known["Smiling"] == known["Mouth_Slightly_Open"] == -1  # which the expressions decide
        assert record["mask"].shape == (48, 48)
    # The mirrored photo is the mirrored person: its -20 is the other's +20, and the same labels otherwise.
    np.testing.assert_allclose(found[2]["action_units"], found[6]["action_units"], atol=1.0)
    with open(out / "rejects.csv") as stream:
        (row,) = csv.DictReader(stream)
    assert row["source"].endswith("broken.png") and "not a picture" in row["reason"]
    before = (out / "shard-00000.tfrecord").read_bytes()
    assert rerender.main(command) == 0  # already done
    assert (out / "shard-00000.tfrecord").read_bytes() == before


def test_goes_on_where_it_stopped(photo, tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abc":
        Image.fromarray(photo).save(folder / f"{name}.png")
    (folder / "aa.png").write_bytes(b"nothing")
    settings = dict(expressions=[{"AU12": 1.0}], image_size=32, progress=False)
    monkeypatch.setattr(dataset, "_SHARD_RECORDS", 2)  # a shard for each face
    dataset.rerender([folder], tmp_path / "whole", **settings)
    read, calls = images.read_image, []

    def interrupted(path):
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(dataset.images, "read_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dataset.rerender([folder], tmp_path / "parts", **settings)
    monkeypatch.setattr(dataset.images, "read_image", read)
    assert dataset.rerender([folder], tmp_path / "parts", **settings) == (6, 1)
    for name in ("faces.csv", "rejects.csv", "shard-00000.tfrecord", "shard-00002.tfrecord"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert [r["view"] for r in records.open_dataset(tmp_path / "parts")][::2] == [f"answer/00000{n}" for n in range(3)]


def test_bad_input_exits_2(tmp_path, capsys):
    Image.fromarray(data.coffee()[:100, :100]).save(tmp_path / "coffee.png")
    for number, (flags, expected) in enumerate((
        ([], "nothing to render"),
        (["--au", "AU12=2"], "--au AU12=2"),
        (["--au", "AU99=1"], "'AU99' is unknown"),
        (["--au", "AU12=1", "AU12=0"], "given twice"),
        (["--yaw", "90", "0"], "yaw 90"),
        (["--yaw", "20", "--vary", "pose"], "vary pose"),
        (["--yaw", "20", "0", "--vary", "action_units"], "vary action_units"),
        (["--yaw", "0", "20", "--image-size", "4"], "image size 4"),
        (["--yaw", "0", "20", "--margin", "3"], "margin 3"),
        (["--yaw", "0", "20"], "no usable face in 1 photos (no face found)"),
    )):  # fmt: skip
        assert rerender.main([str(tmp_path / "coffee.png"), *flags, "-o", str(tmp_path / str(number)), "--quiet"]) == 2
        error = capsys.readouterr().err
        assert expected in error and error.count("\n") == 1
    assert rerender.main([str(tmp_path / "missing"), "--yaw", "0", "20", "-o", str(tmp_path / "x"), "--quiet"]) == 2
