"""Work spread by Apache Beam makes the data sets that one machine makes, and goes on after a stop."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from data_tools import annotate, annotate_journal, beam, synthesize
from tfface.annotating import photos
from tfface.data import records
from tfface.errors import InputError
from tfface.synthetic import dataset, sampler

DIRECT = ["--workers", "1", "--runner", "DirectRunner"]


@pytest.fixture
def apache_beam():
    return pytest.importorskip(
        "apache_beam", reason="needs Apache Beam, in an environment of its own (CONTRIBUTING.md)"
    )


def digests(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


# --- without Beam ---------------------------------------------------------------------------------------------------
def numbered(start, stop):
    """Two entries a number, with 0 and 1 records."""
    for number in range(start, stop):
        picture = np.full((4, 4, 3), number, np.uint8)
        yield {"number": number}, []
        yield None, [{"image": picture, "source": f"{number}.png", "action_units": np.full(17, number / 10)}]


def test_a_piece_comes_back_as_it_was_made(tmp_path):
    beam.make_piece((3, 5), numbered, tmp_path)
    (path,) = tmp_path.iterdir()
    made = list(beam._read(path))
    assert [entry for entry, _ in made] == [{"number": 3}, None, {"number": 4}, None]
    assert [[record["source"] for record in some] for _, some in made] == [[], ["3.png"], [], ["4.png"]]
    for (_, made_records), (_, given) in zip(made, numbered(3, 5), strict=True):
        assert [*map(records.encode_record, made_records)] == [*map(records.encode_record, given)]


def test_a_piece_is_made_once_and_not_after_a_stop(tmp_path):
    def never(start, stop):
        raise AssertionError("made again")
        yield

    beam.make_piece((0, 1), numbered, tmp_path)
    beam.make_piece((0, 1), never, tmp_path)
    stop = tmp_path / "stop"

    def stopped_meanwhile(start, stop_):
        yield None, []
        stop.touch()
        yield None, []
        raise AssertionError("went on")

    beam.make_piece((1, 2), stopped_meanwhile, tmp_path)
    beam.make_piece((1, 2), never, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000-000000001.tfrecord", "stop"]


def test_a_damaged_piece_is_named(tmp_path):
    beam.make_piece((0, 1), numbered, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{path.name}: damaged"):
        list(beam._read(path))


def test_pieces_of_photos_hold_all_items_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "PHOTOS", 3)
    items = [photos.Item(tmp_path / f"no photo ü {n}", f"s{n}", n, n + 2, 2) for n in range(8)]
    pieces, work = beam.photo_pieces(items, photos.Options(), tmp_path / "out", first=4)
    assert [piece[:2] for piece in pieces] == [(3, 6), (6, 8)]
    found = [entry for piece in pieces for entry, faces in work(*piece) if not faces]
    assert [entry["rejects"][0][0] for entry in found] == [item.source for item in items[3:]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no runner named"),
        (["--direct_num_workers", "2"], "no runner named"),
        (["DirectRunner", "--quiet"], "--quiet: stands behind --runner"),
        (["DirectRunner", "--count=5"], "--count=5: stands behind --runner"),
    ],
)
def test_what_stands_behind_runner(tmp_path, capsys, words, message):
    assert synthesize.main(["-o", str(tmp_path / "o"), "--runner", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_beam_is_asked_for_where_it_is_missing(tmp_path):
    script = (
        "import sys; sys.modules['apache_beam'] = None\n"
        "from data_tools import synthesize; sys.exit(synthesize.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "-o", str(tmp_path / "o"), "--runner", "DirectRunner"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2 and "error: --runner needs Apache Beam" in ended.stderr
    assert ".[beam]" in ended.stderr and ended.stderr.count("\n") == 1 and not (tmp_path / "o").exists()


# --- with Beam's DirectRunner ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["NoSuchRunner"], "--runner NoSuchRunner: Unexpected pipeline runner"),
        (["no.such.Runner"], "--runner no.such.Runner: No module named"),
        (["DirectRunner", "--direct_num_workers", "many"], "--direct_num_workers: invalid int value"),
    ],
)
def test_beams_own_complaints_are_one_line(apache_beam, tmp_path, capsys, words, message):
    assert synthesize.main(["-o", str(tmp_path / "o"), "--runner", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_options_reach_beam(apache_beam):
    from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, PortableOptions

    def options(words, workers=2):
        return beam._pipeline(words, workers).options

    some = options(["PortableRunner", "--job_endpoint=host:8099", "--temp_location", "/disk/temp"])
    assert some.view_as(PortableOptions).job_endpoint == "host:8099"
    assert some.view_as(GoogleCloudOptions).temp_location == "/disk/temp"
    direct = options(["directrunner"]).view_as(DirectOptions)
    assert (direct.direct_num_workers, direct.direct_running_mode) == (2, "multi_processing")
    direct = options(["DirectRunner", "--direct_num_workers=3"]).view_as(DirectOptions)
    assert (direct.direct_num_workers, direct.direct_running_mode) == (3, "in_memory")
    assert options(["DirectRunner"], workers=1).view_as(DirectOptions).direct_num_workers == 1


def test_rendered_set_is_the_same_to_the_byte(apache_beam, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_RECORDS", 20)
    flags = ["--count", "48", "--image-size", "16", "--bare", "--quiet"]
    assert synthesize.main([*flags, "-o", str(tmp_path / "one"), "--workers", "1"]) == 0
    assert synthesize.main([*flags, "-o", str(tmp_path / "beam"), *DIRECT]) == 0
    assert digests(tmp_path / "beam") == digests(tmp_path / "one")
    assert len(digests(tmp_path / "one")) == 5  # three shards, dataset.json, sheet.png


def test_processes_of_direct_runner(apache_beam, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_RECORDS", 8)
    flags = ["--count", "16", "--image-size", "16", "--bare", "--quiet"]
    assert synthesize.main([*flags, "-o", str(tmp_path / "one"), "--workers", "1"]) == 0
    words = ["--workers", "2", "--runner", "DirectRunner"]
    assert synthesize.main([*flags, "-o", str(tmp_path / "beam"), *words]) == 0
    assert digests(tmp_path / "beam") == digests(tmp_path / "one")


def test_stopped_work_goes_on_with_the_missing_pieces(apache_beam, tmp_path):
    runner = beam.Runner(["DirectRunner"], synthesize.parser(), 1)
    pieces, settings = [(0, 2), (2, 4), (4, 6)], sampler.Settings(bare=True)
    tasks = [(*piece, 16, 0, settings) for piece in pieces]
    found = beam.render_tasks(runner, tmp_path)(tasks)
    first = next(found)
    found.close()  # as Ctrl-C does
    folder = tmp_path / beam.FOLDER
    (folder / "000000002-000000004.tfrecord").unlink(missing_ok=True)
    kept = (folder / "000000000-000000002.tfrecord").stat().st_mtime_ns
    runner = beam.Runner(["DirectRunner"], synthesize.parser(), 1)
    made = list(beam.render_tasks(runner, tmp_path)(tasks))
    assert [record["source"] for record in first] == ["synthetic/train-0/0000000", "synthetic/train-0/0000001"]
    assert [record["source"][-1] for some in made for record in some] == list("012345")
    assert (folder / "000000000-000000002.tfrecord").stat().st_mtime_ns == kept
    beam.remove(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failing_piece_ends_the_command(apache_beam, tmp_path):
    runner = beam.Runner(["DirectRunner"], synthesize.parser(), 1)
    with pytest.raises(RuntimeError, match="ended without .*000000000-000000001"):
        list(runner.ordered([(0, 1)], fails, tmp_path))


def fails(start, stop):
    raise OSError("the disk is gone")
    yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photos with two, one and no face, too small a one, a broken and an empty file."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = data.astronaut()[:220, 110:340]
    Image.fromarray(np.concatenate([portrait, portrait[:, ::-1]], 1)).save(folder / "a pair.png")
    Image.fromarray(data.coffee()[:150, :150]).save(folder / "coffee.png")
    Image.fromarray(portrait).save(folder / "one.jpg", quality=95)
    Image.fromarray(data.astronaut()[::3, ::3]).save(folder / "small.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0nothing")
    (folder / "empty.png").write_bytes(b"")
    return folder


def test_annotated_set_is_the_same(apache_beam, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "PHOTOS", 4)
    one, spread = tmp_path / "one", tmp_path / "beam"
    assert annotate.main([str(folder), "-o", str(one), "--quiet", "--workers", "1"]) == 0
    # Begun by hand, as if a run without --runner had been killed behind the pair's first face.
    items = annotate.list_items([str(folder)], spread)
    options = annotate.parser().parse_args([str(folder), "-o", str(spread), "--quiet", *DIRECT])
    monkeypatch.setattr(annotate, "_SHARD", 1)
    with pytest.raises(KeyboardInterrupt):
        annotate.convert(options, items, Stopped(1))
    assert annotate.main([str(folder), "-o", str(spread), "--csv", str(tmp_path / "t.csv"), "--quiet", *DIRECT]) == 0
    assert not (spread / beam.FOLDER).exists() and (tmp_path / "t.csv").read_text().count("\n") == 4
    assert (spread / annotate_journal.REJECTS).read_text() == (one / annotate_journal.REJECTS).read_text()
    made, expected = (list(records.open_dataset(out).records(images=False)) for out in (spread, one))
    assert [record["source"] for record in made] == ["a pair.png", "a pair.png", "one.jpg"]
    for record, other in zip(made, expected, strict=True):
        assert set(record) == set(other)
        for key, value in record.items():
            if isinstance(value, np.ndarray) and value.dtype == np.float32:  # how threads share sums is theirs
                np.testing.assert_allclose(value, other[key], atol=0.02)
            else:
                np.testing.assert_array_equal(value, other[key])
    assert len(json.loads((spread / records.DATASET_FILE).read_text())["shards"]) == 3


class Stopped:
    """Does as `beam.Runner`, and is interrupted behind so many faces."""

    def __init__(self, faces):
        self._faces = faces

    def ordered(self, pieces, work, directory):
        for piece in pieces:
            for entry, faces in work(*piece):
                yield entry, faces[: self._faces]
                if faces:
                    raise KeyboardInterrupt


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_bad_input_is_found_before_beam_starts(apache_beam, tmp_path, capsys):
    assert annotate.main([str(tmp_path), "-o", str(tmp_path / "o"), *DIRECT]) == 2
    assert "holds no files" in capsys.readouterr().err and not (tmp_path / "o").exists()
