"""The stand-in server as clients see it: documented answers, status codes of bad requests, and staying alive."""

import base64
import http.client
import json
import re
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfface import training

grpc = pytest.importorskip("grpc", reason="tfface serve needs the serving extra")
pytest.importorskip("tensorflow_serving", reason="tfface serve needs the serving extra")
health = pytest.importorskip("grpc_health.v1", reason="tfface serve needs the serving extra")

from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

sys.path.insert(0, str(Path(__file__).parent))
from conftest import SIZE, serving  # noqa: E402

TOY = "/v1/models/half_plus_three"
FACES = "/v1/models/ganimation:predict"


def ask(server, method, path, body=None):
    """Returns status, answer and headers."""
    connection = http.client.HTTPConnection(server.rest, timeout=60)
    try:
        connection.request(method, path, body if isinstance(body, (bytes, str, type(None))) else json.dumps(body))
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if path != "/metrics" else content.decode(), response.headers
    finally:
        connection.close()


def crops(count):
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def faces(pictures, **more):
    units = [[0.5] * 17] * len(pictures)
    rows = [{"image_bytes": picture, "action_units": row} for picture, row in zip(pictures, units, strict=True)]
    return {"signature_name": "edit_bytes", "instances": rows, **more}


def test_it_says_that_it_is_a_stand_in(server):
    assert "stand-in for TensorFlow Serving" in server.said
    assert "4 warm-up requests" in server.said
    assert "stand-in for TensorFlow Serving" in ask(server, "GET", TOY)[2]["Server"]


# -- the examples of TensorFlow Serving's guide ------------------------------------------------------------------------


def test_status(server):
    expected = {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    assert ask(server, "GET", TOY)[:2] == (200, expected)
    assert ask(server, "GET", f"{TOY}/versions/123")[:2] == (200, expected)


@pytest.mark.parametrize("path", [f"{TOY}:predict", f"{TOY}/versions/123:predict", f"/V1{TOY[3:]}:predict"])
def test_predict(server, path):
    status, answer, headers = ask(server, "POST", path, '{"instances": [1.0,2.0,5.0]}')
    assert (status, answer) == (200, {"predictions": [3.5, 4.0, 5.5]})
    assert headers.get_content_type() == "application/json"
    assert ask(server, "POST", path, '{"inputs": {"x": [1.0]}}')[:2] == (200, {"outputs": [3.5]})


def test_three_named_inputs_by_row_and_by_column(server):
    rows = [
        {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
    ]
    body = {"signature_name": "named", "instances": rows}
    expected = [
        {"caption": "FOO", "total": 15, "image_bytes": b64(b"foo"), "same": [[1.0, 2.0], [3.0, 4.0]]},
        {"caption": "BAR", "total": 15, "image_bytes": b64(b"bar"), "same": [[4.0, 5.0], [6.0, 8.0]]},
    ]
    assert ask(server, "POST", f"{TOY}:predict", body)[:2] == (200, {"predictions": expected})
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    body = {"signature_name": "named", "inputs": columns}
    expected = {key: [row[key] for row in expected] for key in expected[0]}
    assert ask(server, "POST", f"{TOY}:predict", body)[:2] == (200, {"outputs": expected})


def test_metadata(server):
    status, answer, _ = ask(server, "GET", f"{TOY}/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "half_plus_three", "signature_name": "", "version": "123"}
    described = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert described["method_name"] == "tensorflow/serving/predict"
    assert described["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert described["inputs"]["x"]["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


@pytest.mark.parametrize(
    "method, path, status, message",
    [
        ("POST", "/v1/models/half:predict", 404, "Servable not found for request: Latest(half)"),
        ("POST", f"{TOY}/versions/7:predict", 404, "Servable not found for request: Specific(half_plus_three, 7)"),
        ("GET", "/v1/models/half", 404, "not found"),
        ("GET", "/v1/models/half/metadata", 404, "not found"),
        ("GET", f"{TOY}:predict", 400, "Malformed request: GET"),
        ("POST", TOY, 400, "Malformed request: POST"),
        ("GET", "/v1/other", 400, "Malformed request"),
        ("POST", f"{TOY}:regress", 400, "use predict"),
        ("GET", "/other", 404, "Not Found"),
    ],
)
def test_wrong_addresses(server, method, path, status, message):
    answered, answer, _ = ask(server, method, path, '{"instances": [1.0,5.0]}' if method == "POST" else None)
    assert answered == status and list(answer) == ["error"]
    assert message in answer["error"]


# -- models of faces, and requests that are wrong ----------------------------------------------------------------------


def test_jpeg_in_png_out_in_a_batch_of_three_over_both_interfaces(server, run):
    files = [tf.io.encode_jpeg(crop, quality=95).numpy() for crop in crops(3)]
    status, answer, _ = ask(server, "POST", FACES, faces([b64(file) for file in files]))
    assert status == 200
    edited = [base64.b64decode(each["b64"]) for each in answer["predictions"]]
    assert all(data.startswith(b"\x89PNG") for data in edited)
    decoded = tf.stack([tf.io.decode_jpeg(file) for file in files])
    image = tf.cast(decoded, tf.float32) / 127.5 - 1
    expected = training.load_model(run).edit({"image": image, "action_units": tf.fill((3, 17), 0.5)})["image"]
    pixels = np.stack([tf.io.decode_png(data).numpy() for data in edited])
    np.testing.assert_allclose(pixels, np.clip(expected * 127.5 + 127.5, 0, 255), atol=0.5 + 2e-3)

    response = stub(server).Predict(message("ganimation", "edit_bytes", faces_columns(files)), timeout=60)
    assert list(response.outputs["image_bytes"].string_val) == edited
    assert (response.model_spec.name, response.model_spec.version.value) == ("ganimation", 1)


def bad_requests():
    good = b64(tf.io.encode_jpeg(crops(1)[0]).numpy())
    truncated = b64(tf.io.encode_jpeg(np.zeros((64, 64, 3), np.uint8)).numpy()[:200])
    wide = b64(tf.io.encode_png(np.zeros((16, 20, 3), np.uint8)).numpy())
    cut = {"image_bytes": good, "action_units": [0.0] * 16}
    return {
        "not base64": (faces([{"b64": "%%%"}]), "base64"),
        "truncated": (faces([truncated]), "JPEG"),
        "no picture": (faces([b64(b"hello")]), ""),
        "not square": (faces([wide]), "square"),
        "wrong shape": ({"signature_name": "edit_bytes", "instances": [cut]}, "expected float32 ['?', 17]"),
        "unknown signature": ({"signature_name": "edit_byte", "instances": [1]}, "not found in signature def"),
        "empty": ({"inputs": {"image": [], "action_units": []}}, "expected float32"),
        "batches differ": (
            {"signature_name": "edit_bytes", "inputs": {"image_bytes": [good], "action_units": [[0.0] * 17] * 2}},
            "different batch sizes",
        ),
    }


@pytest.mark.parametrize("name", bad_requests())
def test_a_bad_request_gets_its_status_and_the_server_lives(server, name):
    body, said = bad_requests()[name]
    status, answer, _ = ask(server, "POST", FACES, body)
    assert status == 400 and said in answer["error"]
    good = tf.io.encode_jpeg(crops(1)[0]).numpy()
    assert ask(server, "POST", FACES, faces([b64(good)]))[0] == 200


def test_a_request_over_the_limit_is_refused(server):
    assert ask(server, "POST", FACES, b" " * (2**20 + 1))[0] == 413
    assert ask(server, "POST", FACES, b" " * 200 * 2**20)[0] == 413
    assert ask(server, "POST", f"{TOY}:predict", '{"instances": [1.0]}')[0] == 200


# -- gRPC --------------------------------------------------------------------------------------------------------------


def stub(server):
    return prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc))


def message(model, signature, inputs, **spec):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def faces_columns(files):
    return {"image_bytes": files, "action_units": np.full((len(files), 17), 0.5, np.float32)}


def test_outputs_can_be_chosen(server):
    request = message("half_plus_three", "named", {"tag": ["a"], "signal": [[1] * 5], "sensor": [[[1.0] * 2] * 2]})
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(np.ones((1, 5), np.int64)))
    request.output_filter.append("total")
    assert list(stub(server).Predict(request, timeout=60).outputs) == ["total"]
    request.output_filter.append("nothing")
    assert refused(server, request) == "INVALID_ARGUMENT"


def refused(server, request):
    with pytest.raises(grpc.RpcError) as error:
        stub(server).Predict(request, timeout=60)
    return error.value.code().name


def test_grpc_status_codes(server):
    x = {"x": np.ones(1, np.float32)}
    good = message("half_plus_three", "", x)
    assert list(stub(server).Predict(good, timeout=60).outputs["y"].float_val) == [3.5]
    assert refused(server, message("half", "", x)) == "NOT_FOUND"
    assert refused(server, message("", "", x)) == "INVALID_ARGUMENT"
    assert refused(server, message("half_plus_three", "nothing", x)) == "FAILED_PRECONDITION"
    assert refused(server, message("half_plus_three", "", {"y": x["x"]})) == "INVALID_ARGUMENT"
    assert refused(server, message("half_plus_three", "", {"x": np.ones((1, 2), np.float32)})) == "INVALID_ARGUMENT"
    assert refused(server, message("half_plus_three", "", {"x": np.ones(1, np.int64)})) == "INVALID_ARGUMENT"
    assert refused(server, message("half_plus_three", "", {"x": np.ones(2**19, np.float32)})) == "RESOURCE_EXHAUSTED"
    assert refused(server, message("ganimation", "edit_bytes", faces_columns([b"no picture"]))) == "INVALID_ARGUMENT"
    lying = message("half_plus_three", "", x)
    lying.inputs["x"].tensor_shape.dim[0].size = -5
    assert refused(server, lying) == "INVALID_ARGUMENT"
    assert list(stub(server).Predict(good, timeout=60).outputs["y"].float_val) == [3.5]


def test_health_and_status_over_grpc(server):
    with grpc.insecure_channel(server.grpc) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        for service in ("", "tensorflow.serving.PredictionService"):
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "half_plus_three"
        status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=60)
        assert [each.version for each in status.model_version_status] == [123]


# -- many at once, and the end -----------------------------------------------------------------------------------------


def metric(server, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", ask(server, "GET", "/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_sixteen_clients_each_get_their_own_answers(server):
    label = 'tfface_serving_requests_total{code="OK",model="half_plus_three",protocol="rest"}'
    before, wrong = metric(server, label), []

    def client(number):
        for i in range(10):
            x = [float(number), i / 8]
            status, answer, _ = ask(server, "POST", f"{TOY}:predict", {"instances": x})
            if status != 200 or answer["predictions"] != [each / 2 + 3 for each in x]:
                wrong.append((number, i, status, answer))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert metric(server, label) == before + 160
    assert metric(server, "tfface_serving_waiting_requests") == 0


def test_what_is_under_way_is_answered_before_it_stops(exports):
    with serving(exports) as server:
        answers = []
        body = {"signature_name": "slow", "instances": [2.0]}
        thread = threading.Thread(target=lambda: answers.append(ask(server, "POST", f"{TOY}:predict", body)))
        before = metric(server, "tfface_serving_batch_examples_count")
        thread.start()
        while metric(server, "tfface_serving_batch_examples_count") == before and thread.is_alive():
            pass  # each question takes the server's time, so that this is no tight loop
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        assert [answer[:2] for answer in answers] == [(200, {"predictions": [2.0]})]
        assert server.process.wait(60) == 0
