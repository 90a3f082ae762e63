import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from tfface import conventions
from tfface.data import records
from tfface.errors import InputError
from tfface.synthetic import dataset, labels, worker
from tfface.synthetic.render import render
from tfface.synthetic.scene import Scene

SMALL = dict(count=40, image_size=32, seed=3, progress=False)


def digests(directory):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return dataset.synthesize(tmp_path_factory.mktemp("heads") / "one", workers=1, **SMALL)


def test_records_hold_what_the_scene_says(made):
    data = records.open_dataset(made)
    assert len(data) == 40 and data.info["people"] == 10 and data.info["seed"] == 3
    for number, record in zip(range(5), data):
        scene = Scene.from_json(record["scene"])
        again = render(scene, 32)
        assert np.array_equal(record["image"], again.image) and np.array_equal(record["mask"], again.mask)
        assert np.allclose(record["action_units"], scene.action_units, atol=1e-5)
        assert np.array_equal(record["attributes"], labels.labels(scene))
        assert np.allclose(record["pose"], (scene.pose.yaw, scene.pose.pitch, scene.pose.roll), atol=1e-4)
        assert np.allclose(record["landmarks"], again.landmarks, atol=1e-4)
        assert record["identity"] == scene.identity and record["source"] == f"synthetic/train-3/{number:07d}"


def test_faces_are_framed(made):
    points = np.array([record["landmarks"] for record in records.open_dataset(made)]) / 32
    eyes = points[:, 36:48].mean(1)
    assert (np.abs(eyes - [0.5, 0.35]) < 0.2).all()
    assert ((points[:, 27:] > 0) & (points[:, 27:] < 1)).mean() > 0.98


def test_two_processes_write_the_same_bytes_as_one(made, tmp_path):
    assert digests(dataset.synthesize(tmp_path / "two", workers=2, **SMALL)) == digests(made)


def test_an_interrupted_set_is_finished_to_the_same_bytes(made, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_RECORDS", 16)
    whole = dataset.synthesize(tmp_path / "whole", workers=1, **SMALL)
    original = dataset.render_range

    def stop_after(start, *rest):
        if start >= 32:
            raise KeyboardInterrupt
        return original(start, *rest)

    monkeypatch.setattr(dataset, "render_range", stop_after)
    with pytest.raises(KeyboardInterrupt):
        dataset.synthesize(tmp_path / "stopped", workers=1, **SMALL)
    with pytest.raises(InputError, match="unfinished"):
        records.open_dataset(tmp_path / "stopped")
    monkeypatch.setattr(dataset, "render_range", original)
    assert digests(dataset.synthesize(tmp_path / "stopped", workers=1, **SMALL)) == digests(whole)


def test_a_finished_set_is_left_alone_and_another_is_refused(made):
    before = digests(made)
    dataset.synthesize(made, workers=2, **SMALL)
    assert digests(made) == before
    with pytest.raises(InputError, match="other settings"):
        dataset.synthesize(made, workers=1, poses="wide", **SMALL)


def test_a_set_of_another_renderer_is_refused_by_its_version(tmp_path, monkeypatch):
    made = dataset.synthesize(tmp_path / "old", 4, 32, 0, workers=1, progress=False)
    assert records.read_info(made)["settings"]["renderer"] == dataset.RENDERER_VERSION
    before, older = digests(made), dataset.RENDERER_VERSION
    monkeypatch.setattr(dataset, "RENDERER_VERSION", older + 1)
    with pytest.raises(InputError, match=f"old: made by renderer {older}, this is {older + 1}; .* delete it"):
        dataset.synthesize(made, 4, 32, 0, workers=1, progress=False)
    assert digests(made) == before


def test_a_set_from_before_versions_is_refused_too(tmp_path):
    made = dataset.synthesize(tmp_path / "old", 4, 32, 0, workers=1, progress=False)
    path = made / records.DATASET_FILE
    info = json.loads(path.read_text())
    del info["settings"]["renderer"]
    path.write_text(json.dumps(info))
    with pytest.raises(InputError, match="made by renderer 0"):
        dataset.synthesize(made, 4, 32, 0, workers=1, progress=False)


def test_a_set_from_before_a_setting_has_its_default(tmp_path):
    made = dataset.synthesize(tmp_path / "old", 4, 32, 0, workers=1, progress=False)
    path = made / records.DATASET_FILE
    info = json.loads(path.read_text())
    assert info["settings"].pop("vary") == "action_units"
    path.write_text(json.dumps(info))
    before = digests(made)
    dataset.synthesize(made, 4, 32, 0, workers=1, progress=False)
    assert digests(made) == before
    with pytest.raises(InputError, match="other settings"):
        dataset.synthesize(made, 4, 32, 0, workers=1, progress=False, vary="pose")


def test_views_join_by_person(tmp_path):
    made = dataset.synthesize(tmp_path / "v", 4, 32, 0, workers=1, progress=False, views=("frontal", "turned"))
    found = list(records.open_dataset(made))
    assert [r["view"] for r in found] == ["frontal", "turned"] * 2
    assert found[0]["identity"] == found[1]["identity"] != found[2]["identity"]
    assert found[0]["pose"][0] == 0 and abs(found[1]["pose"][0]) >= 15
    assert np.array_equal(found[0]["light"], found[1]["light"])


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (dict(count=0), "count 0"),
        (dict(image_size=8), "image size 8"),
        (dict(seed=-1), "seed -1"),
        (dict(workers=0), "workers 0"),
        (dict(factor="light"), "multiple of 20"),
        (dict(views=("frontal", "left", "right")), "multiple of 3"),
        (dict(answers=4), "multiple of 4"),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(tmp_path, changes, word):
    with pytest.raises(InputError, match=word):
        dataset.synthesize(tmp_path / "x", **{**SMALL, "count": 10, **changes})
    assert not (tmp_path / "x").exists()


def test_errors_of_a_worker_reach_the_caller():
    with pytest.raises(RuntimeError, match="TypeError"):
        list(worker.ordered_map([(0, 1, 32, 0, None, "too many")], 1))


def test_workers_import_no_tensorflow():
    code = "import sys, tfface.synthetic.dataset, tfface.synthetic.worker; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_action_units_are_in_order(made):
    record = next(iter(records.open_dataset(made)))
    assert record["action_units"].shape == (len(conventions.ACTION_UNITS),)
