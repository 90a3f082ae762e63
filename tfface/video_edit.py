"""``python -m tfface edit clip.mp4``: a clip in, the edited clip with its sound out.

Three passes: the faces are followed and what they show is estimated; both are smoothed over time, which needs all
frames; then each frame is edited and written. What was done lies in ``OUT.unfinished/`` and is taken up by the same
command after an interruption.
"""

import hashlib
import json
import pathlib
import shutil

import numpy as np

from tfface import provenance, tracking, video
from tfface.editing import Editor
from tfface.errors import InputError

_PART = 100  # frames between which an interrupted edit goes on
_REST = 0.1  # quantile of each action unit over a clip that counts as the face at rest


def check(arguments, task, asked):
    """Raises `InputError` unless a command line asks for one edit of one clip that `task` can do."""
    clip, output, drive = arguments.images[0], pathlib.Path(arguments.output), arguments.drive
    if len(arguments.images) != 1 or arguments.example:
        raise InputError(f"{clip}: videos are edited one at a time; name one alone")
    if output.suffix.lower() not in video.WRITTEN:
        raise InputError(f"--output {output}: a video is written as one of {', '.join(video.WRITTEN)}")
    for other in filter(None, (clip, drive)):
        if output.resolve() == pathlib.Path(other).resolve():
            raise InputError(f"--output {output}: would overwrite {other}; choose another")
    if task.pasted is None:
        raise InputError(f"{clip}: is a video, and what {task.flag} makes does not fit back into its frames")
    if arguments.sweep:
        raise InputError(f"--sweep: is for photos; {clip} is a video")
    if drive and "action_units" not in task.labels:
        raise InputError(f"--drive: takes over expressions, for a model that edits them; this one takes {task.flag}")
    if drive and (asked or arguments.relative):
        raise InputError("--drive: the other video says all that is asked; leave the other flags out")


class VideoEdit:
    """One edit of one clip.

    Args:
        editor: `editing.Editor`.
        which: chosen faces, see `editing.choose`.
        wanted: request for all frames, a dict; or, with `drive`, None.
        drive: path of a clip whose face's expressions are taken over time, or None.
        keep_others: as of `Editor.edit`.
        relative: as of `Editor.edit`.
    """

    def __init__(self, editor: Editor, which, wanted, drive=None, keep_others=True, relative=False):
        self._editor, self._which, self._drive = editor, which, drive
        self._wanted, self._keep_others, self._relative = wanted, keep_others, relative

    def write(self, path, output, mark, label=True):
        """Edits the clip `path` into `output`; an interrupted call is gone on with by the same one.

        Args:
            path, output: files.
            mark: `provenance.Edit`.
            label: draw the visible label.

        Returns:
            (frames, frames with a face).
        """
        output, clip = pathlib.Path(output), video.open_clip(path)
        driver = video.open_clip(self._drive) if self._drive else None
        output.parent.mkdir(parents=True, exist_ok=True)
        work = output.with_name(f"{output.name}.unfinished")
        _prepare(work, {"edit": repr(mark), "label": label, "files": [_stamp(each) for each in (clip, driver) if each]})
        try:
            track = self._track(clip, work / "track.npz", self._which)
            driven = None
            if driver:
                other = self._track(driver, work / "driver.npz", "largest")
                driven = _expressions(driver, other, track, self._editor)
            parts = self._write_parts(clip, track, driven, work, output.suffix, label)
            video.join(parts, clip, output, provenance.metadata(mark).description)
        except InputError:  # the same command would fail again
            shutil.rmtree(work)
            raise
        shutil.rmtree(work)
        return len(track["times"]), int((~np.isnan(track["meshes"][..., 0, 0])).any(1).sum())

    def _track(self, clip, path, which):
        """Returns times (T,), meshes (T, F, 478, 3) and labels by name (T, F, ...), smoothed; NaN without a face."""
        if not path.exists():
            tracker = tracking.Tracker(self._editor.landmarker, which)
            times, faces, labels = [], [], []
            for frame in _progress(video.read(clip), clip, "following faces"):
                seen = tracker(frame.pixels)
                times.append(frame.time)
                faces.append(seen)
                labels.append([face and self._editor.estimate(frame.pixels, face) for face in seen])
            if not any(any(seen) for seen in faces):
                raise InputError(f"{clip.path}: no face found in any frame")
            _save_track(path, times, faces, labels)
        with np.load(path) as saved:
            track = dict(saved)
        for face in range(track["meshes"].shape[1]):
            track["meshes"][:, face] = tracking.smooth_meshes(track["meshes"][:, face])
            for name in _labels(track):
                track[name][:, face] = tracking.smooth_labels(track[name][:, face])
        return track

    def _write_parts(self, clip, track, driven, work, suffix, label):
        """Returns the paths of all parts; those that are there already are not made again."""
        boxes = _boxes(track) if label else []
        dark, pending, number, parts = None, [], 0, []
        for index, frame in enumerate(_progress(video.read(clip), clip, "editing")):
            path = work / f"{number:06d}-{suffix[1:]}.nut"
            if label and dark is None:
                dark = provenance.plate_is_dark(frame.pixels, boxes)
            if index < len(track["times"]) and not path.exists():
                pixels = self._edit(frame, index, track, driven, clip)
                if label:
                    pixels, _ = provenance.add_label(pixels, boxes, dark)
                pending.append(video.Frame(frame.time, pixels))
            if (index + 1) % _PART == 0:
                self._finish(path, pending, clip, parts)
                pending, number = [], number + 1
        path = work / f"{number:06d}-{suffix[1:]}.nut"
        if pending or path.exists():
            self._finish(path, pending, clip, parts)
        return parts

    def _finish(self, path, pending, clip, parts):
        if pending:
            video.write_part(path, pending, clip)
        parts.append(path)

    def _edit(self, frame, index, track, driven, clip):
        """Returns the edited pixels of a frame."""
        pixels = frame.pixels
        for face in range(track["meshes"].shape[1]):
            mesh = track["meshes"][index, face]
            if np.isnan(mesh).any():
                continue
            labels = {name: track[name][index, face] for name in _labels(track)}
            wanted = (
                self._wanted
                if driven is None
                else driven(float((frame.time - track["times"][0]) * clip.time_base), face)
            )
            seen = tracking.with_mesh(_blank(), mesh)
            pixels = next(
                self._editor.frames(pixels, [seen], [wanted], self._keep_others, self._relative, labels=[labels])
            )
        return pixels


def _expressions(clip, driver, track, editor):
    """Returns the function from seconds and a face's number to the request that puts the driver's expression on it.

    What is taken over is the difference to the driver's face at rest, added to the edited face at rest: to a model, no
    two people at rest look alike. At rest is what each action unit exceeds in nine of ten frames. Beyond the driver's
    ends its first and last expressions hold.

    Args:
        clip: `Clip` of the driver.
        driver, track: of the driver and of the clip that is edited, see `VideoEdit._track`.
        editor: `editing.Editor`.
    """
    there = np.flatnonzero(~np.isnan(driver["meshes"][:, 0, 0, 0]))
    seconds = driver["times"][there].astype(float) * float(clip.time_base)
    seconds -= seconds[0]
    units = driver["action_units"][there, 0]
    change = units - np.quantile(units, _REST, axis=0)
    rest = np.nanquantile(track["action_units"], _REST, axis=0)

    def request(second, face):
        now = np.array([np.interp(second, seconds, column) for column in change.T])
        return editor.task.shown({"action_units": np.clip(rest[face] + now, 0, 1)})

    return request


def _save_track(path, times, faces, labels):
    count = max(map(len, faces))
    meshes = np.full((len(times), count, 478, 3), np.nan, np.float32)
    names = next(each for seen in labels for each in seen if each)
    values = {name: np.full((len(times), count, len(value)), np.nan, np.float32) for name, value in names.items()}
    for index, seen in enumerate(faces):
        for number, face in enumerate(seen):
            if face is not None:
                meshes[index, number] = face.mesh
                for name, value in labels[index][number].items():
                    values[name][index, number] = value
    partial = path.with_suffix(".unfinished.npz")
    np.savez(partial, times=np.array(times, np.int64), meshes=meshes, **values)
    partial.replace(path)


def _labels(track):
    return [name for name in track if name not in ("times", "meshes")]


def _boxes(track):
    """One box for each face that holds it in all frames, so that the label stays in one corner."""
    points = track["meshes"][:, :, :468, :2]
    low, high = np.nanmin(points, axis=(0, 2)), np.nanmax(points, axis=(0, 2))
    return [box for box in np.concatenate([low, high], 1) if not np.isnan(box).any()]


def _blank():
    from tfface.faces import Face
    from tfface.landmarker import BLENDSHAPES

    return Face(np.zeros(4, np.float32), 1.0, 1.0, np.zeros((478, 3), np.float32), np.zeros(len(BLENDSHAPES)))


def _prepare(work, settings):
    """Makes the folder of unfinished work, empty unless it holds work of the same settings."""
    text = json.dumps(settings, indent=1)
    path = work / "settings.json"
    if path.exists() and path.read_text() == text:
        return
    if work.exists() and not path.exists():
        raise InputError(f"{work}: is in the way, and not tfface's; move it or choose another --output")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    path.write_text(text)


def _stamp(clip):
    """What tells one file from another without reading all of it."""
    stat = clip.path.stat()
    with clip.path.open("rb") as stream:
        start = hashlib.sha256(stream.read(2**20)).hexdigest()
    return [clip.path.name, stat.st_size, start]


def _progress(frames, clip, what):
    from tqdm import tqdm

    return tqdm(frames, total=clip.frames or None, unit="frame", desc=f"{clip.path.name}: {what}")
