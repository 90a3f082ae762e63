"""Exported generators for other runtimes, ONNX and LiteRT, held to the SavedModel on pictures of a real face.

Both have what the signature ``serving_default`` has: the inputs by their names, any batch size. In ONNX no two tensors
may share a name, so an output that is named like an input gets ``edited_`` in front.
"""

import contextlib
import logging
import os
import tempfile

import cv2
import numpy as np
import tensorflow as tf

from tfface import alignment, convolutions, images
from tfface.errors import InputError

FILES = {"onnx": "model.onnx", "litert": "model.tflite"}
TOLERANCE = 1e-3  # in [-1, 1]; the same sums in another order and other exponentials stay far below it
_OPSET = 17
# How much of the photo the checked crops show: two in the batch are closer, two wider than those of training.
_ZOOMS = (0.85, 1.0, 1.15, 1.4)


def convert(network, kind, path):
    """Writes a functional network with named inputs and outputs as an ONNX or LiteRT file.

    Args:
        network: `keras.Model` from a dict to a dict, in float32.
        kind: "onnx" or "litert".
        path: of the file.

    Raises:
        InputError: what ONNX needs is not installed.
    """
    batch = 1 if kind == "litert" else None  # shapes that are known let LiteRT plan its memory, and convert at all
    specs = {name: tf.TensorSpec((batch, *x.shape[1:]), x.dtype, name=name) for name, x in network.input.items()}
    with convolutions.plain_convolutions():
        function = tf.function(lambda **inputs: network(inputs, training=False)).get_concrete_function(**specs)
    with _quiet():
        content = _to_onnx(function) if kind == "onnx" else _to_litert(function)
    path.write_bytes(content)


def _to_litert(function):
    # By way of a SavedModel that holds nothing but variables: from the Keras object, its weights come out as NaN.
    module = tf.Module()
    module.weights = list(function.variables)
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures={"serving_default": function})
        return tf.lite.TFLiteConverter.from_saved_model(directory, signature_keys=["serving_default"]).convert()


def _to_onnx(function):
    try:
        import tf2onnx
    except ImportError:
        raise InputError("--format onnx needs tf2onnx and onnxruntime: pip install -e '.[onnx]'") from None
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function)
    inputs = [tensor.name for tensor in frozen.inputs]
    known = {name.partition(":")[0] for name in inputs}
    outputs, renamed = [], {}
    for tensor, name in zip(frozen.outputs, sorted(function.structured_outputs), strict=True):
        outputs.append(tensor.name)
        renamed[tensor.name] = f"edited_{name}" if name in known else name
    renamed |= {name: name.partition(":")[0] for name in inputs}
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(add_shapes=True),
        name="editor", input_names=inputs, output_names=outputs, opset=_OPSET, tensors_to_rename=renamed,
    )  # fmt: skip
    return model.SerializeToString()


def run(kind, path, inputs):
    """Returns what a converted file gives for a dict of arrays, by the names that the SavedModel uses."""
    if kind == "onnx":
        try:
            import onnxruntime
        except ImportError:
            raise InputError("--format onnx needs tf2onnx and onnxruntime: pip install -e '.[onnx]'") from None
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        taken = {each.name for each in session.get_inputs()}
        # A network may have no use for an input, and then its graph has none.
        values = session.run(names, {name: value for name, value in inputs.items() if name in taken})
        return {name.removeprefix("edited_"): value for name, value in zip(names, values, strict=True)}
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner()
    count = len(next(iter(inputs.values())))
    rows = [runner(**{name: value[i : i + 1] for name, value in inputs.items()}) for i in range(count)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def real_faces(size, margin):
    """Returns crops of scikit-image's portrait of an astronaut (public domain) and their landmarks.

    Args:
        size: side of the crops in pixels.
        margin: of the model's crops, see `alignment.alignment_matrix`.

    Returns:
        (N, size, size, 3) float32 in [-1, 1] and (N, 68, 2) float32 in pixels of the crops.
    """
    from skimage import data

    from tfface.faces import Landmarker

    photo = data.astronaut()
    landmarks = Landmarker().find(photo)[0].landmarks
    matrices = [alignment.alignment_matrix(landmarks, size, margin * zoom) for zoom in _ZOOMS]
    crops = [images.warp(photo, matrix, size) for matrix in matrices]
    crops[-1] = cv2.cvtColor(cv2.cvtColor(crops[-1], cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    points = [alignment.apply(matrix, landmarks) for matrix in matrices]
    return np.stack(crops).astype(np.float32) / 127.5 - 1, np.stack(points).astype(np.float32)


def max_error(expected, actual):
    """Returns the largest difference between two dicts of arrays with the same names and shapes, NaN included."""
    if expected.keys() != actual.keys():
        raise RuntimeError(f"the converted model gives {sorted(actual)}, expected {sorted(expected)}")
    return max(float(np.abs(np.asarray(expected[name]) - actual[name]).max()) for name in expected)


@contextlib.contextmanager
def _quiet():
    """Converters print pages to stderr, from Python and from C++; an error still arrives as an exception."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    level = tf.get_logger().level
    tf.get_logger().setLevel(logging.ERROR)
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
        tf.get_logger().setLevel(level)
