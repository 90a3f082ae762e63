"""TensorFlow Serving's gRPC interface: PredictionService's Predict and GetModelMetadata, model status, and health.

Messages and service are the official ones of the package tensorflow-serving-api.
"""

import concurrent.futures
import time

import grpc
import numpy as np
import tensorflow as tf
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfface.serving.status import ServingError, invalid

_SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


def server(catalog, batcher, monitoring, *, address, largest_message, timeout, threads=32):
    """Returns a `grpc.Server` bound to an address, the port it got, and a function that reports it as not serving."""
    options = [
        ("grpc.max_receive_message_length", largest_message),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # or a second server on the same port would quietly take half of the requests
    ]
    result = grpc.server(concurrent.futures.ThreadPoolExecutor(threads), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(catalog, batcher, monitoring, timeout), result
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(catalog), result)
    healthy = health.HealthServicer()
    for service in _SERVICES:
        healthy.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, result)
    port = result.add_insecure_port(address)
    return result, port, healthy.enter_graceful_shutdown


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, catalog, batcher, monitoring, timeout):
        self._catalog, self._batcher, self._monitoring, self._timeout = catalog, batcher, monitoring, timeout

    def Predict(self, request, context):
        started, code = time.monotonic(), "INTERNAL"
        name = request.model_spec.name
        try:
            response = self._predict(request, context)
            code = "OK"
            return response
        except ServingError as error:
            code = error.code
            context.abort(grpc.StatusCode[code], str(error))
        finally:
            self._monitoring.request(name if name in self._catalog.models else "unknown", "grpc", code, started)

    def _predict(self, request, context):
        model = _find(self._catalog, request.model_spec)
        asked = request.model_spec.signature_name or "serving_default"
        signature = model.signature(asked, "FAILED_PRECONDITION")
        inputs = {name: _array(name, value) for name, value in request.inputs.items()}
        signature.check(inputs)
        future = self._batcher.submit(signature, inputs)
        context.add_callback(future.cancel)  # a client that went away needs no answer
        left = context.time_remaining()
        try:
            outputs = future.result(self._timeout if left is None else min(left, self._timeout))
        except concurrent.futures.TimeoutError:
            raise ServingError("DEADLINE_EXCEEDED", f"not done within {self._timeout:g} seconds") from None
        except concurrent.futures.CancelledError:
            raise ServingError("CANCELLED", "the client went away") from None
        response = predict_pb2.PredictResponse()
        _describe(response.model_spec, model)
        response.model_spec.signature_name = asked
        wanted = request.output_filter or outputs
        for name in wanted:
            if name not in outputs:
                raise invalid(f"output tensor alias not found in signature: {name}; there are {','.join(outputs)}")
            response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        return response

    def GetModelMetadata(self, request, context):
        try:
            model = _find(self._catalog, request.model_spec)
            if list(request.metadata_field) != ["signature_def"]:
                raise invalid(f"metadata_field {list(request.metadata_field)} is not supported: ask for signature_def")
        except ServingError as error:
            context.abort(grpc.StatusCode[error.code], str(error))
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _describe(response.model_spec, model)
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=model.signature_defs)
        response.metadata["signature_def"].Pack(signatures)
        return response


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, catalog):
        self._catalog = catalog

    def GetModelStatus(self, request, context):
        try:
            model = _find(self._catalog, request.model_spec)
        except ServingError as error:
            context.abort(grpc.StatusCode[error.code], str(error))
        response = get_model_status_pb2.GetModelStatusResponse()
        state = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
        response.model_version_status.add(version=model.version, state=state).status.SetInParent()
        return response


def _find(catalog, spec):
    if not spec.name:
        raise invalid("Missing ModelSpec.name")
    return catalog.find(spec.name, spec.version.value if spec.HasField("version") else None)


def _describe(spec, model):
    spec.name, spec.version.value = model.name, model.version


def _array(name, proto):
    try:
        value = tf.make_ndarray(proto)
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid(f"input {name!r} is no valid tensor: {str(error).partition(chr(10))[0]}") from None
    return np.asarray(value)
