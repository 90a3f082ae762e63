"""Exported models in memory: their signatures as checked functions, their newest version, their description."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfface.errors import InputError
from tfface.serving.status import ServingError, invalid

_CODES = {
    3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION",
    11: "OUT_OF_RANGE", 12: "UNIMPLEMENTED",
}  # fmt: skip


class Signature:
    """One signature of a SavedModel as a function of arrays.

    Attributes:
        inputs: ``{name: (dtype, shape)}``; dtype is object for bytes, the shape's first number is None.
    """

    def __init__(self, function):
        self._function = function
        specs = function.structured_input_signature[1]
        self.inputs = {
            name: (np.dtype(object if spec.dtype == tf.string else spec.dtype.as_numpy_dtype), tuple(spec.shape))
            for name, spec in specs.items()
        }

    @property
    def types(self):
        """``{name: dtype}`` of the inputs."""
        return {name: dtype for name, (dtype, _) in self.inputs.items()}

    def check(self, inputs):
        """Raises INVALID_ARGUMENT if a dict of arrays is not what the signature takes."""
        if inputs.keys() != self.inputs.keys():
            given, wanted = (",".join(sorted(names)) for names in (inputs, self.inputs))
            raise invalid(f"input size does not match signature: got {{{given}}}, expected {{{wanted}}}")
        for name, (dtype, shape) in self.inputs.items():
            value = inputs[name]
            fits = value.ndim == len(shape) and all(s in (None, n) for s, n in zip(shape, value.shape, strict=True))
            if value.dtype != dtype or not fits:
                wanted = ["?" if side is None else side for side in shape]
                raise invalid(f"input {name!r} is {value.dtype} {list(value.shape)}; expected {dtype} {wanted}")
        if len(sizes := {len(value) for value in inputs.values()}) > 1:
            raise invalid(f"inputs have different batch sizes: {sorted(sizes)}")
        if 0 in sizes:
            raise invalid("inputs are empty")

    def __call__(self, inputs):
        """Returns the outputs of arrays that passed `check`; TensorFlow's errors become `ServingError`s."""
        try:
            outputs = self._function(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.OpError as error:
            code = _CODES.get(error.error_code, "INTERNAL")
            raise ServingError(code, _what_happened(error.message)) from None
        return {name: value.numpy() for name, value in outputs.items()}


def _what_happened(message):
    """The line of TensorFlow's message that says so: the last one before the names of nodes, after the stack's."""
    lines = [line for line in message.partition("\t [[")[0].splitlines() if line.strip()]
    return lines[-1].strip() if lines else message


class Model:
    """The newest version of an exported model.

    Attributes:
        name, version: as served.
        signatures: dict of `Signature`.
        signature_defs: dict of the SavedModel's ``SignatureDef`` messages.
    """

    def __init__(self, directory):
        self.name, self.version = directory.resolve().name, _newest(directory)
        self.directory = directory / str(self.version)
        try:
            self._loaded = tf.saved_model.load(str(self.directory))  # kept: its variables live as long as it does
            content = (self.directory / "saved_model.pb").read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"{self.directory}: is no SavedModel: {str(error).partition(chr(10))[0]}") from None
        self.signatures = {name: Signature(function) for name, function in self._loaded.signatures.items()}
        self.signature_defs = dict(saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].signature_def)

    def signature(self, name, code="INVALID_ARGUMENT"):
        """Returns the `Signature` of a name; `ServingError` with that code if there is none."""
        name = name or "serving_default"
        if name not in self.signatures:
            raise ServingError(code, f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name]

    def warm_up(self):
        """Runs the requests that the export holds for this purpose; returns their number."""
        from tensorflow_serving.apis import prediction_log_pb2

        path = self.directory / "assets.extra" / "tf_serving_warmup_requests"
        requests = tf.data.TFRecordDataset(str(path)) if path.exists() else []
        for number, data in enumerate(requests, start=1):
            request = prediction_log_pb2.PredictionLog.FromString(data.numpy()).predict_log.request
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            self.signature(request.model_spec.signature_name)(inputs)
        return number if path.exists() else 0


class Catalog:
    """The models of a server by name, each in its newest version (TensorFlow Serving's own default)."""

    def __init__(self, path):
        """Loads a folder of versions, or a folder of such folders. Raises `InputError` if it is neither."""
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; name what `tfface export -o` wrote")
        if (path / "saved_model.pb").exists():
            raise InputError(f"{path}: is one version; name the folder above, {path.resolve().parent}")
        folders = [path] if _has_versions(path) else [each for each in sorted(path.iterdir()) if _has_versions(each)]
        if not folders:
            raise InputError(f"{path}: holds no exported SavedModel; make one with: python -m tfface export RUN -o DIR")
        self.models = {model.name: model for model in map(Model, folders)}
        self._broken = set()

    def refresh(self):
        """Serves versions that came since, once they are loaded and warmed up; what is under way keeps the old one.

        Returns:
            What happened, as lines. A version that cannot be loaded is named once and tried again each time, because it
            may still be on its way into the folder.
        """
        said = []
        for name, old in list(self.models.items()):
            newest = _newest(old.directory.parent)
            if newest <= old.version:
                continue
            try:
                model = Model(old.directory.parent)
                warm = model.warm_up()
            except (InputError, ServingError, OSError, ValueError, tf.errors.OpError) as error:
                if (name, newest) not in self._broken:
                    said.append(f"{name} version {newest} is not served, still {old.version}: {error}")
                self._broken.add((name, newest))
                continue
            self.models = {**self.models, name: model}
            said.append(f"{name} version {model.version} in place of {old.version}, {warm} warm-up requests")
        return said

    def find(self, name, version=None):
        """Returns the `Model`; NOT_FOUND if there is none of that name and version."""
        model = self.models.get(name)
        if model is None or version not in (None, model.version):
            which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError("NOT_FOUND", f"Servable not found for request: {which}")
        return model


def _newest(directory):
    """Returns the highest version number in the folder of a model, 0 if there is none."""
    return max((int(path.name) for path in directory.glob("[0-9]*") if path.name.isdecimal()), default=0)


def _has_versions(path):
    return path.is_dir() and any((version / "saved_model.pb").exists() for version in path.glob("[0-9]*"))
