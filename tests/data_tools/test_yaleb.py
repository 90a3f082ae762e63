"""The Extended Yale B import: labels from names, one framing per person, batches in which the light varies."""

import csv

import numpy as np
import pytest
from skimage import data as examples

from data_tools import yaleb
from tfface import images
from tfface.data import pipeline, records

LIGHTS = [(azimuth, elevation) for elevation in (0, 20, -35) for azimuth in range(-70, 80, 10)]


def name(person, azimuth, elevation, camera=0):
    return f"yaleB{person:02d}_P{camera:02d}A{azimuth:+04d}E{elevation:+03d}.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A photo of a face under 45 lights for one person (the darker, the further), and one picture of another."""
    path = tmp_path_factory.mktemp("yaleb")
    face = examples.astronaut()[0:260, 100:340].mean(-1, keepdims=True).repeat(3, -1)
    for azimuth, elevation in LIGHTS:
        dark = 1 - (abs(azimuth) + abs(elevation)) / 120
        images.write_image(path / name(1, azimuth, elevation), (face * dark).astype(np.uint8))
    images.write_image(path / name(2, 110, 40), np.zeros((192, 168, 3), np.uint8))
    (path / "yaleB01_P00_Ambient.png").write_bytes(b"")
    return path


def run(folder, output, *more):
    return yaleb.main([str(folder), "-o", str(output), "--image-size", "48", *more])


def test_labels_come_from_the_names_with_our_signs(folder, tmp_path, capsys):
    assert run(folder, tmp_path / "set") == 0
    found = {record["source"]: record for record in records.open_dataset(tmp_path / "set")}
    assert len(found) == len(LIGHTS)
    record = found[name(1, 30, 20)]
    np.testing.assert_array_equal(record["light"], [-30, 20])  # the subject's right is the image's left
    np.testing.assert_array_equal(record["pose"], [0, 0, 0])
    assert record["identity"] == 1 and record["image"].shape == (48, 48, 3)
    assert np.isnan(record["action_units"]).all()
    with open(tmp_path / "set" / "rejects.csv") as file:
        (line,) = csv.DictReader(file)
    assert line["picture"] == name(2, 110, 40) and "no face" in line["reason"]
    assert "1 pictures left out" in capsys.readouterr().out


def test_all_lights_of_a_person_are_framed_alike(folder, tmp_path):
    run(folder, tmp_path / "set")
    found = {record["source"]: record["image"].astype(float) for record in records.open_dataset(tmp_path / "set")}
    bright, dark = found[name(1, 0, 0)], found[name(1, 70, -35)]
    np.testing.assert_allclose(dark, bright * (1 - 105 / 120), atol=2.5)


def test_batches_are_whole_and_of_one_person(folder, tmp_path):
    assert run(folder, tmp_path / "set", "--batches") == 0
    found = list(records.open_dataset(tmp_path / "set"))
    assert len(found) == 40  # of 45; five are left over
    by_view = {}
    for record in found:
        by_view.setdefault(record["view"], []).append(record["light"])
    assert sorted(by_view) == ["light/000000", "light/000001"]
    for lights in by_view.values():
        azimuths = np.array(lights)[:, 0]
        assert len(lights) == 20 and azimuths.min() <= -60 and azimuths.max() >= 60
    dataset = records.open_dataset(tmp_path / "set")
    batches = pipeline.training_batches(
        dataset, 20, image_size=16, seed=0, split=None, keys=("image", "light"), partners=(), groups=20
    )
    (batch,) = batches.take(1).as_numpy_iterator()
    assert set(batch["factor"]) == {2}


def test_the_same_command_again_changes_nothing(folder, tmp_path):
    run(folder, tmp_path / "set")
    before = {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir()}
    assert run(folder, tmp_path / "set") == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir()} == before


@pytest.mark.parametrize(
    ("more", "said"), [(("--image-size", "4"), "--image-size 4"), (("--margin", "9"), "--margin 9"), ((), "is this")]
)
def test_bad_input_is_named(tmp_path, capsys, more, said):
    assert yaleb.main([str(tmp_path), "-o", str(tmp_path / "set"), *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_real_pictures(real_data, tmp_path):
    assert yaleb.main([str(real_data / "yaleb"), "-o", str(tmp_path / "set"), "--batches"]) == 0
    dataset = records.open_dataset(tmp_path / "set")
    found = list(dataset)
    assert len(found) == 180 and dataset.info["people"] == 6
    # Lit from the image's right, the right half is the brighter one.
    lean = [np.sign(record["image"][:, 32:].mean() - record["image"][:, :32].mean()) for record in found]
    azimuths = np.array([record["light"][0] for record in found])
    far = np.abs(azimuths) >= 35
    assert (np.array(lean)[far] == np.sign(azimuths[far])).mean() > 0.95
