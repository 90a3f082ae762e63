"""Turns photos into aligned faces: a picture for each face and two tables, what was found and what was left out.

``faces.csv`` has a row for each face with what it takes to put an edit back: source, the 2x3 matrix photo -> crop and
its inverse, 68 landmarks in pixels of the photo, pose and score. ``rejects.csv`` has a row and a reason for each photo
or face that was left out. Rows are added when a photo is done, so an interrupted run goes on at the next photo.
"""

import csv
import io
import json
import os
import pathlib

import numpy as np

from tfface import alignment, conventions, images
from tfface.errors import InputError
from tfface.faces import Landmarker

FACES, REJECTS, SETTINGS = "faces.csv", "rejects.csv", "align.json"
_MATRIX = [f"m{row}{column}" for row in range(2) for column in range(3)]
_INVERSE = [f"i{row}{column}" for row in range(2) for column in range(3)]
_LANDMARKS = [f"{axis}_{i}" for axis in "xy" for i in range(68)]  # OpenFace's names
FACE_COLUMNS = ["file", "source", "face", "score", "presence", "yaw", "pitch", "roll", *_MATRIX, *_INVERSE, *_LANDMARKS]
REJECT_COLUMNS = ["source", "face", "reason"]


def align_photos(inputs, output, *, image_size=128, margin=1.0, min_size=48, progress=True):
    """Aligns every face of every photo.

    Args:
        inputs: photos and folders of photos.
        output: folder for ``NAME-faceN.png`` (N from 1 at the photo's left), the two tables and the settings.
        image_size: side of the aligned faces in pixels.
        margin: as in `alignment.alignment_matrix`.
        min_size: faces whose longer side is smaller, in pixels of the photo, are left out.
        progress: show a bar.

    Returns:
        number of faces, number of rejects, both counting earlier runs into the same folder.

    Raises:
        InputError: bad paths, a folder made with other settings, or no face in any photo.
    """
    from tqdm import tqdm

    output = pathlib.Path(output)
    sources = _named(images.list_images(inputs, output))
    _claim(output, {"image_size": image_size, "margin": margin, "min_size": min_size})
    faces, rejects = Table(output / FACES, FACE_COLUMNS), Table(output / REJECTS, REJECT_COLUMNS)
    done = {row["source"] for row in faces.rows} | {row["source"] for row in rejects.rows}
    landmarker = Landmarker()
    for path, name in tqdm(sources, unit="photo", disable=not progress):
        if str(path) in done:
            continue
        try:
            found, left_out = _align(landmarker, path, output, name, image_size, margin, min_size)
        except InputError as error:
            found, left_out = [], [{"source": str(path), "face": "", "reason": str(error)}]
        # In this order, as either row says that the photo is done: being killed in between may cost a reject, no face.
        faces.add(found)
        rejects.add(left_out)
    if not faces.rows:
        reasons = {row["reason"] for row in rejects.rows}
        why = reasons.pop() if len(reasons) == 1 else f"see {output / REJECTS}"
        raise InputError(f"no usable face in {len(sources)} photos ({why}); use photos with larger, unhidden faces")
    return len(faces.rows), len(rejects.rows)


def read_faces(directory):
    """Yields a dict for each row of a folder's ``faces.csv``: numbers as arrays, `file` as a path that exists."""
    directory = pathlib.Path(directory)
    for row in Table(directory / FACES, FACE_COLUMNS).rows:
        number = {column: float(row[column]) for column in FACE_COLUMNS[3:]}
        yield {
            "file": directory / row["file"],
            "source": row["source"],
            "face": int(row["face"]),
            "score": number["score"],
            "pose": np.array([number[angle] for angle in ("yaw", "pitch", "roll")], np.float32),
            "matrix": np.array([number[column] for column in _MATRIX]).reshape(2, 3),
            "inverse": np.array([number[column] for column in _INVERSE]).reshape(2, 3),
            "landmarks": np.array([number[column] for column in _LANDMARKS], np.float32).reshape(2, 68).T,
        }


def write_records(directory, records_directory, source="photos", licence="", progress=True):
    """Writes an aligned folder as a data set whose labels, other than pose and landmarks, are unknown.

    Args:
        directory: made by `align_photos`.
        records_directory: new, empty, or holding this data set unfinished.
        source, licence: what the pictures are and how they may be used, for people to read.
        progress: show a bar.

    Returns:
        number of records.
    """
    from tqdm import tqdm

    from tfface.data import records

    settings = json.loads((pathlib.Path(directory) / SETTINGS).read_text())
    rows = list(read_faces(directory))
    with records.RecordWriter(
        records_directory,
        image_size=settings["image_size"],
        total=len(rows),
        source=source,
        licence=licence,
        settings=settings,
    ) as writer:
        for row in tqdm(rows[writer.written :], unit="record", disable=not progress):
            writer.write(
                {
                    "image": row["file"].read_bytes(),
                    "pose": conventions.pose_in_crop(row["pose"], row["matrix"]),
                    "landmarks": alignment.apply(row["matrix"], row["landmarks"]),
                    "confidence": row["score"],
                    "source": row["source"],
                }
            )
    return len(rows)


def _align(landmarker, path, output, name, image_size, margin, min_size):
    photo = images.read_image(path)
    found, left_out = [], []
    for number, face in enumerate(landmarker.find(photo), start=1):
        if face.size < min_size:
            reason = f"face of {face.size:.0f} pixels, smaller than {min_size:g}"
            left_out.append({"source": str(path), "face": number, "reason": reason})
            continue
        file = f"{name}-face{number}.png"
        matrix = alignment.alignment_matrix(face.landmarks, image_size, margin)
        images.write_image(output / file, images.warp(photo, matrix, image_size))
        numbers = np.concatenate([matrix.ravel(), alignment.invert(matrix).ravel(), face.landmarks.T.ravel()])
        row = {
            "file": file,
            "source": str(path),
            "face": number,
            "score": f"{face.score:.4f}",
            "presence": f"{face.presence:.4f}",
        }
        row |= {angle: f"{value:.2f}" for angle, value in zip(("yaw", "pitch", "roll"), face.pose, strict=True)}
        columns = _MATRIX + _INVERSE + _LANDMARKS
        found.append(row | {column: f"{value:.9g}" for column, value in zip(columns, numbers, strict=True)})
    if not found and not left_out:
        left_out = [{"source": str(path), "face": "", "reason": "no face found"}]
    return found, left_out


def _named(sources):
    """Returns [(path, output name without suffix)]; where two would be the same, the suffix is part of the name."""
    stems = [str(name.with_suffix("")) for _, name in sources]
    names = [
        stem if stems.count(stem) == 1 else str(name).replace(".", "_")
        for stem, (_, name) in zip(stems, sources, strict=True)
    ]
    for (path, _), name in zip(sources, names, strict=True):
        if names.count(name) > 1:
            raise InputError(f"{path}: another photo would be {name} too; align one folder at a time")
    return [(path, name) for (path, _), name in zip(sources, names, strict=True)]


def _claim(output, settings):
    """Makes the folder, or checks that it was made with the same settings."""
    file = output / SETTINGS
    if file.exists():
        before = json.loads(file.read_text())
        for key, value in settings.items():
            if before.get(key) != value:
                raise InputError(f"{output}: was made with {key} {before.get(key)}, not {value}; name another folder")
        return
    with images.atomic(file) as stream:
        stream.write(json.dumps(settings, indent=1).encode() + b"\n")


class Table:
    """A CSV file to which rows are added for good; a line that an interruption cut short is dropped on opening."""

    def __init__(self, path, columns):
        self._path, self._columns = path, columns
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if not whole:
            whole = ",".join(columns) + "\n"
        if whole != text:
            with images.atomic(path) as stream:
                stream.write(whole.encode())
        self.rows = list(csv.DictReader(io.StringIO(whole)))

    def add(self, rows):
        """Appends rows in one write."""
        text = io.StringIO()
        csv.DictWriter(text, self._columns, lineterminator="\n").writerows(rows)
        with open(self._path, "a") as stream:
            stream.write(text.getvalue())
            stream.flush()
            os.fsync(stream.fileno())
        self.rows += rows

    def keep(self, rows):
        """Leaves only these rows, at once or not at all."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with images.atomic(self._path) as stream:
            stream.write(text.getvalue().encode())
        self.rows = list(rows)
