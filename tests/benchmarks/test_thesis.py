import json

import numpy as np
import pytest

from benchmarks import thesis
from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError
from tfface.synthetic.cooccurrence import sample_action_units

PEOPLE = np.repeat(np.arange(200), 4)


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    return np.array([sample_action_units(rng) for _ in PEOPLE])


def test_concordance_counts_noise_offset_and_scale():
    a = np.array([0.0, 1.0, 2.0, 3.0])
    assert thesis.concordance(a, a) == pytest.approx(1)
    assert thesis.concordance(a, a + 1) == pytest.approx(2 * 1.25 / (2.5 + 1))
    assert thesis.concordance(a, 2 * a) == pytest.approx(2 * 2.5 / (1.25 + 5 + 1.5**2))


def test_noise_agrees_as_well_as_asked_and_half_of_it_is_the_persons(truth):
    seen = thesis.noisy(truth, PEOPLE, np.random.default_rng(1))
    agreement = [thesis.concordance(seen[:, k], truth[:, k]) for k in range(17)]
    assert np.mean(agreement) == pytest.approx(0.73, abs=1e-3) and seen.min() == 0 and seen.max() <= 5
    same = thesis.noisy(truth, PEOPLE, np.random.default_rng(1), agreement=0.999)  # small: hardly ever cut off
    error = np.where((truth > 0.2) & (truth < 4.8), same - truth, np.nan).reshape(200, 4, 17)
    total, of_person = np.nanvar(error), np.nanmean(error[:, 0] * error[:, 1])
    assert of_person / total == pytest.approx(0.5, abs=0.1)


def test_binary_labels_are_the_best_two_constants(truth):
    two = thesis.binary(truth, truth)
    assert all(len(np.unique(column)) == 2 for column in two.T)
    present = truth[:, 3] >= 1
    assert two[present][0, 3] == pytest.approx(truth[present, 3].mean())
    assert two[~present][0, 3] == pytest.approx(truth[~present, 3].mean())
    best = np.mean((two - truth) ** 2)
    for change in (-0.1, 0.1):
        assert np.mean((two + change * (truth >= 1) - truth) ** 2) > best
    never = thesis.binary(np.zeros((4, 17)), np.zeros((4, 17)))
    assert not never.any()


def test_labels_of_each_kind(truth):
    def given(name, seed=0):
        return thesis.given_labels(thesis.KINDS[name], truth, PEOPLE, seed)

    assert all(given(name) is truth for name in ("full", "frontal", "unoccluded"))
    assert not np.array_equal(given("noisy"), given("noisy", 1)) and np.array_equal(given("noisy"), given("noisy"))
    assert len(np.unique(given("all")[:, 0])) == 2 and not np.array_equal(given("all"), given("binary"))


def test_batches_are_mirrored_moved_and_complete():
    size = 8
    images = np.zeros((4, size, size, 3), np.uint8)
    images[:, 4, 3] = np.array([50, 100, 150, 200])[:, None]  # one dot each
    units = np.repeat(np.arange(4.0)[:, None], 17, 1)
    stream = thesis.batches(images, units, 4, seed=0)
    places = set()
    for _ in range(50):
        batch = next(stream)
        assert batch["image"].dtype == np.float32 and batch["image"].min() == -1
        assert sorted(batch["action_units"][:, 0] * 5) == pytest.approx([0, 1, 2, 3])  # each once in an epoch
        for picture, label in zip(batch["image"], batch["action_units"]):
            # A reflection at the edge may show the dot twice.
            assert round((picture.max() + 1) * 127.5) == 50 * (1 + round(5 * label[0]))
            places |= {tuple(place) for place in np.argwhere(picture[..., 0] > -1)}
    rows, columns = np.array(sorted(places)).T
    assert set(rows) >= set(range(1, 8)) and set(columns) == set(range(8))


def test_readers_learn_from_five_sixths_of_the_people():
    chosen = thesis.learnt_from(PEOPLE, 0)
    assert chosen.sum() == 4 * (200 - 34) and not set(PEOPLE[chosen]) & set(PEOPLE[~chosen])
    assert not np.array_equal(chosen, thesis.learnt_from(PEOPLE, 1))


def test_scores_and_their_parts(truth):
    yaw = np.tile([-10.0, 45.0, -70.0, 20.0], 200)
    test = thesis.Pictures("pictures", truth, PEOPLE, yaw, np.arange(800) < 300)
    exact = thesis.scores({"pictures": truth}.get, test)
    assert (
        exact["icc"] == exact["r"] == pytest.approx(1)
        and exact["mae"] == 0
        and set(exact["units"]) == set(ACTION_UNITS)
    )
    assert list(exact["parts"]) == ["0–30°", "30–60°", "60–90°", "unoccluded", "occluded"]
    estimate = truth.copy()
    estimate[np.abs(yaw) > 60] = -1  # below the scale, which counts as 0
    answers = {"pictures": estimate, "faces": np.eye(17)[[8, 0, 8]]}
    found = thesis.scores(answers.get, test, "faces", np.array([True, False, False]))
    part = found["parts"]
    assert part["0–30°"] == part["30–60°"] == pytest.approx(1) and part["60–90°"] == pytest.approx(0)
    assert found["london"] == 0.75  # AU12 is the ninth: above one neutral face, level with the other


def test_correlation():
    truth = np.array([[0.0, 1.0, 5.0], [1.0, 2.0, 5.0], [2.0, 4.0, 5.0]])
    assert thesis.correlation(2 * truth[:, :2] + 1, truth[:, :2]) == pytest.approx(1)
    assert thesis.correlation(np.array([[0.0, 3], [0, 2], [0, 1]]), truth[:, :2]) == pytest.approx(-0.981981 / 2)
    assert thesis.correlation(truth, truth) == pytest.approx(2 / 3)


def test_tables_compare_seed_by_seed():
    def result(icc):
        return {"icc": icc, "r": 0.25, "mae": 0.5, "parts": {"near": icc, "far": 0.1}, "london": 0.9}

    results = {
        (name, seed): result(0.5 + 0.1 * seed - 0.05 * (name != "full")) for name in thesis.KINDS for seed in (0, 1)
    }
    lines = thesis.tables(results, 2).splitlines()
    assert lines[0] == "| training set | mean ICC | difference to full | mean r | MAE, 0–5 | AUC of AU12, london |"
    assert lines[2] == "| full | 0.550 ± 0.635 | 0.000 ± 0.000 | 0.250 ± 0.000 | 0.500 ± 0.000 | 0.900 ± 0.000 |"
    assert lines[3].startswith("| frontal only | 0.500 ± 0.635 | -0.050 ± 0.000 |")
    assert lines[9] == "| training set | ICC, near | ICC, far |" and len(lines) == 17


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(thesis, "SIZE", 16)
    monkeypatch.setattr(thesis, "KINDS", {name: thesis.KINDS[name] for name in ("full", "noisy")})
    return dict(count=24, test_count=16, steps=2, seeds=1, workers=1, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("reader", thesis.READERS)
def test_a_comparison_goes_on_where_it_stopped(tmp_path, small, reader):
    results = thesis.compare(tmp_path, reader, **small)
    assert set(results) == {("full", 0), ("noisy", 0)} and "london" not in results["full", 0]
    assert thesis.tables(results, 1).count("\n") == 9
    full, noisy = (tmp_path / reader / f"{name}-0.json" for name in ("full", "noisy"))
    before = full.stat().st_mtime_ns
    noisy.unlink()
    again = thesis.compare(tmp_path, reader, **small)
    assert again["noisy", 0]["mae"] == pytest.approx(results["noisy", 0]["mae"], rel=1e-4)
    assert full.stat().st_mtime_ns == before and json.loads(full.read_text())["scores"] == results["full", 0]
    with pytest.raises(InputError, match="choose another -o"):
        thesis.compare(tmp_path, reader, **{**small, "test_count": 15})


def test_the_london_photos(tmp_path, real_data):
    folder = tmp_path / "photos"
    for name in ("neutral", "smiling"):
        (folder / name).mkdir(parents=True)
        for path in sorted((real_data / "london" / name).iterdir())[:2]:
            (folder / name / path.name).symlink_to(path)
    faces, smiling = thesis.london(folder, tmp_path / "aligned")
    assert faces.shape == (4, 64, 64, 3) and list(smiling) == [False, False, True, True]
    with pytest.raises(InputError, match="smiling"):
        thesis.london(tmp_path, tmp_path / "other")


def test_bad_input_exits_2(tmp_path, capsys):
    assert thesis.main(["-o", str(tmp_path), "--steps", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
