"""A trained generator as a versioned SavedModel that TensorFlow Serving loads and that needs no tfface to run.

    export/ganimation/            the folder TensorFlow Serving watches
      1/                          one version
        saved_model.pb variables/ the exponential-moving-average generator alone
        model_card.json           what it is, what it was trained on, the order of its labels
        assets.extra/tf_serving_warmup_requests

Two signatures, both for any batch size B, S being the model's image size:

* ``serving_default``: ``image`` float32 (B, S, S, 3) in [-1, 1] and the model's conditions, if it has any (such as
  ``action_units`` float32 (B, 17) in [0, 1]) -> ``image`` and what else the model gives (such as ``attention``).
* ``edit_bytes``: ``image_bytes`` (B,) JPEG or PNG files of square face crops and the conditions -> ``image_bytes`` (B,)
  PNG files. The names end in ``_bytes``, so TensorFlow Serving's REST interface takes and gives them as base64.

The model card has each condition's shape, range and labels, and the margin of the crops (`tfface.alignment`).
"""

import dataclasses
import json
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface import __version__, config, conventions, models, training
from tfface.data.records import read_info
from tfface.errors import InputError
from tfface.warmup import prediction_log

# The label vectors of records as conditions; a model adds its own with `FaceModel.conditions`.
CONDITIONS = {
    "action_units": {"labels": list(conventions.ACTION_UNITS), "range": [0, 1]},
    "attributes": {"labels": list(conventions.ATTRIBUTES), "range": [0, 1]},
    "pose": {"labels": ["yaw", "pitch", "roll"], "range": [-90, 90], "unit": "degrees"},
    "light": {"labels": ["azimuth", "elevation"], "range": [-90, 90], "unit": "degrees"},
}
TOLERANCE = 1e-4  # of the reloaded model against the one in memory, in [-1, 1]; a grey level is 8e-3


@dataclasses.dataclass(frozen=True)
class Exported:
    """What an export wrote: its version folder, its size in bytes and the largest difference seen after reloading."""

    directory: Path
    size: int
    max_error: float


def export_run(run, output, *, version=None):
    """Exports the newest checkpoint of a run directory; see `export_model` for the other arguments and the result.

    Raises:
        InputError: `run` is not a run with a checkpoint, its model edits nothing, or the version exists.
    """
    opened = training.open_run(run)
    if not hasattr(models.get(opened.model), "editor"):
        raise InputError(f"{run}: is a run of {opened.model}, which edits no pictures, so there is nothing to export")
    card = {
        "model": opened.model,
        "preset": opened.settings.preset,
        "seed": opened.run.seed,
        "run": Path(run).resolve().name,
        "data": _data_card(opened.data),
        "metrics": _metrics_card(opened.path),
        "licence": "code Apache-2.0; the weights follow the licence of the data they were trained on",
        "use": "Faces edited by this model must be labelled as edited; see RESPONSIBLE_USE.md of tfface.",
        "settings": config.to_json(opened.settings),
    }
    return export_model(training.load_model(run), output, version=version, card=card)


def _data_card(directory):
    try:
        info = read_info(directory)
    except InputError:
        return {"source": "unknown: the data set is no longer there", "licence": "unknown"}
    return {key: info[key] for key in ("source", "licence", "records", "people", "image_size")}


def _metrics_card(run):
    path = run / "metrics.json"
    if not path.exists():
        return "not evaluated"
    scores = config.read_json(path)
    return {key: scores[key] for key in ("people", "edit", "copy") if key in scores}


def export_model(model, output, *, version=None, card=None):
    """Writes the model's EMA generator as ``output/version/``, reloads it and compares.

    Args:
        model: a `tfface.models` model: its `editor()` is a functional Keras model from a dict of named inputs
            (``image`` and the conditions) to a dict of named outputs (``image`` among them).
        output: folder of all versions of this model; made when missing.
        version: positive integer; None takes the number after the highest one there.
        card: dict of what else `model_card.json` should say (JSON values).

    Returns:
        `Exported`.

    Raises:
        InputError: the version exists, or `output` is not a folder. Nothing is left half written.
        RuntimeError: the reloaded model computes something else.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder to export to")
    version = next_version(output) if version is None else version
    if version < 1:
        raise InputError(f"version {version}: TensorFlow Serving's versions start at 1")
    target = output / str(version)
    if target.exists():
        raise InputError(f"{target}: exists; leave the version out for the next free number, or delete that folder")
    output.mkdir(parents=True, exist_ok=True)
    network = model.editor()
    inputs = _input_card(model, network)
    # In the same folder, so that the rename is atomic: TensorFlow Serving, which looks for numbers, never sees a part.
    partial = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=output))
    try:
        signatures, module = _signatures(network)
        tf.saved_model.save(module, str(partial), signatures=signatures)
        samples = _sample_inputs(network, inputs)
        max_error = _compare(partial, network, samples)
        _write_warmup(partial, output.resolve().name, samples)
        contents = {**(card or {}), "step": int(model.step), "crop_margin": model.synthetic.get("margin", 1.0)}
        contents |= _card(network, inputs)
        (partial / "model_card.json").write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")
        partial.chmod(0o755)  # mkdtemp's 0700 would keep a container's user out
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Exported(target, size, max_error)


def next_version(output):
    """Returns 1 + the highest version number in the folder `output`, 1 when there is none."""
    names = [path.name for path in Path(output).iterdir()] if Path(output).is_dir() else []
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def _condition_specs(network):
    return {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in network.input.items()
        if name != "image"
    }


def _signatures(network):
    """Returns the named signatures and the module that holds their weights and nothing else."""
    size = network.input["image"].shape[1]
    # Functions and variables only: saving the Keras object would add its layers' own traces for nothing.
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    conditions = _condition_specs(network)

    @tf.function
    def serving_default(**inputs):
        return network(inputs, training=False)

    @tf.function
    def edit_bytes(image_bytes, **condition):
        image = tf.map_fn(
            lambda data: decode_crop(data, size), image_bytes, fn_output_signature=tf.TensorSpec((size, size, 3))
        )
        edited = network({"image": image, **condition}, training=False)["image"]
        pixels = tf.cast(tf.round(tf.clip_by_value(edited * 127.5 + 127.5, 0.0, 255.0)), tf.uint8)
        return {"image_bytes": tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)}

    image_spec = tf.TensorSpec((None, size, size, 3), tf.float32, name="image")
    bytes_spec = tf.TensorSpec((None,), tf.string, name="image_bytes")
    signatures = {
        "serving_default": serving_default.get_concrete_function(image=image_spec, **conditions),
        "edit_bytes": edit_bytes.get_concrete_function(image_bytes=bytes_spec, **conditions),
    }
    return signatures, module


def decode_crop(data, size):
    """Returns float32 (size, size, 3) in [-1, 1] of one JPEG or PNG file; a picture that is not square is an error."""
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    shape = tf.shape(image)
    # Stretching a whole photograph would give a plausible but wrong answer.
    tf.debugging.assert_equal(shape[0], shape[1], "image_bytes: expected a square face crop; align the photo first")
    image = tf.image.resize(image, (size, size), antialias=True)
    image.set_shape((size, size, 3))
    return tf.clip_by_value(image, 0.0, 255.0) / 127.5 - 1.0


def _input_card(model, network):
    """Returns what the model card says of each input of the network: shape, range and labels, in their order."""
    size = network.input["image"].shape[1]
    card = {"image": {"shape": [size, size, 3], "range": [-1, 1], "colour": "RGB"}}
    known = {**CONDITIONS, "landmarks": {"labels": [], "range": [0, size], "unit": "pixels"}, **model.conditions()}
    for name, spec in _condition_specs(network).items():
        shape = list(spec.shape[1:])
        # The label vector of a record may stand there twice: as the face has it, and as it is asked for.
        said = known.get(name) or known.get(name.removeprefix("source_").removeprefix("target_"))
        if said is None or (said["labels"] and shape != [len(said["labels"])]):
            raise ValueError(f"{type(model).__name__}.conditions() must describe the input {name!r} of shape {shape}")
        card[name] = {"shape": shape, **said}
    return card


def _sample_inputs(network, card, batch=2):
    """Returns random inputs within their ranges, the same every time."""
    rng = np.random.default_rng(0)
    samples = {}
    for name, tensor in network.input.items():
        low, high = card[name]["range"]
        values = low + (high - low) * rng.random((batch, *tensor.shape[1:]), dtype=np.float32)
        samples[name] = values.astype(tensor.dtype)
    return samples


def _compare(directory, network, samples):
    expected = network({name: tf.constant(value) for name, value in samples.items()}, training=False)
    inputs = {name: tf.constant(value) for name, value in samples.items()}
    actual = tf.saved_model.load(str(directory)).signatures["serving_default"](**inputs)
    errors = {name: float(tf.reduce_max(tf.abs(expected[name] - actual[name]))) for name in expected}
    worst = max(errors, key=errors.get)
    if not errors[worst] <= TOLERANCE:  # also true of NaN
        raise RuntimeError(f"the reloaded SavedModel differs by {errors[worst]:.1e} in {worst!r} (limit {TOLERANCE})")
    return errors[worst]


def _write_warmup(directory, name, samples):
    """Writes one request per signature, which TensorFlow Serving runs before it calls the version ready."""
    first = {key: value[:1] for key, value in samples.items()}
    pixels = tf.cast(first.pop("image")[0] * 127.5 + 127.5, tf.uint8)
    requests = {
        "serving_default": {"image": samples["image"][:1], **first},
        "edit_bytes": {"image_bytes": np.array([tf.io.encode_jpeg(pixels).numpy()], object), **first},
    }
    extra = directory / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for signature, inputs in requests.items():
            writer.write(prediction_log(name, signature, inputs))


def _card(network, inputs):
    return {
        "tfface": __version__,
        "tensorflow": tf.__version__,
        "keras": metadata.version("keras"),
        "parameters": int(sum(np.prod(variable.shape) for variable in network.variables)),
        "signatures": ["serving_default", "edit_bytes"],
        "inputs": inputs,
        "outputs": list(network.output),
    }
