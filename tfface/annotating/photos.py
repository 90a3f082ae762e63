"""Files to faces: what is found in photos and videos, one file at a time, and why the rest is left out. No TensorFlow.

Runs in processes of its own (`tfface.synthetic.worker`). A file of any content gives an answer: faces, or a reason.
"""

import dataclasses
import functools
import pathlib

import cv2
import numpy as np

from tfface import alignment, conventions, faces, images
from tfface.annotating import features
from tfface.annotating.looks import look
from tfface.data import records
from tfface.errors import InputError

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
CLIP = 32  # frames of a video that are one item of work
JPEG_QUALITY = 95


@dataclasses.dataclass(frozen=True)
class Item:
    """A photo, or frames `first` to `stop` - 1 (each `step`-th) of a video."""

    path: pathlib.Path
    source: str  # what records call it
    first: int = -1
    stop: int = -1
    step: int = 1


@dataclasses.dataclass(frozen=True)
class Options:
    """How faces are cut and which are taken."""

    image_size: int = 128
    margin: float = 1.0
    min_size: float = 48
    largest: bool = False


def annotate_range(items, options):
    """Returns a dict for each `Item`: `faces`, dicts of what is known of each, and `rejects`, [source, face, reason].

    A face has `record` (image as JPEG bytes, pose, landmarks, confidence, source), `photo` (its place in the photo:
    landmarks (68, 2), pose, frame, number) and what TensorFlow works on: `geometry` (blocks of `features`), `crops`.
    """
    return [annotate(item, options) for item in items]


def annotate(item, options):
    """Returns one answer of `annotate_range`."""
    found, rejects, nothing = [], [], True
    try:
        for source, frame, picture in _pictures(item):
            nothing = False
            some, left_out = _faces(picture, source, frame, options)
            found += some
            rejects += left_out
    except InputError as error:
        rejects.append([item.source, "", str(error).replace(str(item.path), item.path.name)])
        nothing = False
    except Exception as error:  # noqa: BLE001 - whatever a file does to a decoder, the other files still count
        rejects.append([item.source, "", f"failed: {type(error).__name__}: {error}"])
        nothing = False
    if nothing:
        rejects.append([item.source, "", "holds no frame that can be read"])
    return {"faces": found, "rejects": rejects}


def _pictures(item):
    """Yields (source, frame number or -1, pixels)."""
    if item.first < 0:
        yield item.source, -1, images.read_image(item.path)
        return
    video = cv2.VideoCapture(str(item.path))
    try:
        video.set(cv2.CAP_PROP_POS_FRAMES, item.first)
        for frame in range(item.first, item.stop):
            ok, picture = video.read() if (frame - item.first) % item.step == 0 else (video.grab(), None)
            if not ok:
                break
            if picture is not None:
                yield f"{item.source}#{frame:06d}", frame, np.ascontiguousarray(picture[..., ::-1])
    finally:
        video.release()


def _faces(picture, source, frame, options):
    found, rejects = [], []
    numbered = list(enumerate(_landmarker().find(picture), start=1))
    if not numbered:
        return [], [[source, "", "no face found"]]
    biggest = max(face.size for _, face in numbered)
    for number, face in numbered:
        if face.size < options.min_size:
            rejects.append([source, number, f"face of {face.size:.0f} pixels, smaller than {options.min_size:g}"])
        elif options.largest and face.size < biggest:
            rejects.append([source, number, "a larger face is in the picture"])
        else:
            found.append(_face(picture, face, source, number, frame, options))
    return found, rejects


def _face(picture, face, source, number, frame, options):
    seen = look(picture, face.mesh, face.blendshapes)
    matrix = alignment.alignment_matrix(face.landmarks, options.image_size, options.margin)
    crop = images.warp(picture, matrix, options.image_size)
    record = {
        "image": records.encode_image(crop, JPEG_QUALITY),
        "pose": conventions.pose_in_crop(seen.pose, matrix),
        "landmarks": alignment.apply(matrix, face.landmarks),
        "confidence": float(face.score),
        "source": source,
    }
    photo = {"face": number, "frame": frame, "pose": seen.pose, "landmarks": face.landmarks}
    crops = [getattr(seen, name) for name in features.CROPS]
    return {"record": record, "photo": photo, "geometry": features.of_geometry([seen]), "crops": crops}


@functools.cache
def _landmarker():
    return faces.Landmarker()
