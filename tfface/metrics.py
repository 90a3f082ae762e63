"""Numbers that compare pictures and labels with the truth. Pictures are uint8 RGB, (H, W, 3). No TensorFlow."""

import numpy as np


def psnr(picture, truth):
    """Peak signal-to-noise ratio of two uint8 pictures in dB; infinite when they are equal."""
    difference = np.asarray(picture, np.float64) - np.asarray(truth, np.float64)
    error = np.mean(difference**2)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def ssim(picture, truth):
    """Structural similarity (Wang et al. 2004: Gaussian window, sigma 1.5) of two uint8 RGB pictures; 1 when equal."""
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            np.asarray(picture),
            np.asarray(truth),
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def icc31(ratings):
    """Intraclass correlation ICC(3,1) of (subjects, raters), Shrout & Fleiss 1979: consistency of fixed raters.

    1 when raters differ by a constant at most, 0 for unrelated ratings. NaN when nothing varies or fewer than two
    subjects are left; subjects with a NaN rating are left out.
    """
    ratings = np.asarray(ratings, np.float64)
    ratings = ratings[~np.isnan(ratings).any(1)]
    subjects, raters = ratings.shape
    if subjects < 2:
        return float("nan")
    by_subject, by_rater, mean = ratings.mean(1), ratings.mean(0), ratings.mean()
    between = raters * ((by_subject - mean) ** 2).sum() / (subjects - 1)
    residual = ratings - by_subject[:, None] - by_rater[None] + mean
    error = (residual**2).sum() / ((subjects - 1) * (raters - 1))
    total = between + (raters - 1) * error
    return float((between - error) / total) if total > 0 else float("nan")


def mean_absolute_error(estimate, truth):
    """Mean absolute difference over the entries where both are known (not NaN); NaN when there are none."""
    difference = np.abs(np.asarray(estimate, np.float64) - np.asarray(truth, np.float64))
    return float(np.nanmean(difference)) if np.isfinite(difference).any() else float("nan")


def action_unit_scores(estimate, truth, names):
    """Returns ``{name: {"icc", "mae"}}`` for the columns of two (N, len(names)) arrays of intensities."""
    estimate, truth = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    return {
        name: {
            "icc": icc31(np.stack([estimate[:, k], truth[:, k]], 1)),
            "mae": mean_absolute_error(estimate[:, k], truth[:, k]),
        }
        for k, name in enumerate(names)
    }


def attention_statistics(attention):
    """Returns mean, share below 0.05 and share above 0.95 of attention masks (1 keeps the input picture)."""
    attention = np.asarray(attention, np.float64)
    return {
        "mean": float(attention.mean()),
        "low": float((attention < 0.05).mean()),
        "high": float((attention > 0.95).mean()),
    }
