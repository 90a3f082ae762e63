"""A trained generator as a versioned model that TensorFlow Serving (or an ONNX or LiteRT runtime) loads without tfface.

    export/ganimation/            the folder TensorFlow Serving watches
      1/                          one version
        saved_model.pb variables/ the exponential-moving-average generator and what estimates for it
        model_card.json           what it is, what it was trained on, the order of its labels
        assets.extra/tf_serving_warmup_requests
    export/models.config          where several models are exported together

`tfface.signatures` says what it can be asked. In the other formats a version holds ``model.onnx`` or ``model.tflite``
(one picture at a time) and the card. Each was compared with the model before it got its version number.
"""

import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface import formats, model_card, models, signatures, training
from tfface.errors import InputError
from tfface.warmup import prediction_log

TOLERANCE = 1e-4  # of the reloaded model against the one in memory, in [-1, 1]; a grey level is 8e-3
FORMATS = ("savedmodel", *formats.FILES)


@dataclasses.dataclass(frozen=True)
class Exported:
    """What an export wrote: its version folder, its size in bytes and the largest difference to what it was made from.

    A SavedModel is compared with the model in memory, other formats with the SavedModel on crops of a real face.
    """

    directory: Path
    size: int
    max_error: float


def export_run(run, output, *, version=None, kind="savedmodel", estimate=True):
    """Exports the newest checkpoint of a run directory; see `export_model` for the other arguments and the result.

    Raises:
        InputError: `run` is not a run with a checkpoint, its model edits nothing, or the version exists.
    """
    opened = check_run(run)
    card = model_card.of_run(opened)
    return export_model(
        training.load_model(run), output, version=version, card=card, kind=kind, estimate=estimate
    )  # fmt: skip


def check_run(run):
    """Returns the `training.Run` of a directory; InputError if it is none or its model edits nothing."""
    opened = training.open_run(run)
    if not hasattr(models.get(opened.model), "editor"):
        raise InputError(f"{run}: is a run of {opened.model}, which edits no pictures, so there is nothing to export")
    return opened


def export_runs(runs, output, *, kind="savedmodel", estimate=True):
    """Exports several runs to ``output/MODEL`` and writes ``output/models.config`` over all models in that folder.

    Returns:
        list of `Exported`. Raises `InputError` before anything is written if one cannot be exported.
    """
    names = [check_run(run).model for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{output}: would get two models named {name}; export one of them alone, with its own -o")
    exported = [
        export_run(run, Path(output) / name, kind=kind, estimate=estimate)
        for run, name in zip(runs, names, strict=True)
    ]
    if kind == "savedmodel":
        write_models_config(output)
    return exported


def write_models_config(output, base="/models"):
    """Writes ``output/models.config``, TensorFlow Serving's list of models, for all that are exported in that folder.

    Args:
        output: folder whose folders are each one model with versions.
        base: where the server sees `output`; the container's custom by default.
    """
    output = Path(output)
    folders = sorted(path for path in output.iterdir() if path.is_dir() and next_version(path) > 1)
    entries = (
        f'  config {{ name: "{path.name}" base_path: "{base}/{path.name}" model_platform: "tensorflow" }}\n'
        for path in folders
    )
    (output / "models.config").write_text("model_config_list {\n" + "".join(entries) + "}\n", encoding="utf-8")


def export_model(model, output, *, version=None, card=None, kind="savedmodel", estimate=True):
    """Writes the model's EMA generator as ``output/version/``, reloads it and compares.

    Args:
        model: a `tfface.models` model: its `editor()` is a functional Keras model from a dict of named inputs
            (``image`` and the conditions) to a dict of named outputs (``image`` among them).
        output: folder of all versions of this model; made when missing.
        version: positive integer; None takes the number after the highest one there.
        card: dict of what else `model_card.json` should say (JSON values).
        kind: one of `FORMATS`.
        estimate: whether a SavedModel can say what a face shows now (`tfface.signatures`).

    Returns:
        `Exported`.

    Raises:
        InputError: the version exists, or `output` is not a folder or has another format. Nothing is left half written.
        RuntimeError: the reloaded model computes something else.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder to export to")
    if kind not in FORMATS:
        raise InputError(f"format {kind!r}: expected one of {', '.join(FORMATS)}")
    if other := _other_format(output, kind):
        raise InputError(f"{other}: is no {kind}; TensorFlow Serving wants one format in a folder, name another -o")
    version = next_version(output) if version is None else version
    if version < 1:
        raise InputError(f"version {version}: TensorFlow Serving's versions start at 1")
    target = output / str(version)
    if target.exists():
        raise InputError(f"{target}: exists; leave the version out for the next free number, or delete that folder")
    output.mkdir(parents=True, exist_ok=True)
    contents = {**(card or {}), **model_card.of_model(model), "format": kind}
    # In the same folder, so that the rename is atomic: TensorFlow Serving, which looks for numbers, never sees a part.
    partial = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=output))
    try:
        if kind == "savedmodel":
            max_error = _write_saved_model(model, partial, contents, output.resolve().name, estimate)
        else:
            max_error = _write_converted(model, partial, contents, kind)
        (partial / model_card.NAME).write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")
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


def _other_format(output, kind):
    """Returns a version in the folder that holds something else than the format `kind`, None if there is none."""
    wanted = formats.FILES.get(kind, "saved_model.pb")
    for path in sorted(output.glob("[0-9]*")):
        if path.is_dir() and not (path / wanted).exists() and (path / model_card.NAME).exists():
            return path
    return None


def _write_saved_model(model, directory, card, name, estimate):
    network = model.editor()
    functions, module = signatures.build(model, card, estimate)
    card["signatures"] = list(functions)
    tf.saved_model.save(module, str(directory), signatures=functions)
    samples = _sample_inputs(network, card["inputs"])
    max_error = _compare(directory, network, samples)
    _write_warmup(directory, name, samples, functions)
    return max_error


def _write_converted(model, directory, card, kind):
    """Writes another format, held to the SavedModel on crops of a real face; returns the largest difference."""
    network = model.editor()
    path = directory / formats.FILES[kind]
    formats.convert(network, kind, path)
    images, landmarks = formats.real_faces(network.input["image"].shape[1], card["crop_margin"])
    samples = _sample_inputs(network, card["inputs"], len(images)) | {"image": images}
    if "landmarks" in samples:
        samples["landmarks"] = landmarks
    with tempfile.TemporaryDirectory() as reference:
        tf.saved_model.save(*_editor_alone(model, reference))
        expected = _answer(reference, samples)
    error = formats.max_error(expected, formats.run(kind, path, samples))
    if not error <= formats.TOLERANCE:  # also true of NaN
        raise RuntimeError(f"{path.name} differs from the SavedModel by {error:.1e} (limit {formats.TOLERANCE})")
    return error


def _editor_alone(model, directory):
    functions, module = signatures.build(model, {}, estimate=False)
    return module, directory, {"serving_default": functions["serving_default"]}


def _sample_inputs(network, card, batch=2):
    """Returns random inputs within their ranges, the same every time."""
    rng = np.random.default_rng(0)
    samples = {}
    for name, tensor in network.input.items():
        low, high = card[name]["range"]
        values = low + (high - low) * rng.random((batch, *tensor.shape[1:]), dtype=np.float32)
        samples[name] = values.astype(tensor.dtype)
    return samples


def _answer(directory, samples):
    """Returns what a SavedModel's ``serving_default`` gives, arrays by name."""
    signature = tf.saved_model.load(str(directory)).signatures["serving_default"]
    return {name: x.numpy() for name, x in signature(**{k: tf.constant(v) for k, v in samples.items()}).items()}


def _compare(directory, network, samples):
    expected = network({name: tf.constant(value) for name, value in samples.items()}, training=False)
    actual = _answer(directory, samples)
    errors = {name: float(np.abs(expected[name] - actual[name]).max()) for name in expected}
    worst = max(errors, key=errors.get)
    if not errors[worst] <= TOLERANCE:  # also true of NaN
        raise RuntimeError(f"the reloaded SavedModel differs by {errors[worst]:.1e} in {worst!r} (limit {TOLERANCE})")
    return errors[worst]


def _write_warmup(directory, name, samples, functions):
    """Writes one request per signature, which TensorFlow Serving runs before it calls the version ready."""
    first = {key: value[:1] for key, value in samples.items()}
    image = first.pop("image")
    pixels = tf.cast(image[0] * 127.5 + 127.5, tf.uint8)
    requests = {
        "serving_default": {"image": image, **first},
        "edit_bytes": {"image_bytes": np.array([tf.io.encode_jpeg(pixels).numpy()], object), **first},
        "estimate": {"image": image},
        "model_card": {"request": np.array([b""], object)},
    }
    extra = directory / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for signature, inputs in requests.items():
            if signature in functions:
                writer.write(prediction_log(name, signature, inputs))
