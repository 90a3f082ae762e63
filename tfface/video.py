"""Video files by PyAV: upright RGB frames with their own times in, edited frames with the old sound out.

PyAV and not a pipe to a program, because it keeps each frame's time (phones film at rates that vary) and copies the
sound without encoding it again. What is written is H.264 at a quality where the loss is not seen, or FFV1, which loses
nothing, in Matroska (``.mkv``).

An edit is written in parts that are joined at the end, so that an interrupted one goes on with the part it was in.
"""

import dataclasses
import fractions
import heapq
import pathlib

import numpy as np

from tfface.errors import InputError

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
WRITTEN = (".mp4", ".mov", ".mkv")
_QUALITY = "15"  # x264's constant rate factor; 18 is called visually lossless
_HIGH = 720  # lines from which an unmarked video has the colours of BT.709


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame: time in units of the clip's time base, and (H, W, 3) uint8 RGB, upright."""

    time: int
    pixels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Clip:
    """What is known of a video file before it is read."""

    path: pathlib.Path
    width: int
    height: int
    rate: fractions.Fraction  # frames a second, on average
    time_base: fractions.Fraction  # seconds
    frames: int  # as the file says; 0 where it does not
    sound: bool


def is_video(path):
    """Whether a path's suffix is that of a video."""
    return pathlib.Path(path).suffix.lower() in SUFFIXES


def open_clip(path):
    """Returns the `Clip` of a file. Raises `InputError` if it is none."""
    with _open(path) as container:
        if not container.streams.video:
            raise InputError(f"{path}: has no pictures; name a video")
        stream = container.streams.video[0]
        return Clip(
            pathlib.Path(path), stream.width, stream.height, stream.average_rate or fractions.Fraction(25),
            stream.time_base, stream.frames, bool(container.streams.audio),
        )  # fmt: skip


def read(clip):
    """Yields the `Frame`s of a `Clip`; frames that are damaged are left out."""
    with _open(clip.path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        last = None
        for frame in container.decode(stream):
            # Some files repeat a time or lack it; a written one needs times that grow.
            time = frame.pts if frame.pts is not None else (last or 0) + 1
            time = time if last is None or time > last else last + 1
            last = time
            pixels = frame.reformat(format="rgb24", src_colorspace=_colours(frame)).to_ndarray()
            turns = round((frame.rotation or 0) / 90) % 4
            yield Frame(time, np.ascontiguousarray(np.rot90(pixels, turns)))


def write_part(path, frames, clip):
    """Writes `Frame`s as one part, complete or not at all.

    Args:
        path: of the part; its name before the suffix ``.nut`` ends in the suffix of the video it becomes a part of.
        frames: list of `Frame`.
        clip: `Clip` that they come from.
    """
    av = _av()
    partial = path.with_suffix(".unfinished")
    height, width = frames[0].pixels.shape[:2]
    lossless = path.stem.endswith("mkv")
    options = {"level": "3", "slicecrc": "1"} if lossless else {"crf": _QUALITY, "preset": "medium"}
    with av.open(str(partial), "w", format="nut") as container:
        stream = container.add_stream("ffv1" if lossless else "libx264", rate=clip.rate, options=options)
        stream.width, stream.height, stream.time_base = width, height, clip.time_base
        stream.codec_context.time_base = clip.time_base
        even = width % 2 == 0 and height % 2 == 0
        stream.pix_fmt = "bgr0" if lossless else "yuv420p" if even else "yuv444p"
        space = "ITU709" if height >= _HIGH else "ITU601"
        if not lossless:
            stream.codec_context.max_b_frames = 0  # or the times of joined parts would overlap
            stream.codec_context.colorspace = 1 if height >= _HIGH else 6
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
            picture = picture.reformat(format=stream.pix_fmt, **({} if lossless else {"dst_colorspace": space}))
            picture.pts, picture.time_base = frame.time, clip.time_base
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    partial.replace(path)


def join(parts, clip, path, comment):
    """Joins parts in order and the sound of a `Clip` to one video, complete or not at all.

    Args:
        parts: paths that `write_part` wrote.
        comment: text for the file's metadata.
    """
    av = _av()
    partial = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        with av.open(str(partial), "w") as output, _open(clip.path) as source, _open(parts[0]) as first:
            output.metadata["comment"] = comment
            video = output.add_stream_from_template(first.streams.video[0])
            streams = [_pictures(parts, video)]
            for old in source.streams.audio[:1]:
                streams.append(_sound(source, old, output.add_stream_from_template(old)))
            for packet in heapq.merge(*streams, key=lambda packet: packet.dts * packet.time_base):
                output.mux(packet)
        partial.replace(path)
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(f"{path}: cannot hold these pictures with this sound ({error}); try .mkv") from None
    finally:
        partial.unlink(missing_ok=True)


def _pictures(parts, stream):
    for part in parts:
        with _open(part) as container:
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    yield packet


def _sound(source, old, new):
    for packet in source.demux(old):
        if packet.dts is not None:
            packet.stream = new
            yield packet


def _colours(frame):
    known = {1: "ITU709", 5: "ITU601", 6: "ITU601", 9: "BT2020"}
    return known.get(int(frame.colorspace), "ITU709" if frame.height >= _HIGH else "ITU601")


def _open(path):
    av = _av()
    try:
        return av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a video: {error}") from None


def _av():
    try:
        import av
    except ImportError:
        raise InputError("editing videos needs PyAV: pip install -e '.[video]'") from None
    return av
