"""A client of TensorFlow Serving (or of its stand-in) for models exported by tfface, over REST or gRPC."""

import base64
import http.client
import json
import threading

import numpy as np

from tfface.errors import InputError

PORTS = {"rest": 8501, "grpc": 8500}


class Client:
    """Asks one model on a server. May be used from several threads.

    Example:
        >>> client = Client("localhost:8501/ganimation")
        >>> png, = client.edit([open("crop.jpg", "rb").read()], action_units=[[0.0] * 8 + [0.8] + [0.0] * 8])
    """

    def __init__(self, address, model=None, version=None, timeout=60.0):
        """
        Args:
            address: ``HOST:PORT`` or ``http://HOST:PORT`` for REST, ``grpc://HOST:PORT`` for gRPC, the model's name
                appended with a slash if it is not in `model`.
            model: name that the model is served under.
            version: number of a version; None takes the newest.
            timeout: seconds for one request.
        """
        self.address, self.protocol, host, self.model = _parse(address, model)
        self.version, self.timeout = version, timeout
        self._transport = (_Grpc if self.protocol == "grpc" else _Rest)(host, self)

    def predict(self, inputs, signature="serving_default"):
        """Returns the outputs of a signature, arrays by name, for a dict of arrays with a batch axis.

        Bytes are arrays of dtype object. Raises `InputError` with the server's message and code.
        """
        return self._transport.predict({name: np.asarray(value) for name, value in inputs.items()}, signature)

    def edit(self, files, **conditions):
        """Returns PNG files (list of bytes) of edited crops.

        Args:
            files: JPEG or PNG files, each a square face crop, as bytes.
            conditions: what the model takes, such as ``action_units`` (N, 17).
        """
        packed = np.empty(len(files), object)
        packed[:] = files
        conditions = {name: np.asarray(value, np.float32) for name, value in conditions.items()}
        return list(self.predict({"image_bytes": packed, **conditions}, "edit_bytes")["image_bytes"])

    def estimate(self, image):
        """Returns what faces show now, such as ``action_units``, for (N, S, S, 3) float32 crops in [-1, 1]."""
        return self.predict({"image": np.asarray(image, np.float32)}, "estimate")

    def card(self):
        """Returns the model card, a dict."""
        request = np.array([b""], object)
        return json.loads(self.predict({"request": request}, "model_card")["card"][0])

    def metadata(self):
        """Returns ``{signature: {"inputs": [names], "outputs": [names]}}``."""
        return self._transport.metadata()

    def close(self):
        """Closes the connections."""
        self._transport.close()


def _parse(address, model):
    """Returns (printable address, protocol, host:port, model's name)."""
    scheme, _, rest = address.rpartition("://")
    host, _, path = rest.partition("/")
    protocol = {"": "rest", "http": "rest", "grpc": "grpc"}.get(scheme)
    name, _, port = host.rpartition(":")
    if protocol is None or not name or not port.isdecimal():
        raise InputError(f"server {address!r}: expected HOST:PORT, http://HOST:PORT or grpc://HOST:PORT, then /MODEL")
    model = path.strip("/") or model
    if not model or "/" in model:
        raise InputError(f"server {address!r}: which model? Append its name, such as {host}/ganimation")
    return address, protocol, host, model


class _Rest:
    def __init__(self, host, client):
        self._host, self._client, self._local = host, client, threading.local()
        version = f"/versions/{client.version}" if client.version else ""
        self._path = f"/v1/models/{client.model}{version}"

    def predict(self, inputs, signature):
        columns = {name: _to_json(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        outputs = self._ask("POST", f"{self._path}:predict", body)["outputs"]
        described = self.metadata_of(signature)
        outputs = outputs if len(described) > 1 else {next(iter(described)): outputs}
        return {name: _from_json(value, described[name]) for name, value in outputs.items()}

    def metadata(self):
        return {
            name: {key: sorted(signature[key]) for key in ("inputs", "outputs")}
            for name, signature in self._signatures().items()
            if not name.startswith("__")
        }

    def metadata_of(self, signature):
        """``{name: dtype}`` of a signature's outputs: an answer with a single one does not name it."""
        if not hasattr(self, "_known"):
            self._known = self._signatures()
        return {name: each["dtype"] for name, each in self._known[signature]["outputs"].items()}

    def _signatures(self):
        return self._ask("GET", f"{self._path}/metadata")["metadata"]["signature_def"]["signature_def"]

    def _ask(self, method, path, body=None):
        for attempt in (1, 2):
            reused = getattr(self._local, "connection", None)
            connection = reused or http.client.HTTPConnection(self._host, timeout=self._client.timeout)
            self._local.connection = connection
            try:
                connection.request(method, path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                content = response.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if reused is None or attempt == 2:  # a kept connection may have been closed by the server meanwhile
                    raise InputError(f"{self._client.address}: no answer: {error or type(error).__name__}") from None
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"error": content[:200].decode("utf-8", "replace") or "no JSON in the answer"}
        if response.status != 200:
            said = answer.get("error", "no message") if isinstance(answer, dict) else answer
            raise InputError(f"{self._client.address}: {said} (HTTP {response.status})")
        return answer

    def close(self):
        if connection := getattr(self._local, "connection", None):
            connection.close()
            self._local.connection = None


class _Grpc:
    def __init__(self, host, client):
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise InputError(f"{client.address}: gRPC needs {error.name}: pip install -e '.[serving]'") from None
        self._grpc, self._client = grpc, client
        limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(host, options=limits)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, inputs, signature):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._stub.Predict, request)
        return {name: np.asarray(tf.make_ndarray(value)) for name, value in response.outputs.items()}

    def metadata(self):
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request.model_spec)
        response = self._call(self._stub.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {
            name: {"inputs": sorted(each.inputs), "outputs": sorted(each.outputs)}
            for name, each in signatures.signature_def.items()
            if not name.startswith("__")
        }

    def _name(self, spec):
        spec.name = self._client.model
        if self._client.version:
            spec.version.value = self._client.version

    def _call(self, method, request):
        try:
            return method(request, timeout=self._client.timeout)
        except self._grpc.RpcError as error:
            raise InputError(f"{self._client.address}: {error.details()} ({error.code().name})") from None

    def close(self):
        self._channel.close()


def _to_json(array):
    if array.dtype != object:
        return array.tolist()
    return [{"b64": base64.b64encode(value).decode()} for value in array]


def _from_json(value, dtype):
    if dtype == "DT_STRING":
        result = np.empty(len(value), object)
        result[:] = [base64.b64decode(item["b64"]) if isinstance(item, dict) else item.encode() for item in value]
        return result
    return np.array(value, np.float32 if dtype == "DT_FLOAT" else None)
