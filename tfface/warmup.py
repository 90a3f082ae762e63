"""Warm-up requests of TensorFlow Serving: its PredictionLog message, written without its Python package.

Only five fields are needed, and protocol buffers write each as tag, length, payload; a test reads the result with the
official classes. Sources: tensorflow_serving/apis/{prediction_log,predict,model}.proto.
"""

import tensorflow as tf


def prediction_log(model_name, signature, inputs):
    """Returns a serialized ``tensorflow.serving.PredictionLog`` that holds one PredictRequest.

    Args:
        model_name: name the server gives the model.
        signature: signature to call.
        inputs: dict of input name -> NumPy array (dtype object for bytes).
    """
    model_spec = _field(1, model_name.encode()) + _field(3, signature.encode())
    request = _field(1, model_spec)
    for name, value in sorted(inputs.items()):
        entry = _field(1, name.encode()) + _field(2, tf.make_tensor_proto(value).SerializeToString())
        request += _field(2, entry)
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number, payload):
    """One length-delimited field (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value):
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
