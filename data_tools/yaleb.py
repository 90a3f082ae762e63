"""Imports the Extended Yale B faces: ``python -m data_tools.yaleb FOLDER -o data/yaleb``.

Files are named ``yaleB13_P00A+035E-20.png`` (or .pgm): person 13, camera 0, light 35 degrees to the subject's right and
20 below. That is the image's left, so the azimuth changes its sign on the way into a record. Full pictures and the cut
and aligned ones (168x192) are read alike: the face is found in the picture of each person and camera whose light comes
closest to the front, and all others of that person and camera are cut in the same way (they were taken within seconds,
and in most of them half of the face is black). What lies outside a picture is black, as behind the rendered heads.

``--batches`` writes batches of 20 pictures of one person in which the light varies, for training DC-IGN further on real
faces (``tfface train dcign --init RUN --data DIR``). Pictures that were not used are in rejects.csv, with the reason.

Data: Georghiades et al. 2001, Lee et al. 2005; for research.
"""

import argparse
import collections
import csv
import os
import pathlib
import re
import sys

import cv2
import numpy as np
from tqdm import tqdm

from tfface import alignment, conventions, images
from tfface.data import records
from tfface.errors import InputError, exit_code
from tfface.synthetic.sampler import FACTOR_BATCH

NAME = re.compile(r"yaleB(\d+)_P(\d\d)A[+-]\d{3}E[+-]\d{2}$")
FRONTAL_CAMERA = 0
MAX_AZIMUTH, MAX_ELEVATION = 80, 40  # degrees of light in the batches, as wide as in rendered ones


class Picture(collections.namedtuple("Picture", "path person camera light")):
    """A file and what its name says; `light` is (azimuth, elevation) in degrees, our signs."""


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.yaleb",
        description="Make a data set of Extended Yale B faces, with their persons and the direction of their light.",
    )
    result.add_argument("folder", help="folder of yaleBNN_PNNA...E... pictures, also in folders below it")
    result.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="new or empty directory, or one to go on with"
    )
    result.add_argument("--image-size", type=int, default=64, help="side in pixels (default %(default)s)")
    result.add_argument(
        "--margin", type=float, default=1.1, help="1 frames forehead to chin; more shows more (default: DC-IGN's 1.1)"
    )
    result.add_argument(
        "--batches", action="store_true", help=f"only batches of {FACTOR_BATCH} pictures of one person for DC-IGN"
    )
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    written, rejected = convert(options)
    print(f"{written} records in {options.output}; {rejected} pictures left out" + (" (rejects.csv)" * bool(rejected)))


def convert(options):
    """Writes the data set; returns (number of records, number of pictures left out)."""
    if options.image_size < 8:
        raise InputError(f"--image-size {options.image_size}: expected at least 8")
    if not 0.5 <= options.margin <= 4:
        raise InputError(f"--margin {options.margin}: expected 0.5 to 4")
    pictures = find(options.folder)
    rejects = []
    matrices = framings(pictures, options.image_size, options.margin, rejects)
    usable = [picture for picture in pictures if (picture.person, picture.camera) in matrices]
    chosen = batches(usable, rejects) if options.batches else [(picture, "") for picture in usable]
    if not chosen:
        raise InputError(f"{options.folder}: none of {len(pictures)} pictures can be used: {rejects[0][1]}")
    writer = records.RecordWriter(
        options.output,
        image_size=options.image_size,
        total=len(chosen),
        source="Extended Yale B",
        licence="research; cite Georghiades et al. 2001 and Lee et al. 2005",
        settings={
            "tool": "yaleb", "folder": pathlib.Path(options.folder).name, "margin": options.margin,
            "factor": "light" if options.batches else "",
        },
    )  # fmt: skip
    if not writer.finished:
        with writer:
            for picture, view in tqdm(chosen[writer.written :], desc="importing", unit="picture", disable=None):
                matrix = matrices[picture.person, picture.camera]
                writer.write(make_record(picture, matrix, options.image_size, view))
        write_rejects(pathlib.Path(options.output) / "rejects.csv", rejects)
    return len(chosen), len(rejects)


def find(folder):
    """Returns the `Picture`s of a folder by person, camera and name; InputError if there are none."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one of Extended Yale B's pictures")
    found = []
    for path in sorted(folder.rglob("*")):
        match = NAME.match(path.stem)
        if match and path.suffix.lower() in (*images.SUFFIXES, ".pgm"):
            light = conventions.light_from_yaleb_name(path.name)
            found.append(Picture(path, int(match[1]), int(match[2]), light))
    if not found:
        raise InputError(f"{folder}: no picture is named like yaleB13_P00A+035E-20.png; is this Extended Yale B?")
    return sorted(found, key=lambda picture: (picture.person, picture.camera, picture.path.name))


def framings(pictures, size, margin, rejects):
    """Returns the 2x3 matrix to a crop for each (person, camera) whose face is found in the most frontal light."""
    from tfface.faces import Landmarker

    landmarker, groups, matrices = Landmarker(), {}, {}
    for picture in pictures:
        groups.setdefault((picture.person, picture.camera), []).append(picture)
    for key, group in groups.items():
        reason = "no face found in this person's picture with the most frontal light"
        brightest = min(group, key=lambda picture: np.hypot(*picture.light))
        try:
            faces = landmarker.find(images.read_image(brightest.path))
        except InputError:
            faces, reason = [], "this person's picture with the most frontal light cannot be read"
        if faces:
            face = max(faces, key=lambda f: f.size)
            matrices[key] = alignment.alignment_matrix(face.landmarks, size, margin)
        else:
            rejects += [(picture, reason) for picture in group]
    return matrices


def batches(pictures, rejects):
    """Returns [(picture, view)] of whole batches of one person, light least above or below first; others rejected."""
    people, result = {}, []
    for picture in pictures:
        azimuth, elevation = picture.light
        if picture.camera == FRONTAL_CAMERA and abs(azimuth) <= MAX_AZIMUTH and abs(elevation) <= MAX_ELEVATION:
            people.setdefault(picture.person, []).append(picture)
        else:
            rejects.append((picture, "the camera or the light is outside the range of a batch"))
    for own in people.values():
        own.sort(key=lambda picture: abs(picture.light[1]))
        count = len(own) // FACTOR_BATCH
        rejects += [(picture, "left over from whole batches") for picture in own[count * FACTOR_BATCH :]]
        # Dealt out, so that all of a person's batches have the whole range of azimuths.
        dealt = sorted(own[: count * FACTOR_BATCH], key=lambda picture: picture.light)
        for first in range(count):
            number = len(result) // FACTOR_BATCH
            result += [(picture, f"light/{number:06d}") for picture in dealt[first::count]]
    return result


def make_record(picture, matrix, size, view):
    """Returns the record of a picture that a 2x3 matrix takes to a crop of `size` pixels; InputError if unreadable."""
    pixels = images.read_image(picture.path)
    border = max(pixels.shape[:2])
    padded = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    moved = np.array(matrix)
    moved[:, 2] -= moved[:, :2] @ (border, border)
    return {
        "image": images.warp(padded, moved, size),
        "pose": (0.0, 0.0, 0.0) if picture.camera == FRONTAL_CAMERA else None,
        "light": picture.light,
        "identity": picture.person,
        "source": picture.path.name,
        "view": view,
    }


def write_rejects(path, rejects):
    """Writes one line per picture left out."""
    part = path.with_suffix(".csv.part")
    with open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "reason"])
        writer.writerows((picture.path.name, reason) for picture, reason in rejects)
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
