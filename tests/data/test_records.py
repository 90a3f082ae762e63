"""Record sets: what is written comes back, damage is named, an interrupted writer goes on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfface.data import records
from tfface.errors import InputError

SIZE = 16


def record(number):
    rng = np.random.default_rng(number)
    return {
        "image": rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8),
        "action_units": rng.uniform(0, 5, 17).astype(np.float32),
        "identity": number // 3,
        "source": f"picture {number}",
    }


def write(directory, count=20, shard_records=8, **kwargs):
    with records.RecordWriter(directory, image_size=SIZE, total=count, shard_records=shard_records, **kwargs) as writer:
        for number in range(writer.written, count):
            writer.write(record(number))
    return records.open_dataset(directory)


def digest(directory):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


def floats(shape):
    return hnp.arrays(np.float32, shape, elements=st.floats(width=32))


RECORDS = st.fixed_dictionaries(
    {"image": hnp.arrays(np.uint8, (SIZE, SIZE, 3))},
    optional={
        "action_units": floats((17,)),
        "attributes": hnp.arrays(np.int8, (40,), elements=st.integers(-1, 1)),
        "pose": floats((3,)),
        "light": floats((2,)),
        "landmarks": floats((68, 2)),
        "landmarks_visible": hnp.arrays(np.int8, (68,), elements=st.integers(-1, 1)),
        "identity": st.integers(-1, 2**62),
        "mask": hnp.arrays(np.uint8, (SIZE, SIZE)),
        "occluder": hnp.arrays(np.uint8, (SIZE, SIZE)),
        "embedding": floats((128,)),
        "confidence": st.floats(width=32),
        "scene": st.text(max_size=20),
        "source": st.text(max_size=20),
        "view": st.sampled_from(["", "frontal"]),
    },
)


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_what_is_written_comes_back(original):
    back = records.decode_record(records.encode_record(original))
    assert set(back) == set(records.KEYS)
    for key in records.KEYS:
        if key in original:
            np.testing.assert_array_equal(back[key], original[key])
        elif key in records.FLOATS:
            assert np.shape(back[key]) == records.FLOATS[key] and np.isnan(back[key]).all()
        elif key in records.INTEGERS:
            assert np.shape(back[key]) == records.INTEGERS[key] and np.all(np.equal(back[key], -1))
        else:
            assert back[key] is None if key in records.MASKS else back[key] == ""


def test_encoded_pictures_are_kept_as_they_are(tmp_path):
    jpeg = cv2.imencode(".jpg", record(0)["image"])[1].tobytes()
    with records.RecordWriter(tmp_path / "d", image_size=SIZE) as writer:
        writer.write({"image": jpeg})
    assert [r["image"] for r in records.open_dataset(tmp_path / "d").records(images=False)] == [jpeg]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"image": np.zeros((4, 4, 3), np.uint8)}, {**record(0), "pose": [1, 2]}, {**record(0), "smile": 1},
     {**record(0), "image": np.zeros((SIZE, SIZE, 3))}],
)  # fmt: skip
def test_records_of_another_shape_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="."), records.RecordWriter(tmp_path / "d", image_size=SIZE) as writer:
        writer.write(wrong)
    with pytest.raises(InputError, match="unfinished"):
        records.open_dataset(tmp_path / "d")


def test_written_and_read_data_set(tmp_path):
    dataset = write(tmp_path / "d", seed=3, source="noise", licence="CC0", settings={"sizes": (1, 2)})
    assert (len(dataset), dataset.image_size, len(dataset.shards)) == (20, SIZE, 3)
    assert (dataset.info["seed"], dataset.info["people"], dataset.info["licence"]) == (3, 7, "CC0")
    for number, back in enumerate(dataset):
        for key, value in record(number).items():
            np.testing.assert_array_equal(back[key], value)
    # Finished: the same again is nothing to do, anything else is refused.
    before = digest(tmp_path / "d")
    again = records.RecordWriter(
        tmp_path / "d", image_size=SIZE, total=20, shard_records=8, seed=3, source="noise", licence="CC0",
        settings={"sizes": (1, 2)},
    )  # fmt: skip
    assert again.finished and again.written == 20
    with pytest.raises(InputError, match="already complete"):
        again.write(record(0))
    with pytest.raises(InputError, match=r"other settings \(seed 3, not 4\)"):
        write(tmp_path / "d", seed=4, source="noise", licence="CC0", settings={"sizes": (1, 2)})
    assert digest(tmp_path / "d") == before


def test_splits_hold_out_people_and_are_stable(tmp_path):
    people = 200
    with records.RecordWriter(tmp_path / "d", image_size=SIZE) as writer:
        for number in range(2 * people):
            writer.write({**record(number), "identity": number % people})
    dataset = records.open_dataset(tmp_path / "d")
    train, test = ({r["identity"] for r in dataset.records(s, images=False)} for s in ("train", "test"))
    assert train.isdisjoint(test) and len(train | test) == people
    assert 3 < len(test) < 30
    assert [i for i in range(60) if records.held_out(i, "", people)] == sorted(i for i in test if i < 60)
    # Few people or unknown ones: pictures are held out.
    answers = {
        records.held_out(identity, f"{n}.jpg", people) for identity, people in [(-1, 99), (4, 2)] for n in range(99)
    }
    assert answers == {True, False}
    with pytest.raises(InputError, match='expected "train" or "test"'):
        next(dataset.records("validation"))


def test_no_tensorflow_is_imported():
    code = "import sys, tfface.data.records; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- damage ---------------------------------------------------------------------------------------------------------
def read_all(directory):
    return list(records.open_dataset(directory))


def test_no_data_set_here(tmp_path):
    with pytest.raises(InputError, match="no data set here"):
        read_all(tmp_path)
    with pytest.raises(InputError, match="no data set here"):
        read_all(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "other"}'])
def test_foreign_dataset_json(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InputError, match="dataset.json: "):
        read_all(tmp_path)
    with pytest.raises(InputError, match="dataset.json: "):
        records.RecordWriter(tmp_path, image_size=SIZE)


def test_another_schema_version(tmp_path):
    write(tmp_path / "d")
    info = json.loads((tmp_path / "d/dataset.json").read_text())
    (tmp_path / "d/dataset.json").write_text(json.dumps({**info, "schema": 99}))
    with pytest.raises(InputError, match="schema version 99, but this tfface reads version 1"):
        read_all(tmp_path / "d")


def test_writing_into_a_folder_of_something_else(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="not empty and not a data set"):
        records.RecordWriter(tmp_path, image_size=SIZE)
    assert digest(tmp_path).keys() == {"holiday.jpg"}


@pytest.mark.parametrize("keep", [0, 5, 11, 12, 400, -4, -1])
def test_truncated_shard(tmp_path, keep):
    write(tmp_path / "d")
    shard = tmp_path / "d/shard-00001.tfrecord"
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"shard-00001.tfrecord: damaged \(.* bytes, .* expected\); copy"):
        read_all(tmp_path / "d")


def test_missing_shard(tmp_path):
    write(tmp_path / "d")
    (tmp_path / "d/shard-00002.tfrecord").unlink()
    with pytest.raises(InputError, match="shard-00002.tfrecord: missing"):
        read_all(tmp_path / "d")


def test_foreign_file_of_the_same_size(tmp_path):
    write(tmp_path / "d")
    shard = tmp_path / "d/shard-00000.tfrecord"
    shard.write_bytes(b"PK" * (shard.stat().st_size // 2) + b"P" * (shard.stat().st_size % 2))
    with pytest.raises(InputError, match="shard-00000.tfrecord: damaged"):
        read_all(tmp_path / "d")


@settings(max_examples=40, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory, place, bit):
    directory = tmp_path_factory.mktemp("flip") / "d"
    write(directory, count=2)
    shard = directory / "shard-00000.tfrecord"
    data = bytearray(shard.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    shard.write_bytes(bytes(data))
    with pytest.raises(InputError, match="shard-00000.tfrecord: damaged"):
        read_all(directory)


# --- interruption ---------------------------------------------------------------------------------------------------
def test_an_exception_leaves_it_unfinished_and_the_same_command_finishes(tmp_path):
    write(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        with records.RecordWriter(tmp_path / "d", image_size=SIZE, total=20, shard_records=8) as writer:
            for number in range(11):
                writer.write(record(number))
            raise KeyboardInterrupt
    with pytest.raises(InputError, match=r"unfinished data set \(8 of 20 records\)"):
        records.open_dataset(tmp_path / "d")
    with pytest.raises(InputError, match="unfinished data set with other settings"):
        write(tmp_path / "d", seed=9)
    write(tmp_path / "d")
    assert digest(tmp_path / "d") == digest(tmp_path / "whole")


def test_a_killed_writer_goes_on_at_the_right_record(tmp_path):
    code = f"""
        import sys, time
        sys.path[:0] = {[os.path.dirname(__file__)]!r}
        import importlib.util
        spec = importlib.util.spec_from_file_location("own", {__file__!r})
        own = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(own)
        settings = dict(image_size=own.SIZE, total=20, shard_records=8)
        with own.records.RecordWriter({str(tmp_path / "d")!r}, **settings) as writer:
            for number in range(writer.written, 13):
                writer.write(own.record(number))
            print("ready", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert json.loads((tmp_path / "d/dataset.json").read_text())["complete"] is False
    with pytest.raises(InputError, match="unfinished"):
        records.open_dataset(tmp_path / "d")
    assert records.RecordWriter(tmp_path / "d", image_size=SIZE, total=20, shard_records=8).written == 8
    write(tmp_path / "d")
    write(tmp_path / "whole")
    assert digest(tmp_path / "d") == digest(tmp_path / "whole")
    assert records.open_dataset(tmp_path / "d").info["people"] == 7  # those of the finished shards count too


def test_a_finished_shard_that_was_damaged_since_is_not_continued(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with records.RecordWriter(tmp_path / "d", image_size=SIZE, total=20, shard_records=8) as writer:
            for number in range(11):
                writer.write(record(number))
            raise KeyboardInterrupt
    shard = tmp_path / "d/shard-00000.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-3])
    with pytest.raises(InputError, match="damaged"):
        write(tmp_path / "d")
