"""Describes a data set in text and one picture: ``python -m data_tools.inspect data/mine``.

``--where "AU12>0.5 and emotion=happy"`` describes the records that a query chooses (`data_tools.queries`).
"""

import argparse
import pathlib
import sys

import cv2
import numpy as np
from tqdm import tqdm

from data_tools import queries
from tfface import conventions, images, sheets
from tfface.data import records
from tfface.errors import InputError, exit_code

_BAR = 30  # letters of the longest bar
_ANGLES = {"pose": ("yaw", "pitch", "roll"), "light": ("azimuth", "elevation")}
_VISIBLE, _HIDDEN, _UNKNOWN = (60, 255, 60), (255, 60, 60), (60, 200, 255)


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.inspect",
        description="Show what a data set holds: counts, people, labels and how many are missing, ranges, and a "
        "contact sheet with the labels drawn on.",
    )
    result.add_argument("directory", metavar="DIR", help="a data set made by a data_tools command")
    result.add_argument("--verify", action="store_true", help="also decode every picture and check every label's range")
    result.add_argument("--sheet", metavar="PNG", help="where the contact sheet goes (default DIR/inspect.png)")
    result.add_argument(
        "--samples", type=int, default=24, help="pictures on the sheet, spread evenly (default %(default)s)"
    )
    result.add_argument(
        "--where", metavar="QUERY", help='only records that fit, such as "AU12>2 and emotion=happy and yaw<15 and Male"'
    )
    result.add_argument("--list", metavar="FILE", help="write the sources of the records that fit, one a line")
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options), "Stopped.")


def _run(options):
    if options.samples < 1:
        raise InputError(f"--samples {options.samples}: expected at least 1")
    dataset = records.open_dataset(options.directory)
    chosen = None
    if options.where or options.list:
        sources, chosen = choose(dataset, options.where)
        print(f"{chosen.sum()} of {len(chosen)} records" + (f" where {options.where}" if options.where else ""))
        if options.list:
            with images.atomic(options.list) as stream:
                stream.write("".join(f"{source}\n" for source in sources[chosen]).encode())
        if not chosen.any():
            return
    labels, samples = read(dataset, options.samples, options.verify, chosen)
    print("\n".join(describe(dataset, labels)))
    path = pathlib.Path(options.sheet or dataset.directory / "inspect.png")
    sheets.save(path, contact_sheet(samples))
    print(f"\n{'every record is whole and in range; ' if options.verify else ''}contact sheet: {path}")


def choose(dataset, query):
    """Returns the sources (N,) and (N,) bool, the records that a query chooses (all without one)."""
    columns = {name: [] for name in ("source", *records.FLOATS, *records.INTEGERS)}
    for row in tqdm(dataset.records(images=False), total=len(dataset), desc="choosing", unit="record", disable=None):
        for name, values in columns.items():
            values.append(row[name])
    columns = {name: np.array(values) for name, values in columns.items()}
    chosen = queries.select(query, columns) if query else np.ones(len(dataset), bool)
    return columns["source"], chosen


def read(dataset, samples, verify=False, chosen=None):
    """Reads a whole data set once, checksums included.

    Args:
        dataset: `records.Dataset`.
        samples: how many whole records to keep, spread evenly.
        verify: decode every picture and check every value too.
        chosen: (N,) bool, the records to read; None reads all.

    Returns:
        (dict from label to an array with one row per record, list of whole records). The labels are the schema's
        numbers and `test`, `mask`, `occluder`, `scene`, `view`: (N,) bool, in the test split, or not empty.

    Raises:
        InputError: damage, or with `verify` the first record that is out of range.
    """
    places = np.arange(len(dataset)) if chosen is None else np.flatnonzero(chosen)
    kept_of = np.linspace(0, len(places) - 1, min(samples, len(places))).round().astype(int)
    wanted, among = set(places[kept_of].tolist()), set(places.tolist())
    present = (*records.MASKS, "scene", "view")
    columns = {name: [] for name in (*records.FLOATS, *records.INTEGERS, *present, "test")}
    kept = []
    every = dataset.records(images=False)
    for number, record in enumerate(tqdm(every, total=len(dataset), desc="reading", unit="record", disable=None)):
        if number not in among:
            continue
        for name in (*records.FLOATS, *records.INTEGERS):
            columns[name].append(record[name])
        for name in present:
            columns[name].append(bool(record[name]))
        columns["test"].append(dataset.held_out(record))
        if verify or number in wanted:
            try:
                record = records.decode_images(record)
                if verify:
                    check(record, dataset.image_size)
            except ValueError as error:
                raise InputError(
                    f"{dataset.directory}, record {number} ({record['source']}): {error}; make it again"
                ) from error
            if number in wanted:
                kept.append(record)
    return {name: np.array(values) for name, values in columns.items()}, kept


def check(record, size):
    """Raises ValueError naming the first value of a whole record that the schema does not allow."""
    shapes = {"image": (size, size, 3), "mask": (size, size), "occluder": (size, size)}
    for key, shape in shapes.items():
        if record[key] is not None and record[key].shape != shape:
            raise ValueError(f"{key} is {record[key].shape}, expected {shape}")
    limits = {
        "action_units": (0, conventions.MAX_INTENSITY), "attributes": (-1, 1), "landmarks_visible": (-1, 1),
        "pose": (-180, 180), "light": (-180, 180), "identity": (-1, np.inf), "confidence": (0, 1),
    }  # fmt: skip
    for key, (low, high) in limits.items():
        value = np.asarray(record[key], np.float64)
        if np.isinf(value).any() or (value < low).any() or (value > high).any():
            raise ValueError(f"{key} is not within {low} to {high}")
    if np.isinf(record["landmarks"]).any() or np.isinf(record["embedding"]).any():
        raise ValueError("landmarks or embedding are infinite")


def describe(dataset, labels):
    """Returns lines of text about a data set; `labels` are those of `read`."""
    info, count = dataset.info, len(labels["test"])
    size = sum(shard["bytes"] for shard in info["shards"])
    test = int(labels["test"].sum())
    lines = [
        f"{dataset.directory}: {len(dataset)} records of {dataset.image_size} x {dataset.image_size} pixels, "
        f"{size / 1e6:.1f} MB in {len(dataset.shards)} files (schema {info['schema']})",
        f"source: {info['source'] or 'not said'}; licence: {info['licence'] or 'not said'}; seed: {info['seed']}",
        *(f"  {key}: {value}" for key, value in info["settings"].items()),
        f"split: {count - test} train, {test} test, " + _split_rule(info["people"]),
    ]
    known = labels["identity"] != conventions.UNKNOWN
    if known.any():
        _, each = np.unique(labels["identity"][known], return_counts=True)
        lines.append(f"people: {len(each)}, pictures of each {each.min()} to {each.max()}, median {np.median(each):g}")
    lines += ["", "missing:", *_missing(labels)]
    if not np.isnan(labels["action_units"]).all():
        lines += ["", "action units (0-5):      mean  share of pictures at 0, up to 1, 2, 3, 4, 5"]
        lines += _action_units(labels["action_units"])
    if (labels["attributes"] != conventions.UNKNOWN).any():
        lines += ["", "attributes: share of pictures that have it, of those where it is known"]
        lines += _attributes(labels["attributes"])
    for key, names in _ANGLES.items():
        if not np.isnan(labels[key]).all():
            lines += ["", f"{key} (degrees):        least   5 %   half  95 %   most"]
            for name, values in zip(names, labels[key].T, strict=True):
                spread = np.nanpercentile(values, [0, 5, 50, 95, 100])
                lines.append(f"  {name:20s}" + "".join(f"{value:7.1f}" for value in spread))
    return lines


def _split_rule(people):
    if people >= records.MIN_PEOPLE:
        return "nobody is in both"
    return f"by picture: with fewer than {records.MIN_PEOPLE} known people the same person may be in both"


def _missing(labels):
    for key in (*records.FLOATS, *records.INTEGERS, *records.MASKS, "scene"):
        values = labels[key]
        rows = values.reshape(len(values), -1)
        if values.dtype == bool:
            gone = ~rows
        else:
            gone = np.isnan(rows) if key in records.FLOATS else rows == conventions.UNKNOWN
        partly = gone.any(1).mean() - gone.all(1).mean()
        note = f" ({partly:.1%} in part)" if partly else ""
        yield f"  {key:20s}{gone.all(1).mean():7.1%}{note}"


def _action_units(values):
    edges = [-np.inf, 1e-6, 1, 2, 3, 4, np.inf]
    for name, column in zip(conventions.ACTION_UNITS, values.T, strict=True):
        column = column[~np.isnan(column)]
        if not len(column):
            yield f"  {name}: unknown"
            continue
        shares = np.histogram(column, edges)[0] / len(column)
        bar = "#" * round(_BAR * (1 - shares[0]))
        yield f"  {name:20s}{column.mean():7.2f}  " + " ".join(f"{s:5.1%}".rjust(6) for s in shares) + f"  {bar}"


def _attributes(values):
    for name, column in zip(conventions.ATTRIBUTES, values.T, strict=True):
        known = column[column != conventions.UNKNOWN]
        if len(known):
            note = "" if len(known) == len(column) else f"  (known for {len(known) / len(column):.0%})"
            yield f"  {name:20s}{known.mean():7.1%}  {'#' * round(_BAR * known.mean())}{note}"


def contact_sheet(samples, columns=6, side=256):
    """Returns (H, W, 3) uint8: records with their landmarks (green seen, red hidden, blue not known) and labels."""
    pictures = [draw(record, side) for record in samples]
    return sheets.grid(pictures, min(columns, len(pictures)), [caption(record) for record in samples], size=side)


def draw(record, side):
    """Returns the record's picture, enlarged to (side, side, 3), with its landmarks."""
    picture = cv2.resize(record["image"], (side, side), interpolation=cv2.INTER_CUBIC)
    points = record["landmarks"] * (side / len(record["image"]))
    for point, visible in zip(points, record["landmarks_visible"], strict=True):
        if np.isfinite(point).all():
            colour = {1: _VISIBLE, 0: _HIDDEN}.get(int(visible), _UNKNOWN)
            # OpenCV puts pixel centres at integers; four bits of fraction keep the dot where the landmark is.
            centre = tuple(np.clip(np.round((point - 0.5) * 16), -(2**20), 2**20).astype(int).tolist())
            cv2.circle(picture, centre, 24, colour, -1, cv2.LINE_AA, shift=4)
    return picture


def caption(record):
    """Returns three lines: the strongest action units, pose and light, what is known of the person."""
    units = record["action_units"]
    strongest = [i for i in np.argsort(-np.nan_to_num(units)) if units[i] > 0][:4]
    angles = [f"{a:+.0f}" for a in (*record["pose"], *record["light"]) if np.isfinite(a)]
    has = [name for name, value in zip(conventions.ATTRIBUTES, record["attributes"], strict=True) if value == 1]
    who = "" if record["identity"] == conventions.UNKNOWN else f"#{record['identity']} "
    return "\n".join(
        [
            " ".join(f"{conventions.ACTION_UNITS[i][2:]}:{units[i]:.1f}" for i in strongest),
            " ".join(angles),
            who + (" ".join(has) or record["source"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
