import numpy as np
import pytest
from PIL import Image
from skimage import data

from tfface import emotions, images, models, provenance, tasks, training
from tfface.conventions import ACTION_UNIT_NAMES, ACTION_UNITS
from tfface.demo import controls
from tfface.demo.desk import FRAMES, Desk
from tfface.editing import Editor
from tfface.errors import InputError


@pytest.fixture(scope="module")
def desk(trained_run):
    return Desk(Editor(training.load_model(trained_run.path)), "ganimation", "tiny")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "two.png"
    face = data.astronaut()[:260, 90:360]
    images.write_image(path, np.hstack([face, face[:, ::-1]]))
    return path


def test_faces_are_numbered_from_the_left(desk, photo):
    marked, count = desk.faces(photo)
    assert count == 2 and desk.largest(photo) in (1, 2)
    assert (marked != images.read_image(photo)).any()


def test_what_a_face_shows_is_where_the_handles_start(desk, photo):
    shown = desk.shown(photo, 1)
    assert list(shown) == list(ACTION_UNITS) and all(0 <= value <= 1 for value in shown.values())
    with pytest.raises(InputError, match="move a slider"):
        desk.wanted(shown, shown)
    asked = min(shown["AU12"] + 0.5, 1.0)
    assert desk.wanted(shown, {**shown, "AU12": asked}) == {"AU12": pytest.approx(asked, abs=1e-4)}


def test_edit_is_labelled_and_changes_the_chosen_face_alone(desk, photo):
    done = desk.edit(photo, 2, {"AU12": 1.0})
    before, after = images.read_image(photo), images.read_image(done.path)
    changed = np.flatnonzero((before != after).any((0, 2)))
    assert changed.min() > before.shape[1] // 2
    mark = provenance.read(done.path)
    assert (mark.model, mark.edit, mark.source) == ("ganimation", "face 2: AU12=1", "two.png")
    assert done.before.shape == done.after.shape and (done.before != done.after).any()


def test_animation_goes_from_what_is_shown_to_what_is_asked(desk, photo):
    target, strip = desk.animate(photo, 1, desk.shown(photo, 1), {"AU26": 1.0})
    with Image.open(target) as moving:
        assert moving.n_frames >= FRAMES
    assert images.read_image(strip).shape[1] > images.read_image(strip).shape[0]


@pytest.mark.parametrize("name", [name for name in models.names() if getattr(models.get(name), "task", None)])
def test_every_model_has_handles_or_needs_none(name):
    model = models.get(name)(models.get(name).Config.from_preset("smoke"))
    handles = controls.of(model)
    assert bool(handles) == (model.task != "frontal")
    for handle in handles:
        assert handle.low <= handle.clipped(-1e3) <= handle.clipped(1e3) <= handle.high
    if handles:
        texts = [f"{handle.name}={handle.high:g}" for handle in handles[:1]]
        assert tasks.get(model.task).parse(texts, model) == {handles[0].name: handles[0].high}


def test_choices_are_the_categories_they_are_named_after(desk):
    for name, request in desk.choices.items():
        intensities = [5 * request[unit] for unit in ACTION_UNITS]
        assert emotions.category(intensities) == name.replace(" ", "_")


def test_action_units_all_have_names():
    assert tuple(ACTION_UNIT_NAMES) == ACTION_UNITS
