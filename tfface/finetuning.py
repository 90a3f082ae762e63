"""Starts a run from the weights of another one, to train on with own photos or another schedule (``--init``).

Networks and their averages are taken over; optimizers and the step count start anew. config.json records which
checkpoint they come from, and the new run writes them as its own first one, so that it resumes like any other.
"""

import dataclasses

from tfface import checkpoints, training
from tfface.errors import InputError


def origin(path, name, settings):
    """Checks that a new run can start from another one's weights, and says from which.

    Args:
        path: directory of the other run.
        name: the new run's model.
        settings: the new run's settings of the model.

    Returns:
        ``{"run": directory, "checkpoint": file name, "step": its step}``, which config.json records.

    Raises:
        InputError: no run of that model, no checkpoint, or its networks differ; the message names the settings.
    """
    source = training.open_run(path)
    if source.model != name:
        raise InputError(f"--init {path}: is a run of {source.model}, not of {name}")
    differing = _differing_networks(name, settings, source.settings)
    if differing:
        theirs = " ".join(f"--set {key}={_text(getattr(source.settings, key))}" for key in differing)
        ours = ", ".join(_text(getattr(settings, key)) for key in differing)
        raise InputError(f"--init {path}: its networks need {theirs} (not {ours}); give the same")
    checkpoint = checkpoints.newest(source.path / "checkpoints")
    return {
        "run": str(source.path.resolve()),
        "checkpoint": checkpoint.name,
        "step": int(checkpoints.NAME.fullmatch(checkpoint.name)[1]),
    }


def inherit(model, init):
    """Copies the networks of the checkpoint that `origin` named into a model, all but optimizers and step."""
    source = training.open_run(init["run"])
    path = source.path / "checkpoints" / init["checkpoint"]
    if not path.exists():
        raise InputError(f"{path}: is gone, and this run was to start from it; start anew with another --output")
    with training.precision("float32"):
        old = training.build_model(source, jit=False)
    checkpoints.load(old, path)
    for ours, theirs in zip(_weights(model), _weights(old), strict=True):
        ours.assign(theirs)


def _weights(model):
    """What a model has learned; optimizers are no part of `variables`."""
    return [variable for variable in model.variables if variable is not model.step]


def _differing_networks(name, settings, others):
    """Returns the settings because of which two models of one class have other networks; none if they have the same.

    Names that differ count too: the same shapes would mean something else by their inputs.
    """
    from tfface import models

    def shapes(values):
        with training.precision("float32"):
            return [tuple(variable.shape) for variable in _weights(models.get(name)(values))]

    differing = [
        field.name
        for field in dataclasses.fields(settings)
        if getattr(settings, field.name) != getattr(others, field.name) and field.type is not float
    ]
    renamed = [key for key in differing if _names(getattr(settings, key)) or _names(getattr(others, key))]
    theirs = shapes(others)
    if shapes(settings) == theirs:
        return renamed
    found = list(renamed)
    for key in differing:
        try:
            changed = dataclasses.replace(others, **{key: getattr(settings, key)})
        except InputError:  # theirs with this one of ours is no model
            continue
        if key not in renamed and shapes(changed) != theirs:
            found.append(key)
    return found or differing


def _names(value):
    return isinstance(value, tuple) and any(isinstance(item, str) for item in value)


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
