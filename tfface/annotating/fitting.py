"""Fits the annotator's readers, all in closed form by scikit-learn: nothing depends on a start or a stop."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge

from tfface.annotating.readers import Discriminant, Linear
from tfface.conventions import ATTRIBUTES, MAX_INTENSITY, UNKNOWN

HELD_OUT = 12  # one person in so many only calibrates
# The three readers of action units: what each reads, and its share in the answer.
SHARES = {"discriminant": 0.15, "network": 0.7, "regression": 0.15}
_DISCRIMINANT = {"distances": 80, "gabor": 100}  # principal components
_CENTRES, _SHRINKAGE, _WEAK = 800, 0.2, 2.5  # weak: an intensity up to this one
_NETWORK = ("distances", "mesh", "blendshapes", "gabor", "pose", "fine", "coarse")
_REGRESSION = ("mesh", "blendshapes", "pose")
_ATTRIBUTES = ("descriptor", "texture", "colour")
# Blocks of one unit: what varies little in them is faint, not far away.
_IN_PROPORTION = ("mesh", "fine", "coarse", "texture")
# Ridges in units of a block's mean squared length. Photographs want more of it than renderings.
_NETWORK_RIDGE, _REGRESSION_RIDGE, _ATTRIBUTE_RIDGE = 3.0, 0.3, 2.0


def split(identities):
    """Returns (N,) bool: the pictures of the people that are held out to calibrate."""
    _, person = np.unique(identities, return_inverse=True)
    return person % HELD_OUT == 0


def linear(blocks, names, answers, ridge):
    """Returns the `Linear` ridge regression of (N, A) answers; every block counts alike, whatever its length."""
    means = {name: blocks[name].mean(0, dtype=np.float64).astype(np.float32) for name in names}
    scales = {name: _scale(name, blocks[name], means[name]) for name in names}
    stacked = np.concatenate([(blocks[name] - means[name]) / scales[name] for name in names], 1)
    fitted = Ridge(alpha=ridge, solver="cholesky").fit(stacked, answers.astype(np.float32))
    starts = np.cumsum([0, *(blocks[name].shape[1] for name in names)])
    parts = zip(names, starts[:-1], starts[1:], strict=True)
    slopes = fitted.coef_.reshape(answers.shape[1], -1).T  # one answer alone comes without its axis
    weights = {name: slopes[a:b] / scales[name][:, None] for name, a, b in parts}
    return Linear(means, weights, np.atleast_1d(fitted.intercept_))


def _scale(name, values, mean):
    """Returns (D,) by what to divide a block: its columns' deviations, then its mean length."""
    deviation = values.std(0)
    if name in _IN_PROPORTION:
        deviation = np.full(values.shape[1], np.sqrt((deviation**2).mean()))
    deviation = deviation + 1e-3 * deviation.mean()  # for columns that are always 0
    length = np.sqrt((((values - mean) / deviation) ** 2).sum(1).mean())
    return (deviation * length).astype(np.float32)


def discriminant(blocks, answers, seed=0):
    """Returns the `Discriminant` of (N, A) intensities from shape and shade."""
    means, weights = {}, {}
    for name, count in _DISCRIMINANT.items():
        means[name] = blocks[name].mean(0)
        deviation = blocks[name].std(0) + 1e-6
        components = PCA(count, svd_solver="covariance_eigh").fit((blocks[name] - means[name]) / deviation)
        length = np.sqrt(components.explained_variance_.sum())
        weights[name] = components.components_.T / deviation[:, None] / length
    total = sum(_DISCRIMINANT.values())
    shifts = np.cumsum([0, *_DISCRIMINANT.values()])
    for (name, part), start in zip(weights.items(), shifts, strict=False):
        weights[name] = np.pad(part, ((0, 0), (start, total - start - part.shape[1])))
    reduction = Linear(means, weights, np.zeros(total, np.float32))
    reduced = reduction(blocks)
    some = np.random.default_rng(seed).permutation(len(reduced))[:500]
    scale = 0.5 / np.median(((reduced[some][:, None] - reduced[some]) ** 2).sum(-1))
    nystroem = Nystroem(gamma=scale, n_components=min(_CENTRES, len(reduced)), random_state=seed).fit(reduced)
    mapped = nystroem.transform(reduced)
    scores, biases, levels = [], [], []
    for column in answers.T:
        classes = np.digitize(column, [1e-6, _WEAK])
        fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=_SHRINKAGE).fit(mapped, classes)
        scores.append(nystroem.normalization_.T @ fitted.coef_.T)
        biases.append(fitted.intercept_)
        levels.append([column[classes == kind].mean() for kind in range(3)])
    return Discriminant(
        reduction, nystroem.components_, float(scale), np.concatenate(scores, 1), np.concatenate(biases),
        np.array(levels),
    )  # fmt: skip


def action_unit_readers(blocks, answers):
    """Returns {name: reader} of `SHARES`, fitted to (N, 17) intensities."""
    return {
        "discriminant": discriminant(blocks, answers),
        "network": linear(blocks, _NETWORK, answers, _NETWORK_RIDGE),
        "regression": linear(blocks, _REGRESSION, answers, _REGRESSION_RIDGE),
    }


def attribute_reader(blocks, attributes, known):
    """Returns the `Linear` of attributes, -1 (no) to 1 (yes), fitted to (N, 40) labels; unknown ones pull nowhere."""
    places = [ATTRIBUTES.index(name) for name in known]
    answers = np.select([attributes[:, places] == 1, attributes[:, places] == 0], [1.0, -1.0], 0.0)
    return linear(blocks, _ATTRIBUTES, answers, _ATTRIBUTE_RIDGE)


def known_attributes(attributes):
    """Returns names of attributes that (N, 40) labels know both ways."""
    both = [((column == 1).any() and (column == 0).any()) for column in attributes.T]
    return [name for name, yes in zip(ATTRIBUTES, both, strict=True) if yes]


def calibrate_intensities(found, truth):
    """Returns (2, 17) gains and offsets that give held-out faces the truth's mean and spread.

    A ridge says too little of what it sees badly, and agreement (ICC) asks for the truth's spread.
    """
    gain = np.clip(truth.std(0) / np.maximum(found.std(0), 1e-3), 0.8, 2.0)
    for _ in range(20):  # what is cut off below 0 shifts the mean
        offset = truth.mean(0) - gain * found.mean(0)
        shown = np.clip(gain * found + offset, 0, MAX_INTENSITY)
        gain = np.clip(gain * truth.std(0) / np.maximum(shown.std(0), 1e-3), 0.8, 2.5)
    return np.stack([gain, offset])


def calibrate_attributes(found, attributes, known):
    """Returns (2, A) gains and offsets from scores to the logits of probabilities (Platt 1999), on held-out faces."""
    result = []
    for scores, name in zip(found.T, known, strict=True):
        labels = attributes[:, ATTRIBUTES.index(name)]
        sure = labels != UNKNOWN
        fitted = LogisticRegression(C=100.0).fit(scores[sure, None], labels[sure])
        result.append([fitted.coef_[0, 0], fitted.intercept_[0]])
    return np.array(result).T
