"""Random access to the records of a data set: one checked pass over the files, then single reads at known places.

Training wants a new random order every epoch and evaluation one split in order. Both are lists of record numbers; the
bytes are read from the shard files when they are asked for, and the operating system keeps what fits in memory.
"""

import dataclasses
import functools
import logging

import numpy as np
import tensorflow as tf

from tfface import conventions
from tfface.data import records, tfrecord
from tfface.errors import InputError
from tfface.synthetic.sampler import FACTORS

log = logging.getLogger(__name__)


def features(keys):
    """Returns the `tf.io` feature description of schema keys; what is unknown gets the schema's unknown value."""
    spec = {}
    check_keys(keys)
    for key in keys:
        if key in records.FLOATS:
            shape = records.FLOATS[key]
            spec[key] = tf.io.FixedLenFeature(shape, tf.float32, np.full(shape, np.nan, np.float32))
        elif key in records.INTEGERS:
            shape = records.INTEGERS[key]
            spec[key] = tf.io.FixedLenFeature(shape, tf.int64, np.full(shape, conventions.UNKNOWN, np.int64))
        else:
            spec[key] = tf.io.FixedLenFeature((), tf.string, b"")
    return spec


def check_keys(keys):
    """Raises ValueError for a key that is not in the schema."""
    for key in keys:
        if key not in records.KEYS:
            raise ValueError(f"a record has no {key!r}; the schema has {', '.join(records.KEYS)}")


@dataclasses.dataclass(frozen=True)
class _Scan:
    """One row per record: where it is, for which split, and which keys it has."""

    shard: np.ndarray  # (N,) int32
    offset: np.ndarray  # (N,) int64
    length: np.ndarray  # (N,) int64
    held_out: np.ndarray  # (N,) bool
    has: dict  # key -> (N,) bool
    scene: np.ndarray  # (N,) int64, number of the scene that a record is one of the answers of, or -1
    frontal: np.ndarray  # (N,) bool
    person: np.ndarray  # (N,) int64, one number for pictures of one person, expression and light; -1: unknown
    factor: np.ndarray  # (N,) int64, place in FACTORS of what varies in the record's batch, or -1
    batch: np.ndarray  # (N,) int64, number of that batch, or -1


def _present(key, value):
    """Tells for a batch of values which are usable: a network cannot take NaN, half-known attributes are masked."""
    if key in records.FLOATS:
        return ~np.isnan(value).reshape(len(value), -1).any(1)
    if key in records.INTEGERS:
        return (value != conventions.UNKNOWN).reshape(len(value), -1).any(1)
    return value != b""


@functools.lru_cache(maxsize=8)
def _scan(dataset):
    keys = records.KEYS
    columns = {"shard": [], "offset": [], "length": [], "held_out": []}
    identities, views = [], []
    has = {key: [] for key in keys}
    for number, (path, expected) in enumerate(dataset.shards):
        at = 0
        found = 0
        parse = functools.partial(tf.io.parse_example, features=features(keys))
        raw = tf.data.TFRecordDataset(str(path)).batch(256)
        try:
            for data, parsed in raw.map(lambda data: (data, parse(data)), num_parallel_calls=2).as_numpy_iterator():
                length = np.array([len(d) for d in data], np.int64)
                offset = at + np.cumsum(length + tfrecord.FRAMING) - length - tfrecord.FRAMING + 12
                at = int(offset[-1] + length[-1] + 4)
                found += len(data)
                columns["shard"].append(np.full(len(data), number, np.int32))
                columns["offset"].append(offset)
                columns["length"].append(length)
                seen = [view.decode() for view in parsed["view"]]
                rows = zip(parsed["identity"].tolist(), parsed["source"].tolist(), seen, strict=True)
                columns["held_out"].append(
                    [dataset.held_out({"identity": i, "source": s.decode(), "view": v}) for i, s, v in rows]
                )
                identities.append(parsed["identity"])
                views.extend(seen)
                for key in keys:
                    has[key].append(_present(key, parsed[key]))
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
            raise records.damaged(path, str(error).splitlines()[0]) from error
        if found != expected:
            raise records.damaged(path, f"{found} records, {expected} expected")
    columns = {name: np.concatenate(parts) for name, parts in columns.items()}
    columns |= _relations(np.concatenate(identities), views, len(dataset.info["settings"].get("views") or ()))
    return _Scan(**columns, has={key: np.concatenate(parts) for key, parts in has.items()})


def _relations(identities, views, round_length):
    """Returns the columns of `_Scan` that say which records belong together, from (N,) identities and N views.

    Sets rendered with ``--views`` show each scene in so many consecutive records.
    """
    parts = [records.split_view(view) for view in views]
    numbers = np.array([number for _, number in parts], np.int64)
    factors = np.array([FACTORS.index(name) if name in FACTORS else -1 for name, _ in parts], np.int64)
    if round_length:
        person = np.arange(len(views)) // round_length
    else:  # by the view's number, else by identity; the two are counted apart
        numbered = numbers >= 0
        pairs = np.stack([numbered, np.where(numbered, numbers, identities)], 1)
        person = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        person[~numbered & (identities == conventions.UNKNOWN)] = -1
    return {
        "scene": np.array([records.answered_scene(view) for view in views], np.int64),
        "frontal": np.array([records.is_frontal(view) for view in views]),
        "person": person,
        "factor": factors,
        "batch": np.where(factors >= 0, numbers, -1),
    }


class RecordIndex:
    """The records of one split that have all the asked-for keys.

    Args:
        dataset: `records.Dataset`.
        split: "train", "test" or None for both.
        keys: keys that a record must have; a record without one of them is left out, and the count is logged.
        frontal: leave out records too whose person, expression and light no usable record shows from the front.

    Attributes:
        numbers: (N,) int64, the places of the records in the data set, ascending.

    Raises:
        InputError: no record remains, or a file is damaged.
    """

    def __init__(self, dataset, split, keys, frontal=False):
        records.check_split(split)
        check_keys(keys)
        scan = _scan(dataset)
        chosen = np.ones(dataset.count, bool) if split is None else scan.held_out == (split == "test")
        in_split = int(chosen.sum())
        lacking = {}
        for key in keys:
            lacks = chosen & ~scan.has[key]
            if lacks.any():
                lacking[key] = int(lacks.sum())
        for key in lacking:
            chosen &= scan.has[key]
        if frontal:
            paired = chosen & (scan.person >= 0) & np.isin(scan.person, scan.person[chosen & scan.frontal])
            if (chosen & ~paired).any():
                lacking["a frontal view"] = int((chosen & ~paired).sum())
            chosen = paired
        self.numbers = np.flatnonzero(chosen)
        name = f"the {split} split" if split else "the data set"
        reasons = ", ".join(f"{count} without {key}" for key, count in lacking.items())
        if not len(self.numbers):
            raise InputError(
                f"{dataset.directory}: no usable record in {name} ({in_split} records"
                f"{', ' + reasons if reasons else ''}); use a data set that has these labels, or a larger one",
                page="data.md#what-each-model-needs",
            )
        if lacking:
            log.warning("%s: %s: left out of %d records: %s", dataset.directory, name, in_split, reasons)
        self._directory = dataset.directory
        self._paths = [path for path, _ in dataset.shards]
        self._scan = scan

    def __len__(self):
        return len(self.numbers)

    @functools.cached_property
    def answers(self):
        """For each place the places of the other pictures of its scene, (N, A - 1) int64; None if some have none.

        They are the true answers to each other's edits of whatever differs between the pictures of a scene.
        """
        scenes = self._scan.scene[self.numbers]
        order = np.argsort(scenes, kind="stable")
        count = np.unique(scenes, return_counts=True)[1]
        if scenes.min() < 0 or count.min() != count.max() or count[0] < 2:
            return None
        groups = order.reshape(-1, count[0])
        out = np.empty((len(scenes), count[0] - 1), np.int64)
        for column in range(count[0]):
            out[groups[:, column]] = np.delete(groups, column, axis=1)
        return out

    @functools.cached_property
    def frontal(self):
        """Returns (first, count, views): place p's frontal views stand at ``views[first[p] : first[p] + count[p]]``.

        A frontal view is among its own. For indices made with `frontal` alone.
        """
        persons = self._scan.person[self.numbers]
        views = np.flatnonzero(self._scan.frontal[self.numbers])
        views = views[np.argsort(persons[views], kind="stable")]
        first = np.searchsorted(persons[views], persons, "left")
        return first, np.searchsorted(persons[views], persons, "right") - first, views

    def factor_batches(self, length):
        """Returns for each of `FACTORS` the (K, length) int64 places of its batches, in which it alone varies.

        Raises:
            InputError: no batch is whole.
        """
        places = np.flatnonzero(self._scan.batch[self.numbers] >= 0)
        numbers = self._scan.batch[self.numbers][places]
        places = places[np.argsort(numbers, kind="stable")]
        _, start, count = np.unique(np.sort(numbers), return_index=True, return_counts=True)
        whole = places[start[count == length][:, None] + np.arange(length)]
        if not len(whole):
            raise InputError(
                f"{self._directory}: no batch of {length} pictures in which one factor varies; make such a set with "
                "python -m data_tools.synthesize --factor all",
                page="models/dcign.md#use",
            )
        factors = self._scan.factor[self.numbers][whole[:, 0]]
        return [whole[factors == factor] for factor in range(len(FACTORS))]

    def read(self, places):
        """Returns an object array of the records' bytes at some places of `numbers`."""
        out = np.empty(len(places), object)
        for i, place in enumerate(places):
            n = self.numbers[place]
            with open(self._paths[self._scan.shard[n]], "rb") as file:
                file.seek(self._scan.offset[n])
                out[i] = file.read(int(self._scan.length[n]))
        return out
