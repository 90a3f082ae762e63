"""The annotator beside others on photographs: ``python -m benchmarks.annotator --openface CSV FRAMES --celeba DIR``.

* ``--openface CSV FRAMES``: a clip with OpenFace's own numbers (FeatureExtraction) and its frames: Pearson correlation
  of each action unit over the frames, and the pose's mean absolute and mean difference, degrees.
* ``--celeba DIR``: pictures in ``img_align_celeba`` and ``list_attr_celeba.txt``: area under the ROC curve and accuracy
  of each attribute; ``--limit`` takes so many, evenly spread.
* ``--speed DIR``: processor time for a face of a folder's photos, all steps of ``data_tools.annotate`` in one process.

Prints one Markdown table each.
"""

import argparse
import pathlib
import sys
import time

import numpy as np
from tqdm import tqdm

from data_tools import annotate, celeba_files, openface
from tfface import annotator, conventions, faces, images
from tfface.annotating import photos, scoring
from tfface.annotating.views import largest
from tfface.errors import InputError, exit_code

NAMED = ("AU01", "AU02", "AU05", "AU12", "AU25", "AU26")
_BATCH = 32


def read(paths):
    """Returns (the annotator's dict of arrays, places of the photos in which a face was found)."""
    landmarker, found, places, waiting = faces.Landmarker(), [], [], []
    for place, path in enumerate(tqdm(paths, unit="photo", disable=None)):
        seen = largest(landmarker, images.read_image(path))
        if seen is not None:
            waiting.append(seen)
            places.append(place)
        if len(waiting) == _BATCH:
            found.append(annotator.shipped().read(waiting))
            waiting = []
    if waiting:
        found.append(annotator.shipped().read(waiting))
    if not found:
        raise InputError("no face in any photo")
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}, places


def against_openface(csv, frames):
    """Yields lines: correlations with OpenFace's intensities over a clip, and differences of pose."""
    rows = openface.select(openface.read_rows(openface.csv_files(csv), frames), 0.88, [])
    found, places = read([row.picture for row in rows])
    rows = [rows[place] for place in places]
    theirs = np.array([row.action_units for row in rows])
    yield f"| {len(rows)} frames | " + " | ".join(conventions.ACTION_UNITS) + f" | mean of {', '.join(NAMED)} |"
    yield "|---" * 19 + "|"
    with np.errstate(invalid="ignore"):
        r = [np.corrcoef(found["action_units"][:, k], theirs[:, k])[0, 1] for k in range(17)]
    mean = np.mean([r[conventions.ACTION_UNITS.index(name)] for name in NAMED])
    yield "| Pearson r | " + " | ".join(f"{value:.2f}" for value in r) + f" | {mean:.2f} |"
    error = found["pose"] - np.array([row.pose for row in rows])
    size, shift, rest = np.abs(error).mean(0), error.mean(0), np.abs(error - np.median(error, 0)).mean(0)
    for name, values in (("mean absolute", size), ("mean", shift), ("mean absolute about the median", rest)):
        yield f"pose, {name} difference: " + ", ".join(
            f"{angle} {value:.1f}" for angle, value in zip(("yaw", "pitch", "roll"), values, strict=True)
        )


def on_celeba(directory, limit):
    """Yields lines: attributes of CelebA pictures."""
    directory = pathlib.Path(directory)
    table = celeba_files.attributes(celeba_files.read(celeba_files.find(directory, "attributes")))
    names = [name for name in sorted(table) if (directory / "img_align_celeba" / name).is_file()]
    names = names[:: max(1, len(names) // limit)] if limit else names
    found, places = read([directory / "img_align_celeba" / name for name in names])
    truth = np.array([table[names[place]] for place in places])
    scores = scoring.attributes(found["attributes"], truth)
    sure = annotator.settled(found["attributes"])
    yield f"| {len(places)} pictures | area | accuracy | settled | accuracy of these |\n|---|---|---|---|---|"
    for name in (*annotator.shipped().attributes, "mean"):
        known, right = "", ""
        if name != "mean":
            place = conventions.ATTRIBUTES.index(name)
            settled = sure[:, place] != conventions.UNKNOWN
            known, right = f"{settled.mean():.0%}", f"{(sure[settled, place] == truth[settled, place]).mean():.2f}"
        area, accuracy = (scores[kind].get(name, float("nan")) for kind in ("auc", "accuracy"))
        yield f"| {name} | {area:.2f} | {accuracy:.2f} | {known} | {right} |"


def speed(directory, count=64):
    """Yields a line: seconds of processor time for a face."""
    items = annotate.list_items([directory], "/dev/null")[:count]
    annotate.complete(photos.annotate_range(items[:4], photos.Options()))  # what is loaded once
    start, number = time.process_time(), 0
    for first in range(0, len(items), 4):
        answers = photos.annotate_range(items[first : first + 4], photos.Options())
        annotate.complete(answers)
        number += sum(len(answer["faces"]) for answer in answers)
    spent = time.process_time() - start
    yield f"{number} faces of {len(items)} photos: {spent / number * 1000:.0f} ms of processor time a face"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.annotator", description="The annotator on photographs.")
    parser.add_argument("--openface", nargs=2, metavar=("CSV", "FRAMES"))
    parser.add_argument("--celeba", metavar="DIR")
    parser.add_argument("--speed", metavar="DIR")
    parser.add_argument("--limit", type=int, metavar="N", help="so many CelebA pictures (default all)")
    options = parser.parse_args(arguments)

    def run():
        if options.openface:
            print(*against_openface(*options.openface), sep="\n")
        if options.celeba:
            print(*on_celeba(options.celeba, options.limit), sep="\n")
        if options.speed:
            print(*speed(options.speed), sep="\n")

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
