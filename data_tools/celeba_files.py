"""CelebA's label files, in their own layout or as the comma-separated twins that Kaggle hands out.

| table | own file | twin | columns |
|---|---|---|---|
| attributes | ``list_attr_celeba.txt`` | ``list_attr_celeba.csv`` | 40 of -1/1 |
| identity | ``identity_CelebA.txt`` | ``identity_CelebA.csv`` | number of the person |
| partition | ``list_eval_partition.txt`` | ``list_eval_partition.csv`` | 0 train, 1 valid, 2 test |
| landmarks | ``list_landmarks_align_celeba.txt`` | ``list_landmarks_align_celeba.csv`` | x, y of 5 points |
| pose | ``CelebAMask-HQ-pose-anno.txt`` or any CSV | | yaw, pitch, roll in degrees |

Own files separate by runs of blanks; some begin with a count and a header (attributes, landmarks), some with neither.
"""

import csv
import dataclasses
import pathlib

import numpy as np

from tfface import conventions
from tfface.errors import InputError

PARTITIONS = ("train", "valid", "test")
_STEMS = {
    "attributes": "list_attr_celeba",
    "identity": "identity_CelebA",
    "partition": "list_eval_partition",
    "landmarks": "list_landmarks_align_celeba",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """One label file: `rows` maps a picture's file name to its cells, `columns` names them (empty: no header)."""

    path: pathlib.Path
    columns: list
    rows: dict


def find(folder, kind):
    """Returns the path of a table ("attributes", ...) in a folder, whichever layout is there; None without one."""
    for suffix in (".txt", ".csv"):
        path = pathlib.Path(folder) / (_STEMS[kind] + suffix)
        if path.is_file():
            return path
    return None


def read(path):
    """Returns the `Table` of a file of either layout.

    Raises:
        InputError: no such file, a row of another length, or fewer rows than the file says it has.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            if path.suffix.lower() == ".csv":
                lines = [[cell.strip() for cell in cells] for cells in csv.reader(file)]
            else:
                lines = [line.split() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as text ({error}); expected one of CelebA's label files") from None
    lines = [(number, cells) for number, cells in enumerate(lines, start=1) if any(cells)]
    count, columns = None, []
    if lines and len(lines[0][1]) == 1 and lines[0][1][0].isdecimal():
        count = int(lines.pop(0)[1][0])
    if lines and "." not in lines[0][1][0]:  # a header: a row begins with a file name
        columns = lines.pop(0)[1]
        if columns[0].lower() in ("image_id", "file", "filename", "name"):
            columns = columns[1:]
    rows, width = {}, None
    for number, cells in lines:
        width = width or len(cells)
        if len(cells) != width or (columns and width != len(columns) + 1):
            expected = len(columns) + 1 if columns else width
            raise InputError(
                f"{path}, line {number}: {len(cells)} values, expected {expected}; was the file cut off? Copy it again"
            )
        rows[cells[0]] = cells[1:]
    if count is not None and count != len(rows):
        raise InputError(f"{path}: says {count} pictures but lists {len(rows)}; was the file cut off? Copy it again")
    if not rows:
        raise InputError(f"{path}: lists no picture; expected rows that begin with a file name, such as 000001.jpg")
    return Table(path, columns, rows)


def attributes(table):
    """Returns {file name: (40,) int8 of 0/1, -1 unknown} in the order of `conventions.ATTRIBUTES`, by column names.

    The files' -1 (absent) becomes 0; an empty cell is unknown, as is an attribute that the file has no column for.
    """
    places = [conventions.ATTRIBUTES.index(name) if name in conventions.ATTRIBUTES else None for name in table.columns]
    if not any(place is not None for place in places):
        raise InputError(f"{table.path}: the header names none of CelebA's attributes, such as Smiling or Eyeglasses")
    values = {"1": 1, "-1": 0, "0": 0, "": conventions.UNKNOWN}
    out = {}
    for name, cells in table.rows.items():
        row = np.full(len(conventions.ATTRIBUTES), conventions.UNKNOWN, np.int8)
        for place, cell, column in zip(places, cells, table.columns, strict=True):
            if place is None:
                continue
            if cell not in values:
                raise InputError(f"{table.path}: {name} has {column} {cell!r}; expected -1 or 1")
            row[place] = values[cell]
        out[name] = row
    return out


def numbers(table, length, what):
    """Returns {file name: (length,) float64} of a table of numbers; InputError names the picture of a bad one."""
    out = {}
    for name, cells in table.rows.items():
        try:
            row = np.array([float(cell) for cell in cells])
        except ValueError:
            row = np.array([np.nan])
        if row.shape != (length,) or not np.isfinite(row).all():
            raise InputError(f"{table.path}: {name} has {' '.join(cells)!r}; expected {what}")
        out[name] = row
    return out


def partitions(table):
    """Returns {file name: name of its partition}."""
    out = {}
    for name, (value,) in numbers(table, 1, "0 (train), 1 (valid) or 2 (test)").items():
        if value not in (0, 1, 2):
            raise InputError(f"{table.path}: {name} has partition {value:g}; expected 0 (train), 1 (valid) or 2 (test)")
        out[name] = PARTITIONS[int(value)]
    return out


def poses(table, hopenet):
    """Returns {file name: (yaw, pitch, roll) in degrees, our signs} of a pose file.

    Columns are found by name where there is a header (CelebAMask-HQ spells roll "Raw"); without, the order is yaw,
    pitch, roll.
    """
    names = [column.lower().replace("raw", "roll") for column in table.columns] or ["yaw", "pitch", "roll"]
    missing = [name for name in ("yaw", "pitch", "roll") if name not in names]
    if missing:
        raise InputError(
            f"{table.path}: the header has no {missing[0]} column; expected yaw, pitch and roll in degrees"
        )
    places = [names.index(name) for name in ("yaw", "pitch", "roll")]
    chosen = Table(table.path, [], {name: [cells[place] for place in places] for name, cells in table.rows.items()})
    found = numbers(chosen, 3, "yaw, pitch and roll in degrees")
    return {name: conventions.pose_from_hopenet(*row) if hopenet else tuple(row) for name, row in found.items()}
