"""The shipped annotator: small, honest about its accuracy, and no judge."""

import numpy as np
import pytest
from skimage import data

from tfface import annotator, conventions, faces, judges
from tfface.errors import InputError

AU = {name: place for place, name in enumerate(conventions.ACTION_UNITS)}
ATTRIBUTE = {name: place for place, name in enumerate(conventions.ATTRIBUTES)}


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[:260, 90:360]


@pytest.fixture(scope="module")
def face(photo):
    (found,) = faces.Landmarker().find(photo)
    return found


@pytest.fixture(scope="module")
def found(photo, face):
    return annotator.shipped().annotate([photo, photo], [face.mesh, face.landmarks])


def test_a_smiling_woman_without_a_beard(found):
    units, attributes = found["action_units"][0], found["attributes"][0]
    assert units[AU["AU12"]] > 2 and units[AU["AU06"]] > 1 and units[AU["AU25"]] > 1
    assert units[AU["AU15"]] < 1 and units[AU["AU45"]] < 1.5
    shown = {name: attributes[place] for name, place in ATTRIBUTE.items()}
    assert shown["Smiling"] > 0.5 and shown["No_Beard"] > 0.5 and shown["Eyeglasses"] < 0.5
    assert np.isnan(shown["Wearing_Necktie"])


def test_shapes_and_units(found):
    assert {name: values.shape for name, values in found.items()} == {
        "action_units": (2, 17), "attributes": (2, 40), "pose": (2, 3), "embedding": (2, 128), "confidence": (2,),
    }  # fmt: skip
    assert (found["action_units"] >= 0).all() and (found["action_units"] <= 5).all()
    assert (found["confidence"] > 0.9).all()


def test_meshes_and_68_landmarks_are_read_alike(found):
    assert np.abs(np.diff(found["action_units"], axis=0)).max() < 0.7
    assert np.abs(np.diff(found["pose"], axis=0)).max() < 2.5


def test_scale_does_not_matter(photo, face, found):
    large = np.repeat(np.repeat(photo, 2, 0), 2, 1)
    again = annotator.shipped().annotate([large], [face.mesh * 2])
    assert np.abs(again["action_units"][0] - found["action_units"][0]).max() < 1
    np.testing.assert_allclose(again["pose"][0], found["pose"][0], atol=2)


def test_no_face_is_said_so():
    picture = np.full((200, 200, 3), 90, np.uint8)
    landmarks = faces.rough_mesh(np.random.default_rng(0).uniform(60, 140, (68, 2)))
    nothing = annotator.shipped().annotate([picture], [landmarks])
    assert nothing["confidence"][0] == 0
    assert all(np.isnan(nothing[name]).all() for name in ("action_units", "attributes", "pose", "embedding"))
    assert annotator.shipped().annotate([], [])["action_units"].shape == (0, 17)


def test_bad_input(photo, face, tmp_path):
    reader = annotator.shipped()
    with pytest.raises(InputError, match="1 pictures and 0 landmarks"):
        reader.annotate([photo], [])
    with pytest.raises(InputError, match="expected a mesh"):
        reader.annotate([photo], [face.mesh[:5]])
    with pytest.raises(InputError, match="uint8 RGB"):
        reader.annotate([photo / 255.0], [face.mesh])
    (tmp_path / "bad.npz").write_bytes(b"no weights")
    with pytest.raises(InputError, match="no annotator.*train_annotator"):
        annotator.Annotator(tmp_path / "bad.npz")


def test_it_is_small_and_no_judge():
    assert annotator.ASSET.stat().st_size < 3e6
    with np.load(annotator.ASSET) as own, np.load(judges.ASSET) as other:
        assert not {own[name].tobytes() for name in own.files} & {other[name].tobytes() for name in other.files}
    assert annotator.accuracy()["made from"]["seed"] not in (770_001, 770_002)


def test_its_own_accuracy_is_what_it_says():
    scores = annotator.accuracy()
    units = scores["clear"]["action_units"]
    assert set(units["auc"]) == {*conventions.ACTION_UNITS, "mean"} and units["auc"]["mean"] > 0.9
    assert scores["hidden"]["action_units"]["auc"]["mean"] > 0.8
    assert set(scores["clear"]["readers"]) == {"discriminant", "network", "regression"}


def test_settled_labels():
    assert annotator.settled([0.0, 0.19, 0.21, 0.5, 0.79, 0.81, 1.0, np.nan]).tolist() == [0, 0, -1, -1, -1, 1, 1, -1]


def test_labels_for_an_edit(photo, face, found):
    labels = annotator.shipped().labels(photo, face)
    assert labels["action_units"].max() <= 1 and np.abs(labels["pose"][2]) < 5
    np.testing.assert_allclose(labels["action_units"] * 5, found["action_units"][0], atol=0.7)
    assert (labels["attributes"] == 0.5).sum() == 40 - len(annotator.shipped().attributes)


def test_people_smile_on_photographs(real_data):
    from tfface.annotating import scoring

    areas = scoring.photos(real_data / "london", annotator.shipped().read)
    assert areas["AU12"] > 0.95 and min(areas["AU06"], areas["AU25"]) > 0.8
