"""Labels photos, to train on with ``--data data/mine``: ``python -m data_tools.annotate PHOTOS -o data/mine``.

PHOTOS are pictures, folders of them at any depth, videos, or a list: a .txt file that names one of these a line. Each
face is cut out aligned and written as a record with landmarks, pose, 17 action units, the attributes that
`tfface.annotator` knows, face descriptor and confidence. What is left out, files and faces, is in rejects.csv with the
reason; a bad file stops nothing. Stopped, also by force, the same command goes on where it was, and nothing is lost or
there twice. Intensities and attributes are estimates: see `tfface.annotator.accuracy`. ``--runner`` spreads the work
over machines (`data_tools.beam`); the data set is the same.
"""

import argparse
import collections
import contextlib
import dataclasses
import hashlib
import pathlib
import sys

import numpy as np
from tqdm import tqdm

from data_tools import annotate_journal, beam
from tfface.annotating import photos
from tfface.data import records
from tfface.errors import InputError, exit_code
from tfface.synthetic import worker

_TASK, _SHARD = 4, 128  # items a process gets at a time; records whose work is lost when killed, at most
_LISTS = (".txt", ".lst")


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.annotate",
        description="Find every face of photos and videos, label it, and write a data set to train on. Stop it with "
        "Ctrl-C and run the same command again: it goes on where it stopped.",
    )
    result.add_argument("photos", nargs="+", metavar="PHOTOS", help="pictures, folders, videos, or .txt lists of these")
    result.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="new or empty directory, or one to go on with"
    )
    result.add_argument("--image-size", type=int, default=128, help="side of a face in pixels (default %(default)s)")
    result.add_argument(
        "--margin", type=float, default=1.0, help="1 frames forehead to chin, 1.5 hair too (default %(default)s)"
    )
    result.add_argument(
        "--min-size", type=float, default=48, help="leave out faces smaller than this many pixels (default %(default)s)"
    )
    result.add_argument("--faces", default="all", choices=("all", "largest"), help="of each photo (default all)")
    result.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth frame of videos")
    result.add_argument("--workers", type=int, default=2, help="processes that look at photos (default %(default)s)")
    result.add_argument("--csv", metavar="FILE", help="also write a table with OpenFace's columns")
    result.add_argument("--source", default="photos", help="what the photos are, stored in the data set")
    result.add_argument("--licence", default="unknown", help="how they may be used, stored in the data set")
    result.add_argument("--quiet", action="store_true", help="no progress bar")
    beam.add_argument(result)
    return result


def main(arguments=None):
    """Runs the command; returns 0 whatever the files hold, 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    _check(options)
    runner = None if options.runner is None else beam.Runner(options.runner, parser(), options.workers)
    items = list_items(options.photos, options.output, options.every)
    count, rejects = convert(options, items, runner)
    print(f"{count} faces in {options.output}; {len(rejects)} files or faces left out ({annotate_journal.REJECTS})")
    kinds = collections.Counter(_kind(reason) for _, _, reason in rejects)
    for reason, number in kinds.most_common():
        print(f"  {number:6d}  {reason}")
    if options.csv:
        rows = annotate_journal.write_openface(options.output, options.csv)
        print(f"{rows} rows in {options.csv}")


def _check(options):
    if not 16 <= options.image_size <= 1024:
        raise InputError(f"--image-size {options.image_size}: expected 16 to 1024 pixels")
    if not 0.5 <= options.margin <= 4:
        raise InputError(f"--margin {options.margin:g}: expected 0.5 to 4")
    if not 0 <= options.min_size <= 10000:
        raise InputError(f"--min-size {options.min_size:g}: expected 0 to 10000 pixels")
    for name in ("every", "workers"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} {getattr(options, name)}: expected 1 or more")


def list_items(inputs, output, every=1):
    """Returns the `photos.Item`s of files, folders, videos and lists, in a fixed order.

    Every file of a folder is an item, whatever it is, so that each is either used or rejected by name. Nothing is
    opened but videos, whose frames are counted.

    Raises:
        InputError: a list that cannot be read, or nothing given.
    """
    output = pathlib.Path(output).resolve()
    items = []
    for path, source in _told_apart(list(_files(map(pathlib.Path, inputs), output))):
        if path.suffix.lower() in photos.VIDEOS:
            items += _clips(path, source, every)
        else:
            items.append(photos.Item(path, source))
    if not items:
        raise InputError(f"{inputs[0]}: holds no files; name pictures, folders of them, videos or a list")
    return items


def _files(inputs, output):
    """Yields (path, what records call it)."""
    for given in inputs:
        if given.is_dir():
            for path in sorted(given.rglob("*")):
                if not path.is_dir() and output not in path.resolve().parents:
                    yield path, path.relative_to(given).as_posix()
        elif given.suffix.lower() in _LISTS and given.is_file():
            yield from _files(_listed(given), output)
        else:
            yield given, given.name if given.is_absolute() else given.as_posix()


def _told_apart(files):
    """Returns (path, source) with as many folders before a source as tell it from another file's of the same name."""
    same = collections.defaultdict(set)
    for path, source in files:
        same[source].add(path.absolute())
    names = {path: source for source, paths in same.items() for path in paths}
    for paths in (paths for paths in same.values() if len(paths) > 1):
        length = 1
        while len({path.parts[-length:] for path in paths}) < len(paths):
            length += 1
        names |= {path: "/".join(path.parts[-length:]) for path in paths}
    return [(path, names[path.absolute()]) for path, _ in files]


def _listed(path):
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list ({error}); expected one path a line") from None
    for line in map(str.strip, lines):
        if line and not line.startswith("#"):
            beside = path.parent / line
            yield beside if beside.exists() or not pathlib.Path(line).exists() else pathlib.Path(line)


def _clips(path, source, every):
    import cv2

    video = cv2.VideoCapture(str(path))
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    if frames < 1 and video.isOpened():  # recorded by a browser, for example: no such number in the file
        frames = sum(1 for _ in iter(video.grab, False))
    video.release()
    length = photos.CLIP * every
    starts = range(0, max(frames, 1), length)
    return [photos.Item(path, source, start, min(start + length, max(frames, 1)), every) for start in starts]


def convert(options, items, runner=None):
    """Writes the data set; returns (number of faces, [(source, face, reason)] of what was left out).

    Args:
        options: of the command.
        items: of `list_items`.
        runner: `beam.Runner` that does the work; None does it in processes of this machine.
    """
    settings = {
        "tool": "annotate", "margin": options.margin, "min_size": options.min_size, "faces": options.faces,
        "files": len({item.path for item in items}), "list": _digest(items),
    }  # fmt: skip
    writer = records.RecordWriter(
        options.output,
        image_size=options.image_size,
        source=options.source,
        licence=options.licence,
        settings=settings,
        shard_records=_SHARD,
    )
    if not writer.finished:
        _annotate(options, items, writer, runner)
    beam.remove(options.output)
    return writer.written, annotate_journal.write_rejects(options.output)


def _annotate(options, items, writer, runner):
    how = photos.Options(options.image_size, options.margin, options.min_size, options.faces == "largest")
    journal = annotate_journal.Journal(options.output, writer.written)
    done, skip = journal.done, journal.kept
    bar = tqdm(total=len(items), initial=done, unit="item", desc="annotating", disable=options.quiet)
    found = _here(items[done:], how, options.workers) if runner is None else _spread(items, how, done, options, runner)
    try:
        with writer, bar, contextlib.closing(found):
            for entry, faces in found:
                journal.add(entry)
                for record in faces[skip:]:
                    writer.write(record)
                skip = 0
                bar.update()
                bar.set_postfix(faces=writer.written, refresh=False)
    finally:
        journal.close()
        annotate_journal.write_rejects(options.output)


def _here(items, how, workers):
    todo = tasks(items, how)
    # What needs TensorFlow is added here: one of it serves all processes.
    for answers in worker.ordered_map(todo, min(workers, len(todo)), photos.__name__, "annotate_range"):
        yield from finished(answers)


def _spread(items, how, done, options, runner):
    pieces, work = beam.photo_pieces(items, how, options.output, done)
    for number, answer in enumerate(runner.ordered(pieces, work, options.output), done // beam.PHOTOS * beam.PHOTOS):
        if number >= done:
            yield answer


def tasks(items, how):
    """Returns the arguments of `photos.annotate_range` for a few items each."""
    return [(items[k : k + _TASK], how) for k in range(0, len(items), _TASK)]


def finished(answers):
    """Returns (entry of the journal, records) of each answer of `photos.annotate_range`, with what `complete` adds."""
    complete(answers)
    return [(annotate_journal.entry(answer), [face["record"] for face in answer["faces"]]) for answer in answers]


def complete(answers):
    """Adds action units, attributes and descriptors to the records of some answers, in place."""
    faces = [face for answer in answers for face in answer["faces"]]
    if not faces:
        return
    from tfface import annotator

    geometry = {name: np.concatenate([face["geometry"][name] for face in faces]) for name in faces[0]["geometry"]}
    crops = (np.stack(same) for same in zip(*(face["crops"] for face in faces), strict=True))
    found = annotator.shipped().complete(geometry, *crops)
    attributes = annotator.settled(found["attributes"])
    for face, units, known, embedding in zip(faces, found["action_units"], attributes, found["embedding"], strict=True):
        face["record"] |= {"action_units": units, "attributes": known, "embedding": embedding}


def _digest(items):
    text = "\n".join(str(dataclasses.astuple(item)[1:]) for item in items)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kind(reason):
    """Returns a reason without what is particular to one file, to be counted."""
    if reason.startswith("face of"):
        return "face too small"
    return reason.split(": ", 1)[-1] if ": " in reason and not reason.startswith("failed") else reason


if __name__ == "__main__":
    sys.exit(main())
