import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tfface import metrics


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (32, 40, 3), np.uint8)
    return np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8), truth


def test_psnr_by_hand():
    black = np.zeros((4, 4, 3), np.uint8)
    # Off by 1 everywhere: mean square 1, so 20 log10(255).
    assert metrics.psnr(black + 1, black) == pytest.approx(48.1308, abs=1e-4)
    assert metrics.psnr(black + 255, black) == pytest.approx(0.0)
    assert metrics.psnr(black, black) == math.inf


def test_psnr_and_ssim_agree_with_scikit_image(pictures):
    picture, truth = pictures
    assert metrics.psnr(picture, truth) == pytest.approx(peak_signal_noise_ratio(truth, picture, data_range=255))
    channels = [
        structural_similarity(
            picture[..., c],
            truth[..., c],
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for c in range(3)
    ]
    assert metrics.ssim(picture, truth) == pytest.approx(np.mean(channels))
    assert metrics.ssim(truth, truth) == pytest.approx(1.0)


def test_icc_of_the_published_example():
    # Shrout & Fleiss 1979, table 2: six targets, four judges; their ICC(3,1) is .71.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert metrics.icc31(ratings) == pytest.approx(0.7148, abs=1e-4)


def test_icc_by_hand():
    # Subject means .5 and 2.5, grand mean 1.5: between = 2 * (1 + 1) = 4; residuals are 0: error = 0.
    assert metrics.icc31([[0, 1], [2, 3]]) == pytest.approx(1.0)
    # Opposed raters: subject means are equal, so between = 0 and ICC = -1.
    assert metrics.icc31([[0, 2], [2, 0]]) == pytest.approx(-1.0)
    # Scaled raters (x, 2x) over 0, 1, 2: between = 4.5, error = 0.5, (4.5 - 0.5) / 5.
    assert metrics.icc31([[0, 0], [1, 2], [2, 4]]) == pytest.approx(0.8)
    assert metrics.icc31([[0, 0], [1, 2], [2, 4], [math.nan, 1]]) == pytest.approx(0.8)
    assert math.isnan(metrics.icc31([[1, 1], [1, 1]]))
    assert math.isnan(metrics.icc31([[1, 2]]))


def test_action_unit_scores_by_hand():
    estimate = np.array([[0, 1], [2, 1], [4, math.nan]])
    truth = np.array([[0, 3], [1, 0], [2, 5]])
    scores = metrics.action_unit_scores(estimate, truth, ("AU01", "AU12"))
    assert scores["AU01"] == {"icc": pytest.approx(0.8), "mae": pytest.approx(1.0)}
    assert scores["AU12"]["mae"] == pytest.approx(1.5)
    assert math.isnan(metrics.mean_absolute_error([math.nan], [1.0]))


def test_attention_statistics_by_hand():
    assert metrics.attention_statistics([[0.0, 0.5], [1.0, 1.0]]) == {"mean": 0.625, "low": 0.25, "high": 0.5}


def test_area_under_curve_by_hand():
    # Of the four pairs (positive, negative) three are in order and one is a tie.
    assert metrics.area_under_curve([3, 2, 2, 1], [True, True, False, False]) == pytest.approx(3.5 / 4)
    assert metrics.area_under_curve([1, 2], [True, False]) == 0
    assert math.isnan(metrics.area_under_curve([1, 2], [True, True]))


def test_rank1_by_hand():
    gallery = [[1.0, 0.0], [0.0, 3.0]]
    # By angle the second probe is nearest to person 5, by distance to person 4.
    probes = [[0.9, 0.1], [0.2, 0.4]]
    assert metrics.rank1(probes, [4, 5], gallery, [4, 5]) == 0.5
    assert metrics.rank1(probes, [4, 5], gallery, [4, 5], "cosine") == 1.0
    with pytest.raises(ValueError, match="measure"):
        metrics.rank1(probes, [4, 5], gallery, [4, 5], "angle")


def test_kid_by_hand():
    # D = 1, kernel (xy + 1)^3. Within x: k(1, 2) = 27; within y: k(0, 1) = 1; across, not of one row: k(1, 1) = 8 and
    # k(2, 0) = 1, mean 4.5.
    assert metrics.kid([[1.0], [2.0]], [[0.0], [1.0]]) == pytest.approx(27 + 1 - 2 * 4.5)
    same = np.random.default_rng(0).normal(size=(20, 8))
    assert metrics.kid(same, same) == pytest.approx(0, abs=1e-12)
    assert metrics.kid(same + 1, same) > 0.1
    assert math.isnan(metrics.kid([[1.0]], [[1.0]]))


def test_attribute_errors_by_hand():
    nan = math.nan
    judged = [[0.9, 0.2, 0.1, nan], [0.4, 0.8, 0.6, nan]]  # of the edits of attribute 0 of two people
    asked = [[1, 0, 1, 0], [1, 0, 0.5, 0]]
    edited = [[True, False, False, False], [True, False, False, False]]
    accuracy, preservation = metrics.attribute_errors(judged, asked, edited)
    assert accuracy[0] == 0.5 and np.isnan(accuracy[1:]).all()
    # Others that are known: 1 and 2 of the first (one wrong), 1 of the second (wrong).
    assert preservation[0] == pytest.approx(2 / 3) and np.isnan(preservation[1:]).all()


def test_share_inside_by_hand():
    mask = np.array([[True, False], [False, False]])
    assert metrics.share_inside([[3, 1], [0, 2]], mask) == 0.5
    assert metrics.share_inside([[[1, 2], [0, 1]], [[0, 0], [0, 0]]], mask) == 0.75
    assert math.isnan(metrics.share_inside(np.zeros((2, 2)), mask))


def test_emotionet_score_by_hand():
    found = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1], [0, 1, 1]])
    truth = np.array([[1, 999, 0], [0, 1, 0], [1, 999, 0], [0, np.nan, 0]])
    scores = metrics.emotionet_score(found, truth)
    # First: 2 of 4 right, TP 1, FP 1, FN 1; second: one row known, right; third: absent but found thrice.
    np.testing.assert_allclose(scores["accuracy"], [0.5, 1.0, 0.25])
    np.testing.assert_allclose(scores["f1"], [0.5, 1.0, 0.0])
    assert scores["score"] == pytest.approx(((0.5 + 1 + 0.25) / 3 + 0.5) / 2)


def test_emotionet_score_leaves_out_what_nobody_annotated():
    scores = metrics.emotionet_score([[1, 0], [1, 0]], [[999, 0], [999, 0]])
    assert np.isnan(scores["accuracy"][0]) and np.isnan(scores["f1"]).all()  # the second is neither there nor found
    assert scores["mean_accuracy"] == 1.0
