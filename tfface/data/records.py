"""The one record schema: what every data set holds, how it is written, resumed, checked and read back. No TensorFlow.

A data set is a directory of ``shard-NNNNN.tfrecord`` files and one ``dataset.json`` that says what they hold and
whether it is all there. The JSON is replaced after each finished shard, so a writer that is killed leaves a directory
that calls itself incomplete and goes on at the first record of the shard it had not finished.

| feature | in memory | unit, when unknown |
|---|---|---|
| `image` | (S, S, 3) uint8, or PNG or JPEG bytes | RGB, square; never missing |
| `action_units` | (17,) float32, order `conventions.ACTION_UNITS` | 0-5, NaN |
| `attributes` | (40,) int8, order `conventions.ATTRIBUTES` | 0/1, -1 |
| `pose` | (3,) float32 yaw, pitch, roll | degrees, NaN |
| `light` | (2,) float32 azimuth, elevation | degrees, NaN |
| `landmarks` | (68, 2) float32, iBUG order | pixels of `image`, y down, centres at + 0.5; NaN |
| `landmarks_visible` | (68,) int8 | 1/0, -1 |
| `identity` | int | -1 |
| `mask`, `occluder` | (S, S) uint8 0-255, or PNG bytes | None |
| `embedding`, `confidence` | (128,) float32, float | NaN |
| `scene` | str, JSON of `synthetic.scene.Scene` | "" (photos) |
| `source`, `view` | str | file name; which of several pictures this is, see `split_view`; "" |

A feature whose value is unknown is left out of the file and comes back as the unknown value of this table.
"""

import hashlib
import json
import os
import pathlib

import cv2
import numpy as np

from tfface import conventions
from tfface.data import tfrecord
from tfface.errors import InputError

FORMAT = "tfface-records"
SCHEMA = 1
DATASET_FILE = "dataset.json"
HELD_OUT = 16  # one person in this many is for testing
MIN_PEOPLE = 16  # with fewer, holding out people would leave one side with nobody: pictures are held out instead

FLOATS = {
    "action_units": (17,),
    "pose": (3,),
    "light": (2,),
    "landmarks": (68, 2),
    "embedding": (128,),
    "confidence": (),
}
INTEGERS = {"attributes": (40,), "landmarks_visible": (68,), "identity": ()}
TEXTS = ("scene", "source", "view")
MASKS = ("mask", "occluder")
KEYS = ("image", *FLOATS, *INTEGERS, *MASKS, *TEXTS)
LABEL_NAMES = {"action_units": list(conventions.ACTION_UNITS), "attributes": list(conventions.ATTRIBUTES)}


def encode_image(pixels, quality=None):
    """Returns the bytes of (H, W, 3) uint8 RGB or (H, W) uint8: PNG, or JPEG of a `quality` of 1-100 (photos)."""
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise ValueError(f"an image must be uint8 of shape (H, W, 3) or (H, W), not {pixels.dtype} {pixels.shape}")
    kind, flags = (".png", ()) if quality is None else (".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality))
    ok, data = cv2.imencode(kind, pixels if pixels.ndim == 2 else pixels[..., ::-1], flags)
    if not ok:
        raise ValueError(f"cannot encode an image of shape {pixels.shape}")
    return data.tobytes()


def decode_image(data, gray=False):
    """Returns (H, W, 3) uint8 RGB, or (H, W) uint8 with `gray`, of PNG or JPEG bytes."""
    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
    if pixels is None:
        raise ValueError("not a PNG or JPEG image")
    return pixels if gray else np.ascontiguousarray(pixels[..., ::-1])


def encode_record(record):
    """Returns the bytes of a record: a dict with `image` and any of the other `KEYS`.

    Raises:
        ValueError: an unknown key, a missing image, or a value of another shape than the schema's.
    """
    if unknown := set(record) - set(KEYS):
        raise ValueError(f"a record has no {', '.join(sorted(unknown))}; the schema has {', '.join(KEYS)}")
    if record.get("image") is None:
        raise ValueError("a record needs an image")
    features = {}
    for key, value in record.items():
        if value is None:
            continue
        if key == "image" or key in MASKS:
            data = bytes(value) if isinstance(value, bytes | bytearray) else encode_image(value)
            if data:
                features[key] = data
        elif key in TEXTS:
            if value:
                features[key] = value.encode()
        else:
            shape = {**FLOATS, **INTEGERS}[key]
            array = np.asarray(value, np.float32 if key in FLOATS else np.int64)
            if array.shape != shape:
                raise ValueError(f"{key} has shape {array.shape}, not {shape}")
            unknown = np.isnan(array) if key in FLOATS else array == conventions.UNKNOWN
            if not unknown.all():
                features[key] = array
    return tfrecord.encode_example(features)


def decode_record(data, images=True):
    """Returns a record (all `KEYS`, types of the table above) from its bytes.

    Args:
        data: bytes of one record.
        images: decode `image`, `mask` and `occluder` to arrays; otherwise they stay encoded (empty bytes if unknown).

    Raises:
        tfrecord.CorruptRecord: not bytes of this schema.
    """
    features = tfrecord.decode_example(data)
    record = {}
    try:
        record["image"] = features["image"]
        for key, shape in FLOATS.items():
            record[key] = features.get(key, np.full(shape, np.nan, np.float32)).reshape(shape)
        for key, shape in INTEGERS.items():
            value = features.get(key, np.full(shape, conventions.UNKNOWN)).reshape(shape)
            record[key] = value.astype(np.int8) if shape else int(value)
        for key in MASKS:
            record[key] = features.get(key, b"")
        for key in TEXTS:
            record[key] = features.get(key, b"").decode()
        record["confidence"] = float(record["confidence"])
        return decode_images(record) if images else record
    except (KeyError, ValueError, AttributeError) as error:
        raise tfrecord.CorruptRecord(f"not a record of schema {SCHEMA}: {error}") from error


def decode_images(record):
    """Decodes the pictures of a record read with ``images=False``, in place; ValueError if one is broken."""
    record["image"] = decode_image(record["image"])
    for key in MASKS:
        record[key] = decode_image(record[key], gray=True) if record[key] else None
    return record


def _hash(text):
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def split_view(view):
    """Returns (name, number) of a record's view; number -1 where it has none.

    * ``answer/000012``: one of the pictures of scene 12, each of which is the true answer to editing another.
    * ``frontal``, ``turned``, ``-60``: the side a person is seen from. With a number, ``frontal/000012``, pictures of
      one number show the same person, expression and light; without, those of one identity belong together (in sets
      rendered with ``--views``: those of one round through the views).
    * ``azimuth/000012``: in batch 12 of a set rendered with ``--factor`` only the azimuth varies.
    """
    name, _, number = view.partition("/")
    return (name, int(number)) if number.isdigit() else (name, -1)


def answered_scene(view):
    """Returns the scene's number from the view of one of its answers (``answer/000012``), or -1 for any other view."""
    name, number = split_view(view)
    return number if name == "answer" else -1


def is_frontal(view):
    """Tells whether a view shows a face from the front: ``frontal`` or ``0``, with or without a number."""
    return split_view(view)[0] in ("frontal", "0")


def held_out(identity, source, people, batch=""):
    """Tells whether a record is for testing: the same answer on every machine and in every order.

    Args:
        identity: the person, or -1.
        source: the record's source, which decides where the person is unknown.
        people: how many known people the data set has; with fewer than `MIN_PEOPLE` pictures are held out, not people.
        batch: of a set rendered with ``--factor`` the record's view: its batches stay whole, and no two share a person.
    """
    if batch:
        return _hash(f"batch {batch}") % HELD_OUT == 0
    by_person = identity != conventions.UNKNOWN and people >= MIN_PEOPLE
    return _hash(f"identity {identity}" if by_person else f"source {source}") % HELD_OUT == 0


def read_info(directory):
    """Returns the parsed dataset.json of a directory.

    Raises:
        InputError: there is none, it is not one of ours, or it has another schema version.
    """
    path = pathlib.Path(directory) / DATASET_FILE
    if not path.is_file():
        raise InputError(
            f"{directory}: no data set here ({DATASET_FILE} not found); expected a directory written by a data_tools "
            "command, for example: python -m data_tools.synthesize -o data/synthetic",
            page="data.md",
        )
    try:
        info = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); make the data set again") from error
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise InputError(f'{path}: expected "format": "{FORMAT}"; this file belongs to something else')
    if info.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: schema version {info.get('schema')}, but this tfface reads version {SCHEMA}; make the data set "
            "again, or use the tfface version that wrote it"
        )
    if info.get("labels") != LABEL_NAMES:
        raise InputError(f"{path}: label names differ from tfface's own; make the data set again")
    return info


class Dataset:
    """A finished data set; made by `open_dataset`.

    Attributes:
        directory: pathlib.Path.
        info: dataset.json as a dict (`image_size`, `records`, `people`, `source`, `licence`, `seed`, `settings`, ...).
        count: number of records.
        image_size: side of the images in pixels.
        shards: list of (path, number of records).
    """

    def __init__(self, directory, info):
        self.directory = pathlib.Path(directory)
        self.info = info
        self.count = info["records"]
        self.image_size = info["image_size"]
        self.shards = [(self.directory / s["file"], s["records"]) for s in info["shards"]]

    def __len__(self):
        return self.count

    def __iter__(self):
        return self.records()

    def held_out(self, record):
        """Tells whether a record belongs to the "test" split, from its identity, source and view.

        An import whose source has partitions of its own (setting ``split: source``) names each in front of the file,
        ``test/000001.jpg``, and trains on ``train/`` alone; else see `held_out` of this module.
        """
        if self.info["settings"].get("split") == "source":
            return not record["source"].startswith("train/")
        batch = record["view"] if self.info["settings"].get("factor") else ""
        return held_out(record["identity"], record["source"], self.info["people"], batch)

    def records(self, split=None, images=True):
        """Yields records as dicts in the order they were written.

        Args:
            split: "train", "test" or None for both.
            images: decode images to arrays.

        Raises:
            InputError: a file is damaged.
        """
        check_split(split)
        for path, expected in self.shards:
            number = 0
            try:
                for data in tfrecord.read_frames(path):
                    record = decode_record(data, images=False)
                    number += 1
                    if split is None or self.held_out(record) == (split == "test"):
                        yield decode_images(record) if images else record
            except ValueError as error:
                raise damaged(path, error) from error
            if number != expected:
                raise damaged(path, f"{number} records, {expected} expected")


def check_split(split):
    if split not in (None, "train", "test"):
        raise InputError(f'split {split!r}: expected "train" or "test"')


def damaged(path, reason):
    """Returns the InputError for a shard whose bytes are not what was written."""
    return InputError(
        f"{path}: damaged ({reason}); copy the file again, or delete the directory and make the data set again"
    )


def open_dataset(directory):
    """Opens a finished data set and checks that every file is there at its full size.

    Raises:
        InputError: no data set, another schema version, not finished, a shard missing or of another size. Damage inside
            a file is found on reading, by the records' checksums.
    """
    info = read_info(directory)
    if not info["complete"]:
        raise InputError(
            f"{directory}: unfinished data set ({_written(info)} of {info['total'] or 'unknown'} records); run the "
            "command that was making it again, it goes on where it stopped"
        )
    for shard in info["shards"]:
        path = pathlib.Path(directory) / shard["file"]
        if not path.is_file():
            raise InputError(
                f"{path}: missing; copy the whole directory again, or delete it and make the data set again"
            )
        if path.stat().st_size != shard["bytes"]:
            raise damaged(path, f"{path.stat().st_size} bytes, {shard['bytes']} expected")
    if not info["records"]:
        raise InputError(f"{directory}: a data set without records; make it again from pictures that can be used")
    return Dataset(directory, info)


def _written(info):
    return sum(s["records"] for s in info["shards"])


class RecordWriter:
    """Writes a data set and goes on where an interrupted one stopped; a context manager.

    The caller gives the same records in the same order each time and skips the first `written` ones. Leaving the
    context normally finishes the data set; leaving it by an exception (Ctrl-C too) leaves it incomplete.

    Args:
        directory: where; made if missing. It must be empty or hold an unfinished data set of the same settings.
        image_size: side of the square images in pixels.
        total: number of records that will be written, or None if only the end tells (imports).
        source: what the pictures are, for people to read.
        licence: under what terms they may be used, for people to read.
        seed: random seed of the making, or None.
        settings: JSON-able dict of all else that decides the records.
        shard_records: records per file; an interruption costs at most this many.

    Attributes:
        written: records that are safely in finished shards or were given to `write` since.
        finished: the directory already held this very data set complete; nothing is to be written.

    Raises:
        InputError: the directory holds something else, or a data set of other settings.
    """

    def __init__(
        self, directory, *, image_size, total=None, source="", licence="", seed=None, settings=None, shard_records=512
    ):
        self.directory = pathlib.Path(directory)
        made_from = {
            "image_size": image_size, "total": total, "source": source, "licence": licence, "seed": seed,
            "settings": settings or {}, "shard_records": shard_records,
        }  # fmt: skip
        made_from = json.loads(json.dumps(made_from))  # as it reads back: tuples become lists
        self._people = set()
        self._file = None
        if (self.directory / DATASET_FILE).exists():
            self._info = read_info(self.directory)
            self._check_same(made_from)
            self._recover()
        else:
            if self.directory.exists() and (not self.directory.is_dir() or any(self.directory.iterdir())):
                raise InputError(f"{directory}: not empty and not a data set; name a new or empty directory")
            self.directory.mkdir(parents=True, exist_ok=True)
            self._info = {
                "format": FORMAT, "schema": SCHEMA, "complete": False, "records": 0, "people": 0, **made_from,
                "labels": LABEL_NAMES, "shards": [],
            }  # fmt: skip
            self._save()
        self.written = _written(self._info)
        self.finished = self._info["complete"]

    def _check_same(self, made_from):
        different = [k for k, v in made_from.items() if self._info.get(k) != v]
        if not different:
            return
        what = "finished" if self._info["complete"] else "unfinished"
        first = different[0]
        raise InputError(
            f"{self.directory}: holds a {what} data set with other settings ({first} {self._info.get(first)!r}, not "
            f"{made_from[first]!r}); name another directory or delete this one"
        )

    def _recover(self):
        """Drops what an interrupted writer left half done and counts the people of what it finished."""
        for leftover in self.directory.glob("*.part"):
            leftover.unlink()
        if self._info["complete"]:
            return
        for shard in self._info["shards"]:
            path = self.directory / shard["file"]
            try:
                if not path.is_file() or path.stat().st_size != shard["bytes"]:
                    raise damaged(path, "not the size that was written")
                for data in tfrecord.read_frames(path):
                    self._people.add(decode_record(data, images=False)["identity"])
            except tfrecord.CorruptRecord as error:
                raise damaged(path, error) from error

    def _save(self):
        part = self.directory / (DATASET_FILE + ".part")
        part.write_text(json.dumps(self._info, indent=1) + "\n")
        os.replace(part, self.directory / DATASET_FILE)

    def write(self, record):
        """Appends one record (see the table above; `image` is needed, the rest may be left out)."""
        if self.finished:
            raise InputError(f"{self.directory}: already complete with {self.written} records; nothing can be added")
        size = self._info["image_size"]
        if not isinstance(record.get("image"), bytes) and np.shape(record.get("image")) != (size, size, 3):
            raise ValueError(f"image has shape {np.shape(record.get('image'))}, not ({size}, {size}, 3)")
        data = tfrecord.frame(encode_record(record))
        if self._file is None:
            self._name = f"shard-{len(self._info['shards']):05d}.tfrecord"
            self._file = open(self.directory / (self._name + ".part"), "wb")
            self._in_shard = 0
        self._file.write(data)
        self._people.add(int(record.get("identity", conventions.UNKNOWN)))
        self._in_shard += 1
        self.written += 1
        if self._in_shard == self._info["shard_records"]:
            self._finish_shard()

    def _finish_shard(self):
        if self._file is None:
            return
        size = self._file.tell()
        self._file.close()
        self._file = None
        os.replace(self.directory / (self._name + ".part"), self.directory / self._name)
        self._info["shards"].append({"file": self._name, "records": self._in_shard, "bytes": size})
        self._save()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            if self._file is not None:
                self._file.close()
            return
        if self.finished:
            return
        total = self._info["total"]
        if total is not None and self.written != total:
            raise ValueError(f"{self.directory}: {self.written} records written, {total} announced")
        self._finish_shard()
        self._info["records"] = self.written
        self._info["people"] = len(self._people - {conventions.UNKNOWN})
        self._info["complete"] = self.finished = True
        self._save()
