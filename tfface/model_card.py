"""The model card of an export: what it is, what it was trained on, how it scored, what it takes, what it cannot do."""

from importlib import metadata
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface import __version__, config, conventions, models
from tfface.data.records import read_info
from tfface.errors import InputError
from tfface.signatures import condition_specs

# The label vectors of records as conditions; a model adds its own with `FaceModel.conditions`.
CONDITIONS = {
    "action_units": {"labels": list(conventions.ACTION_UNITS), "range": [0, 1]},
    "attributes": {"labels": list(conventions.ATTRIBUTES), "range": [0, 1]},
    "pose": {"labels": ["yaw", "pitch", "roll"], "range": [-90, 90], "unit": "degrees"},
    "light": {"labels": ["azimuth", "elevation"], "range": [-90, 90], "unit": "degrees"},
}
NAME = "model_card.json"
USE = "Faces edited by this model must be labelled as edited; see RESPONSIBLE_USE.md of tfface."


def of_run(opened):
    """Returns what the directory of a `training.Run` adds to a card: preset, seed, data, scores, licence.

    A model that comes with tfface brings its card along, as its data set is not there.
    """
    if (opened.path / NAME).exists():
        return config.read_json(opened.path / NAME)
    return {
        "preset": opened.settings.preset,
        "seed": opened.run.seed,
        "run": opened.path.resolve().name,
        "data": _data(opened.data),
        "metrics": _metrics(opened.path),
        "licence": "code Apache-2.0; the weights follow the licence of the data they were trained on",
    }


def of_model(model):
    """Returns what a model itself says: name, task, settings, inputs, outputs, limits."""
    network = model.editor()
    margin = model.synthetic.get("margin", 1.0)
    return {
        "model": next(name for name in models.names() if models.get(name) is type(model)),
        "task": model.task,
        "use": USE,
        "limits": _limits(network.input["image"].shape[1], margin),
        "settings": config.to_json(model.config),
        "step": int(model.step),
        "crop_margin": margin,
        "tfface": __version__,
        "tensorflow": tf.__version__,
        "keras": metadata.version("keras"),
        "parameters": int(sum(np.prod(variable.shape) for variable in network.variables)),
        "inputs": input_card(model, network),
        "outputs": list(network.output),
    }


def input_card(model, network):
    """Returns what the card says of each input of the network: shape, range and labels, in their order."""
    size = network.input["image"].shape[1]
    card = {"image": {"shape": [size, size, 3], "range": [-1, 1], "colour": "RGB"}}
    known = {**CONDITIONS, "landmarks": {"labels": [], "range": [0, size], "unit": "pixels"}, **model.conditions()}
    for name, spec in condition_specs(network).items():
        shape = list(spec.shape[1:])
        # The label vector of a record may stand there twice: as the face has it, and as it is asked for.
        said = known.get(name) or known.get(name.removeprefix("source_").removeprefix("target_"))
        if said is None or (said["labels"] and shape != [len(said["labels"])]):
            raise ValueError(f"{type(model).__name__}.conditions() must describe the input {name!r} of shape {shape}")
        card[name] = {"shape": shape, **said}
    return card


def _limits(size, margin):
    return [
        f"Takes square face crops as tfface aligns them (margin {margin:g}), seen at {size} pixels; any other picture "
        "gives a plausible but wrong answer.",
        "Knows only what its data shows (see data). A model trained on rendered heads has never seen a photograph.",
        "Its scores are means over rendered people; single faces, darker or lighter skin and the very young or old may "
        "come out worse, and this has not been measured.",
        "Action units and attributes say how a face looks, never what a person feels, is or intends.",
    ]


def _data(directory):
    try:
        info = read_info(directory)
    except InputError:
        return {"source": "unknown: the data set is no longer there", "licence": "unknown"}
    return {key: info[key] for key in ("source", "licence", "records", "people", "image_size")}


def _metrics(run):
    path = Path(run) / "metrics.json"
    if not path.exists():
        return "not evaluated"
    scores = config.read_json(path)
    return {key: scores[key] for key in ("people", "edit", "copy") if key in scores}
