"""Attributes as users write them, what they mean for a model's inputs and for the true answer, and the protocol."""

import dataclasses

import keras
import numpy as np
import pytest

from tfface import metrics, people, samples, scoring, tasks, training
from tfface.conventions import ATTRIBUTES
from tfface.errors import InputError
from tfface.evaluation import Evaluation
from tfface.models.attgan import AttGAN, AttGANConfig
from tfface.synthetic import labels, sampler

TASK = tasks.get("attributes")
NAMES = ("Bald", "Bangs", "Black_Hair", "Brown_Hair", "Eyeglasses", "Mouth_Slightly_Open", "Mustache", "No_Beard")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return AttGAN(
        AttGANConfig(
            attributes=NAMES, image_size=16, batch_size=2, steps=10, generator_width=4, discriminator_width=4,
            discriminator_units=8, depth=2, shortcuts=0, injections=1,
        )
    )  # fmt: skip


def face(**shown):
    """Labels of a face with black hair, no beard and nothing else; what is not given of the 40 is 0."""
    values = {**dict.fromkeys(ATTRIBUTES, 0), "No_Beard": 1, "Black_Hair": 1, **shown}
    return {"attributes": np.array([values[name] for name in ATTRIBUTES], np.float32)}


def asked(model, source, wanted, **options):
    return dict(zip(NAMES, TASK.inputs(model, source, wanted, **options)["attributes"].tolist(), strict=True))


def scenes(count):
    return [sampler.sample_scene(3, number, sampler.Settings(margin=1.5)) for number in range(count)]


def known(scene):
    return {n: int(v) for n, v in zip(ATTRIBUTES, labels.labels(scene)) if v != -1}


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Eyeglases=1"], "no 'Eyeglases' .did you mean 'Eyeglasses'"),
        (["Young=1"], "the model knows no 'Young'"),
        (["Eyeglasses"], "no number"),
        (["Eyeglasses=yes"], "'yes' is no number"),
        (["Eyeglasses=nan"], "no number"),
        (["Eyeglasses=2"], "2 is outside -0.5 to 1.5"),
        (["Eyeglasses=0", "eyeglasses=1"], "twice"),
        (["Bald=1", "Bangs=1"], "Bald excludes Bangs; ask for one"),
    ],
)
def test_bad_requests_are_named(model, texts, expected):
    with pytest.raises(InputError, match=expected) as caught:
        TASK.parse(texts, model)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("--attribute")


def test_names_in_any_case_and_intensities(model):
    texts = ["eyeglasses=1.5", "Bald=0", TASK.example.replace("Eyeglasses", "Bangs")]
    assert TASK.parse(texts, model) == {"Eyeglasses": 1.5, "Bald": 0.0, "Bangs": 1.0}


# -- inputs ------------------------------------------------------------------------------------------------------------


def test_others_stay_as_far_as_the_rules_let_them(model):
    shown = asked(model, face(Smiling=1), {})
    assert {name for name, value in shown.items() if value} == {"Black_Hair", "No_Beard"}
    assert asked(model, face(), {"Eyeglasses": 1}) == {**shown, "Eyeglasses": 1}
    assert asked(model, face(), {"Brown_Hair": 1}) == {**shown, "Brown_Hair": 1, "Black_Hair": 0}
    assert asked(model, face(), {"Black_Hair": 0}) == {**shown, "Brown_Hair": 1, "Black_Hair": 0}
    assert asked(model, face(), {"Mustache": 1.5}) == {**shown, "Mustache": 1.5, "No_Beard": 0}
    assert asked(model, face(), {"Eyeglasses": 9}) == {**shown, "Eyeglasses": 1.5}


def test_unknown_stays_unknown_and_so_does_what_is_not_kept(model):
    assert asked(model, face(Eyeglasses=0.5), {"Bald": 1})["Eyeglasses"] == 0.5
    assert asked(model, face(), {"Eyeglasses": 1}, keep_others=False) == {**dict.fromkeys(NAMES, 0.5), "Eyeglasses": 1}


def test_requests_ask_each_face_for_the_opposite(model):
    requests = TASK.requests(model)
    assert [title for title, _ in requests] == list(NAMES)
    wanted = [request(face(Eyeglasses=1, Mustache=0.5)) for _, request in requests]
    assert wanted == [{name: int(name not in ("Black_Hair", "Eyeglasses", "No_Beard"))} for name in NAMES]


def test_shown_is_what_is_known():
    shown = TASK.shown(face(Eyeglasses=0.5, Bangs=1))
    assert "Eyeglasses" not in shown and len(shown) == 39
    assert {name for name, value in shown.items() if value} == {"Bangs", "Black_Hair", "No_Beard"}


def test_estimates_keep_the_rules(model):
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
    head = model.discriminator.get_layer("attributes")
    kernel, bias = head.get_weights()
    # Bald, Bangs and black hair all seem likely, bangs most; a moustache too, but no beard more.
    head.set_weights([np.zeros_like(kernel), np.array([1, 3, 2, -1, -2, 1, 1, 2], np.float32)])
    estimates = TASK.estimate(model, images)
    head.set_weights([kernel, bias])
    assert len(estimates) == 3
    for estimate in estimates:
        values = dict(zip(ATTRIBUTES, estimate["attributes"].tolist(), strict=True))
        assert {name for name in NAMES if values[name]} == {"Bangs", "Black_Hair", "Mouth_Slightly_Open", "No_Beard"}
        assert {values[name] for name in ATTRIBUTES if name not in NAMES} == {0.5}


# -- answers -----------------------------------------------------------------------------------------------------------


def test_the_answer_shows_what_the_model_is_asked_for(model):
    # The same rules on both sides: nothing that the true picture shows was hidden from the model.
    for scene in scenes(12):
        source = {"attributes": np.where(labels.labels(scene) < 0, 0.5, labels.labels(scene)).astype(np.float32)}
        for title, request in TASK.requests(model):
            wanted = request(source)
            answer = TASK.answer(scene, wanted)
            shown = known(answer)
            assert shown[title] == wanted[title]
            assert asked(model, source, wanted) == {name: shown[name] for name in NAMES}
            same = dataclasses.replace(answer, attributes=scene.attributes, action_units=scene.action_units)
            assert same == scene


def test_nothing_asked_changes_nothing():
    for scene in scenes(3):
        assert TASK.answer(scene, {}) == scene
        shown = known(scene)
        assert TASK.answer(scene, {"Eyeglasses": shown["Eyeglasses"], "Smiling": shown["Smiling"]}) == scene


def test_a_photo_should_show_what_was_asked():
    after = TASK.asked({**face(), "pose": 7}, {"Bald": 1})
    assert after["pose"] == 7
    assert TASK.shown(after) == {**TASK.shown(face()), "Bald": 1, "Black_Hair": 0}


# -- scores ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluation(model, synthetic_data):
    """Two people asked for everything; the judge sees what it should but for what the tests say."""
    dataset = training.open_data(synthetic_data)
    held_out = people.held_out_people(dataset, 2, 16, TASK.labels)
    cases = []
    for column in samples.asked(model, held_out):
        answers = column.answers(TASK)
        for person, wanted, answer in zip(column.people, column.wanted, answers, strict=True):
            pictures = {"edit": person.image, "copy": person.image, "oracle": answer.image}
            case = scoring.Case(column.title, False, wanted, person, answer, answer.labels, pictures)
            sees = {"edit": answer, "copy": person, "oracle": answer}
            case.judged = {
                kind: {"attributes": np.where(seen.labels["attributes"] == 0.5, np.nan, seen.labels["attributes"])}
                for kind, seen in sees.items()
            }
            cases.append(case)
    return Evaluation(None, model, dataset, held_out, cases)


def test_the_protocol(evaluation):
    places = {name: ATTRIBUTES.index(name) for name in NAMES}
    cases = [case for case in evaluation.cases if case.title == "Eyeglasses"]
    # On one of the two edits for glasses the judge sees neither the asked glasses nor the mouth as it is.
    spoilt = cases[0].judged["edit"]["attributes"]
    for name in ("Eyeglasses", "Mouth_Slightly_Open"):
        spoilt[places[name]] = 1 - spoilt[places[name]]
    scores = TASK.scores(evaluation)
    for name in ("Eyeglasses", "Mouth_Slightly_Open"):
        spoilt[places[name]] = 1 - spoilt[places[name]]
    assert scores["oracle"]["editing_accuracy"] == {**dict.fromkeys(NAMES, 1.0), "mean": 1.0}
    assert scores["oracle"]["preservation_error"]["mean"] == 0
    assert scores["copy"]["editing_accuracy"]["mean"] == 0  # an unedited picture shows the opposite of what was asked
    edit = scores["edit"]
    assert edit["editing_accuracy"] == {**dict.fromkeys(NAMES, 1.0), "Eyeglasses": 0.5, "mean": pytest.approx(7.5 / 8)}
    assert edit["preservation_error"]["Eyeglasses"] == pytest.approx(1 / 14)  # of two edits, seven others each
    assert edit["preservation_error"]["mean"] == pytest.approx(1 / 14 / 8)
    # What the rules change counts as an error where it is compared with the face before.
    assert edit["preservation_error_published"]["Mouth_Slightly_Open"] == 0
    assert edit["preservation_error_published"]["Bald"] > 0 == edit["preservation_error"]["Bald"]


def test_reconstruction_is_of_faces_asked_for_nothing(evaluation, model):
    found = TASK.scores(evaluation)["reconstruction"]
    made, _ = samples.edit(model, evaluation.people, [{}, {}])
    pairs = list(zip([person.image for person in evaluation.people], made, strict=True))
    assert found["psnr"] == pytest.approx(np.mean([metrics.psnr(*pair) for pair in pairs]))
    assert -1 <= found["ssim"] <= 1


def test_the_report_shows_every_attribute(evaluation):
    sections = TASK.sections(evaluation, TASK.scores(evaluation))
    assert [heading for heading, _ in sections] == [
        "Editing accuracy", "Preservation error", "Reconstruction", "Intensity",
    ]  # fmt: skip
    assert sections[3][1].count("<figure>") == len(NAMES)
    for name in NAMES:
        assert name in sections[0][1] and name in sections[3][1]


def test_photos_without_a_judge_have_a_reconstruction_only(evaluation):
    bare = dataclasses.replace(evaluation, cases=[])
    scores = TASK.scores(bare)
    assert set(scores) == {"reconstruction"}
    assert [heading for heading, _ in TASK.sections(bare, scores)][-1] == "Intensity"
