import os
import signal
import subprocess
import sys
import time

import pytest

from data_tools import synthesize
from tfface.data import records

COMMAND = [sys.executable, "-m", "data_tools.synthesize", "--image-size", "32", "--quiet"]


def test_renders_a_set_with_a_sheet(tmp_path, capsys):
    out = tmp_path / "set"
    options = ["--count", "4", "--image-size", "32", "--people", "judge", "--workers", "1", "--quiet", "-o", str(out)]
    assert synthesize.main(options) == 0
    assert (out / "sheet.png").stat().st_size > 0 and "4 pictures" in capsys.readouterr().out
    info = records.open_dataset(out).info
    assert info["settings"]["people"] == "judge" and info["image_size"] == 32


def test_factor_batches(tmp_path):
    out = tmp_path / "set"
    options = ["--count", "20", "--image-size", "16", "--factor", "light", "--workers", "1", "--quiet", "-o", str(out)]
    assert synthesize.main(options) == 0
    assert {r["view"] for r in records.open_dataset(out)} == {"light/000000"}


def test_answers_that_differ_in_attributes(tmp_path):
    out = tmp_path / "set"
    options = ["--answers", "2", "--vary", "attributes", "--count", "4", "--image-size", "16", "--workers", "1"]
    assert synthesize.main([*options, "--quiet", "-o", str(out)]) == 0
    made = records.open_dataset(out)
    assert made.info["settings"]["vary"] == "attributes"
    first, second, *_ = made
    assert first["view"] == second["view"] == "answer/000000"
    assert (first["attributes"] != second["attributes"]).any() and first["identity"] == second["identity"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--count", "0"], "count 0"),
        (["--vary", "hair"], "hair"),
        (["--people", "everyone"], "everyone"),
        (["--views", "frontal,sideways"], "sideways"),
        (["--factor", "hair"], "hair"),
    ],
)
def test_bad_input_exits_2_with_one_line(tmp_path, capsys, options, word):
    assert synthesize.main([*options, "-o", str(tmp_path / "set")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1 and word in message
    assert not (tmp_path / "set").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_stops_at_once_and_leaves_no_process(tmp_path):
    out = tmp_path / "set"
    command = [*COMMAND, "--count", "100000", "--workers", "2", "-o", str(out)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            if list(out.glob("shard*")):
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, message = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and "Run the same command again" in message and "Traceback" not in message
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
