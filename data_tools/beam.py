"""Spreads the work of a data tool over machines by Apache Beam: ``--runner NAME`` and that runner's own options, last.

The work is cut into pieces. Beam's workers make each piece whole, by the functions that the command itself uses on one
machine, and put it as one file under DIR/pieces; the command puts the pieces in order while they come and writes the
data set from them. So the data set is the one that a single machine writes, a piece that a runner does twice is there
once, and after a stop only the missing pieces are made. Workers need the same files: inputs and DIR lie on a disk that
every machine sees under the same path, and every worker has this checkout and its environment.
"""

import argparse
import contextlib
import functools
import io
import itertools
import json
import logging
import os
import pathlib
import shutil
import threading

from tfface import images
from tfface.data import records, tfrecord
from tfface.errors import InputError

FOLDER = "pieces"  # in the data set's directory, until the set is whole
PHOTOS = 128  # items of one piece of an annotation; a stop costs those of a piece under way
_ITEMS, _STOP = "items.jsonl", "stop"
_SCENES = 16  # rendered between two looks for a stop
_WAIT = 0.2  # seconds between looks for the next piece
# Beam's DirectRunner would first fetch a program from the internet (Prism); this is what it falls back to.
_DIRECT = {"direct": "FnApiRunner", "directrunner": "FnApiRunner"}
_one_at_a_time = threading.Lock()  # runners do pieces in threads too; landmarker and renderer serve one


def add_argument(parser):
    """Adds ``--runner`` to the parser of a command."""
    parser.add_argument(
        "--runner", nargs=argparse.REMAINDER,
        help="spread the work by Apache Beam: its runner (DirectRunner, FlinkRunner, SparkRunner, DataflowRunner, ...) "
        "and this runner's own options, at the end of the line; needs the beam extra",
    )  # fmt: skip


def remove(directory):
    """Removes the pieces of a finished data set."""
    shutil.rmtree(pathlib.Path(directory) / FOLDER, ignore_errors=True)


class Runner:
    """A Beam runner that does pieces.

    Args:
        words: what stands behind ``--runner``: the runner's name and its options.
        parser: the command's own, whose options stand before.
        workers: processes of DirectRunner, where its options do not say.

    Raises:
        InputError: Beam is not installed, or there is no such runner or option.
    """

    def __init__(self, words, parser, workers):
        if not words or words[0].startswith("-"):
            raise InputError("--runner: no runner named; expected one of Apache Beam's, for example DirectRunner")
        own = {name for action in parser._actions for name in action.option_strings}
        late = next((word for word in words[1:] if word.partition("=")[0] in own), None)
        if late:
            raise InputError(f"{late}: stands behind --runner, where Beam's options are; put it before --runner")
        self._pipeline = _pipeline(words, workers)

    def ordered(self, pieces, work, directory):
        """Yields (entry, records) of all pieces, in order.

        Args:
            pieces: tuples of whole numbers; the first two, start and stop, name the piece.
            work: function of such a tuple's numbers that yields (entry, records): anything that JSON holds, and a list
                of records. It is sent to the workers, and so has to be in a module that they can import.
            directory: of the data set.

        Raises:
            RuntimeError: Beam failed; the pieces that are there stay for the next time.
        """
        folder = (pathlib.Path(directory) / FOLDER).absolute()
        folder.mkdir(exist_ok=True)
        (folder / _STOP).unlink(missing_ok=True)
        missing = [piece for piece in pieces if not _path(folder, piece).exists()]
        job = _Job(self._pipeline, missing, functools.partial(make_piece, work=work, folder=folder))
        try:
            for piece in pieces:
                job.wait_for(_path(folder, piece))
                yield from _read(_path(folder, piece))
        finally:
            (folder / _STOP).touch()  # ends what is still under way, on whatever machine; nothing, where all went well
            job.join()


class _Job:
    """A pipeline under way in a thread; none where no piece is missing."""

    def __init__(self, pipeline, pieces, make):
        self._error, self._thread = None, None
        if not pieces:
            return
        import apache_beam

        _ = pipeline | "pieces" >> apache_beam.Create(pieces) | "make" >> apache_beam.Map(make)
        # Runners of clusters return at once, and some want the main thread for it; DirectRunner returns at the end.
        result = None if type(pipeline.runner).__name__ == _DIRECT["direct"] else pipeline.run()
        self._thread = threading.Thread(target=self._finish, args=(pipeline, result), daemon=True)
        self._thread.start()

    def _finish(self, pipeline, result):
        try:
            (result or pipeline.run()).wait_until_finish()
        except Exception as error:  # noqa: BLE001 - raised again where the pieces are awaited
            self._error = error

    def wait_for(self, path):
        """Returns when the file is there; RuntimeError if it will not come."""
        while True:
            running = self._thread is not None and self._thread.is_alive()
            if path.exists():
                return
            if not running:
                raise RuntimeError(f"Apache Beam ended without {path}") from self._error
            self._thread.join(_WAIT)

    def join(self):
        if self._thread is not None:
            self._thread.join()


def _pipeline(words, workers):
    logging.disable(logging.WARNING)  # on import it complains of Google's libraries, which few runners need
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError(
            f'--runner needs Apache Beam ({error}); run pip install -e ".[beam]" in an environment of its own',
            page="data.md#more-than-one-machine",
        ) from None
    finally:
        logging.disable(logging.NOTSET)
    name, *flags = words
    direct = _DIRECT.get(name.lower())
    if direct and workers > 1 and not any(flag.startswith("--direct_") for flag in flags):
        flags += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    if direct:  # its processes must find this package wherever they start
        root = str(pathlib.Path(__file__).parents[1])
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions([f"--runner={direct or name}", *flags])
            options.get_all_options()
            return apache_beam.Pipeline(options=options)
    except SystemExit:  # Beam's own argument parser
        raise InputError(f"--runner {name}: {said.getvalue().strip().splitlines()[-1]}") from None
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"--runner {name}: {' '.join(str(error).split())}") from None


# --- what workers do ------------------------------------------------------------------------------------------------
def make_piece(piece, work, folder):
    """Makes a piece and puts it into the folder at once; nothing is done where it is there, or all is to stop."""
    path = _path(folder, piece)
    if path.exists() or (folder / _STOP).exists():
        return
    with _one_at_a_time:
        results = []
        for result in work(*piece):
            if (folder / _STOP).exists():
                return
            results.append(result)
    with images.atomic(path) as stream:
        stream.write(tfrecord.frame(json.dumps([[entry, len(some)] for entry, some in results]).encode()))
        for record in itertools.chain.from_iterable(some for _, some in results):
            stream.write(tfrecord.frame(records.encode_record(record)))


def _read(path):
    try:
        frames = tfrecord.read_frames(path)
        for entry, count in json.loads(next(frames)):
            yield entry, [records.decode_record(next(frames), images=False) for _ in range(count)]
    except (ValueError, StopIteration) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and run the same command again") from error


def _path(folder, piece):
    return folder / f"{piece[0]:09d}-{piece[1]:09d}.tfrecord"


def photo_pieces(items, options, directory, first=0):
    """Returns (pieces, work) that annotate `photos.Item`s, from the piece that holds item `first` on."""
    path = (pathlib.Path(directory) / FOLDER / _ITEMS).absolute()
    pieces = []
    with images.atomic(path) as stream:  # paths are the bulk of it: too much for a pipeline's description
        for start in range(0, len(items), PHOTOS):
            part = items[start : start + PHOTOS]
            pieces.append((start, start + len(part), stream.tell()))
            for item in part:
                where = [str(item.path.absolute()), item.source, item.first, item.stop, item.step]
                stream.write(json.dumps(where).encode() + b"\n")
    return pieces[first // PHOTOS :], functools.partial(annotate_piece, path=path, options=options)


def annotate_piece(start, stop, offset, *, path, options):
    """Yields `annotate.finished` of the items whose lines begin at a file's offset."""
    from data_tools import annotate
    from tfface.annotating import photos

    with open(path, "rb") as file:
        file.seek(offset)
        lines = [json.loads(file.readline()) for _ in range(start, stop)]
    items = [photos.Item(pathlib.Path(where), *rest) for where, *rest in lines]
    for task in annotate.tasks(items, options):
        yield from annotate.finished(photos.annotate_range(*task))


def render_tasks(runner, directory):
    """Returns what `dataset.synthesize` takes to have its tasks done by a runner."""

    def rendered(tasks):
        if tasks:
            work = functools.partial(render_piece, rest=tasks[0][2:])
            for _, found in runner.ordered([task[:2] for task in tasks], work, directory):
                yield found

    return rendered


def render_piece(start, stop, *, rest):
    """Yields (None, records) of scenes `start` to `stop` - 1; `rest` are the other arguments of `render_range`."""
    from tfface.synthetic import labelled

    for first in range(start, stop, _SCENES):
        yield None, labelled.render_range(first, min(first + _SCENES, stop), *rest)
