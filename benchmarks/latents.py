"""Compares inverse-graphics codes: ``python -m benchmarks.latents clamped=RUN plain=RUN -o inferred.png``.

Each run has been evaluated (``tfface evaluate RUN``). For DC-IGN against the entangled code of the same size, data and
time, train twice: ``tfface train dcign`` and ``tfface train dcign --set clamp=false``. The picture has the paper's
plots of inferred against true azimuth, elevation and light, a row for each run.
"""

import argparse
import pathlib
import sys

from tfface import config, latent_figures, page
from tfface.errors import InputError, exit_code


def main(arguments=None):
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latents", description="Compare inverse-graphics codes.")
    parser.add_argument("runs", nargs="+", metavar="TITLE=RUN", help="evaluated run directories, with names for them")
    parser.add_argument("-o", "--output", metavar="PNG", help="plots of inferred against true factors")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    runs = dict(_code(text) for text in options.runs)
    head, rows = latent_figures.table(runs)
    print(" | ".join(head))
    for row in rows:
        print(" | ".join(page.number(cell, ".4f") for cell in row))
    if options.output:
        pathlib.Path(options.output).write_bytes(latent_figures.inferred_against_true(runs))


def _code(text):
    title, _, run = text.partition("=")
    path = pathlib.Path(run) / "metrics.json"
    if not run or not path.exists():
        raise InputError(f"{text}: expected TITLE=RUN, a run that `tfface evaluate` has scored")
    scores = config.read_json(path).get("code", {})
    if "inferred" not in scores:
        raise InputError(f"{path}: has no scores of a code on rendered people; is it a run of dcign?")
    return title, scores


if __name__ == "__main__":
    sys.exit(main())
