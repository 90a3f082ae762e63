"""Imports OpenFace results: ``python -m data_tools.openface --csv RESULT.csv --frames VIDEO -o data/mine``.

Both programs' files are read, by the names in their header, whatever else is in them:

* FeatureExtraction (videos): columns frame, face_id, timestamp, confidence, success. Frame N is the Nth of the video,
  or the picture whose name ends in the number N (``0012.jpg``, ``clip_12.png``); frames without a picture are left out.
  Faces that OpenFace cut out itself (NAME_aligned) do as well; there tfface finds landmarks and pose.
* FaceLandmarkImg (photos): columns face, confidence. The picture has the CSV's name and lies next to it or in --frames.

With the 2D landmarks (``-2Dfp``) faces are cut out by them; without, tfface finds them. Head pose (``-pose``) is turned
into tfface's convention and into the crop. What is left out, row by row with the reason, is in rejects.csv.
"""

import argparse
import collections
import contextlib
import csv
import dataclasses
import os
import pathlib
import re
import sys

import numpy as np
from tqdm import tqdm

from data_tools import openface_frames
from tfface import alignment, conventions, images
from tfface.data import records
from tfface.errors import InputError, exit_code

JPEG_QUALITY = 95
_AU_COLUMNS = [f"{name}_r" for name in conventions.ACTION_UNITS]
_POSE_COLUMNS = ["pose_Rx", "pose_Ry", "pose_Rz"]
_LANDMARK_COLUMNS = [f"{axis}_{i}" for axis in "xy" for i in range(68)]


@dataclasses.dataclass
class Row:
    """One face of one CSV row."""

    file: pathlib.Path
    line: int
    unit: str  # "frame 12" or the photo's name: rows of one unit are faces of one picture
    picture: pathlib.Path | openface_frames.VideoFrame | None
    source: str
    identity: int
    confidence: float
    success: bool
    action_units: np.ndarray  # (17,) 0-5
    pose: tuple | None  # (yaw, pitch, roll) degrees in the picture
    landmarks: np.ndarray | None  # (68, 2) pixels, centres at + 0.5


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.openface",
        description="Make a data set from pictures and what OpenFace wrote about them (FeatureExtraction or "
        "FaceLandmarkImg, with -aus; -2Dfp and -pose are used when there).",
    )
    result.add_argument("--csv", required=True, metavar="FILE|DIR", help="one CSV, or a folder of them")
    result.add_argument(
        "--frames", metavar="FILE|DIR",
        help="the video that OpenFace read, the folder of its frames, or a folder with one of these named like each "
        "CSV (default: the CSV's own folder)",
    )  # fmt: skip
    result.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="new or empty directory, or one to go on with"
    )
    result.add_argument("--image-size", type=int, default=128, help="side in pixels (default %(default)s)")
    result.add_argument(
        "--min-confidence", type=float, default=0.88, help="OpenFace's confidence, 0-1 (default %(default)s)"
    )
    result.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth usable picture (default all)")
    result.add_argument("--limit", type=int, metavar="N", help="stop after N records")
    result.add_argument(
        "--source", default="OpenFace import", help="what the pictures are, for the data set's description"
    )
    result.add_argument("--licence", default="unknown", help="their terms of use, for the data set's description")
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    written, rejected = convert(options)
    print(f"{written} records in {options.output}; {sum(rejected.values())} rows left out (rejects.csv):")
    for reason, count in rejected.most_common():
        print(f"  {count:6d}  {reason}")


def convert(options):
    """Writes the data set; returns (number of records, Counter of kinds of reasons for rows left out)."""
    for name, value, low in (("--image-size", options.image_size, 8), ("--every", options.every, 1)):
        if value < low:
            raise InputError(f"{name} {value}: expected at least {low}")
    if not 0 <= options.min_confidence <= 1:
        raise InputError(f"--min-confidence {options.min_confidence}: expected a number from 0 to 1")
    files = csv_files(options.csv)
    rejects = []
    chosen = select(read_rows(files, options.frames), options.min_confidence, rejects)[:: options.every]
    if not chosen:
        raise InputError(f"{options.csv}: no row can be used: {_summary(_count(rejects))}")
    writer = records.RecordWriter(
        options.output,
        image_size=options.image_size,
        source=options.source,
        licence=options.licence,
        settings={
            "tool": "openface",
            "files": [path.name for path in files],
            "min_confidence": options.min_confidence,
            "every": options.every,
            "limit": options.limit,
        },
    )
    if writer.finished:  # by an earlier run of the same command
        return writer.written, _count(rejects)
    find, reader = LandmarkFinder(), openface_frames.Reader()
    accepted = 0
    with writer, contextlib.closing(reader):
        resumed = writer.written
        for row in tqdm(chosen, desc="importing", unit="picture", disable=None):
            if options.limit is not None and accepted == options.limit:
                break
            record, reason = make_record(row, options.image_size, find, reader.read)
            if reason:
                rejects.append((row, reason))
                continue
            accepted += 1
            if accepted > resumed:
                writer.write(record)
        write_rejects(pathlib.Path(options.output) / "rejects.csv", rejects)
        if not accepted:
            raise InputError(f"{options.csv}: no picture can be used: {_summary(_count(rejects))}")
    return accepted, _count(rejects)


def csv_files(path):
    """Returns the CSVs of a file or folder, sorted; files without OpenFace's header are an error only if named."""
    path = pathlib.Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; --csv names what OpenFace wrote")
    files = [file for file in sorted(path.glob("*.csv")) if _looks_like_openface(file)]
    if not files:
        raise InputError(
            f"{path}: no OpenFace CSV in this folder (a header with confidence and AU01_r); run OpenFace with -aus"
        )
    return files


def _looks_like_openface(path):
    header = _header(path)
    return "confidence" in header and "AU12_r" in header


def _header(path):
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def read_rows(files, frames=None):
    """Yields a `Row` for every face in CSVs.

    Raises:
        InputError: a header without what is needed, a value that is no number, or a folder of frames that two videos
            would share.
    """
    videos = [path for path in files if "frame" in _header(path)]
    identities = {path: number for number, path in enumerate(videos)}  # one video shows one person
    pictures = {path: openface_frames.Frames(path, frames, len(videos) == 1) for path in videos}
    for path in files:
        header = _header(path)
        missing = [name for name in ("confidence", "AU12_r") if name not in header]
        if missing or not {"frame", "face"} & set(header):
            raise InputError(
                f"{path}: the header has no {missing[0] if missing else 'frame or face'} column; expected a CSV of "
                "OpenFace's FeatureExtraction or FaceLandmarkImg, run with -aus"
            )
        photo = None if path in pictures else openface_frames.photo(path, frames)
        yield from _rows_of(path, header, pictures.get(path), photo, identities.get(path, conventions.UNKNOWN))


def _rows_of(path, header, frames, photo, identity):
    place = {name: i for i, name in enumerate(header)}

    def numbers(cells, names):
        if any(name not in place for name in names):
            return None
        return np.array([float(cells[place[name]]) for name in names])

    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            try:
                if frames is None:
                    unit, picture = path.stem, photo
                else:
                    number = int(float(cells[place["frame"]]))
                    face = int(float(cells[place["face_id"]])) if "face_id" in place else 0
                    unit, picture = f"{path.stem} frame {number}", frames.picture(number, face)
                    unit += f" face {face}" if frames.aligned else ""
                    seconds = float(cells[place["timestamp"]]) if "timestamp" in place else 0.0
                units = [numbers(cells, [name]) for name in _AU_COLUMNS]
                pose, landmarks = numbers(cells, _POSE_COLUMNS), numbers(cells, _LANDMARK_COLUMNS)
                success = float(cells[place["success"]]) != 0 if "success" in place else True
                confidence = float(cells[place["confidence"]])
            except (ValueError, IndexError) as error:
                raise InputError(
                    f"{path}, line {reader.line_num}: not a row of this header ({error}); was the file cut off? Delete "
                    "the line or run OpenFace again"
                ) from None
            if frames is not None:
                frames.check_times(number, seconds)
                if frames.aligned:
                    pose = landmarks = None
            yield Row(
                file=path,
                line=reader.line_num,
                unit=unit,
                picture=picture,
                source=f"{path.stem}/{picture.name}"
                if picture and frames is not None
                else getattr(picture, "name", ""),
                identity=identity,
                confidence=confidence,
                success=success,
                action_units=np.array([np.nan if value is None else value[0] for value in units]),
                pose=None if pose is None else conventions.pose_from_openface(*pose),
                # OpenCV's coordinates have pixel centres at integers.
                landmarks=None if landmarks is None else landmarks.reshape(2, 68).T + 0.5,
            )


def select(rows, min_confidence, rejects):
    """Returns the best usable row of each picture, in the order of the files; the others go to `rejects`."""
    best = {}
    for row in rows:
        if not row.success:
            rejects.append((row, "success is 0"))
        elif not row.confidence >= min_confidence:
            rejects.append((row, f"confidence {row.confidence:g} is below {min_confidence:g}"))
        elif row.picture is None:
            rejects.append((row, "no picture"))
        elif not np.isfinite(row.action_units).any() or np.isinf(row.action_units).any():
            rejects.append((row, "action units are not numbers"))
        elif row.unit not in best:
            best[row.unit] = row
        else:
            kept = max(best[row.unit], row, key=lambda r: r.confidence)  # the first of equals
            rejects.append((row if kept is best[row.unit] else best[row.unit], "another face of the picture is surer"))
            best[row.unit] = kept
    return list(best.values())


class LandmarkFinder:
    """Finds the landmarks and the pose of a picture's largest face, loading the networks when first asked."""

    def __init__(self):
        self._landmarker = None

    def __call__(self, pixels):
        """Returns (landmarks (68, 2), pose) of (H, W, 3) uint8 RGB, or None."""
        if self._landmarker is None:
            from tfface.faces import Landmarker

            self._landmarker = Landmarker()
        found = self._landmarker.find(pixels)
        if not found:
            return None
        face = max(found, key=lambda f: f.size)
        return face.landmarks, face.pose


def make_record(row, image_size, find, read=images.read_image):
    """Returns (record, None), or (None, the reason why the picture cannot be used)."""
    try:
        pixels = read(row.picture)
    except InputError:
        video = isinstance(row.picture, openface_frames.VideoFrame)
        return None, "the video has no such frame" if video else "the picture cannot be read"
    landmarks, pose = row.landmarks, row.pose
    if landmarks is None:
        found = find(pixels)
        if found is None:
            return None, "no face found"
        landmarks, pose = found[0], pose or found[1]
    height, width = pixels.shape[:2]
    if not np.isfinite(landmarks).all() or not _mostly_inside(landmarks, width, height):
        return None, "the landmarks lie outside the picture"
    matrix = alignment.alignment_matrix(landmarks, image_size)
    if not np.isfinite(matrix).all():
        return None, "the landmarks are not a face"
    record = {
        "image": records.encode_image(images.warp(pixels, matrix, image_size), JPEG_QUALITY),
        "action_units": np.clip(row.action_units, 0, conventions.MAX_INTENSITY),
        "pose": None if pose is None else conventions.pose_in_crop(pose, matrix),
        "landmarks": alignment.apply(matrix, landmarks),
        "identity": row.identity,
        "confidence": row.confidence,
        "source": row.source,
    }
    return record, None


def _mostly_inside(landmarks, width, height):
    inside = (landmarks >= 0).all(1) & (landmarks <= (width, height)).all(1)
    return inside.mean() >= 0.5


def write_rejects(path, rejects):
    """Writes one line per row left out, in the order of the files."""
    part = path.with_suffix(".csv.part")
    with open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "line", "picture", "confidence", "reason"])
        for row, reason in sorted(rejects, key=lambda r: (str(r[0].file), r[0].line)):
            writer.writerow([row.file.name, row.line, row.picture or row.unit, f"{row.confidence:g}", reason])
    os.replace(part, path)


def _count(rejects):
    return collections.Counter(re.sub(r"confidence [-\d.a-z]+ ", "confidence ", reason) for _, reason in rejects)


def _summary(counter):
    return "; ".join(f"{count} x {reason}" for reason, count in counter.most_common(3)) or "no rows"


if __name__ == "__main__":
    sys.exit(main())
