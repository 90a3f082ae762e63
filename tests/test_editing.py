"""The photo editing flow, with a model that is a plain function: it paints the mouth region red."""

import argparse
import types

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tfface import annotator, edit_command, editing, images, pasting, provenance, sweeps
from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError
from tfface.faces import Landmarker
from tfface.tasks.expression import Expression
from tfface.tasks.pose import Pose

AU12 = ACTION_UNITS.index("AU12")


class Painter:
    """A model without weights: AU12 is how red the mouth's region becomes; every face shows AU04=0.3 at the start."""

    task = "expression"
    synthetic = {}
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


def parsed(run, *flags):
    parser = argparse.ArgumentParser()
    edit_command.add_arguments(parser)
    return parser.parse_args(["--run", str(run), *map(str, flags)])


def run(editor, *flags):
    """The command without loading a run."""
    arguments = parsed("runs/none", *flags)
    sweep = sweeps.parse(arguments.sweep) if arguments.sweep else None
    jobs = edit_command.plan(arguments.images, arguments.output, arguments.example, sweep and sweep[0])
    request = edit_command.parse(Painter, arguments.au or [], sweep, arguments.relative)
    return edit_command.edit_all(editor, jobs, arguments, request, model="painter", run_name="none")


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


def test_sweeps_are_parsed():
    name, values = sweeps.parse("AU12=0:1:5")
    assert name == "AU12" and values.tolist() == [0, 0.25, 0.5, 0.75, 1]
    name, values = sweeps.parse("yaw=-45:45:3")
    assert name == "yaw" and values.tolist() == [-45, 0, 45]
    for text in ("AU12=0:1", "AU12=0:1:x", "AU12=0:1:1", "AU12=0:1:61", "AU12=a:1:5", "AU12=0:nan:5", "AU12", "=0:1:5"):
        with pytest.raises(InputError, match="--sweep"):
            sweeps.parse(text)
    request = edit_command.parse(Painter, ["AU04=1"], sweeps.parse("AU12=0:1:3"), relative=False)
    assert request.series == [{"AU04": 1.0, "AU12": value} for value in (0.0, 0.5, 1.0)]
    assert request.text == "AU04=1, AU12=0:1:3" and request.titles == ["AU12 0", "AU12 0.5", "AU12 1"]
    for text, expected in (
        ("AU12=0:2:5", "--sweep AU12=0:2:5: intensity 1.5 is"), ("AU99=0:1:5", "--sweep AU99=0:1:5: unknown action"),
        ("AU04=0:1:5", "--sweep AU04=0:1:5: --au and --sweep contradict each other"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=expected):
            edit_command.parse(Painter, ["AU04=1"], sweeps.parse(text), relative=False)


def test_one_photo(editor, tmp_path, capsys):
    Image.fromarray(group()).save(tmp_path / "group.png")
    assert run(editor, tmp_path / "group.png", "--au", "AU12=1", "--face", "3", "-o", tmp_path / "out.png") == 0
    assert "face 3 of 3" in capsys.readouterr().out
    result = images.read_image(tmp_path / "out.png")
    edit = provenance.read(tmp_path / "out.png")
    assert edit.model == "painter" and "AU12=1" in edit.edit and edit.source == "group.png"
    labelled, box = provenance.add_label(result, [face.box for face in editor.find(group())])
    outside = (result != group()).any(-1)
    outside[:, 480:] = outside[box[1] : box[3], box[0] : box[2]] = False
    assert not outside.any()


def test_no_label_keeps_the_metadata(editor, tmp_path):
    run(editor, "--example", "--au", "AU12=0", "--no-label", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(images.read_image(tmp_path / "out.png"), data.astronaut())
    assert "no label" in provenance.read(tmp_path / "out.png").edit


def test_transparency_survives(editor, tmp_path):
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:, 400:] = np.linspace(255, 0, 112).astype(np.uint8)
    stored = np.dstack([data.astronaut(), alpha])
    Image.fromarray(stored).save(tmp_path / "in.png")
    run(editor, tmp_path / "in.png", "--au", "AU12=1", "--no-label", "-o", tmp_path / "out.png")
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
    assert run(editor, *flags) == 0
    said = capsys.readouterr()
    assert "2 of 4 photos edited" in said.out
    assert "broken.jpg" in said.err and "coffee.png: no face" in said.err and "Traceback" not in said.err
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "in" / "out").rglob("*.*")}
    assert set(first) == {"a.jpg", "b.png"}
    run(editor, *flags)
    assert first == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "in" / "out").rglob("*.*")}


def test_sweep(editor, tmp_path):
    assert run(editor, "--example", "--sweep", "AU12=0:1:4", "-o", tmp_path) == 0
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
        run(editor, *flags)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "nothing to edit"),
        (["--au", "AU12=1", "--face", "0"], "--face 0"),
        (["--au", "AU12=1"], "no such run"),
        (["--sweep", "AU12=0:1"], "expected NAME=FROM:TO:FRAMES"),
    ],
)
def test_the_command_checks_its_flags_before_it_loads_anything(tmp_path, flags, expected):
    with pytest.raises(InputError, match=expected):
        edit_command.run_edit(parsed(tmp_path / "none", "--example", "-o", tmp_path / "out.png", *flags))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--au", "smile=1"], "unknown action unit 'smile'"),
        (["--pose", "yaw=30"], "--pose: .* is a run of ganimation, which takes --au AU12=0.8$"),
        (["--frontal", "--au", "AU12=1"], "--frontal: .* which takes --au"),
        (["--au", "AU12=1", "--sweep", "AU12=0:1:4"], "contradict"),
        (["--au", "AU12=1", "--relative"], "--relative: .* takes --au AU12=0.8, always as absolute"),
    ],
)
def test_the_command_refuses_what_the_runs_model_does_not_take(trained_run, tmp_path, flags, expected):
    with pytest.raises(InputError, match=expected):
        edit_command.run_edit(parsed(trained_run.path, "--example", "-o", tmp_path / "out", *flags))
    assert list(tmp_path.iterdir()) == []


def test_a_trained_run_edits_photos_named_behind_the_flag(trained_run, tmp_path, capsys):
    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    flags = ["-o", tmp_path / "out.png", "--au", "AU12=1", "AU04=0.5", tmp_path / "a.png", "--no-keep-others"]
    assert edit_command.run_edit(parsed(trained_run.path, *flags)) == 0
    assert "face 1, AU12=1, AU04=0.5" in capsys.readouterr().out
    edit = provenance.read(tmp_path / "out.png")
    assert (edit.model, edit.run) == ("ganimation", trained_run.path.name) and "others neutral" in edit.edit


class Redrawer(Painter):
    """A model without attention that tints all it redraws."""

    def edit(self, inputs):
        return {"image": super().edit(inputs)["image"] * 0.8 + 0.1}


def test_what_a_model_without_attention_does_to_the_whole_crop_stays_out(landmarker):
    photo, editor = data.astronaut(), editing.Editor(Redrawer(), landmarker)
    (face,) = editor.find(photo)
    np.testing.assert_array_equal(editor.edit(photo, [face], {"AU12": 0.0}), photo)
    edited = editor.edit(photo, [face], {"AU12": 1.0})
    assert redness(edited, face) > redness(photo, face) + 50
    forehead = face.landmarks[27] - (face.landmarks[8] - face.landmarks[27]) * 0.4
    x, y = forehead.astype(int)
    assert np.abs(edited[y - 3 : y + 4, x - 3 : x + 4].astype(int) - photo[y - 3 : y + 4, x - 3 : x + 4]).max() <= 3


def test_edits_that_move_the_outline_give_the_face_alone(editor, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Expression, "pasted", None)
    Image.fromarray(group()).save(tmp_path / "group.png")
    flags = (tmp_path / "group.png", "--face", "all", "--no-label")
    run(editor, *flags, "--au", "AU12=1", "-o", tmp_path / "out.png")
    assert "The face alone" in capsys.readouterr().out
    assert images.read_image(tmp_path / "out.png").shape == (256, 3 * 256, 3)
    assert provenance.read(tmp_path / "out.png").model == "painter"
    run(editor, *flags, "--sweep", "AU12=0:1:2", "-o", tmp_path)
    with Image.open(tmp_path / "group-AU12.gif") as gif:
        assert gif.size == (640, 213) and gif.n_frames == 2
    crop = pasting.take(group(), editor.find(group())[0], 64).image
    strip = images.read_image(tmp_path / "group-AU12-strip.png")
    small = strip[2 : 2 + sweeps.TILE : 3, 2 : 2 + sweeps.TILE : 3].astype(int)
    assert np.abs(small - crop).mean() < 8  # the first tile is the first face as it is


def test_values_may_be_relative_to_what_the_face_shows(landmarker):
    painter = Painter()
    editor = editing.Editor(painter, landmarker)
    photo = data.astronaut()
    editor.edit(photo, editor.find(photo), {"AU04": 0.5, "AU12": 0.25}, relative=True)
    (seen,) = painter.seen
    assert seen[AU12] == 0.25 and seen[ACTION_UNITS.index("AU04")] == pytest.approx(0.8)


def test_the_model_is_shown_the_crop_it_was_trained_on(landmarker):
    class Wide(Painter):
        synthetic = {"margin": 1.5}

        def edit(self, inputs):
            self.image = inputs["image"]
            return super().edit(inputs)

    photo, model = data.astronaut(), Wide()
    editor = editing.Editor(model, landmarker)
    (face,) = editor.find(photo)
    editor.edit(photo, [face], {"AU12": 1.0})
    expected = pasting.take(photo, face, 64, margin=1.5).image
    np.testing.assert_allclose(model.image[0], expected / 127.5 - 1, atol=1e-6)
    matrix = editor.view(face, 100)
    assert matrix[0, 0] == pytest.approx(pasting.take(photo, face, 100, margin=1.5).matrix[0, 0])


def test_like_another_photo(trained_run, tmp_path, capsys):
    Image.fromarray(data.astronaut()).save(tmp_path / "smile.png")
    flags = ["--example", "-o", tmp_path / "out.png", "--like", tmp_path / "smile.png", "--au", "AU45=1"]
    assert edit_command.run_edit(parsed(trained_run.path, *flags)) == 0
    assert "like smile.png, AU45=1" in capsys.readouterr().out
    wanted = edit_command.liked(Expression(), tmp_path / "smile.png")
    assert wanted["AU12"] > 0.4 and set(wanted) == set(ACTION_UNITS)
    (shown,) = edit_command.parse(Painter(), ["AU12=0.1"], None, False, tmp_path / "smile.png").series
    assert shown == {**wanted, "AU12": 0.1}  # what is said counts
    sweep = edit_command.parse(Painter(), [], ("AU12", [0.0, 1.0]), False, tmp_path / "smile.png")
    assert [frame["AU12"] for frame in sweep.series] == [0, 1] and sweep.series[0]["AU06"] == wanted["AU06"]
    assert set(edit_command.liked(Pose(), tmp_path / "smile.png")) == {"yaw", "pitch", "roll"}


def test_like_is_refused_where_it_means_nothing(trained_run, tmp_path):
    Image.fromarray(data.coffee()[:150, :150]).save(tmp_path / "coffee.png")
    for flags, expected in (
        (["--like", tmp_path / "coffee.png"], "--like .*coffee.png: no face found"),
        (["--like", tmp_path / "gone.png"], "gone.png: no such file"),
    ):
        with pytest.raises(InputError, match=expected):
            edit_command.run_edit(parsed(trained_run.path, "--example", "-o", tmp_path / "out.png", *flags))
    assert not (tmp_path / "out.png").exists()


def test_the_annotator_may_say_what_a_face_shows(landmarker):
    painter, photo = Painter(), data.astronaut()
    editor = editing.Editor(painter, landmarker, annotator.shipped())
    (face,) = editor.find(photo)
    editor.edit(photo, [face], {"AU04": 0.5})
    (seen,) = painter.seen  # she smiles; the painter by itself sees AU04 = 0.3 alone
    assert seen[AU12] > 0.4 and seen[ACTION_UNITS.index("AU04")] == pytest.approx(0.5)


class Turner:
    """A model that turns heads, and is wrong about how they are turned."""

    task = "pose"
    synthetic = {}
    config = types.SimpleNamespace(image_size=64, pose_range=45.0)

    def estimate_pose(self, images):
        return np.full((len(images), 3), 33.0, np.float32)

    def estimate_attributes(self, images):
        return np.full((len(images), 40), 0.5, np.float32)

    def edit(self, inputs):
        self.seen = inputs
        return {"image": inputs["image"]}


@pytest.mark.parametrize("relative, asked", [(False, 10.0), (True, None)])
def test_poses_of_photos_are_those_that_the_face_finder_sees(landmarker, relative, asked):
    turner, photo = Turner(), data.astronaut()
    editor = editing.Editor(turner, landmarker)
    (face,) = editor.find(photo)
    editor.edit(photo, [face], {"yaw": 10.0}, relative=relative)
    yaw, pitch, roll = turner.seen["source_pose"][0]
    assert yaw == pytest.approx(face.pose[0], abs=1) and pitch == pytest.approx(face.pose[1], abs=1)
    assert abs(roll) < 3  # the crop is upright
    assert turner.seen["pose"][0] == pytest.approx([yaw + 10 if asked is None else asked, pitch, roll], abs=1e-4)
