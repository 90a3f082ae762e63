import base64
import json
import re

import numpy as np
import pytest

from tfface import evaluation, metrics, people, samples, tasks, training
from tfface.data.records import RecordWriter
from tfface.errors import InputError


@pytest.fixture(scope="module")
def scored(trained_run, tmp_path_factory):
    output = tmp_path_factory.mktemp("scored") / "new"
    return evaluation.evaluate(trained_run.path, output=output, progress=False), output


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
    assert by_hand["copy"]["ssim"] == pytest.approx(
        np.mean([metrics.ssim(p.image, t) for p, t in zip(held_out, truths)])
    )
    every = [by["copy"]["psnr"] for by in scores["by_request"].values() if by["copy"]]
    assert min(every) <= scores["copy"]["psnr"] <= max(every)
    assert 0 <= scores["attention"]["mean"] <= 1


def test_the_report_is_one_file_with_pictures(scored):
    _, output = scored
    page = (output / "report.html").read_text()
    pictures = re.findall(r"src='data:image/png;base64,([^']+)'", page)
    assert len(pictures) == 10  # best, median and worst three each, and the last sample grid
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert not re.search(r"(src|href)='(?!data:)", page)
    for text in ("best: ", "median: ", "worst: ", "step-000008", "AU25+26 open", "warmup_steps = 3"):
        assert text in page


def test_photos_have_no_scores_but_a_report(trained_run, tmp_path):
    rng = np.random.default_rng(0)
    with RecordWriter(tmp_path / "photos", image_size=24, total=60) as writer:
        for number in range(60):
            image = rng.integers(0, 256, (24, 24, 3), np.uint8)
            writer.write({"image": image, "action_units": rng.uniform(0, 5, 17), "source": f"{number}.jpg"})
    scores = evaluation.evaluate(
        trained_run.path, data=tmp_path / "photos", output=tmp_path / "out", limit=2, progress=False
    )
    assert scores["edit"] is None and scores["copy"] is None and scores["people"] == 2
    assert "photos" in (tmp_path / "out" / "report.html").read_text()


def test_nobody_to_score_is_an_input_error(trained_run, tmp_path):
    with RecordWriter(tmp_path / "few", image_size=16, total=1) as writer:
        writer.write({"image": np.zeros((16, 16, 3), np.uint8), "source": "a.jpg"})
    with pytest.raises(InputError, match="no held-out people"):
        evaluation.evaluate(trained_run.path, data=tmp_path / "few", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
