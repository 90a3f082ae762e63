"""EmotioNet's annotation files: a row for each picture, its addresses and action units 1 to 60.

| file | separator | first line |
|---|---|---|
| automatic annotations (``..._aws/*.txt``) | TAB | a picture: there is no header |
| manual annotations (``EmotionNet_FACS_aws_2020_24600.csv`` and older ones) | comma | ``'URL','URL orig','AU 1',...`` |

Names and addresses may stand in quotes of either kind. Values are 1 (shown), 0 (not shown) and 999 (nobody looked).
"""

import csv
import dataclasses
import pathlib
import re
import urllib.parse

import numpy as np

from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError

MISSING = 999
COLUMNS = 60  # action units 1 to 60 in files without a header
# AU43 is closed eyes; in a still picture it looks as the blink AU45 does.
_SAME = {43: 45}
_QUOTES = "'\"\u2018\u2019\u201c\u201d` "


@dataclasses.dataclass(frozen=True)
class Row:
    """One picture: its address and (17,) labels 1, 0 or NaN."""

    line: int
    address: str
    present: np.ndarray

    @property
    def name(self):
        """The file name at the end of the address."""
        return pathlib.PurePosixPath(urllib.parse.unquote(urllib.parse.urlparse(self.address).path)).name


def read(path):
    """Yields the `Row`s of a file.

    Raises:
        InputError: not readable, not such a file, a row of another length, or a value other than 0, 1 and 999.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            yield from _rows(path, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not readable as text ({error}); expected EmotioNet's annotations") from None


def _rows(path, file):
    first = file.readline()
    file.seek(0)
    reader = csv.reader(file, delimiter="\t") if "\t" in first else csv.reader(file, skipinitialspace=True)
    places, width = None, 0
    for cells in reader:
        cells = [cell.strip(_QUOTES) for cell in cells]
        if not any(cells):
            continue
        if places is None:
            places, width = _places(cells), len(cells)
            if not places:
                raise InputError(
                    f"{path}: no EmotioNet annotations: expected a header with AU 1, AU 2, ... or rows of 2 addresses "
                    f"and {COLUMNS} values of 0, 1 or {MISSING}, separated by TABs"
                )
            if _number_of(cells) is not None:
                continue  # the header
        where = f"{path}, line {reader.line_num}"
        if len(cells) != width:
            raise InputError(f"{where}: {len(cells)} values, expected {width}; was the file cut off? Copy it again")
        yield Row(reader.line_num, cells[0], _present(cells, places, where))


def _number_of(cells):
    """Returns {number of the action unit: column} of a header, None for a row without one."""
    found = {}
    for column, cell in enumerate(cells):
        if match := re.fullmatch(r"AU\s*_?(\d{1,2})", cell, re.IGNORECASE):
            found[int(match[1])] = column
    return found or None


def _places(cells):
    """Returns [(place among the 17, column), ...] of the first row of a file, empty for another kind of file."""
    numbers = _number_of(cells)
    if numbers is None and len(cells) == COLUMNS + 2 and cells[2].replace(".", "", 1).isdigit():
        numbers = {number: number + 1 for number in range(1, COLUMNS + 1)}
    places = {}
    for number, column in sorted((numbers or {}).items()):
        name = f"AU{_SAME.get(number, number):02d}"
        if name in ACTION_UNITS:
            places.setdefault(ACTION_UNITS.index(name), []).append(column)
    return [(place, column) for place, columns in places.items() for column in columns]


def _present(cells, places, where):
    """Returns (17,) of 1, 0 and NaN; of two columns for one action unit, either may show it."""
    present = np.full(len(ACTION_UNITS), np.nan, np.float32)
    for place, column in places:
        try:
            value = float(cells[column] or MISSING)
        except ValueError:
            value = np.nan
        if value not in (0, 1, MISSING):
            raise InputError(f"{where}, column {column + 1}: {cells[column]!r}; expected 0, 1 or {MISSING} (missing)")
        if value != MISSING:
            present[place] = np.fmax(present[place], value)
    return present
