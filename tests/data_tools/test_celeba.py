"""The CelebA import: both layouts of every label file, the two framings, partitions, reasons, going on."""

import csv
import shutil
import types

import cv2
import numpy as np
import pytest

from data_tools import celeba, celeba_files
from tfface import conventions
from tfface.data import records
from tfface.errors import InputError

NAMES = ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg"]
FIVE = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"


def tree(folder, layout="own", partition="0 1 2 0", extra=()):
    """Writes pictures 178 x 218 (but the last, which is missing) and label files; returns the folder."""
    pictures = folder / "img_align_celeba"
    pictures.mkdir(parents=True)
    for number, name in enumerate(NAMES[:3]):
        image = np.full((218, 178, 3), 20 * number, np.uint8)
        image[26:196, 3:173] = 200 - number
        cv2.imwrite(str(pictures / name), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    rng = np.random.default_rng(0)
    labels = rng.choice([-1, 1], (4, 40))
    people = [7, 7, 9, 9]
    if layout == "own":
        rows = [f"{name} " + "".join(f"{value:3d}" for value in row) for name, row in zip(NAMES, labels, strict=True)]
        text = "\n".join(["4", " ".join(conventions.ATTRIBUTES), *rows])
        (folder / "list_attr_celeba.txt").write_text(text + "\n")
        (folder / "identity_CelebA.txt").write_text("".join(f"{n} {p}\n" for n, p in zip(NAMES, people, strict=True)))
        if partition:
            lines = [f"{n} {p}\n" for n, p in zip(NAMES, partition.split(), strict=True)]
            (folder / "list_eval_partition.txt").write_text("".join(lines))
    else:
        with open(folder / "list_attr_celeba.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image_id", *conventions.ATTRIBUTES])
            writer.writerows([n, *row] for n, row in zip(NAMES, labels.tolist(), strict=True))
        rows = "".join(f"{n},{p}\n" for n, p in zip(NAMES, people, strict=True))
        (folder / "identity_CelebA.csv").write_text("image_id,identity\n" + rows)
        rows = "".join(f"{n},{p}\n" for n, p in zip(NAMES, partition.split(), strict=True))
        (folder / "list_eval_partition.csv").write_text("image_id,partition\n" + rows)
    return labels


def run(folder, *more):
    return celeba.main(["--images", str(folder / "img_align_celeba"), "--labels", str(folder), *map(str, more)])


@pytest.mark.parametrize("layout", ["own", "csv"])
def test_both_layouts_give_the_same_records(tmp_path, layout, capsys):
    labels = tree(tmp_path, layout)
    out = tmp_path / "out"
    assert run(tmp_path, "-o", out, "--crop", "26,3,170,170", "--image-size", 64) == 0
    found = list(records.open_dataset(out))
    assert [r["source"] for r in found] == ["train/000001.jpg", "test/000003.jpg"]  # valid is left out
    assert [r["identity"] for r in found] == [7, 9]
    np.testing.assert_array_equal(found[0]["attributes"], labels[0] == 1)
    np.testing.assert_array_equal(found[1]["attributes"], labels[2] == 1)
    # The published crop holds nothing of what surrounds it.
    assert abs(found[1]["image"][2:-2, 2:-2].astype(int) - 198).max() <= 2
    with open(out / "rejects.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"picture": "000004.jpg", "reason": "no picture"}]
    assert "1 of them have no file" in capsys.readouterr().out


def test_partition_decides_what_is_held_out(tmp_path):
    tree(tmp_path)
    out = tmp_path / "out"
    assert run(tmp_path, "-o", out, "--crop", "26,3,170,170", "--partitions", "train,valid,test") == 0
    dataset = records.open_dataset(out)
    assert [r["source"] for r in dataset.records("train")] == ["train/000001.jpg"]
    assert [r["source"] for r in dataset.records("test")] == ["valid/000002.jpg", "test/000003.jpg"]


def test_without_a_partition_file_every_picture_is_taken(tmp_path):
    tree(tmp_path, partition="")
    assert run(tmp_path, "-o", tmp_path / "out", "--crop", "26,3,170,170") == 0
    assert [r["source"] for r in records.open_dataset(tmp_path / "out")] == NAMES[:3]


def test_dry_run_writes_nothing(tmp_path, capsys):
    tree(tmp_path)
    assert run(tmp_path, "-o", tmp_path / "out", "--dry-run") == 0
    assert "3 pictures listed" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_pose_files_are_read_by_name_and_turned_into_our_signs(tmp_path):
    tree(tmp_path)
    (tmp_path / "pose.txt").write_text("3\nYaw Pitch Raw\n000001.jpg 10 0 0\n000002.jpg 0 5 0\n000003.jpg 0 0 -7.5\n")
    more = ["--crop", "26,3,170,170", "--pose", tmp_path / "pose.txt"]
    assert run(tmp_path, "-o", tmp_path / "a", *more) == 0
    assert run(tmp_path, "-o", tmp_path / "b", *more, "--pose-signs", "tfface") == 0
    hopenet, ours = ([r["pose"] for r in records.open_dataset(tmp_path / name)] for name in "ab")
    np.testing.assert_allclose(hopenet, [[-10, 0, 0], [0, 0, 7.5]], atol=1e-4)
    np.testing.assert_allclose(ours, [[10, 0, 0], [0, 0, -7.5]], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("4\n", "5\n", 1), "says 5 pictures but lists 4"),
        (lambda text: text.replace(" -1", "  3", 1), "expected -1 or 1"),
        (lambda text: text.rstrip()[:-3], "was the file cut off"),
        (lambda text: text.replace(" ".join(conventions.ATTRIBUTES), "a " * 40), "names none of CelebA's attributes"),
    ],
)
def test_bad_attribute_files_are_named(tmp_path, change, message, capsys):
    tree(tmp_path)
    path = tmp_path / "list_attr_celeba.txt"
    path.write_text(change(path.read_text()))
    assert run(tmp_path, "-o", tmp_path / "out", "--crop", "26,3,170,170") == 2
    error = capsys.readouterr().err
    assert message in error and "list_attr_celeba.txt" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--crop", "26,3,170"], "--crop 26,3,170: expected top,left,height,width"),
        (["--crop", "26,3,170,160"], "expected a square"),
        (["--partitions", "train,exam"], "--partitions exam"),
        (["--limit", "0"], "--limit 0"),
        (["--margin", "9"], "--margin 9"),
    ],
)
def test_bad_flags_are_named(tmp_path, flags, message, capsys):
    tree(tmp_path)
    assert run(tmp_path, "-o", tmp_path / "out", *flags) == 2
    assert message in capsys.readouterr().err


def test_a_stopped_import_goes_on_and_gives_the_same_files(tmp_path, monkeypatch):
    """Stopped in the middle: what was left out is not looked at again, and nothing is missing or there twice."""
    tree(tmp_path, partition="0 0 0 0")
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    writer = records.RecordWriter
    monkeypatch.setattr(records, "RecordWriter", lambda *a, **k: writer(*a, **k, shard_records=1))
    flags = ["--crop", "26,3,170,170"]
    # The second picture is no picture: it is left out, and the third is what the import is stopped at.
    (tmp_path / "img_align_celeba" / NAMES[1]).write_bytes(b"not a picture")
    assert run(tmp_path, "-o", whole, *flags) == 0
    make, seen = celeba.make_record, []

    def stopped(path, name, *rest):
        seen.append(name)
        if name == NAMES[2] and len(seen) == 3:
            raise KeyboardInterrupt
        return make(path, name, *rest)

    monkeypatch.setattr(celeba, "make_record", stopped)
    assert run(tmp_path, "-o", resumed, *flags) == 130
    with pytest.raises(InputError, match="unfinished"):
        records.open_dataset(resumed)
    assert run(tmp_path, "-o", resumed, *flags) == 0
    assert seen == [*NAMES[:3], *NAMES[2:]]
    for path in whole.iterdir():
        assert path.read_bytes() == (resumed / path.name).read_bytes(), path.name


def test_the_face_around_the_five_points_is_taken():
    boxes = [np.array([0, 0, 40, 40]), np.array([50, 0, 150, 100])]
    faces = [types.SimpleNamespace(box=box, size=float(box[2] - box[0])) for box in boxes]
    assert celeba.meant(faces, None) is faces[1]
    assert celeba.meant(faces, np.full((5, 2), 20.0)) is faces[0]
    assert celeba.meant(faces, np.full((5, 2), 45.0)) is None


def test_real_files(real_data, tmp_path):
    """Counts and histograms of the imported records equal those of the label files."""
    folder = real_data / "celeba"
    out = tmp_path / "out"
    flags = ["--crop", "26,3,170,170", "--image-size", 32, "--partitions", "train,valid,test"]
    assert celeba.main(["--images", str(folder / "img_align_celeba"), "--labels", str(folder), "-o", str(out),
                        *map(str, flags)]) == 0  # fmt: skip
    found = list(records.open_dataset(out).records(images=False))
    table = celeba_files.read(folder / "list_attr_celeba.txt")
    assert len(found) == len(table.rows)
    counts = np.sum([[cell == "1" for cell in cells] for cells in table.rows.values()], 0)
    np.testing.assert_array_equal(np.sum([r["attributes"] == 1 for r in found], 0), counts)
    partition = celeba_files.read(folder / "list_eval_partition.txt").rows
    test = sum(cells == ["2"] for cells in partition.values())
    assert sum(r["source"].startswith("test/") for r in found) == test
    assert len({r["identity"] for r in found}) == len(
        {c[0] for c in celeba_files.read(folder / "identity_CelebA.txt").rows.values()}
    )


def test_real_faces_are_aligned(real_data, tmp_path):
    folder = real_data / "celeba"
    small = tmp_path / "labels"
    small.mkdir()
    for kind in ("attributes", "identity", "partition"):
        shutil.copy(celeba_files.find(folder, kind), small)
    flags = ["--limit", "12", "--image-size", "64", "--partitions", "test"]
    out = tmp_path / "out"
    assert (
        celeba.main(["--images", str(folder / "img_align_celeba"), "--labels", str(small), "-o", str(out), *flags]) == 0
    )
    found = list(records.open_dataset(out))
    assert len(found) == 12
    for record in found:
        eyes = record["landmarks"][[36, 45]]
        assert eyes[0, 0] < 32 < eyes[1, 0] and abs(eyes[:, 1].mean() - 24) < 6
        assert np.isfinite(record["pose"]).all() and abs(record["pose"][2]) < 15
