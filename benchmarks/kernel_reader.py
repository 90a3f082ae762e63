"""A reader of action units in closed form: kernel ridge regression on histograms of oriented gradients.

It is of OpenFace's kind (Baltrusaitis et al. 2015: support vector regression on the same histograms, Felzenszwalb's
variant), needs a minute of one core where a network needs hours to converge, and its result does not depend on a start
or on when training stops. NumPy and SciPy alone.
"""

import numpy as np

CELL, BINS = 8, 9  # pixels, orientations (Dalal & Triggs 2005)
RIDGES = (0.1, 0.3, 1.0, 3.0)
_CHUNK = 500  # pictures whose histograms are made at once


def histograms(images, cell=CELL):
    """Returns (N, F) float32 histograms of gradient orientations of (N, S, S, 3) uint8 pictures; `cell` divides S.

    Votes by gradient size, shared among neighbouring orientations and cells; every 2 x 2 cells form a block, which is
    normalised, cut off at 0.2 and normalised again.
    """
    parts = np.array_split(images, max(1, len(images) // _CHUNK))
    return np.concatenate([_histograms(part, cell) for part in parts])


def _histograms(images, cell):
    gray = np.sqrt(images.astype(np.float32).mean(-1) / 255)
    across, down = np.zeros_like(gray), np.zeros_like(gray)
    across[:, :, 1:-1] = gray[:, :, 2:] - gray[:, :, :-2]
    down[:, 1:-1] = gray[:, 2:] - gray[:, :-2]
    size = np.hypot(across, down)[..., None]
    angle = (np.arctan2(down, across) % np.pi * (BINS / np.pi))[..., None]
    lower = np.floor(angle)
    votes = np.zeros((*gray.shape, BINS), np.float32)
    for bin_, share in ((lower, 1 - (angle - lower)), (lower + 1, angle - lower)):
        place = bin_.astype(int) % BINS
        np.put_along_axis(votes, place, np.take_along_axis(votes, place, -1) + size * share, -1)
    side = gray.shape[1]
    centres = np.arange(side // cell)[:, None]
    near = np.maximum(0, 1 - np.abs((np.arange(side) + 0.5) / cell - 0.5 - centres)).astype(np.float32)
    cells = np.einsum("ay,nyxk->naxk", near, votes, optimize=True)
    cells = np.einsum("bx,naxk->nabk", near, cells, optimize=True)
    blocks = np.concatenate([cells[:, a : a - 1 or None, b : b - 1 or None] for a in (0, 1) for b in (0, 1)], -1)
    blocks = np.minimum(_normalized(blocks), 0.2)
    return _normalized(blocks).reshape(len(images), -1)


def _normalized(blocks):
    return blocks / np.sqrt(np.sum(blocks**2, -1, keepdims=True) + 1e-3)


def _squared_distances(a, b):
    return np.maximum(np.sum(a**2, 1)[:, None] + np.sum(b**2, 1) - 2 * a @ b.T, 0)


def fit(images, labels, chosen):
    """Fits one reader to each of several sets of labels of the same pictures.

    A picture and its mirror image are read alike: the kernel adds up both, which gives what training on mirrored copies
    too would, at an eighth of the cost.

    Args:
        images: (N, S, S, 3) uint8.
        labels: list of (N, K) arrays.
        chosen: (N,) bool: pictures to learn from. The others choose each reader's ridge, by their own labels.

    Returns:
        list of functions from (M, S, S, 3) uint8 pictures to (M, K) estimates.
    """
    from scipy import linalg

    known, mirrored = (histograms(shown) for shown in (images[chosen], images[chosen][:, :, ::-1]))
    scale = 1 / np.median(_squared_distances(known[:500], known[:500]))

    def kernel(features):
        return sum(np.exp(-scale * _squared_distances(features, shown)) for shown in (known, mirrored))

    means = [given[chosen].mean(0) for given in labels]
    targets = np.concatenate([given[chosen] - mean for given, mean in zip(labels, means)], 1)
    gram, aside = kernel(known), kernel(histograms(images[~chosen]))
    best = [(np.inf, None)] * len(labels)
    for ridge in RIDGES:
        regular = gram + ridge * np.eye(len(gram), dtype=np.float32)
        factor = linalg.cho_factor(regular, lower=True, overwrite_a=True, check_finite=False)
        solved = np.split(linalg.cho_solve(factor, targets.astype(np.float32)), len(labels), axis=1)
        for which, (given, mean, weights) in enumerate(zip(labels, means, solved, strict=True)):
            spread = np.maximum(given.var(0), 1e-6)
            error = np.mean(np.mean((aside @ weights + mean - given[~chosen]) ** 2, 0) / spread)
            best[which] = min(best[which], (error, weights), key=lambda pair: pair[0])
    return [
        lambda pictures, weights=weights, mean=mean: kernel(histograms(pictures)) @ weights + mean
        for (_, weights), mean in zip(best, means, strict=True)
    ]
