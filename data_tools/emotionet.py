"""Imports EmotioNet: ``python -m data_tools.emotionet --labels FILE... --images DIR -o data/emotionet``.

Reads its label files (`emotionet_files`): headerless TAB-separated ones and those with a quoted header; 999 is missing.
Pictures are found in --images, at any depth, by the file name at the end of their address. The largest face of each is
aligned; landmarks and pose come from tfface. EmotioNet says whether an action unit shows, not how much: one that shows
gets the intensity of --intensity. What cannot be used is in rejects.csv with the reason. Stopped, the same command goes
on where it was.

``--score`` writes nothing: it compares the annotator of tfface with the labels, by the score of the challenge.
"""

import argparse
import collections
import csv
import pathlib
import sys

import numpy as np
from tqdm import tqdm

from data_tools import emotionet_files
from tfface import alignment, conventions, images, metrics
from tfface.data import records
from tfface.errors import InputError, exit_code
from tfface.faces import Landmarker

JPEG_QUALITY = 95
REJECTS = "rejects.csv"
PRESENT = 1.0  # intensity, 0-5, from which the annotator is said to see an action unit


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.emotionet", description="Make a data set from EmotioNet's label files and pictures."
    )
    result.add_argument("--labels", required=True, nargs="+", metavar="FILE", help="label files of either layout")
    result.add_argument("--images", required=True, metavar="DIR", help="folder of the pictures")
    result.add_argument("-o", "--output", metavar="DIR", help="new or empty directory, or one to go on with")
    result.add_argument("--image-size", type=int, default=128, help="side in pixels (default %(default)s)")
    result.add_argument("--margin", type=float, default=1.0, help="of the aligned face (default %(default)s)")
    result.add_argument(
        "--intensity", type=float, default=3.0, help="of an action unit that shows, of 5 (default %(default)s)"
    )
    result.add_argument("--limit", type=int, metavar="N", help="stop after N records")
    result.add_argument("--score", action="store_true", help="compare tfface's annotator with the labels instead")
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    _check(options)
    rows = [row for path in options.labels for row in emotionet_files.read(path)]
    files = {path.name: path for path in sorted(pathlib.Path(options.images).rglob("*")) if path.is_file()}
    print(f"{len(rows)} pictures listed, {sum(row.name in files for row in rows)} of them in {options.images}")
    if options.score:
        print("\n".join(score(rows, files, options.limit)))
        return
    written, rejects = convert(options, rows, files)
    reasons = collections.Counter(reason for _, reason in rejects)
    print(f"{written} records in {options.output}; {len(rejects)} pictures left out ({REJECTS}):")
    for reason, count in reasons.most_common():
        print(f"  {count:6d}  {reason}")


def _check(options):
    if not options.score and options.output is None:
        raise InputError("-o: name the directory of the data set, or add --score")
    if options.image_size < 16:
        raise InputError(f"--image-size {options.image_size}: expected 16 or more pixels")
    if not 0.5 <= options.margin <= 4:
        raise InputError(f"--margin {options.margin:g}: expected 0.5 to 4")
    if not 0 < options.intensity <= conventions.MAX_INTENSITY:
        raise InputError(f"--intensity {options.intensity:g}: expected more than 0, up to 5")
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit}: expected 1 or more records")
    if not pathlib.Path(options.images).is_dir():
        raise InputError(f"{options.images}: no such folder")


def convert(options, rows, files):
    """Writes the data set; returns (number of records, [(row, reason) of pictures left out])."""
    writer = records.RecordWriter(
        options.output,
        image_size=options.image_size,
        source="EmotioNet import",
        licence="EmotioNet: for research, by its own agreement",
        settings={
            "tool": "emotionet", "labels": [pathlib.Path(path).name for path in options.labels],
            "margin": options.margin, "intensity": options.intensity, "limit": options.limit,
        },
    )  # fmt: skip
    rejects, accepted = [], 0
    if writer.finished:
        return writer.written, rejects
    landmarker = Landmarker()
    with writer:
        resumed = writer.written
        for row in tqdm(rows, desc="importing", unit="picture", disable=None):
            if options.limit is not None and accepted == options.limit:
                break
            # Only what was written is known from before; whether earlier pictures could be used is looked at again.
            picture, face, reason = find(row, files, landmarker)
            if reason:
                rejects.append((row, reason))
                continue
            accepted += 1
            if accepted > resumed:
                writer.write(make_record(row, picture, face, options))
        with images.atomic(pathlib.Path(options.output) / REJECTS) as stream:
            stream.write(_rejects(rejects).encode())
        if not accepted:
            raise InputError(f"{options.images}: no picture can be used; {REJECTS} in {options.output} says why")
    return accepted, rejects


def find(row, files, landmarker):
    """Returns (picture, its largest face, ""), or (None, None, the reason why it cannot be used)."""
    if np.isnan(row.present).all():
        return None, None, "none of tfface's action units is annotated"
    if row.name not in files:
        return None, None, "no picture"
    try:
        picture = images.read_image(files[row.name])
    except InputError:
        return None, None, "the picture cannot be read"
    face = max(landmarker.find(picture), key=lambda one: one.size, default=None)
    return picture, face, "" if face is not None else "no face found"


def make_record(row, picture, face, options):
    """Returns the record of a picture and the face that is meant."""
    matrix = alignment.alignment_matrix(face.landmarks, options.image_size, options.margin)
    return {
        "image": records.encode_image(images.warp(picture, matrix, options.image_size), JPEG_QUALITY),
        "action_units": row.present * options.intensity,
        "pose": conventions.pose_in_crop(face.pose, matrix),
        "landmarks": alignment.apply(matrix, face.landmarks),
        "confidence": face.score,
        "source": row.name,
    }


def score(rows, files, limit=None):
    """Returns lines of text: how well tfface's annotator agrees with the labels."""
    from tfface.annotator import Annotator

    landmarker, annotator = Landmarker(), Annotator()
    found, truth = [], []
    for row in tqdm(rows, desc="scoring", unit="picture", disable=None):
        picture, face, reason = find(row, files, landmarker)
        if not reason:
            found.append(annotator.annotate([picture], [face.mesh])["action_units"][0] >= PRESENT)
            truth.append(row.present)
        if limit is not None and len(found) == limit:
            break
    if not found:
        raise InputError("no picture can be used: there is no file of the listed names with a face")
    scores = metrics.emotionet_score(found, truth)
    yield f"{len(found)} pictures; EmotioNet challenge score {scores['score']:.4f} (mean accuracy "
    yield f"{scores['mean_accuracy']:.4f}, mean F1 {scores['mean_f1']:.4f})"
    for name, accuracy, f1 in zip(conventions.ACTION_UNITS, scores["accuracy"], scores["f1"], strict=True):
        if np.isfinite(accuracy):
            yield f"  {name}  accuracy {accuracy:.3f}  F1 {f1:.3f}"


def _rejects(rejects):
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["line", "picture", "reason"])
    writer.writerows([row.line, row.name, reason] for row, reason in rejects)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main())
