"""Repeats of an experiment over seeds: results that are kept one by one, so that an interrupted run goes on, and means
with intervals."""

import json
import pathlib
import re

import numpy as np

from tfface import images
from tfface.errors import InputError


class Results:
    """JSON files of one experiment, one for each kind and seed, that belong to the same settings."""

    def __init__(self, directory, settings):
        """`settings`: dict of all that decides the results beside kind and seed, JSON-able."""
        self.directory, self.settings = pathlib.Path(directory), settings

    def path(self, kind, seed):
        return self.directory / f"{re.sub('[^a-z0-9]+', '-', kind)}-{seed}.json"

    def get(self, kind, seed):
        """Returns the scores that were put there, or None; InputError if they were made with other settings."""
        path = self.path(kind, seed)
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        if found["settings"] != self.settings:
            raise InputError(f"{path}: made with {found['settings']}, not {self.settings}; choose another -o")
        return found["scores"]

    def put(self, kind, seed, scores):
        """Keeps a dict of scores; a killed run leaves whole files only."""
        with images.atomic(self.path(kind, seed)) as stream:
            stream.write(json.dumps({"settings": self.settings, "scores": scores}, indent=1).encode() + b"\n")


def interval(values, digits=3):
    """Returns "mean ± half width" of the 95 % interval of Student's t over repeats, or the one value."""
    from scipy.stats import t

    mean, count = np.mean(values), len(values)
    if count < 2:
        return f"{mean:.{digits}f}"
    half = t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def markdown(columns, rows):
    """Returns the lines of a Markdown table; each row is a sequence of cells as text."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
