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


def emotionet_score(found, truth, missing=999):
    """Score of the EmotioNet challenge: which action units are present (Benitez-Quiroz et al. 2017).

    Args:
        found: (N, A) of 0 and 1.
        truth: (N, A) of 0 and 1; `missing` or NaN where nobody looked, which counts nowhere.

    Returns:
        dict of `accuracy` and `f1` (A,), each action unit's own (F1 is NaN where it is neither present nor found,
        accuracy where all is missing), and `mean_accuracy`, `mean_f1` and `score`, the mean of these two.
    """
    found, truth = np.asarray(found, np.float64) > 0.5, np.asarray(truth, np.float64)
    known = ~np.isnan(truth) & (truth != missing)
    present = known & (truth > 0.5)
    right, hits = (known & (found == present)).sum(0), (present & found).sum(0)
    count, marked = known.sum(0), present.sum(0) + (known & found).sum(0)
    accuracy = np.where(count > 0, right / np.maximum(count, 1), np.nan)
    f1 = np.where(marked > 0, 2 * hits / np.maximum(marked, 1), np.nan)
    means = [float(np.nanmean(values)) if np.isfinite(values).any() else float("nan") for values in (accuracy, f1)]
    return {
        "accuracy": accuracy, "f1": f1, "mean_accuracy": means[0], "mean_f1": means[1], "score": float(np.mean(means)),
    }  # fmt: skip


def attention_statistics(attention):
    """Returns mean, share below 0.05 and share above 0.95 of attention masks (1 keeps the input picture)."""
    attention = np.asarray(attention, np.float64)
    return {
        "mean": float(attention.mean()),
        "low": float((attention < 0.05).mean()),
        "high": float((attention > 0.95).mean()),
    }


def area_under_curve(scores, positive):
    """Area under the ROC curve: the chance that a positive's score is above a negative's, ties counting half.

    Args:
        scores: (N,) numbers, larger for "yes".
        positive: (N,) booleans. NaN if all are the same.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    yes, no = scores[positive], np.sort(scores[~positive])
    if not len(yes) or not len(no):
        return float("nan")
    below, not_above = np.searchsorted(no, yes, "left"), np.searchsorted(no, yes, "right")
    return float((below + not_above).sum() / 2 / len(yes) / len(no))


def rank1(probes, probe_people, gallery, gallery_people, measure="distance"):
    """Share of probes whose nearest gallery entry shows the same person.

    Args:
        probes, gallery: (N, D) and (M, D) features.
        probe_people, gallery_people: (N,) and (M,) identities.
        measure: "distance" (Euclidean) or "cosine".
    """
    probes, gallery = np.asarray(probes, np.float64), np.asarray(gallery, np.float64)
    if measure == "cosine":
        probes, gallery = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (probes, gallery))
    elif measure != "distance":
        raise ValueError(f"measure {measure!r}: expected distance or cosine")
    squared = (probes**2).sum(1)[:, None] + (gallery**2).sum(1) - 2 * probes @ gallery.T
    return float((np.asarray(gallery_people)[squared.argmin(1)] == np.asarray(probe_people)).mean())


def kid(features, truth):
    """Kernel inception distance of two (N, D) sets of features, row n of both from the same request; 0 when equal.

    Squared maximum mean discrepancy with the kernel ``(x . y / D + 1)^3`` (Binkowski et al. 2018). Rows are paired, so
    the estimate without bias is the one that leaves each row's own pair out (Gretton et al. 2012, equation 4). It may
    be slightly negative. NaN for fewer than two rows.
    """
    x, y = np.asarray(features, np.float64), np.asarray(truth, np.float64)
    count, size = x.shape
    if count < 2:
        return float("nan")

    def between(a, b):
        kernel = (a @ b.T / size + 1) ** 3
        return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))

    return float(between(x, x) + between(y, y) - 2 * between(x, y))


def attribute_errors(judged, asked, edited):
    """Accuracy of an edit of yes-or-no attributes and what it did to the others (He et al. 2019).

    Args:
        judged: (N, A) probabilities of attributes on the edits, NaN where not judged.
        asked: (N, A) what the edits should show: 0, 1, or 0.5 for unknown.
        edited: (N, A) booleans, the attributes that were asked to change.

    Returns:
        (A,) share of edits of each attribute that show what was asked, and (A,) share of all other attributes that are
        judged wrong after edits of each; NaN where there are none.
    """
    judged, asked, edited = np.asarray(judged, np.float64), np.asarray(asked, np.float64), np.asarray(edited, bool)
    known = ~np.isnan(judged) & (asked != 0.5)
    right = known & ((judged > 0.5) == (asked > 0.5))
    others = known & ~edited

    def share(part, whole):
        return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)

    accuracy = share((right & edited).sum(0), (known & edited).sum(0))
    wrong, of = (others & ~right).sum(1), others.sum(1)
    return accuracy, share(edited.T.astype(float) @ wrong, edited.T.astype(float) @ of)


def share_inside(change, mask):
    """Share of the sum of an (H, W[, C]) array of absolute changes that lies in an (H, W) mask; NaN if none changed."""
    change = np.asarray(change, np.float64)
    if change.ndim == 3:
        change = change.sum(-1)
    total = change.sum()
    return float(change[np.asarray(mask, bool)].sum() / total) if total else float("nan")
