"""Scores of codes against the factors that made the pictures: does one latent hold one factor, and one only?

All take ``codes`` (N, L) and ``factors`` (N, F), numbers, of N independently drawn pictures. Definitions are those of
disentanglement_lib (Locatello et al. 2019, "Challenging Common Assumptions"), whose defaults are 10,000 pictures and 20
bins; factors here are continuous, so SAP and DCI are its regression variants. No TensorFlow.

A latent that follows a factor in jumps (DC-IGN's azimuth is a sawtooth, one branch for each side of the face) has much
information on it and little correlation with it: MIG, DCI and `half_spearman` see that, SAP does not.
"""

import numpy as np

BINS = 20
_TREES = dict(n_estimators=60, max_depth=3, learning_rate=0.2, subsample=0.5, random_state=0)


def discretize(values, bins=BINS):
    """Returns (N, K) int: in which of `bins` equal bins between its column's extremes each value of (N, K) lies."""
    values = np.asarray(values, np.float64)
    low, high = values.min(0), values.max(0)
    width = np.where(high > low, high - low, 1.0)
    return np.minimum((bins * (values - low) / width).astype(int), bins - 1)


def mutual_information(codes, factors, bins=BINS):
    """Returns (L, F) mutual informations in nats, from histograms.

    Finite samples add about ``(bins - 1)^2 / 2 N`` to each, the same for all.
    """
    a, b = discretize(codes, bins), discretize(factors, bins)
    result = np.empty((a.shape[1], b.shape[1]))
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            joint = np.bincount(a[:, i] * bins + b[:, j], minlength=bins * bins).reshape(bins, bins) / len(a)
            apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
            there = joint > 0
            result[i, j] = (joint[there] * np.log(joint[there] / apart[there])).sum()
    return result


def entropy(factors, bins=BINS):
    """Returns (F,) entropies of the binned factors in nats."""
    shares = [np.bincount(column, minlength=bins) / len(column) for column in discretize(factors, bins).T]
    return np.array([-(p[p > 0] * np.log(p[p > 0])).sum() for p in shares])


def mig(codes, factors, bins=BINS):
    """Mutual information gap (Chen et al. 2018): mean over factors of the best latent's lead over the next, 0 to 1."""
    information = np.sort(mutual_information(codes, factors, bins), 0)
    return float(((information[-1] - information[-2]) / entropy(factors, bins)).mean())


def sap(codes, factors):
    """Separated attribute predictability (Kumar et al. 2018): the best latent's lead in linear R^2, a mean."""
    r = _correlations(codes, factors) ** 2
    r.sort(axis=0)
    return float((r[-1] - r[-2]).mean())


def dci(codes, factors, test_share=1 / 3):
    """Disentanglement, completeness and informativeness (Eastwood & Williams 2018) with gradient boosted trees.

    Returns:
        dict of three numbers up to 1: `disentanglement` (each latent is important to one factor), `completeness` (each
        factor to one latent) and `informativeness`, the mean R^2 on the pictures left out of training.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    codes, factors = np.asarray(codes, np.float64), np.asarray(factors, np.float64)
    train = len(codes) - int(len(codes) * test_share)
    importance, fit = [], []
    for column in factors.T:
        trees = GradientBoostingRegressor(**_TREES).fit(codes[:train], column[:train])
        importance.append(trees.feature_importances_)
        fit.append(_r_squared(trees.predict(codes[train:]), column[train:]))
    importance = np.array(importance).T  # (L, F)
    return {
        "disentanglement": _one_sided(importance),
        "completeness": _one_sided(importance.T),
        "informativeness": float(np.mean(fit)),
    }


def factor_vae(codes, factors, bins=BINS, batches=1000, batch=64, seed=0, smallest=0.05):
    """FactorVAE score (Kim & Mnih 2018): how well the least varying latent tells which factor stood still, 0 to 1.

    Each batch holds pictures of one bin of one factor, drawn with repetition; votes are counted on as many batches as
    they are scored on. Latents that vary less than `smallest` (standard deviation) have no vote.
    """
    codes, binned = np.asarray(codes, np.float64), discretize(factors, bins)
    deviation = codes.std(0)
    voters = np.flatnonzero(deviation >= smallest)
    if not len(voters):
        return 0.0
    scaled = codes[:, voters] / deviation[voters]
    rng = np.random.default_rng(seed)
    members = [[np.flatnonzero(column == value) for value in range(bins)] for column in binned.T]
    votes = np.zeros((2, len(voters), binned.shape[1]))
    for half in range(2):
        for _ in range(batches):
            factor = rng.integers(binned.shape[1])
            still = members[factor][binned[rng.integers(len(codes)), factor]]
            votes[half, scaled[rng.choice(still, batch)].var(0).argmin(), factor] += 1
    says = votes[0].argmax(1)
    return float(votes[1][np.arange(len(voters)), says].sum() / batches)


def group_scores(codes, factors, named):
    """How the named latents and all the others share the factors.

    Args:
        codes, factors: (N, L) and (N, F).
        named: (F,) place of the latent that is meant to hold each factor.

    Returns:
        dict of (F,) lists: `information` of the named latent and `best` of all (nats), `first` whether it is the best,
        `leakage` R^2 with which the latents that no factor owns give it away (a linear fit, on pictures left out).
    """
    information = mutual_information(codes, factors)
    own = information[named, np.arange(len(named))]
    rest = np.delete(np.asarray(codes, np.float64), named, 1)
    return {
        "information": own.tolist(),
        "best": information.max(0).tolist(),
        "first": (information.argmax(0) == np.asarray(named)).tolist(),
        "leakage": [_linear_r_squared(rest, column) for column in np.asarray(factors, np.float64).T],
    }


def spearman(a, b):
    """Rank correlation of two (N,) arrays; NaN where one of them does not vary."""
    a, b = (np.asarray(values, np.float64) for values in (a, b))
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def half_spearman(code, factor):
    """Rank correlations of a latent with a factor, for negative and for positive values of the factor by themselves."""
    code, factor = np.asarray(code), np.asarray(factor)
    return [spearman(code[side], factor[side]) for side in (factor < 0, factor > 0)]


def all_scores(codes, factors, named):
    """Returns MIG, SAP, DCI, FactorVAE score, and the group scores, as a dict for metrics.json."""
    return {
        "mig": mig(codes, factors),
        "sap": sap(codes, factors),
        "dci": dci(codes, factors),
        "factor_vae": factor_vae(codes, factors),
        **group_scores(codes, factors, named),
    }


def _correlations(codes, factors):
    a, b = (np.asarray(values, np.float64) - np.mean(values, 0) for values in (codes, factors))
    scale = np.sqrt((a**2).sum(0))[:, None] * np.sqrt((b**2).sum(0))[None]
    return np.divide(a.T @ b, scale, out=np.zeros_like(scale), where=scale > 0)


def _one_sided(importance):
    """Mean over rows, by their weight, of one minus the entropy of a row over its largest possible."""
    total = importance.sum(1)
    shares = importance / np.maximum(total, 1e-12)[:, None]
    uneven = 1 + (shares * np.log(np.maximum(shares, 1e-12))).sum(1) / np.log(importance.shape[1])
    return float((uneven * total).sum() / max(total.sum(), 1e-12))


def _r_squared(estimate, truth):
    return float(1 - ((estimate - truth) ** 2).mean() / max(truth.var(), 1e-12))


def _linear_r_squared(features, target):
    """R^2 on every third picture of a ridge regression on the others; what it lacks to 0 is no leak."""
    scaled = (features - features.mean(0)) / np.maximum(features.std(0), 1e-12)
    test = np.arange(len(target)) % 3 == 0
    x, y = scaled[~test], target[~test]
    weights = np.linalg.solve(x.T @ x + 0.01 * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    return max(0.0, _r_squared(scaled[test] @ weights + y.mean(), target[test]))
