"""Warm-up requests of TensorFlow Serving: its PredictionLog message, written without its Python package.

Only five fields are needed, and protocol buffers write each as tag, length, payload; a test reads the result with the
official classes. Sources: tensorflow_serving/apis/{prediction_log,predict,model}.proto.
"""

import tensorflow as tf

from tfface.data.tfrecord import field


def prediction_log(model_name, signature, inputs):
    """Returns a serialized ``tensorflow.serving.PredictionLog`` that holds one PredictRequest.

    Args:
        model_name: name the server gives the model.
        signature: signature to call.
        inputs: dict of input name -> NumPy array (dtype object for bytes).
    """
    model_spec = field(1, model_name.encode()) + field(3, signature.encode())
    request = field(1, model_spec)
    for name, value in sorted(inputs.items()):
        entry = field(1, name.encode()) + field(2, tf.make_tensor_proto(value).SerializeToString())
        request += field(2, entry)
    predict_log = field(1, request)
    return field(6, predict_log)
