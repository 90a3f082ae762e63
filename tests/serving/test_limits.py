"""Timeouts, what is no export, and ports that are taken."""

import asyncio
import http.client
import json
import socket
import threading
import types

import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="tfface serve needs the serving extra")
pytest.importorskip("tensorflow_serving", reason="tfface serve needs the serving extra")

from aiohttp import web  # noqa: E402

from tfface.errors import InputError  # noqa: E402
from tfface.serving import rest  # noqa: E402
from tfface.serving.batching import Batcher  # noqa: E402
from tfface.serving.catalog import Catalog  # noqa: E402
from tfface.serving.monitoring import Monitoring  # noqa: E402
from tfface.serving.server import serve  # noqa: E402


class Waiting:
    """A signature that answers when it is told to."""

    inputs = {"x": (np.dtype(np.float32), (None,))}
    types = {"x": np.dtype(np.float32)}

    def __init__(self):
        self.go = threading.Event()

    def check(self, inputs):
        pass

    def __call__(self, inputs):
        assert self.go.wait(60)
        return {"y": inputs["x"]}


def in_a_server(talk, timeout):
    """Runs `talk(port)` in a thread against a server with one model whose answers wait; returns what it returns."""
    waiting, monitoring, batcher = Waiting(), Monitoring(), Batcher()
    model = types.SimpleNamespace(name="m", version=1, signature=lambda name: waiting)
    catalog = types.SimpleNamespace(models={"m": model}, find=lambda name, version: model)
    app = rest.application(catalog, batcher, monitoring, largest_body=1000, timeout=timeout)

    async def run():
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            return await asyncio.to_thread(talk, runner.addresses[0][1], waiting)
        finally:
            waiting.go.set()
            await runner.cleanup()
            await asyncio.to_thread(batcher.stop)

    return asyncio.run(run()), monitoring.text().decode()


def test_a_request_that_takes_too_long_gets_504_and_the_next_one_its_answer():
    def talk(port, waiting):
        answers = []
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/v1/models/m:predict", '{"instances": [1.0]}')
            response = connection.getresponse()
            answers.append((response.status, json.loads(response.read())))
            waiting.go.set()
        return answers

    (late, answered), metrics = in_a_server(talk, timeout=1)
    assert late == (504, {"error": "not done within 1 seconds"})
    assert answered == (200, {"predictions": [1.0]})
    assert 'tfface_serving_requests_total{code="DEADLINE_EXCEEDED",model="m",protocol="rest"} 1.0' in metrics


def test_a_body_that_never_ends_is_given_up():
    def talk(port, waiting):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b'POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{"inst')
            return connection.recv(100)

    answer, _ = in_a_server(talk, timeout=0.5)
    assert answer.startswith(b"HTTP/1.1 504")


def test_what_is_no_export(exports, tmp_path):
    assert sorted(Catalog(exports).models) == ["ganimation", "half_plus_three"]
    assert list(Catalog(exports / "ganimation").models) == ["ganimation"]
    with pytest.raises(InputError, match="no such folder"):
        Catalog(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no exported SavedModel"):
        Catalog(tmp_path)
    with pytest.raises(InputError, match="is one version; name the folder above"):
        Catalog(exports / "ganimation" / "1")
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "saved_model.pb").write_bytes(b"no SavedModel")
    with pytest.raises(InputError, match="broken/1: is no SavedModel"):
        Catalog(tmp_path)


def test_the_newest_version_is_served(exports, tmp_path):
    for version in ("2", "10"):
        (tmp_path / "toy" / version).parent.mkdir(exist_ok=True)
        (tmp_path / "toy" / version).symlink_to(exports / "half_plus_three" / "123")
    assert Catalog(tmp_path).find("toy").version == 10


@pytest.mark.parametrize("which", ["port", "grpc_port"])
def test_a_port_that_is_taken(exports, which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"port": 0, "grpc_port": 0, which: taken.getsockname()[1]}
        with pytest.raises(InputError, match=f"--{which.replace('_', '-')} {ports[which]}.*cannot listen"):
            asyncio.run(serve(exports / "half_plus_three", **ports, say=lambda text: None))
