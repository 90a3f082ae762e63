"""Checkpoints: one file holds everything (weights, averages, optimizers, step), and its name says what it hashes to.

A file is written beside its place, flushed to the disk and renamed, so a checkpoint that exists is complete; its name
carries the step and the start of its SHA-256, so a damaged one is noticed and the one before it is used. It is an
ordinary Keras weights file: ``model.load_weights(path)`` reads it too.
"""

import hashlib
import os
import re
import warnings
from pathlib import Path

import numpy as np

from tfface.errors import InputError

NAME = re.compile(r"step-(\d{8})-([0-9a-f]{16})\.weights\.h5")
PART = ".part.weights.h5"


class NonFiniteError(RuntimeError):
    """A loss term or a weight became NaN or infinite; the message names it and says what to try."""

    def __init__(self, what, step):
        super().__init__(
            f"{what} is not finite after step {step}; resume from the last checkpoint with a lower learning rate"
            " (a new run with --set), or with --precision float32"
        )


def found(directory):
    """Returns ``[(step, path), ...]`` of the checkpoints in a directory, oldest first, whatever their content."""
    matches = [(NAME.fullmatch(path.name), path) for path in Path(directory).glob("step-*.weights.h5")]
    return sorted((int(match[1]), path) for match, path in matches if match)


def name_of(step, path):
    """Returns the name that a complete checkpoint file of a step is to have, by its content."""
    return f"step-{step:08d}-{_digest(path)}.weights.h5"


def save(model, directory, keep):
    """Writes a checkpoint of the model at its present step and removes all but the `keep` newest.

    Returns its path. Raises NonFiniteError, and writes nothing, when a weight is NaN or infinite.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    check_finite(model)
    step = int(model.step.numpy())
    part = directory / PART
    model.save_weights(part)
    path = directory / name_of(step, part)
    _flush(part)
    os.replace(part, path)
    _flush(directory)
    for other, old in found(directory):
        if other == step and old != path:
            old.unlink()
    for _, old in found(directory)[:-keep]:
        old.unlink()
    return path


def check_finite(model):
    """Raises NonFiniteError when a weight is NaN or infinite."""
    for variable in model.variables:
        if not np.isfinite(np.asarray(variable.numpy(), np.float64).sum()):
            raise NonFiniteError(variable.path, int(model.step.numpy()))


def restore(model, directory):
    """Loads the newest undamaged checkpoint of a directory into the model and returns its step.

    Raises:
        InputError: no checkpoint is left, or the newest belongs to a model of other shapes.
    """
    load(model, newest(directory))
    return int(model.step.numpy())


def newest(directory):
    """Returns the path of the newest undamaged checkpoint of a directory.

    Damaged files are passed over with a warning.

    Raises:
        InputError: no checkpoint is left.
    """
    checkpoints = found(directory)
    for _, path in reversed(checkpoints):
        if _digest(path) == NAME.fullmatch(path.name)[2]:
            return path
        warnings.warn(f"{path} is damaged (its content does not match its name); using the one before it", stacklevel=3)
    what = f"all {len(checkpoints)} checkpoints are damaged" if checkpoints else "holds no checkpoint"
    raise InputError(f"{directory}: {what}; train again into a new --output")


def load(model, path):
    """Loads one weights file; a variable that it does not restore is an error, not a remark."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, KeyError, UserWarning) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"{path}: does not fit this model; other settings or another version made it ({reason})"
        ) from error


def discard_after(directory, step):
    """Removes what a killed run left behind: checkpoints newer than `step` (damaged ones) and half-written files."""
    for other, path in found(directory):
        if other > step:
            path.unlink()
    (Path(directory) / PART).unlink(missing_ok=True)


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _flush(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
