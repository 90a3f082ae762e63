"""The photo editing flow, with an editor that is a plain function: it paints the mouth region red."""

import argparse
import types

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tfface import edit_command, editing, images, provenance
from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError
from tfface.faces import Landmarker

AU12 = ACTION_UNITS.index("AU12")


class Painter:
    """An editor without weights: AU12 is how red the mouth's region becomes; every face shows AU04=0.3 at the start."""

    config = types.SimpleNamespace(image_size=64)

    def __init__(self):
        self.seen = []

    def estimate_action_units(self, image):
        return np.tile(np.eye(17, dtype=np.float32)[ACTION_UNITS.index("AU04")] * 0.3, (len(image), 1))

    def edit(self, inputs):
        image, action_units = inputs["image"], inputs["action_units"]
        assert image.dtype == action_units.dtype == np.float32 and np.abs(image).max() <= 1
        self.seen.extend(action_units)
        y, x = np.mgrid[:64, :64] + 0.5
        spot = np.exp(-(((x - 32) / 12) ** 2) - ((y - 42) / 7) ** 2).astype(np.float32)
        attention = 1 - spot[None, ..., None] * action_units[:, AU12, None, None, None]
        color = np.broadcast_to(np.float32([0.9, -0.6, -0.6]), image.shape)
        return {"image": attention * image + (1 - attention) * color, "color": color, "attention": attention}


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture
def editor(landmarker):
    return editing.Editor(Painter(), landmarker)


def redness(pixels, face):
    x, y = face.landmarks[48:].mean(0).astype(int)
    region = pixels[y - 3 : y + 4, x - 5 : x + 6].astype(int)
    return float(region[..., 0].mean() - region[..., 1:].mean())


def group():
    portrait = data.astronaut()[:220, 110:340]
    photo = np.full((240, 720, 3), 90, np.uint8)
    for x in (0, 240, 480):
        photo[10:230, x + 5 : x + 235] = portrait if x != 240 else np.clip(portrait * 0.8, 0, 255).astype(np.uint8)
    return photo


def run(editor, tmp_path, *flags):
    """The command without loading a run."""
    parser = argparse.ArgumentParser()
    edit_command.add_arguments(parser)
    arguments = parser.parse_args(["--run", "runs/none", *map(str, flags)])
    wanted = editing.parse_action_units(arguments.au)
    sweep = editing.parse_sweep(arguments.sweep) if arguments.sweep else None
    jobs = edit_command.plan(arguments.images, arguments.output, arguments.example, sweep)
    return edit_command.edit_all(editor, jobs, arguments, wanted, sweep, model="painter", run_name="none")


def test_only_the_chosen_face_changes(editor):
    photo = group()
    faces = editor.find(photo)
    assert len(faces) == 3
    result = editor.edit(photo, [faces[1]], {"AU12": 1.0})
    assert redness(result, faces[1]) > redness(photo, faces[1]) + 60
    np.testing.assert_array_equal(result[:, :240], photo[:, :240])
    np.testing.assert_array_equal(result[:, 480:], photo[:, 480:])
    everybody = editor.edit(photo, faces, {"AU12": 1.0})
    assert all(redness(everybody, face) > redness(photo, face) + 60 for face in faces)
    np.testing.assert_array_equal(editor.edit(photo, faces, {"AU12": 0.0}), photo)


def test_action_units_that_are_not_named(landmarker):
    photo, painter = data.astronaut(), Painter()
    editor = editing.Editor(painter, landmarker)
    faces = editor.find(photo)
    editor.edit(photo, faces, {"AU12": 0.8})
    editor.edit(photo, faces, {"AU12": 0.8}, keep_others=False)
    kept, dropped = painter.seen
    assert kept[AU12] == dropped[AU12] == np.float32(0.8)
    assert kept[2] == np.float32(0.3) and dropped.sum() == np.float32(0.8)
    painter.estimate_action_units = lambda image: None
    editor.edit(photo, faces, {"AU12": 0.8})
    assert painter.seen[-1].sum() == np.float32(0.8)


def test_choose(editor):
    faces = editor.find(group())
    assert [number for number, _ in editing.choose(faces, "all")] == [1, 2, 3]
    assert editing.choose(faces, "2")[0] == (2, faces[1])
    assert len(editing.choose(faces, "largest")) == 1
    with pytest.raises(InputError, match="has 3 faces"):
        editing.choose(faces, "4")
    with pytest.raises(InputError, match="a number, largest or all"):
        editing.choose(faces, "left")
    with pytest.raises(InputError, match="no face found"):
        editor.find(data.coffee())


def test_parsing():
    assert editing.parse_action_units(["au12=0.8", "AU04=1"]) == {"AU12": 0.8, "AU04": 1.0}
    name, values = editing.parse_sweep("AU12=0:1:5")
    assert name == "AU12" and values.tolist() == [0, 0.25, 0.5, 0.75, 1]
    for text, expected in (
        ("AU11=0.5", "did you mean 'AU1"), ("AU12=4", "OpenFace's 4 of 5 is 0.8"), ("AU12=-1", "outside 0 to 1"),
        ("AU12=nan", "outside"), ("AU12", "no intensity"), ("smile=1", "unknown action unit"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=expected):
            editing.parse_action_units([text])
    with pytest.raises(InputError, match="twice"):
        editing.parse_action_units(["AU12=0", "AU12=1"])
    for text in ("AU12=0:1", "AU12=0:1:x", "AU12=0:1:1", "AU12=0:2:5", "AU99=0:1:5", "AU12"):
        with pytest.raises(InputError, match="--sweep"):
            editing.parse_sweep(text)


def test_one_photo(editor, tmp_path, capsys):
    Image.fromarray(group()).save(tmp_path / "group.png")
    assert (
        run(editor, tmp_path, tmp_path / "group.png", "--au", "AU12=1", "--face", "3", "-o", tmp_path / "out.png") == 0
    )
    assert "face 3 of 3" in capsys.readouterr().out
    result = images.read_image(tmp_path / "out.png")
    edit = provenance.read(tmp_path / "out.png")
    assert edit.model == "painter" and "AU12=1" in edit.edit and edit.source == "group.png"
    labelled, box = provenance.add_label(result, [face.box for face in editor.find(group())])
    outside = (result != group()).any(-1)
    outside[:, 480:] = outside[box[1] : box[3], box[0] : box[2]] = False
    assert not outside.any()


def test_no_label_keeps_the_metadata(editor, tmp_path):
    run(editor, tmp_path, "--example", "--au", "AU12=0", "--no-label", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(images.read_image(tmp_path / "out.png"), data.astronaut())
    assert "no label" in provenance.read(tmp_path / "out.png").edit


def test_transparency_survives(editor, tmp_path):
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:, 400:] = np.linspace(255, 0, 112).astype(np.uint8)
    stored = np.dstack([data.astronaut(), alpha])
    Image.fromarray(stored).save(tmp_path / "in.png")
    run(editor, tmp_path, tmp_path / "in.png", "--au", "AU12=1", "--no-label", "-o", tmp_path / "out.png")
    photo = images.read_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(photo.alpha, alpha)
    np.testing.assert_array_equal(photo.pixels[:, 400:], stored[:, 400:, :3])


def test_a_folder_is_mirrored_and_resumed_and_bad_files_are_named(editor, tmp_path, capsys):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    small = data.astronaut()[:200, 120:330]
    Image.fromarray(small).save(tmp_path / "in" / "a.jpg")
    Image.fromarray(small).save(tmp_path / "in" / "sub" / "b.png")
    Image.fromarray(data.coffee()[:200, :200]).save(tmp_path / "in" / "coffee.png")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    flags = (tmp_path / "in", "--au", "AU12=1", "-o", tmp_path / "in" / "out")
    assert run(editor, tmp_path, *flags) == 0
    said = capsys.readouterr()
    assert "2 of 4 photos edited" in said.out
    assert "broken.jpg" in said.err and "coffee.png: no face" in said.err and "Traceback" not in said.err
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "in" / "out").rglob("*.*")}
    assert set(first) == {"a.jpg", "b.png"}
    run(editor, tmp_path, *flags)
    assert first == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "in" / "out").rglob("*.*")}


def test_sweep(editor, tmp_path):
    assert run(editor, tmp_path, "--example", "--sweep", "AU12=0:1:4", "-o", tmp_path) == 0
    with Image.open(tmp_path / "astronaut-AU12.gif") as gif:
        assert gif.n_frames == 6 and gif.size == (512, 512) and gif.info["loop"] == 0
        (face,) = editor.find(data.astronaut())
        reds = []
        for frame in range(6):
            gif.seek(frame)
            reds.append(redness(np.array(gif.convert("RGB")), face))
    assert reds[0] < reds[1] < reds[2] < reds[3] and abs(reds[4] - reds[2]) < 1 and reds[3] > reds[0] + 60
    assert provenance.read(tmp_path / "astronaut-AU12.gif") == provenance.read(tmp_path / "astronaut-AU12-strip.png")
    strip = images.read_image(tmp_path / "astronaut-AU12-strip.png")
    assert strip.shape[1] > 4 * 192


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("x.png", "--au", "AU12=1", "-o", "x.png"), "would overwrite"),
        (("x.png", "y.png", "--au", "AU12=1", "-o", "out.png"), "name a folder"),
        (("a/x.png", "b/x.png", "--au", "AU12=1", "-o", "out"), "would both be written"),
        (("x.png", "--sweep", "AU12=0:1:4", "-o", "out.png"), "end the name in .gif"),
        (("--au", "AU12=1", "-o", "out"), "no photo given"),
    ],
)
def test_plans_that_cannot_work(editor, tmp_path, flags, expected, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=expected):
        run(editor, tmp_path, *flags)
    assert list(tmp_path.iterdir()) == []


def test_the_command_checks_its_flags_before_it_loads_anything(tmp_path):
    parser = argparse.ArgumentParser()
    edit_command.add_arguments(parser)
    base = ["--run", str(tmp_path / "none"), "--example", "-o", str(tmp_path / "out.png")]
    for flags, expected in (
        ([], "nothing to edit"), (["--au", "AU12=1", "--face", "0"], "--face 0"),
        (["--au", "AU12=1", "--sweep", "AU12=0:1:4"], "contradict"), (["--au", "AU12=1"], "no such run"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=expected):
            edit_command.run_edit(parser.parse_args(base + flags))
    assert list(tmp_path.iterdir()) == []
