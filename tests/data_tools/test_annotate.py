"""Photos of all kinds in, a data set and a complete list of rejects out; killed and resumed without loss or repeats."""

import csv
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from data_tools import annotate, annotate_journal, openface
from tfface import conventions
from tfface.annotating import photos
from tfface.data import records
from tfface.errors import InputError


def portrait():
    return data.astronaut()[:220, 110:340]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Broken, empty, huge, faceless and many-faced files, and a video."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "sub").mkdir()
    Image.fromarray(np.concatenate([portrait(), portrait()[:, ::-1]], 1)).save(folder / "pair.png")
    Image.fromarray(portrait()).save(folder / "sub" / "one.jpg", quality=95)
    Image.fromarray(data.astronaut()[::3, ::3]).save(folder / "small.png")
    Image.fromarray(data.coffee()[:150, :150]).save(folder / "coffee.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0nothing")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.md").write_text("not a picture")
    Image.new("1", (10000, 9000)).save(folder / "huge.png")
    Image.new("L", (12000, 300), 128).save(folder / "wide.png")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "broken.mp4").write_bytes(b"no video")
    video = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (230, 220))
    for shift in range(3):
        video.write(np.roll(portrait(), shift * 4, 1)[..., ::-1])
    video.release()
    return folder


@pytest.fixture(scope="module")
def annotated(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "mine"
    command = [str(folder), "-o", str(out), "--quiet", "--workers", "1", "--csv", str(out) + ".csv"]
    assert annotate.main(command) == 0
    return out, command


def rejects(out):
    with open(out / "rejects.csv") as stream:
        return {row["source"]: row["reason"] for row in csv.DictReader(stream)}


def test_every_file_is_used_or_rejected_by_name(folder, annotated):
    out, _ = annotated
    rows = list(records.open_dataset(out))
    sources = [row["source"] for row in rows]
    clip = [f"clip.avi#{frame:06d}" for frame in range(3)]
    assert sources == [*clip, "pair.png", "pair.png", "sub/one.jpg"]
    why = rejects(out)
    assert set(why) == {
        "broken.jpg", "broken.mp4", "coffee.png", "empty.png", "gone.jpg", "huge.png", "notes.md", "small.png",
        "wide.png",
    }  # fmt: skip
    assert why["coffee.png"] == why["wide.png"] == "no face found" and "no such file" in why["gone.jpg"]
    assert "smaller than 48" in why["small.png"]
    assert "0 bytes" in why["empty.png"] and "90 megapixels" in why["huge.png"]
    assert "no frame" in why["broken.mp4"] and "known format" in why["notes.md"]
    assert not any(str(folder) in reason for reason in why.values())


def test_records_are_whole(annotated):
    for row in records.open_dataset(annotated[0]):
        assert row["image"].shape == (128, 128, 3) and (row["action_units"] >= 0).all()
        assert (row["action_units"] <= 5).all() and np.isfinite(row["pose"]).all()
        assert 0 < np.linalg.norm(row["embedding"]) < 3 and 0.5 < row["confidence"] <= 1
        assert row["identity"] == -1 and (row["landmarks"] > 0).all()
        known = dict(zip(conventions.ATTRIBUTES, row["attributes"].tolist(), strict=True))
        assert known["Wearing_Necktie"] == -1 and set(known.values()) <= {-1, 0, 1}


def test_mirrored_face_is_read_alike(annotated):
    left, right = list(records.open_dataset(annotated[0]))[3:5]
    assert np.abs(left["action_units"] - right["action_units"]).max() < 1.0
    np.testing.assert_allclose(conventions.mirror_pose(left["pose"]), right["pose"], atol=3)


def test_openface_columns_come_back_by_the_importer(annotated):
    out, _ = annotated
    rows = list(records.open_dataset(out))
    with open(str(out) + ".csv", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(rows)
    assert [line["frame"] for line in lines] == ["1", "2", "3", "1", "1", "1"] and lines[4]["face_id"] == "1"
    for line, row in zip(lines, rows, strict=True):
        assert line["source"] == row["source"]
        assert float(line["AU12_r"]) == pytest.approx(row["action_units"][8], abs=0.006)
        yaw, pitch, _ = conventions.pose_from_openface(*(float(line[f"pose_R{axis}"]) for axis in "xyz"))
        np.testing.assert_allclose((yaw, pitch), row["pose"][:2], atol=0.1)
    assert openface.csv_files(str(out) + ".csv")


def test_finished_set_is_left_alone(annotated, capsys):
    out, command = annotated
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("shard*")}
    assert annotate.main(command) == 0 and "6 faces" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("shard*")} == before
    assert annotate.main([*command, "--margin", "1.5"]) == 2


def test_killed_and_resumed(folder, annotated, tmp_path, monkeypatch):
    whole, command = annotated
    listed = tmp_path / "list.txt"
    listed.write_text(f"# faces\n{folder}\n")
    out = tmp_path / "killed"
    command = [str(listed), "-o", str(out), "--quiet", "--workers", "1"]
    # As the command does it, but in shards of two: each kill costs little here.
    script = "import sys; from data_tools import annotate; annotate._SHARD = 2; sys.exit(annotate.main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", script, *command], start_new_session=True)
    deadline = time.monotonic() + 120
    while not (out / "shard-00000.tfrecord").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.setattr(annotate, "_SHARD", 2)
    assert annotate.main(command) == 0
    rows, expected = list(records.open_dataset(out)), list(records.open_dataset(whole))
    assert [row["source"] for row in rows] == [row["source"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(row["image"], other["image"])
        np.testing.assert_allclose(row["action_units"], other["action_units"], atol=0.02)
    assert rejects(out) == rejects(whole)


def face(source, number):
    photo = {"face": number, "frame": -1, "pose": (1, 2, 3), "landmarks": np.zeros((68, 2))}
    return {"record": {"source": source, "confidence": 0.9, "action_units": np.zeros(17)}, "photo": photo}


@pytest.mark.parametrize(
    ("written", "done", "kept"),
    [(0, 0, 0), (1, 2, 0), (2, 2, 1), (3, 2, 2), (4, 4, 0), (5, 5, 0)],
)
def test_journal_goes_on_where_the_shards_end(tmp_path, written, done, kept):
    """Items with 1, 0, 3, 0 and 1 faces, then a line cut off by the kill."""
    journal = annotate_journal.Journal(tmp_path, 0)
    for item, count in enumerate((1, 0, 3, 0, 1)):
        answer = {"faces": [face(f"{item}.png", n) for n in range(count)], "rejects": []}
        journal.add(annotate_journal.entry(answer))
    journal.close()
    with open(tmp_path / annotate_journal.FILE, "a") as file:
        file.write('{"faces": [')
    journal = annotate_journal.Journal(tmp_path, written)
    assert (journal.done, journal.kept) == (done, kept)
    journal.close()
    assert len((tmp_path / annotate_journal.FILE).read_text().splitlines()) == done


def test_lists_and_videos(folder, tmp_path):
    listed = tmp_path / "some.txt"
    listed.write_text(f"\ufeff{folder / 'pair.png'}\n\n# note\nmissing.png\n{folder / 'clip.avi'}\n")
    items = annotate.list_items([str(listed)], tmp_path / "out", every=2)
    assert [item.source for item in items] == ["pair.png", "missing.png", "clip.avi"]
    answer = photos.annotate(items[1], photos.Options())
    assert answer["faces"] == [] and "no such file" in answer["rejects"][0][2]
    clip = photos.annotate(items[2], photos.Options())
    assert [found["photo"]["frame"] for found in clip["faces"]] == [0, 2]


def test_many_faces_of_one_photo(tmp_path):
    tile = np.asarray(Image.fromarray(portrait()).resize((180, 172)))
    Image.fromarray(np.tile(tile, (2, 4, 1))).save(tmp_path / "crowd.png")
    item = photos.Item(tmp_path / "crowd.png", "crowd.png")
    answer = photos.annotate(item, photos.Options())
    assert [found["photo"]["face"] for found in answer["faces"]] == [1, 2, 3, 4, 5, 6, 7, 8] and not answer["rejects"]
    places = {tuple((found["photo"]["landmarks"].mean(0) // (180, 172)).astype(int)) for found in answer["faces"]}
    assert places == {(x, y) for x in range(4) for y in range(2)}
    one = photos.annotate(item, photos.Options(largest=True))
    assert len(one["faces"]) + len(one["rejects"]) == 8 and "larger face" in one["rejects"][0][2]


def test_files_of_one_name_are_told_apart(tmp_path):
    for name in ("a/x/1.jpg", "b/x/1.jpg", "b/2.jpg", "c/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folders = [str(tmp_path / name) for name in ("a", "b", "c")]
    assert [item.source for item in annotate.list_items(folders, tmp_path / "o")] == [
        "a/x/1.jpg", "2.jpg", "b/x/1.jpg", "1.jpg",
    ]  # fmt: skip
    listed = tmp_path / "list.txt"
    listed.write_text("a/x/1.jpg\nc/1.jpg\nc/1.jpg\n")
    items = annotate.list_items([str(listed)], tmp_path / "o")
    assert [item.source for item in items] == ["x/1.jpg", "c/1.jpg", "c/1.jpg"]


def test_bad_input(folder, tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    for flags in (["--image-size", "4"], ["--margin", "9"], ["--workers", "0"], ["--min-size", "-1"]):
        assert annotate.main([str(folder), "-o", str(tmp_path / "o"), *flags]) == 2
        assert flags[0] in capsys.readouterr().err
    with pytest.raises(InputError, match="holds no files"):
        annotate.list_items([str(tmp_path / "nothing")], tmp_path / "o")


def test_a_folder_without_a_face_is_no_failure(tmp_path):
    Image.fromarray(data.coffee()[:150, :150]).save(tmp_path / "coffee.png")
    out = tmp_path / "out"
    assert annotate.main([str(tmp_path / "coffee.png"), "-o", str(out), "--quiet", "--workers", "1"]) == 0
    assert rejects(out) == {"coffee.png": "no face found"}
