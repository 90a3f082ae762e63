"""Imports CelebA: ``python -m data_tools.celeba --images img_align_celeba --labels . -o data/celeba``.

Reads CelebA's own label files and their CSV twins (`celeba_files`). Two framings:

* faces found and aligned as models of this package are trained and photos are edited (the default): 68 landmarks and
  pose are known then;
* ``--crop 26,3,170,170``: the published crop of the aligned 178x218 pictures (top, left, height, width), as AttGAN and
  STGAN take it at 128 pixels; 40,15,148,148 is theirs at 64.

CelebA's partition decides what is trained on and what is held out; valid pictures are left out unless asked for. What
cannot be used is in rejects.csv with the reason. Stopped, the same command goes on where it was.
"""

import argparse
import collections
import csv
import dataclasses
import pathlib
import sys

import numpy as np
from tqdm import tqdm

from data_tools import celeba_files
from tfface import alignment, conventions, images
from tfface.data import records
from tfface.errors import InputError, exit_code
from tfface.faces import Landmarker

JPEG_QUALITY = 95
REJECTS = "rejects.csv"


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the label files say of each picture; dicts by file name, empty where there is no such file."""

    attributes: dict
    identity: dict
    partition: dict
    landmarks: dict
    pose: dict


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.celeba",
        description="Make a data set from CelebA's pictures and label files, or from pictures with files like them.",
    )
    result.add_argument("--images", required=True, metavar="DIR", help="folder of the pictures (img_align_celeba)")
    result.add_argument(
        "--labels", required=True, metavar="DIR",
        help="folder of list_attr_celeba and, where there, identity_CelebA, list_eval_partition and "
        "list_landmarks_align_celeba, as .txt or .csv",
    )  # fmt: skip
    result.add_argument("--pose", metavar="FILE", help="yaw, pitch, roll of each picture, as CelebAMask-HQ's pose file")
    result.add_argument(
        "--pose-signs", default="hopenet", choices=("hopenet", "tfface"), help="of --pose (default %(default)s)"
    )
    result.add_argument("-o", "--output", metavar="DIR", help="new or empty directory, or one to go on with")
    result.add_argument("--image-size", type=int, default=128, help="side in pixels (default %(default)s)")
    result.add_argument(
        "--margin", type=float, default=1.5, help="of the aligned face: 1 the face, 1.5 with hair (default %(default)s)"
    )
    result.add_argument(
        "--crop", metavar="T,L,H,W", help="cut this box out of every picture instead of aligning, such as 26,3,170,170"
    )
    result.add_argument(
        "--partitions", default="train,test", help="which to take, of train, valid and test (default %(default)s)"
    )
    result.add_argument("--limit", type=int, metavar="N", help="stop after N records")
    result.add_argument("--dry-run", action="store_true", help="only read the label files and say what would be done")
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    box, names, labels = plan(options)
    print(f"{len(names)} pictures listed" + (f" ({options.partitions})" if labels.partition else ""))
    missing = sum(not (pictures_folder(options.images) / name).is_file() for name in names)
    if missing:
        print(f"{missing} of them have no file in {options.images}")
    if options.dry_run:
        return
    written, rejected = convert(options, box, names, labels)
    print(f"{written} records in {options.output}; {sum(rejected.values())} pictures left out ({REJECTS}):")
    for reason, count in rejected.most_common():
        print(f"  {count:6d}  {reason}")


def plan(options):
    """Checks everything that can be checked without opening a picture.

    Returns:
        (crop box or None, file names in the order of the records, `Labels`).
    """
    if options.output is None and not options.dry_run:
        raise InputError("-o: name the directory of the data set, or add --dry-run")
    if options.image_size < 16:
        raise InputError(f"--image-size {options.image_size}: expected 16 or more pixels")
    if not 0.5 <= options.margin <= 4:
        raise InputError(f"--margin {options.margin:g}: expected 0.5 to 4")
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit}: expected 1 or more records")
    for folder in (options.images, options.labels):
        if not pathlib.Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder")
    labels = read_labels(options)
    wanted = options.partitions.split(",")
    for name in wanted:
        if name not in celeba_files.PARTITIONS:
            raise InputError(f"--partitions {name}: expected train, valid or test, separated by commas")
    names = sorted(labels.attributes)
    if labels.partition:
        names = [name for name in names if labels.partition.get(name) in wanted]
    if not names:
        raise InputError(f"--partitions {options.partitions}: no picture of {options.labels} belongs to these")
    return parse_crop(options.crop), names, labels


def parse_crop(text):
    """Returns (top, left, height, width) of a text such as ``26,3,170,170``; None for None."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--crop {text}: expected top,left,height,width in pixels, such as 26,3,170,170")
    top, left, height, width = map(int, parts)
    if height != width or height < 16:
        raise InputError(f"--crop {text}: expected a square of 16 pixels or more, such as 26,3,170,170")
    return top, left, height, width


def read_labels(options):
    """Reads every label file there is into `Labels`; only the attributes must be there."""
    tables = {}
    for kind in ("attributes", "identity", "partition", "landmarks"):
        path = celeba_files.find(options.labels, kind)
        tables[kind] = celeba_files.read(path) if path else None
    if tables["attributes"] is None:
        raise InputError(
            f"{options.labels}: no list_attr_celeba.txt or .csv in this folder; --labels names the folder of the labels"
        )
    identity, partition, landmarks = (tables[kind] for kind in ("identity", "partition", "landmarks"))
    five = celeba_files.numbers(landmarks, 10, "x and y of 5 points") if landmarks else {}
    people = celeba_files.numbers(identity, 1, "the number of the person") if identity else {}
    pose = celeba_files.poses(celeba_files.read(options.pose), options.pose_signs == "hopenet") if options.pose else {}
    return Labels(
        attributes=celeba_files.attributes(tables["attributes"]),
        identity={name: int(number) for name, (number,) in people.items()},
        partition=celeba_files.partitions(partition) if partition else {},
        landmarks={name: row.reshape(5, 2) for name, row in five.items()},
        pose=pose,
    )


def pictures_folder(folder):
    """Returns the folder that holds the pictures: unpacked archives often hold a folder of the folder's own name."""
    folder = pathlib.Path(folder)
    inner = folder / folder.name
    return inner if inner.is_dir() else folder


def convert(options, box, names, labels):
    """Writes the data set; returns (number of records, Counter of reasons for pictures left out)."""
    folder = pictures_folder(options.images)
    writer = records.RecordWriter(
        options.output,
        image_size=options.image_size,
        source="CelebA import",
        licence="CelebA: non-commercial research only, no redistribution",
        settings={
            "tool": "celeba",
            "framing": f"crop {options.crop}" if box else f"aligned, margin {options.margin:g}",
            **({} if box else {"margin": options.margin}),
            "partitions": options.partitions,
            "pose": pathlib.Path(options.pose).name if options.pose else "",
            "limit": options.limit,
            **({"split": "source"} if labels.partition else {}),
        },
    )
    # A picture that was left out stays left out, so going on looks at no picture twice.
    rejects = _Rejects(pathlib.Path(options.output) / REJECTS)
    if writer.finished:  # by an earlier run of the same command
        return writer.written, rejects.reasons()
    landmarker = None if box else Landmarker()
    accepted = 0
    with writer, rejects:
        resumed = writer.written
        for name in tqdm(names, desc="importing", unit="picture", disable=None):
            if options.limit is not None and accepted == options.limit:
                break
            if name in rejects.known:
                continue
            accepted += 1
            if accepted <= resumed:
                continue
            record, reason = make_record(folder / name, name, labels, options, box, landmarker)
            if reason:
                accepted -= 1
                rejects.add(name, reason)
                continue
            writer.write(record)
        if not accepted:
            raise InputError(f"{options.images}: no picture can be used; {REJECTS} in {options.output} says why")
    return accepted, rejects.reasons()


def make_record(path, name, labels, options, box, landmarker):
    """Returns (record, None), or (None, the reason why the picture cannot be used)."""
    if not path.is_file():
        return None, "no picture"
    try:
        pixels = images.read_image(path)
    except InputError:
        return None, "the picture cannot be read"
    pose = labels.pose.get(name)
    record = {
        "attributes": labels.attributes[name],
        "identity": labels.identity.get(name, conventions.UNKNOWN),
        "source": f"{labels.partition[name]}/{name}" if labels.partition else name,
    }
    if box:
        top, left, height, width = box
        if top + height > pixels.shape[0] or left + width > pixels.shape[1]:
            return None, "smaller than --crop"
        matrix = np.array([[1.0, 0, -left], [0, 1.0, -top]]) * (options.image_size / height)
    else:
        face = meant(landmarker.find(pixels), labels.landmarks.get(name))
        if face is None:
            return None, "no face found"
        matrix = alignment.alignment_matrix(face.landmarks, options.image_size, options.margin)
        record["landmarks"] = alignment.apply(matrix, face.landmarks)
        pose = pose or face.pose
    record["image"] = records.encode_image(images.warp(pixels, matrix, options.image_size), JPEG_QUALITY)
    if pose is not None:
        record["pose"] = conventions.pose_in_crop(pose, matrix)
    return record, None


def meant(faces, five):
    """Returns the face that CelebA means: the one around its five points, the largest where they are unknown."""
    if five is not None:
        middle = five.mean(0)
        faces = [face for face in faces if (face.box[:2] <= middle).all() and (middle <= face.box[2:]).all()]
    return max(faces, key=lambda face: face.size, default=None)


class _Rejects:
    """rejects.csv, a line as soon as a picture is left out; what an interrupted run wrote is known from the start."""

    def __init__(self, path):
        self._path = path
        self.known = {}
        if path.is_file():
            with open(path, newline="", encoding="utf-8") as file:
                # A line that an interruption cut off has no reason and is decided again.
                rows = [row for row in csv.DictReader(file) if row["reason"]]
            self.known = {row["picture"]: row["reason"] for row in rows}

    def __enter__(self):
        self._file = open(self._path, "w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["picture", "reason"])
        self._writer.writerows(self.known.items())
        self._file.flush()
        return self

    def __exit__(self, *exception):
        self._file.close()

    def add(self, name, reason):
        self.known[name] = reason
        self._writer.writerow([name, reason])
        self._file.flush()

    def reasons(self):
        return collections.Counter(self.known.values())


if __name__ == "__main__":
    sys.exit(main())
