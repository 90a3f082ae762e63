"""The pictures that an OpenFace result tells of: a video, a folder of frames or of cut out faces, or photos."""

import dataclasses
import pathlib
import re

import cv2
import numpy as np

from tfface import images
from tfface.errors import InputError

_ALIGNED = re.compile(r"frame_det_(\d+)_(\d+)$")  # OpenFace's own: number of the face, number of the frame
_FRAMES_PER_SECOND = 0.05  # by which a video may differ from what its CSV's times say


@dataclasses.dataclass(frozen=True)
class VideoFrame:
    """A frame of a video; `number` counts from 1, as OpenFace's does."""

    path: pathlib.Path
    number: int

    @property
    def name(self):
        """What records call it: as `data_tools.annotate` does, from 0."""
        return f"{self.path.name}#{self.number - 1:06d}"

    def __str__(self):
        return f"{self.path}#{self.number - 1:06d}"


class Frames:
    """The pictures of one video's CSV.

    Args:
        path: the CSV.
        frames: the video, a folder, or None for the CSV's own folder. A folder may hold the pictures, or a folder or
            video of the CSV's name, or OpenFace's NAME_aligned.
        alone: whether the CSV is the only one of a video.

    Attributes:
        aligned: the pictures are faces that OpenFace cut out, where the CSV's landmarks and pose do not hold.

    Raises:
        InputError: nothing is there, or the video cannot be read.
    """

    def __init__(self, path, frames=None, alone=True):
        self._place = _place(path, frames, alone)
        self._video = self._place.is_file()
        self._numbered = {} if self._video else _numbered(self._place)
        self.aligned = any(isinstance(key, tuple) for key in self._numbered)
        self._rate = frames_per_second(self._place) if self._video else None
        if self._rate == 0:
            raise InputError(f"{self._place}: cannot be read as a video; name a folder of its frames with --frames")

    def picture(self, frame, face):
        """Returns the picture of a row's frame (and face, where they are cut out), or None."""
        if self._video:
            return VideoFrame(self._place, frame) if frame >= 1 else None
        return self._numbered.get((face, frame) if self.aligned else frame)

    def check_times(self, frame, seconds):
        """Raises InputError if a row's time and its frame do not go together in the video."""
        if not self._video or frame < 2 or not seconds > 0:
            return
        expected = (frame - 1) / seconds
        if abs(self._rate / expected - 1) > _FRAMES_PER_SECOND:
            raise InputError(
                f"{self._place}: {self._rate:g} frames a second, but the CSV's times say {expected:g}; name the video "
                "that OpenFace read, or a folder of its frames"
            )


class Reader:
    """Reads pictures and frames of videos; a video is read from its start to its end once if frames come in order."""

    def __init__(self):
        self._path = self._video = None
        self._at = 0

    def read(self, picture):
        """Returns (H, W, 3) uint8 RGB of a path or `VideoFrame`; InputError if it cannot be read."""
        if not isinstance(picture, VideoFrame):
            return images.read_image(picture)
        if self._path != picture.path or self._at >= picture.number:
            self.close()
            self._path, self._video, self._at = picture.path, cv2.VideoCapture(str(picture.path)), 0
        ok = True
        # Frame by frame, as OpenFace did: a jump lands elsewhere in videos whose frames come at uneven times.
        while ok and self._at < picture.number:
            ok = self._video.grab()
            self._at += 1
        ok, pixels = self._video.retrieve() if ok else (False, None)
        if not ok:
            raise InputError(f"{picture}: the video has no such frame")
        return np.ascontiguousarray(pixels[..., ::-1])

    def close(self):
        if self._video is not None:
            self._video.release()
        self._path = self._video = None


def frames_per_second(path):
    """Returns the rate of a video, or 0 if it cannot be read."""
    video = cv2.VideoCapture(str(path))
    try:
        return float(video.get(cv2.CAP_PROP_FPS) or 30) if video.isOpened() and video.grab() else 0.0
    finally:
        video.release()


def photo(path, frames=None):
    """Returns the picture that a photo's CSV tells of, or None."""
    folder = _folder(frames) if frames is not None else path.parent
    inside = folder / path.stem if (folder / path.stem).is_dir() else folder
    names = [path.stem + suffix for s in images.SUFFIXES for suffix in (s, s.upper())]
    return next((inside / name for name in names if (inside / name).is_file()), None)


def _place(path, frames, alone):
    """Returns the folder or video of a CSV."""
    if frames is not None and pathlib.Path(frames).is_file():
        if not alone:
            raise InputError(f"{frames}: one video, but several CSVs of videos; name the folder that has them all")
        return pathlib.Path(frames)
    folder = path.parent if frames is None else _folder(frames)
    named = [folder / path.stem, folder / f"{path.stem}_aligned"]
    found = next((place for place in named if place.is_dir()), None)
    if found is None and frames is not None:  # beside its CSV OpenFace puts a video that it has drawn on
        from tfface.annotating.photos import VIDEOS

        suffixes = [suffix for s in VIDEOS for suffix in (s, s.upper())]
        found = next((file for s in suffixes if (file := folder / (path.stem + s)).is_file()), None)
    if found is None and frames is not None and not alone:
        raise InputError(
            f"{folder / path.stem}: not there; with several videos each needs its own folder or video in --frames, "
            "named like its CSV"
        )
    return found or folder


def _folder(frames):
    folder = pathlib.Path(frames)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder; --frames names the video, or the folder of the pictures")
    return folder


def _numbered(folder):
    """Returns the pictures of a folder by the number at the end of their names, cut out faces by (face, frame)."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in images.SUFFIXES:
            continue
        if match := _ALIGNED.search(path.stem):
            found.setdefault((int(match[1]), int(match[2])), path)
        elif match := re.search(r"(\d+)$", path.stem):
            found.setdefault(int(match[1]), path)
    return found
