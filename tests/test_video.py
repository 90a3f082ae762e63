"""Clips in, clips out: every frame at its time, the sound as it was, and nothing changed but the face and the label."""

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from tfface import cli, conventions, pasting, provenance, tracking, video, video_edit
from tfface.editing import Editor
from tfface.errors import InputError
from tfface.faces import Landmarker

av = pytest.importorskip("av", reason="editing videos needs the video extra")

sys.path.insert(0, str(Path(__file__).parent / "conformance"))
import small  # noqa: E402

SIDE = 160
MARK = provenance.Edit(model="ganimation", run="run", edit="AU12=1", source="clip.mkv")


def pictures(count):
    """The astronaut, moving to the right by 2 pixels a frame."""
    photo = cv2.resize(data.astronaut()[:400, :440], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    return [np.ascontiguousarray(photo[:SIDE, 40 - 2 * i : 40 - 2 * i + SIDE]) for i in range(count)]


def write_clip(path, frames, times=None, sound=True):
    """Writes frames at `times` (units of 1/100 s) without loss, with a second of a tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.time_base = "bgr0", Fraction(1, 100)
        stream.codec_context.time_base = Fraction(1, 100)
        tone = container.add_stream("pcm_s16le", rate=8000) if sound else None
        for time, pixels in zip(times or range(0, 10 * len(frames), 10), frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            for packet in stream.encode(frame):
                container.mux(packet)
        container.mux(stream.encode(None))
        if sound:
            wave = (np.sin(np.arange(8000) / 3) * 8000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 0
            container.mux(tone.encode(frame))
            container.mux(tone.encode(None))
    return path


def sound_of(path):
    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", pictures(10))


@pytest.fixture(scope="module")
def editor():
    model = small.build("ganimation")
    random = np.random.default_rng(3)
    for variable in model.ema_generator.trainable_variables:
        variable.assign_add(random.normal(0, 0.1, variable.shape))
    return Editor(model, Landmarker())


@pytest.fixture(scope="module")
def edited(clip, editor, tmp_path_factory):
    output = tmp_path_factory.mktemp("edited") / "out.mkv"
    assert video_edit.VideoEdit(editor, "largest", {"AU12": 1.0}).write(clip, output, MARK) == (10, 10)
    return output


def test_frames_come_back_at_their_uneven_times(tmp_path):
    frames, times = pictures(4), [0, 7, 30, 31]
    opened = video.open_clip(write_clip(tmp_path / "uneven.mkv", frames, times))
    read = list(video.read(opened))
    assert (opened.width, opened.height, opened.sound) == (SIDE, SIDE, True)
    assert [round(float(frame.time * opened.time_base) * 100) for frame in read] == times
    for frame, pixels in zip(read, frames, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
    for number in (0, 1):
        video.write_part(tmp_path / f"{number}-mkv.nut", read[2 * number : 2 * number + 2], opened)
    video.join([tmp_path / "0-mkv.nut", tmp_path / "1-mkv.nut"], opened, tmp_path / "joined.mkv", "a note")
    joined = video.open_clip(tmp_path / "joined.mkv")
    again = list(video.read(joined))
    assert [round(float(frame.time * joined.time_base) * 100) for frame in again] == times
    for frame, pixels in zip(again, frames, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
    assert sound_of(tmp_path / "joined.mkv") == sound_of(tmp_path / "uneven.mkv") != b""
    with av.open(str(tmp_path / "joined.mkv")) as container:
        assert container.metadata["COMMENT"] == "a note"
    assert not list(tmp_path.glob(".*"))


def test_h264_keeps_colours_and_odd_sizes(tmp_path):
    frames = [np.ascontiguousarray(each[:151, :133]) for each in pictures(3)]
    opened = video.open_clip(write_clip(tmp_path / "odd.mkv", frames, sound=False))
    read = list(video.read(opened))
    video.write_part(tmp_path / "0-mp4.nut", read, opened)
    video.join([tmp_path / "0-mp4.nut"], opened, tmp_path / "odd.mp4", "")
    again = list(video.read(video.open_clip(tmp_path / "odd.mp4")))
    assert len(again) == 3 and again[0].pixels.shape == (151, 133, 3)
    assert np.abs(again[1].pixels.astype(int) - frames[1]).mean() < 2


def test_only_the_face_and_the_label_change_in_every_frame(clip, edited, editor):
    before, after = (list(video.read(video.open_clip(path))) for path in (clip, edited))
    assert len(before) == len(after) == 10
    assert sound_of(clip) == sound_of(edited)
    for old, new in zip(before, after, strict=True):
        changed = (old.pixels != new.pixels).any(-1)
        face = editor.landmarker.find(old.pixels)[0]
        size = editor.model.config.image_size
        crop = pasting.take(old.pixels, face, size, editor.margin)
        to_frame = np.linalg.inv(np.vstack([crop.matrix, [0, 0, 1]])) @ np.diag([size / 256, size / 256, 1])
        mask = cv2.warpAffine(crop.mask, to_frame[:2], (SIDE, SIDE)) > 0
        near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) > 0  # its landmarks were smoothed
        assert changed[near].mean() > 0.3
        outside = changed & ~near
        rows, columns = np.nonzero(outside)
        assert outside.any() and rows.min() > 0.85 * SIDE  # the label
        assert (columns.min() > SIDE / 2) or (columns.max() < SIDE / 2)


def test_the_file_says_what_was_done(edited):
    with av.open(str(edited)) as container:
        assert "AI-edited with tfface" in container.metadata["COMMENT"] and "AU12=1" in container.metadata["COMMENT"]
    assert not list(edited.parent.glob("*.unfinished"))


def test_an_interrupted_edit_goes_on(clip, edited, editor, tmp_path, monkeypatch):
    monkeypatch.setattr(video_edit, "_PART", 4)
    output, written, tracked = tmp_path / "out.mkv", [], []
    write_part, follow = video.write_part, tracking.Tracker.__call__

    def interrupted(path, frames, opened):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(path.name)
        write_part(path, frames, opened)

    monkeypatch.setattr(video, "write_part", interrupted)
    edit = video_edit.VideoEdit(editor, "largest", {"AU12": 1.0})
    with pytest.raises(KeyboardInterrupt):
        edit.write(clip, output, MARK)
    assert not output.exists() and written == ["000000-mkv.nut"]

    def write(path, frames, opened):
        written.append(path.name)
        write_part(path, frames, opened)

    monkeypatch.setattr(video, "write_part", write)
    monkeypatch.setattr(tracking.Tracker, "__call__", lambda *a: tracked.append(1) or follow(*a))
    edit.write(clip, output, MARK)
    assert written == ["000000-mkv.nut", "000001-mkv.nut", "000002-mkv.nut"] and not tracked
    for old, new in zip(*(video.read(video.open_clip(path)) for path in (edited, output)), strict=True):
        np.testing.assert_array_equal(old.pixels, new.pixels)
    (tmp_path / "mine.mkv.unfinished").mkdir()
    with pytest.raises(InputError, match="in the way"):
        edit.write(clip, tmp_path / "mine.mkv", MARK)


def test_another_edit_of_the_clip_does_not_take_up_the_first(clip, editor, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(video, "write_part", interrupted)
    for units in ({"AU12": 1.0}, {"AU12": 0.0}):
        mark = provenance.Edit(model="ganimation", run="run", edit=str(units))
        with pytest.raises(KeyboardInterrupt):
            video_edit.VideoEdit(editor, "largest", units).write(clip, tmp_path / "out.mkv", mark)
        assert str(units) in (tmp_path / "out.mkv.unfinished" / "settings.json").read_text()


def test_a_driver_s_change_from_rest_is_added_to_the_face_at_rest(editor, clip):
    """AU12 goes from 0.4, the driver's rest, to 0.9; the edited face shows 0.2 at rest, its eyes seem half closed."""
    driver = {
        "times": np.array([100, *range(200, 2100, 100)]),
        "meshes": np.zeros((20, 1, 478, 3), np.float32),
        "action_units": np.zeros((20, 1, 17), np.float32),
    }
    driver["action_units"][:, 0, 8] = np.r_[np.full(18, 0.4), 0.9, 0.9]
    driver["meshes"][10] = np.nan  # lost for a moment
    track = {"action_units": np.full((5, 1, 17), np.nan, np.float32)}
    track["action_units"][1:] = 0
    track["action_units"][1:, 0, [8, 16]] = 0.2, 0.5
    opened = video.Clip(clip, SIDE, SIDE, Fraction(10), Fraction(1, 100), 20, False)
    request = video_edit._expressions(opened, driver, track, editor)
    asked = [request(second, 0) for second in (0.0, 9.0, 17.5, 18.0, 99.0)]
    assert [round(each["AU12"], 3) for each in asked] == [0.2, 0.2, 0.45, 0.7, 0.7]
    assert {round(each["AU45"], 3) for each in asked} == {0.5}
    assert set(asked[0]) == set(conventions.ACTION_UNITS)


def test_a_driven_clip_is_another_one(clip, edited, editor, tmp_path):
    output = tmp_path / "driven.mkv"
    video_edit.VideoEdit(editor, "largest", None, drive=clip).write(clip, output, MARK)
    first, second = (next(video.read(video.open_clip(path))).pixels for path in (edited, output))
    assert (first != second).any()


def test_a_clip_without_a_face_leaves_nothing(tmp_path, editor):
    dark = write_clip(tmp_path / "dark.mkv", [np.zeros((SIDE, SIDE, 3), np.uint8)] * 5)
    with pytest.raises(InputError, match="no face found in any frame"):
        video_edit.VideoEdit(editor, "largest", {"AU12": 1.0}).write(dark, tmp_path / "out.mkv", MARK)
    assert [path.name for path in tmp_path.iterdir()] == ["dark.mkv"]


def test_a_label_can_keep_its_plate():
    bright, dark = (np.full((SIDE, SIDE, 3), value, np.uint8) for value in (250, 5))
    assert provenance.plate_is_dark(dark) and not provenance.plate_is_dark(bright)
    forced, box = provenance.add_label(bright, dark=True)
    assert forced[box[1] + 1, box[0] + 1].mean() < 128 < provenance.add_label(bright)[0][box[1] + 1, box[0] + 1].mean()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory that can be opened; nothing is trained."""
    from tfface import models, training
    from tfface.config import RunSettings

    path = tmp_path_factory.mktemp("run")
    for name in ("ganimation", "rotator"):
        settings = models.get(name).Config.from_preset("smoke")
        opened = training.Run(path / name, name, settings, RunSettings(), path)
        opened.path.mkdir()
        (path / "dataset.json").write_text("{}")
        opened.save()
    return path


@pytest.mark.parametrize(
    "model, words, message",
    [
        ("ganimation", ["CLIP", "--au", "AU12=1", "-o", "out.png"], "a video is written as one of .mp4"),
        ("ganimation", ["CLIP", "--au", "AU12=1", "-o", "CLIP"], "would overwrite"),
        ("ganimation", ["CLIP", "CLIP", "--au", "AU12=1", "-o", "out.mp4"], "one at a time"),
        ("ganimation", ["CLIP", "--sweep", "AU12=0:1:3", "-o", "out.mp4"], "--sweep: is for photos"),
        ("ganimation", ["CLIP", "--drive", "b.mp4", "--au", "AU12=1", "-o", "out.mp4"], "leave the other flags out"),
        ("ganimation", ["--example", "--drive", "CLIP", "-o", "out.mp4"], "name one to edit"),
        ("rotator", ["CLIP", "--pose", "yaw=10", "-o", "out.mp4"], "does not fit back into its frames"),
    ],
)
def test_what_cannot_be_asked_of_a_clip(model, words, message, run, clip, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [str(clip) if word == "CLIP" else word for word in words]
    assert cli.main(["edit", *words, "--run", str(run / model)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(InputError, match="cannot be read as a video"):
        video.open_clip(tmp_path / "text.mp4")
    with pytest.raises(InputError, match="cannot be read as a video"):
        video.open_clip(tmp_path / "nothing.mp4")
