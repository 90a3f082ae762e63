"""Disentanglement scores on codes that are known to be perfect, entangled, or one of the traps between."""

import math

import numpy as np
import pytest

from tfface import disentanglement as d

N = 3000
RNG = np.random.default_rng(0)
FACTORS = RNG.uniform(-1, 1, (N, 3))
NOISE = RNG.standard_normal((N, 5))
PERFECT = np.column_stack([FACTORS * [3, -1, 0.5], NOISE])
ROTATION = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3  # every latent holds two factors alike
ENTANGLED = np.column_stack([FACTORS @ ROTATION, NOISE])
NAMED = [0, 1, 2]


def test_information_of_two_coins_and_of_a_latent_with_itself():
    coins = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 50)
    assert d.mutual_information(coins[:, :1], coins, bins=2) == pytest.approx(np.array([[math.log(2), 0.0]]))
    assert d.entropy(coins, bins=2) == pytest.approx([math.log(2)] * 2)
    information = d.mutual_information(PERFECT, FACTORS)
    assert np.diag(information) == pytest.approx(d.entropy(FACTORS))
    assert np.diag(information) == pytest.approx([math.log(20)] * 3, rel=0.01)  # uniform, so all bins alike


def test_bins_cover_the_range_and_a_constant_is_one_bin():
    values = np.array([[0.0, 5.0], [0.25, 5.0], [0.5, 5.0], [1.0, 5.0]])
    np.testing.assert_array_equal(d.discretize(values, 4), [[0, 0], [1, 0], [2, 0], [3, 0]])


@pytest.mark.parametrize(
    ("score", "perfect", "entangled"),
    [
        (lambda c: d.mig(c, FACTORS), 0.9, 0.15),
        (lambda c: d.sap(c, FACTORS), 0.99, 0.1),
        (lambda c: d.factor_vae(c, FACTORS, batches=300), 0.99, 0.9),
        (lambda c: d.dci(c[:1500], FACTORS[:1500])["disentanglement"], 0.95, 0.5),
        (lambda c: d.dci(c[:1500], FACTORS[:1500])["completeness"], 0.95, 0.7),
    ],
    ids=["mig", "sap", "factor_vae", "disentanglement", "completeness"],
)
def test_perfect_codes_score_high_and_entangled_ones_low(score, perfect, entangled):
    assert score(PERFECT) > perfect
    assert score(ENTANGLED) < entangled


def test_informativeness_is_the_fit_on_what_was_left_out():
    assert d.dci(PERFECT[:1500], FACTORS[:1500])["informativeness"] > 0.95
    assert d.dci(NOISE[:1500], FACTORS[:1500])["informativeness"] < 0.1


def test_two_latents_that_share_a_factor_are_not_complete():
    copied = np.column_stack([FACTORS + 0.05 * RNG.standard_normal(FACTORS.shape) for _ in range(2)])
    assert d.mig(copied, FACTORS) < 0.6
    assert d.sap(copied, FACTORS) < 0.02
    scores = d.dci(copied[:1500], FACTORS[:1500])
    assert scores["disentanglement"] > 0.95 > 0.9 > scores["completeness"]


def test_a_sawtooth_is_informative_but_not_linear():
    azimuth = FACTORS[:, 0]
    saw = np.where(azimuth < 0, azimuth + 1, azimuth - 1)  # two rising branches with a jump at 0
    codes = np.column_stack([saw, NOISE[:, :2]])
    assert d.mutual_information(codes, azimuth[:, None])[0, 0] > 2.5
    assert abs(d.spearman(saw, azimuth)) < 0.6
    assert d.half_spearman(saw, azimuth) == pytest.approx([1, 1])
    assert d.sap(codes, azimuth[:, None]) < 0.4


def test_spearman_by_hand():
    assert d.spearman([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert math.isnan(d.spearman([1, 1, 1], [1, 2, 3]))


def test_groups_tell_what_leaks_into_the_rest():
    kept = d.group_scores(PERFECT, FACTORS, NAMED)
    assert kept["first"] == [True] * 3 and kept["information"] == kept["best"]
    assert max(kept["leakage"]) < 0.02
    leaking = np.column_stack([FACTORS, 2 * FACTORS[:, 1] + 0.1 * NOISE[:, 0], NOISE[:, 1:]])
    leakage = d.group_scores(leaking, FACTORS, NAMED)["leakage"]
    assert leakage[1] > 0.9 and max(leakage[0], leakage[2]) < 0.02


def test_latents_that_hardly_vary_have_no_vote():
    quiet = PERFECT.copy()
    quiet[:, 3] = 1e-4 * NOISE[:, 0]
    assert d.factor_vae(quiet, FACTORS, batches=200) > 0.99
    assert d.factor_vae(np.zeros((N, 4)), FACTORS, batches=10) == 0.0


def test_all_scores_are_numbers_for_a_file():
    scores = d.all_scores(PERFECT[:900], FACTORS[:900], NAMED)
    assert {"mig", "sap", "dci", "factor_vae", "information", "leakage"} <= set(scores)
    assert all(type(value) in (float, bool) for key in ("information", "best", "first") for value in scores[key])
