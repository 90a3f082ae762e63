"""Photos in, aligned faces and two tables out; resumable; rejects are no failure."""

import csv

import numpy as np
import pytest
from PIL import Image
from skimage import data

from data_tools import align
from tfface import alignment, crops, images
from tfface.data import records
from tfface.errors import InputError


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    portrait = data.astronaut()[:220, 110:340]
    pair = np.concatenate([portrait, portrait[:, ::-1]], 1)
    Image.fromarray(pair).save(folder / "pair.png")
    Image.fromarray(data.astronaut()).save(folder / "sub" / "one.jpg", quality=95)
    Image.fromarray(data.astronaut()[::2, ::2]).save(folder / "small.png")
    Image.fromarray(data.coffee()[:150, :150]).save(folder / "coffee.png")
    (folder / "broken.png").write_bytes(b"nothing")
    return folder


def rows(path):
    with open(path) as stream:
        return list(csv.DictReader(stream))


def test_faces_and_rejects(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert align.main([str(photos), "-o", str(out), "--image-size", "96", "--min-size", "60", "--quiet"]) == 0
    assert "3 faces" in capsys.readouterr().out
    found = list(crops.read_faces(out))
    names = [str(row["file"].relative_to(out)) for row in found]
    assert names == ["pair-face1.png", "pair-face2.png", "sub/one-face1.png"]
    reasons = {row["source"].rsplit("/", 1)[1]: row["reason"] for row in rows(out / "rejects.csv")}
    assert set(reasons) == {"small.png", "coffee.png", "broken.png"}
    assert "smaller than 60" in reasons["small.png"] and "no face" in reasons["coffee.png"]
    for row in found:
        crop = images.read_image(row["file"])
        assert crop.shape == (96, 96, 3)
        np.testing.assert_allclose(row["matrix"], alignment.alignment_matrix(row["landmarks"], 96), atol=1e-3)
        np.testing.assert_allclose(alignment.invert(row["matrix"]), row["inverse"], atol=1e-4)
        np.testing.assert_array_equal(crop, images.warp(images.read_image(row["source"]), row["matrix"], 96))
    first, second = found[:2]
    np.testing.assert_allclose(first["pose"] * (-1, 1, -1), second["pose"], atol=3)


def test_resume_finishes_what_was_cut_short(photos, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    assert align.main([str(photos), "-o", str(out), "--quiet"]) == 0
    assert align.main([str(photos / "pair.png"), "-o", str(again), "--quiet"]) == 0
    with open(again / "faces.csv", "a") as stream:
        stream.write("half a li")  # killed while writing
    before = (again / "pair-face1.png").stat().st_mtime_ns
    assert align.main([str(photos), "-o", str(again), "--quiet"]) == 0
    assert (again / "faces.csv").read_text() == (out / "faces.csv").read_text()
    assert (again / "pair-face1.png").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="was made with image_size 128, not 64"):
        crops.align_photos([photos], again, image_size=64)


def test_records(photos, tmp_path):
    out, made = tmp_path / "out", tmp_path / "records"
    assert align.main([str(photos), "-o", str(out), "--records", str(made), "--licence", "CC0", "--quiet"]) == 0
    dataset = records.open_dataset(made)
    assert len(dataset) == 4
    for record, row in zip(dataset, crops.read_faces(out), strict=True):
        np.testing.assert_array_equal(record["image"], images.read_image(row["file"]))
        assert (
            np.isnan(record["action_units"]).all() and (record["attributes"] == -1).all() and record["identity"] == -1
        )
        assert record["source"] == row["source"]
        assert (record["landmarks"] > 0).all() and (record["landmarks"] < 128).all()
        assert abs(record["pose"][2]) < 4  # upright in the crop


def test_bad_input_exits_2(photos, tmp_path, capsys):
    for number, (flags, expected) in enumerate((
        ([str(photos / "coffee.png")], "no usable face in 1 photos (no face found)"),
        ([str(tmp_path / "missing.jpg")], "no such file"),
        ([str(photos), "--image-size", "4"], "--image-size 4"),
        ([str(photos), "--margin", "9"], "--margin 9"),
        ([str(photos), "--min-size", "-1"], "--min-size -1"),
    )):  # fmt: skip
        assert align.main([*flags, "-o", str(tmp_path / f"out{number}"), "--quiet"]) == 2
        error = capsys.readouterr().err
        assert expected in error and error.count("\n") == 1


def test_same_names(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.fromarray(data.astronaut()[:200, 120:330]).save(tmp_path / name)
    assert crops.align_photos([tmp_path], tmp_path / "out", progress=False) == (2, 0)
    assert (tmp_path / "out" / "a_png-face1.png").exists() and (tmp_path / "out" / "a_jpg-face1.png").exists()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.png").write_bytes((tmp_path / "a.png").read_bytes())
    with pytest.raises(InputError, match="one folder at a time"):
        crops.align_photos([tmp_path / "a.png", tmp_path / "b" / "a.png"], tmp_path / "other", progress=False)
