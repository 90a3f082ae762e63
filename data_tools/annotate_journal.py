"""What an annotation has done so far, item by item, so that being killed neither loses nor repeats a face.

``annotate.jsonl`` gets a line when an item (a photo, a piece of a video) is finished, before its records are written.
Records in finished shards stay; those of an unfinished one are lost with it. So on going on, the items whose faces are
all in finished shards are done, and the first other one is done again without its faces that are there already. The
tables for people, rejects.csv and OpenFace's columns, are made from this file.
"""

import csv
import json
import os
import pathlib

import numpy as np

from tfface import conventions, images

FILE, REJECTS = "annotate.jsonl", "rejects.csv"
_OPENFACE = (
    ["frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz"]
    + [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    + [f"{name}_r" for name in conventions.ACTION_UNITS]
)


class Journal:
    """The finished items of an annotation.

    Args:
        directory: of the data set.
        written: records in its finished shards.

    Attributes:
        done: number of items that need no more work.
        kept: faces of the next item that are written already.
    """

    def __init__(self, directory, written):
        self._path = pathlib.Path(directory) / FILE
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        whole, faces = [], 0
        for line in lines:
            count = len(json.loads(line)["faces"]) if line.endswith("\n") else np.inf
            if faces + count > written:
                break
            whole.append(line)
            faces += count
        self.done, self.kept = len(whole), written - faces
        if len(whole) < len(lines):
            with images.atomic(self._path) as stream:
                stream.write("".join(whole).encode())
        self._file = open(self._path, "a")

    def add(self, item):
        """Appends the `entry` of an item; it is in the file when this returns."""
        self._file.write(json.dumps(item) + "\n")
        self._file.flush()

    def close(self):
        self._file.close()


def entry(answer):
    """Returns what the journal says of an answer of `photos.annotate`, as JSON holds it."""
    faces = [
        {
            "source": face["record"]["source"],
            **{key: face["photo"][key] for key in ("face", "frame")},
            "confidence": round(face["record"]["confidence"], 4),
            "pose": np.round(face["photo"]["pose"], 2).tolist(),
            "landmarks": np.round(np.asarray(face["photo"]["landmarks"], float), 2).tolist(),
            "action_units": np.round(np.asarray(face["record"]["action_units"], float), 2).tolist(),
        }
        for face in answer["faces"]
    ]
    return {"faces": faces, "rejects": answer["rejects"]}


def write_rejects(directory):
    """Writes rejects.csv and returns [(source, number of the face or "", reason)]."""
    rejects = [tuple(reject) for line in _lines(directory) for reject in line["rejects"]]
    _write(pathlib.Path(directory) / REJECTS, ["source", "face", "reason"], rejects)
    return rejects


def write_openface(directory, path):
    """Writes a CSV with OpenFace's columns: a row for each face, its photo or video in a last column ``source``.

    `frame` counts from 1, as OpenFace's does (a photo is frame 1); `face_id` from 0. Rotations are radians and
    landmarks pixels of the photo in OpenFace's conventions; `timestamp` is unknown and left 0.
    """
    rows = []
    for line in _lines(directory):
        for face in line["faces"]:
            landmarks = np.array(face["landmarks"]).T - 0.5  # OpenFace's pixel centres are at integers
            rows.append(
                [max(face["frame"], 0) + 1, face["face"] - 1, 0, face["confidence"], 1]
                + [f"{angle:.4f}" for angle in conventions.pose_to_openface(*face["pose"])]
                + [f"{value:.2f}" for value in landmarks.ravel()]
                + [f"{value:.2f}" for value in face["action_units"]]
                + [face["source"]]
            )
    _write(pathlib.Path(path), [*_OPENFACE, "source"], rows)
    return len(rows)


def _lines(directory):
    with open(pathlib.Path(directory) / FILE) as file:
        for line in file:
            yield json.loads(line)


def _write(path, header, rows):
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(part, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    os.replace(part, path)
