"""Readers: from blocks of numbers that describe a face to what it shows. NumPy alone; made by `fitting`.

* A linear reader multiplies its blocks by one matrix.
* A discriminant, EmotioNet's kind, reduces its blocks to principal components, compares these with faces it knows by a
  Gaussian kernel (Nystroem's approximation), and has scores of three classes of intensity: absent, weak, strong. Its
  answer is the mean intensity of the classes, weighed by their probabilities.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Linear:
    """Reads ``sum of (block - mean) @ weights + bias``.

    Attributes:
        means, weights: by block, (D,) and (D, A).
        bias: (A,).
    """

    means: dict
    weights: dict
    bias: np.ndarray

    def __call__(self, blocks):
        """Returns (N, A) answers of {block: (N, D)}."""
        return sum((blocks[name] - self.means[name]) @ self.weights[name] for name in self.weights) + self.bias


@dataclasses.dataclass(frozen=True)
class Discriminant:
    """Classes of intensity from nearness to known faces.

    Attributes:
        reduction: `Linear` to principal components.
        centres: (M, K) components of known faces.
        scale: of squared distances in the kernel.
        weights, bias: (M, A * C) and (A * C,).
        levels: (A, C) mean intensities of the classes.
    """

    reduction: Linear
    centres: np.ndarray
    scale: float
    weights: np.ndarray
    bias: np.ndarray
    levels: np.ndarray

    def __call__(self, blocks):
        """Returns (N, A) answers of {block: (N, D)}."""
        near = kernel(self.reduction(blocks), self.centres, self.scale)
        scores = (near @ self.weights + self.bias).reshape(len(near), *self.levels.shape)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        return (shares / shares.sum(-1, keepdims=True) * self.levels).sum(-1)


def kernel(a, b, scale):
    """Returns (N, M) nearness, 0-1, of the rows of two arrays: ``exp(-scale * squared distance)``."""
    return np.exp(-scale * np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))


def pack(reader):
    """Returns a reader as a flat dict of arrays, the large ones as half floats with a gain for each column."""
    if isinstance(reader, Linear):
        arrays = {"bias": np.float32(reader.bias)}
        for name, weights in reader.weights.items():
            arrays[f"mean/{name}"] = np.float32(reader.means[name])
            arrays |= _halved(f"weights/{name}", weights)
        return arrays
    arrays = {f"reduction/{name}": value for name, value in pack(reader.reduction).items()}
    arrays |= _halved("centres", reader.centres) | _halved("weights", reader.weights)
    return arrays | {name: np.float32(getattr(reader, name)) for name in ("scale", "bias", "levels")}


def unpack(arrays):
    """Returns the reader of `pack`."""
    if "centres" in arrays:
        reduction = {name.partition("/")[2]: value for name, value in arrays.items() if name.startswith("reduction/")}
        return Discriminant(
            unpack(reduction), _doubled(arrays, "centres"), float(arrays["scale"]), _doubled(arrays, "weights"),
            arrays["bias"], arrays["levels"],
        )  # fmt: skip
    names = [name.partition("/")[2] for name in arrays if name.startswith("mean/")]
    return Linear(
        {name: arrays[f"mean/{name}"] for name in names},
        {name: _doubled(arrays, f"weights/{name}") for name in names},
        arrays["bias"],
    )


def _halved(name, values):
    # Half floats lose small numbers: each column is scaled to 1 first.
    gain = np.maximum(np.abs(values).max(0), 1e-20)
    return {name: (values / gain).astype(np.float16), f"gain of {name}": np.float32(gain)}


def _doubled(arrays, name):
    return arrays[name].astype(np.float32) * arrays[f"gain of {name}"]
