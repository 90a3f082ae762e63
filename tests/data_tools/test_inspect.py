"""The description of a data set says what is in it, and finds what is wrong."""

import cv2
import numpy as np
import pytest

from data_tools import inspect
from tfface import conventions
from tfface.data import records

SIZE = 24


def write(directory, count=20, **change):
    rng = np.random.default_rng(0)
    with records.RecordWriter(directory, image_size=SIZE, source="noise", licence="CC0", seed=7) as writer:
        for number in range(count):
            record = {
                "image": rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8),
                "action_units": np.full(17, number % 2 * 2.5),
                "attributes": np.where(np.arange(40) == 31, number % 2, -1),
                "pose": (number - 10, 5, 0),
                "landmarks": rng.uniform(0, SIZE, (68, 2)),
                "landmarks_visible": rng.integers(-1, 2, 68),
                "identity": number // 2,
            }
            writer.write({**record, **change} if number == 13 else record)
    return directory


def test_description_and_sheet(tmp_path, capsys):
    directory = write(tmp_path / "d")
    assert inspect.main([str(directory), "--verify", "--samples", "5"]) == 0
    text = capsys.readouterr().out
    assert "20 records of 24 x 24 pixels" in text and "source: noise; licence: CC0; seed: 7" in text
    assert "people: 10, pictures of each 2 to 2" in text and "with fewer than 16 known people" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith("  ")}
    assert lines["AU12"][1:8] == ["1.25", "50.0%", "0.0%", "0.0%", "50.0%", "0.0%", "0.0%"]
    assert lines["Smiling"][1] == "50.0%" and "Male" not in lines
    assert lines["yaw"][1:] == ["-10.0", "-9.1", "-0.5", "8.1", "9.0"]
    assert lines["light"][1] == "100.0%" and lines["pose"][1] == "0.0%"
    assert lines["attributes"][1:3] == ["0.0%", "(100.0%"]
    sheet = cv2.imread(str(directory / "inspect.png"))
    assert sheet.shape[1] > 5 * 256 and sheet.shape[0] > 256


def test_landmarks_are_drawn_where_they_are():
    record = {"image": np.zeros((SIZE, SIZE, 3), np.uint8), "landmarks": np.full((68, 2), np.nan)}
    record["landmarks_visible"] = np.full(68, conventions.UNKNOWN)
    record["landmarks"][0], record["landmarks_visible"][0] = (6.0, 18.0), 1
    drawn = inspect.draw(record, 240)
    y, x = np.argwhere(drawn.sum(2)).mean(0) + 0.5
    assert (x, y) == pytest.approx((60, 180), abs=0.6)
    assert drawn[180, 60].tolist() == [60, 255, 60]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action_units": np.full(17, 7.0)}, "record 13 .*action_units is not within 0 to 5"),
        ({"image": b"no picture"}, "record 13 .*not a PNG or JPEG"),
        ({"image": records.encode_image(np.zeros((9, 9, 3), np.uint8))}, r"record 13 .*image is \(9, 9, 3\), expected"),
        ({"landmarks": np.full((68, 2), np.inf)}, "record 13 .*infinite"),
    ],
)  # fmt: skip
def test_verify_names_the_first_bad_record(tmp_path, capsys, change, message):
    directory = write(tmp_path / "d", **change)
    assert inspect.main([str(directory), "--verify"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    with pytest.raises(inspect.InputError, match=message):
        inspect.read(records.open_dataset(directory), 4, verify=True)


def test_bad_input(tmp_path, capsys):
    assert inspect.main([str(tmp_path)]) == 2
    assert "no data set here" in capsys.readouterr().err
    assert inspect.main([str(write(tmp_path / "d", 1)), "--samples", "0"]) == 2


def test_where_describes_and_lists_what_fits(tmp_path, capsys):
    directory, chosen = write(tmp_path / "d"), tmp_path / "smiling.txt"
    assert inspect.main([str(directory), "--where", "AU12>1 and yaw>0", "--list", str(chosen), "--samples", "3"]) == 0
    text = capsys.readouterr().out
    assert "5 of 20 records where AU12>1 and yaw>0" in text and "20 records of 24 x 24 pixels" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith("  ")}
    assert lines["AU12"][1:8] == ["2.50", "0.0%", "0.0%", "0.0%", "100.0%", "0.0%", "0.0%"]
    assert lines["yaw"][1] == "1.0" and lines["yaw"][-1] == "9.0"
    assert chosen.read_text() == "\n" * 5  # these records have no source
    assert inspect.main([str(directory), "--where", "yaw>80"]) == 0
    assert "0 of 20 records where yaw>80" in capsys.readouterr().out
    assert inspect.main([str(directory), "--where", "AU99=1"]) == 2
