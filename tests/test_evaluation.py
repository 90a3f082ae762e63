import base64
import json
import re

import numpy as np
import pytest

from tfface import alignment, evaluation, identity, judges, metrics, people, regions, samples, scoring, tasks, training
from tfface.conventions import ACTION_UNITS
from tfface.data.records import RecordWriter
from tfface.errors import InputError


@pytest.fixture(scope="module")
def scored(trained_run, tmp_path_factory):
    output = tmp_path_factory.mktemp("scored") / "new"
    return evaluation.evaluate(trained_run.path, output=output, progress=False), output


@pytest.fixture(scope="module")
def cases(trained_run):
    """Unjudged cases of the two held-out people, all requests."""
    model = training.load_model(trained_run.path)
    held_out = samples.people_for(model, training.open_data(trained_run.data), 9)
    return evaluation._cases(model, held_out, progress=False)[0]


def test_scores_are_those_of_each_picture_against_its_truth(trained_run, scored):
    scores, output = scored
    assert json.loads((output / "metrics.json").read_text()) == scores
    assert (scores["model"], scores["preset"], scores["people"]) == ("ganimation", "smoke", 2)
    held_out = people.held_out_people(training.open_data(trained_run.data), 9, 16)
    model = training.load_model(trained_run.path)
    asked = samples.asked(model, held_out)[1]
    images, _ = samples.edit(model, held_out, asked.wanted)
    truths = [answer.image for answer in asked.answers(tasks.get("expression"))]
    by_hand = scores["by_request"]["AU25+26 open"]
    assert by_hand["edit"]["psnr"] == pytest.approx(np.mean([metrics.psnr(i, t) for i, t in zip(images, truths)]))
    ssim = np.mean([metrics.ssim(p.image, t) for p, t in zip(held_out, truths)])
    assert by_hand["copy"]["ssim"] == pytest.approx(ssim)
    assert by_hand["asked"] == pytest.approx(4.5)
    every = [by["copy"]["psnr"] for by in scores["by_request"].values() if by["copy"]]
    assert min(every) <= scores["copy"]["psnr"] <= max(every)
    assert 0 <= scores["attention"]["mean"] <= 1
    assert scores["judge"] == judges.accuracy() and scores["kid_features"] == scoring.KID_FEATURES


def test_each_kind_has_the_same_keys(scored):
    scores, _ = scored
    for kind in scoring.KINDS:
        assert {"psnr", "ssim", "au_icc", "au_mae", "identity_distance", "locality", "kid"} <= set(scores[kind])
        assert list(scores[kind]["au_icc"]) == list(scores[kind]["au_mae"]) == [*ACTION_UNITS, "mean"]
    assert scores["oracle"]["psnr"] is None and scores["oracle"]["ssim"] == pytest.approx(1)
    assert scores["copy"]["identity_distance"] == 0 and scores["copy"]["locality"] is None
    assert scores["oracle"]["kid"] == pytest.approx(0) and scores["oracle"]["identity_distance"] > 0


def test_what_judges_and_descriptors_see(cases):
    task, some = tasks.get("expression"), cases[:2] + cases[-1:]
    evaluation.examine(some, task, {}, progress=False)
    for case in some:
        assert set(case.judged) == set(case.descriptors) == set(case.pictures) == set(scoring.KINDS)
        units = judges.judge([people.resized(case.pictures["edit"], judges.SMALLEST)])["action_units"][0]
        np.testing.assert_allclose(case.judged["edit"]["action_units"], units, atol=1e-3)
        described = identity.describe([case.pictures["edit"]], [case.answer.labels["landmarks"]])[0]
        np.testing.assert_allclose(case.descriptors["edit"], described, atol=1e-3)
        own = identity.describe([case.person.image], [case.person.labels["landmarks"]])[0]
        np.testing.assert_allclose(case.descriptors["copy"], own, atol=1e-3)
        assert case.asked is case.answer.labels
    assert some[0].judged["copy"]["pose"] is not some[1].judged["copy"]["pose"]


def test_locality_is_taken_where_the_named_units_show(cases):
    (case,) = (case for case in cases[:6] if case.title == "AU45 closed" and case.person is cases[0].person)
    mask = regions.au_regions(case.person.labels["landmarks"], 16)["AU45"].mask
    change = np.abs(case.pictures["oracle"].astype(float) - case.pictures["copy"])
    assert case.locality["oracle"] == pytest.approx(change[mask].sum() / change.sum())
    assert all(not case.locality for case in cases if case.everything)


def test_a_request_that_is_fulfilled_already_is_no_case(cases, trained_run):
    model = training.load_model(trained_run.path)
    closed = [case.answer for case in cases if case.title == "AU45 closed"]
    again, _ = evaluation._cases(model, closed, progress=False)
    assert "AU45 closed" in {case.title for case in cases}
    assert "AU45 closed" not in {case.title for case in again} and "AU04 frown" in {case.title for case in again}


def test_pictures_are_cut_as_judges_take_them(cases):
    picture, landmarks = np.zeros((64, 64, 3), np.uint8), 8 + 3 * cases[0].person.labels["landmarks"]
    picture[20:24, 40:44] = 255  # its middle is at (42, 22)
    look = [(picture, landmarks, [])]

    def seen(settings):
        (crop,), margin = evaluation._crops(look, settings)
        return np.argwhere(crop[..., 0] > 100).mean(0)[::-1] + 0.5, margin

    for settings in ({}, {"margin": 1.5}, {"margin": 1.0, "framing": "aligned", "factor": ""}):
        place, margin = seen(settings)
        assert place == pytest.approx([42, 22]) and margin == settings.get("margin", 1.0)
    place, margin = seen({"margin": 2.0})
    assert place == pytest.approx([52, 12], abs=0.5) and margin == 1
    for settings in ({"framing": "centred"}, {"factor": "light"}):
        place, margin = seen(settings)
        expected = alignment.apply(alignment.alignment_matrix(landmarks, 64), [42, 22])
        assert place == pytest.approx(expected, abs=0.7) and margin == 1


def test_a_limit_above_what_is_held_out_brings_further_people(trained_run, tmp_path):
    scores = evaluation.evaluate(trained_run.path, output=tmp_path, limit=3, progress=False)
    assert scores["people"] == 3


def test_the_report_is_one_file_with_pictures(scored):
    _, output = scored
    page = (output / "report.html").read_text()
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 10  # best, median and worst three each, and the last sample grid
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    for text in ("best: ", "median: ", "worst: ", "step-000008", "AU25+26 open", "warmup_steps = 3", "<svg", "AU45"):
        assert text in page


def test_photos_are_scored_by_judges_alone(trained_run, tmp_path):
    rng = np.random.default_rng(0)
    with RecordWriter(tmp_path / "photos", image_size=24, total=60) as writer:
        for number in range(60):
            image = rng.integers(0, 256, (24, 24, 3), np.uint8)
            writer.write({"image": image, "action_units": rng.uniform(0, 5, 17), "source": f"{number}.jpg"})
    scores = evaluation.evaluate(
        trained_run.path, data=tmp_path / "photos", output=tmp_path / "out", limit=2, progress=False
    )
    assert scores["oracle"] is None and scores["people"] == 2
    assert scores["edit"]["psnr"] is None and scores["edit"]["identity_distance"] is None
    assert 0 <= scores["edit"]["au_mae"]["mean"] <= 5
    assert scores["by_request"]["AU45 closed"]["asked"] == pytest.approx(5)
    assert "no true answer" in (tmp_path / "out" / "report.html").read_text()


def test_photos_without_labels_are_all_held_out_and_estimated(trained_run, tmp_path):
    rng = np.random.default_rng(0)
    with RecordWriter(tmp_path, image_size=16, total=3) as writer:
        for number in range(3):
            pose = {"pose": (number, 0, 0)}
            writer.write({"image": rng.integers(0, 256, (16, 16, 3), np.uint8), "source": f"{number}.jpg", **pose})
    model = training.load_model(trained_run.path)
    held_out = samples.people_for(model, training.open_data(tmp_path), 9)
    assert [person.labels["pose"][0] for person in held_out] == [0, 1, 2]
    image = held_out[1].image.astype(np.float32)[None] / 127.5 - 1
    np.testing.assert_allclose(held_out[1].labels["action_units"], model.estimate_action_units(image)[0], atol=1e-5)


def test_nobody_to_score_is_an_input_error(trained_run, tmp_path):
    with RecordWriter(tmp_path / "few", image_size=16, total=1) as writer:
        writer.write({"image": np.zeros((16, 16, 3), np.uint8), "action_units": np.zeros(17), "source": "a.jpg"})
    with pytest.raises(InputError, match="no held-out people"):
        evaluation.evaluate(trained_run.path, data=tmp_path / "few", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
