"""Imports faces from several sides: ``python -m data_tools.multipie --images DIR -o data/multipie``.

Two layouts, told apart by the names:

* Multi-PIE: ``SUBJECT_SESSION_RECORDING_CAMERA_LIGHT.png``, such as ``001_01_01_051_07.png``, anywhere below DIR;
  TP-GAN's ``..._07_cropped.png`` too, with the five points of ``001_01_01_051_trans.5pt`` where there is such a file.
  Pictures of one subject, session, recording and light belong together, camera 051 is the frontal one;
* own photos: ``DIR/PERSON/*``, of which the frontal one is named ``frontal...`` or is ``DIR/PERSON.jpg``.

Faces are found and aligned as models of this package are trained and photos are edited. Yaws are those of the cameras,
in tfface's sign. What cannot be used is in rejects.csv with the reason. Stopped, the same command goes on where it was.
"""

import argparse
import collections
import csv
import dataclasses
import functools
import os
import pathlib
import re
import sys

import numpy as np
from tqdm import tqdm

from tfface import alignment, conventions, images
from tfface.data import records
from tfface.errors import InputError, exit_code

JPEG_QUALITY = 95
REJECTS = "rejects.csv"
NAME = re.compile(r"(\d{3})_(\d\d)_(\d\d)_(\d{3})_(\d\d)(_cropped)?")

# Degrees by which the nose points to the image's right, by the camera's field in the name (24_0 is written 240). Signs
# as in TP-GAN's loader, whose pictures of positive yaw have their far side at the right.
YAWS = {"240": 90, "010": 75, "200": 60, "190": 45, "041": 30, "050": 15, "051": 0, "140": -15, "130": -30, "080": -45,
        "090": -60, "120": -75, "110": -90}  # fmt: skip
OVERHEAD = ("081", "191")


@dataclasses.dataclass(frozen=True)
class Picture:
    """One file: whom it shows, from where, and with which others it belongs together."""

    path: pathlib.Path
    source: str  # below the folder
    identity: int
    group: tuple  # pictures of one person, expression and light
    yaw: int | None  # None: not known
    frontal: bool
    points: pathlib.Path | None = None  # file of five points


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.multipie",
        description="Make a data set of faces and their frontal views, from Multi-PIE or from folders of people.",
    )
    result.add_argument("--images", required=True, metavar="DIR", help="folder of the pictures")
    result.add_argument("-o", "--output", metavar="DIR", help="new or empty directory, or one to go on with")
    result.add_argument(
        "--layout", default="auto", choices=("auto", "multipie", "people"), help="of the folder (default %(default)s)"
    )
    result.add_argument("--lights", metavar="NN,...", help="of Multi-PIE take these only, such as 06,07 (default all)")
    result.add_argument("--image-size", type=int, default=128, help="side in pixels (default %(default)s)")
    result.add_argument(
        "--margin", type=float, default=1.0, help="of the aligned face: 1 the face, 1.5 with hair (default %(default)s)"
    )
    result.add_argument("--limit", type=int, metavar="N", help="stop after N records")
    result.add_argument("--dry-run", action="store_true", help="only look at the names and say what would be done")
    result.add_argument(
        "--source", default="faces from several sides", help="what the pictures are, for people to read"
    )
    result.add_argument("--licence", default="unknown", help="their terms of use, for the data set's description")
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    rejects = []
    pictures = plan(options, rejects)
    groups = {picture.group for picture in pictures}
    people = {picture.identity for picture in pictures}
    print(f"{len(pictures)} pictures of {len(people)} people, {len(groups)} with a frontal view of their own")
    if options.dry_run:
        _say(rejects)
        return
    print(f"{convert(options, pictures, rejects)} records in {options.output}")
    _say(rejects)


def _say(rejects):
    if rejects:
        print(f"{len(rejects)} files left out" + f" ({REJECTS} names each):")
    for reason, count in collections.Counter(reason for _, reason in rejects).most_common():
        print(f"  {count:6d}  {reason}")


def plan(options, rejects):
    """Returns the `Picture`s to convert, each group's frontal ones first; what cannot be used goes to `rejects`.

    Raises:
        InputError: an option out of range, no such folder, or nothing in it that can be used.
    """
    if options.output is None and not options.dry_run:
        raise InputError("-o: name the directory of the data set, or add --dry-run")
    if options.image_size < 16:
        raise InputError(f"--image-size {options.image_size}: expected 16 or more pixels")
    if not 0.5 <= options.margin <= 4:
        raise InputError(f"--margin {options.margin:g}: expected 0.5 to 4")
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit}: expected 1 or more records")
    lights = options.lights.split(",") if options.lights else None
    for light in lights or ():
        if not re.fullmatch(r"[01]\d", light):
            raise InputError(f"--lights {light}: expected numbers of two digits from 00 to 19, such as 06,07")
    root = pathlib.Path(options.images)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; --images names the folder of the pictures")
    files = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in images.SUFFIXES]
    if not files:
        raise InputError(f"{root}: no pictures in this folder; expected {', '.join(images.SUFFIXES[:3])}, ...")
    layout = options.layout
    if layout == "auto":
        layout = "multipie" if any(NAME.fullmatch(path.stem) for path in files) else "people"
    found = multipie(root, files, lights, rejects) if layout == "multipie" else people(root, files, rejects)
    with_frontal = {picture.group for picture in found if picture.frontal}
    for picture in found:
        if picture.group not in with_frontal:
            rejects.append((picture.source, "no frontal picture of the same person, expression and light"))
    usable = [picture for picture in found if picture.group in with_frontal]
    if not usable:
        raise InputError(
            f"{root}: no picture with a frontal view ({_first(rejects)}); expected Multi-PIE's names "
            "(001_01_01_051_07.png) or DIR/PERSON/ with a picture named frontal..."
        )
    return sorted(usable, key=lambda picture: (picture.group, not picture.frontal, picture.source))


def _first(rejects):
    counts = collections.Counter(reason for _, reason in rejects).most_common(1)
    return f"{counts[0][1]} x {counts[0][0]}" if counts else "nothing found"


def multipie(root, files, lights, rejects):
    """Returns the `Picture`s of files with Multi-PIE's names; `lights`: numbers to take, or None for all."""
    found = []
    for path in files:
        source, match = str(path.relative_to(root)), NAME.fullmatch(path.stem)
        if not match:
            rejects.append((source, "the name is not of Multi-PIE's form"))
            continue
        subject, session, recording, camera, light, _ = match.groups()
        if camera in OVERHEAD:
            rejects.append((source, "an overhead camera (081, 191)"))
        elif camera not in YAWS:
            rejects.append((source, "a camera that is not known"))
        elif lights and light not in lights:
            rejects.append((source, "another light than asked for"))
        else:
            points = path.with_name(f"{subject}_{session}_{recording}_{camera}_trans.5pt")
            found.append(
                Picture(
                    path=path,
                    source=source,
                    identity=int(subject),
                    group=(subject, session, recording, light),
                    yaw=YAWS[camera],
                    frontal=YAWS[camera] == 0,
                    points=points if match[6] and points.is_file() else None,
                )
            )
    return found


def people(root, files, rejects):
    """Returns the `Picture`s of ``DIR/PERSON/*`` and ``DIR/PERSON.jpg``; people are numbered in their order."""
    names = sorted({path.relative_to(root).parts[0] for path in files if len(path.relative_to(root).parts) > 1})
    numbers = {name: number for number, name in enumerate(names)}
    found = []
    for path in files:
        parts = path.relative_to(root).parts
        person = parts[0] if len(parts) > 1 else path.stem
        source = "/".join(parts)
        if person not in numbers:
            rejects.append((source, "no folder of this name holds other pictures of the person"))
            continue
        frontal = len(parts) == 1 or path.stem.lower().startswith("frontal")
        found.append(Picture(path, source, numbers[person], (person,), 0 if frontal else None, frontal))
    return found


def convert(options, pictures, rejects):
    """Writes the data set and rejects.csv; returns the number of records.

    Raises:
        InputError: the directory holds something else, or no picture can be used.
    """
    writer = records.RecordWriter(
        options.output,
        image_size=options.image_size,
        source=options.source,
        licence=options.licence,
        settings={
            "tool": "multipie",
            "pictures": len(pictures),
            "lights": options.lights or "",
            "margin": options.margin,
            "limit": options.limit,
        },
    )
    if writer.finished:  # by an earlier run of the same command
        rejects[:] = _read_rejects(pathlib.Path(options.output) / REJECTS)
        return writer.written
    numbers = {group: number for number, group in enumerate(sorted({picture.group for picture in pictures}))}
    accepted, seen_from_front = 0, set()
    with writer:
        resumed = writer.written
        for picture in tqdm(pictures, desc="importing", unit="picture", disable=None):
            if options.limit is not None and accepted == options.limit:
                break
            if not picture.frontal and picture.group not in seen_from_front:
                rejects.append((picture.source, "its frontal picture cannot be used"))
                continue
            record, reason = make_record(picture, numbers[picture.group], options.image_size, options.margin)
            if reason:
                rejects.append((picture.source, reason))
                continue
            if picture.frontal:
                seen_from_front.add(picture.group)
            accepted += 1
            if accepted > resumed:
                writer.write(record)
        write_rejects(pathlib.Path(options.output) / REJECTS, rejects)
        if not accepted:
            raise InputError(f"{options.images}: no picture can be used ({_first(rejects)})")
    return accepted


def make_record(picture, number, image_size, margin=1.0):
    """Returns (record, None), or (None, the reason why the picture cannot be used).

    Args:
        picture: `Picture`.
        number: of its group, for the record's view.
        image_size: side of the crop in pixels.
        margin: of the crop, see `alignment.alignment_matrix`.
    """
    try:
        pixels = images.read_image(picture.path)
    except InputError:
        return None, "the picture cannot be read"
    if picture.points is not None:
        landmarks, pose = _read_points(picture.points), (0.0, 0.0, 0.0)
        if landmarks is None:
            return None, "its file of points is not five lines of two numbers"
    else:
        face = _largest_face(pixels)
        if face is None:
            return None, "no face found"
        landmarks, pose = face.landmarks, face.pose
    matrix = alignment.alignment_matrix(landmarks, image_size, margin)
    if not np.isfinite(matrix).all():
        return None, "the landmarks are not a face"
    yaw = pose[0] if picture.yaw is None else picture.yaw
    name = "frontal" if picture.frontal else "turned" if picture.yaw is None else str(picture.yaw)
    record = {
        "image": records.encode_image(images.warp(pixels, matrix, image_size), JPEG_QUALITY),
        # Multi-PIE's cameras stand level, so that a pose without an estimate has neither pitch nor roll.
        "pose": conventions.pose_in_crop((yaw, *pose[1:]), matrix) if picture.points is None else (yaw, 0.0, 0.0),
        "landmarks": alignment.apply(matrix, landmarks),
        "identity": picture.identity,
        "source": picture.source,
        "view": f"{name}/{number:06d}",
    }
    return record, None


@functools.cache
def _landmarker():
    from tfface.faces import Landmarker

    return Landmarker()


def _largest_face(pixels):
    return max(_landmarker().find(pixels), key=lambda face: face.size, default=None)


def _read_points(path):
    """Returns 68 landmarks from a file of five: left eye, right eye, nose, left and right corner of the mouth."""
    try:
        points = np.array([[float(x) for x in line.split()] for line in path.read_text().splitlines() if line.strip()])
    except (ValueError, OSError):
        return None
    return landmarks_of_five(points + 0.5) if points.shape == (5, 2) else None  # theirs have centres at integers


def landmarks_of_five(points):
    """Returns (68, 2) landmarks of an average face laid over (5, 2) points, with those five exact.

    An affine map of the average frontal face follows the turn roughly; eyes, nose and mouth are then moved to where the
    points are. The outline of the face is a guess.
    """
    average = _average_face()
    anchors = np.stack([average[36:42].mean(0), average[42:48].mean(0), average[30], average[48], average[54]])
    ones = np.ones((5, 1))
    affine = np.linalg.lstsq(np.hstack([anchors, ones]), points, rcond=None)[0]
    found = np.hstack([average, np.ones((68, 1))]) @ affine
    for part, anchor, target in (
        (slice(36, 42), found[36:42].mean(0), points[0]),
        (slice(42, 48), found[42:48].mean(0), points[1]),
        (slice(27, 36), found[30], points[2]),
        (slice(48, 68), (found[48] + found[54]) / 2, (points[3] + points[4]) / 2),
    ):
        found[part] += target - anchor
    found[48], found[54] = points[3], points[4]
    return found


@functools.cache
def _average_face():
    """Returns the (68, 2) landmarks of an average frontal face without expression, in the unit picture."""
    from tfface.synthetic import camera, head, landmarks, people
    from tfface.synthetic.scene import Pose

    found = []
    for identity in range(8):
        shape = people.person(identity, ()).shape
        neutral = head.neutral(shape)
        pose, crop = camera.aligned(shape, Pose())
        found.append(camera.project(neutral[landmarks.VERTICES], camera.pivot(neutral), pose, crop)[0])
    return np.mean(found, 0)


def write_rejects(path, rejects):
    """Writes a line for each file left out, by name."""
    part = path.with_suffix(".csv.part")
    with open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "reason"])
        writer.writerows(sorted(rejects))
    os.replace(part, path)


def _read_rejects(path):
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        return [(row["picture"], row["reason"]) for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main())
