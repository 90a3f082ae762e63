"""TensorFlow Serving's REST interface over aiohttp: predict, metadata and status; and ``/metrics``.

Source of URLs and answers: "RESTful API" in TensorFlow Serving's guide. Errors are ``{"error": ...}`` with the status
code that TensorFlow Serving gives. Two things are stricter than there: a body over the limit is refused with 413, and
inputs of another shape than the signature's with 400 before the network sees them.
"""

import asyncio
import re
import time

from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from tfface.serving import json_tensors
from tfface.serving.status import ServingError, invalid

SERVER = "tfface-serve (stand-in for TensorFlow Serving)"
_PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:(predict|classify|regress)", re.IGNORECASE)
_DESCRIBE = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?", re.IGNORECASE)
_UNKNOWN = "unknown"  # as the model's name in metrics, or anybody could fill them with names


def application(catalog, batcher, monitoring, *, largest_body, timeout):
    """Returns the `aiohttp.web.Application`.

    Args:
        catalog, batcher, monitoring: of the server.
        largest_body: bytes of a request's body at most.
        timeout: seconds for reading a request, and for computing it.
    """
    handler = _Handler(catalog, batcher, monitoring, timeout)
    app = web.Application(client_max_size=largest_body, middlewares=[_errors])
    app.on_response_prepare.append(_name_server)
    app.router.add_get("/metrics", handler.metrics)
    app.router.add_get("/monitoring/prometheus/metrics", handler.metrics)  # TensorFlow Serving's usual path
    app.router.add_route("*", "/{path:(?i:v1)/.*}", handler.dispatch)
    return app


async def _name_server(request, response):
    response.headers["Server"] = SERVER


@web.middleware
async def _errors(request, handler):
    try:
        return await handler(request)
    except ServingError as error:
        return _error(str(error), error.http)
    except web.HTTPRequestEntityTooLarge as error:
        response = _error(f"request body is too large: {error.text}", 413)
        response.force_close()  # the rest of the body is not worth reading
        return response
    except web.HTTPException as error:
        return _error(error.reason, error.status)


def _error(message, status):
    return web.json_response({"error": message}, status=status)


class _Handler:
    def __init__(self, catalog, batcher, monitoring, timeout):
        self._catalog, self._batcher, self._monitoring, self._timeout = catalog, batcher, monitoring, timeout

    async def metrics(self, request):
        return web.Response(body=self._monitoring.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def dispatch(self, request):
        if request.method == "POST" and (match := _PREDICT.fullmatch(request.path)):
            return await self._predict(request, *match.groups())
        if request.method == "GET" and (match := _DESCRIBE.fullmatch(request.path)):
            name, version, metadata = match.groups()
            return self._metadata(name, version) if metadata else self._status(name, version)
        raise invalid(f"Malformed request: {request.method} {request.path}")

    async def _predict(self, request, name, version, method):
        started, code = time.monotonic(), "INTERNAL"
        try:
            async with asyncio.timeout(self._timeout):
                body = await request.read()
            started = time.monotonic()
            async with asyncio.timeout(self._timeout):
                text = await self._answer(body, name, version, method)
            code = "OK"
        except TimeoutError:
            code = "DEADLINE_EXCEEDED"
            raise ServingError(code, f"not done within {self._timeout:g} seconds") from None
        except ServingError as error:
            code = error.code
            raise
        except web.HTTPRequestEntityTooLarge:
            code = "RESOURCE_EXHAUSTED"
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        finally:
            self._monitoring.request(name if name in self._catalog.models else _UNKNOWN, "rest", code, started)
        return web.Response(text=text, content_type="application/json")

    async def _answer(self, body, name, version, method):
        model = self._catalog.find(name, _number(version))
        if method.lower() != "predict":
            raise invalid(f"no signature of {name} can {method.lower()}; use predict")
        # Pictures as lists of numbers take a while to read and write; others need not wait for that.
        inputs, form, signature = await asyncio.to_thread(
            json_tensors.parse_request, body, lambda asked: model.signature(asked).types
        )
        signature = model.signature(signature)
        signature.check(inputs)
        outputs = await asyncio.wrap_future(self._batcher.submit(signature, inputs))
        return await asyncio.to_thread(json_tensors.answer, outputs, form)

    def _status(self, name, version):
        model = self._catalog.find(name, _number(version))
        status = {"error_code": "OK", "error_message": ""}
        each = {"version": str(model.version), "state": "AVAILABLE", "status": status}
        return web.json_response({"model_version_status": [each]})

    def _metadata(self, name, version):
        model = self._catalog.find(name, _number(version))
        described = get_model_metadata_pb2.SignatureDefMap(signature_def=model.signature_defs)
        signatures = json_format.MessageToDict(
            described, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
        return web.json_response({"model_spec": spec, "metadata": {"signature_def": signatures}})


def _number(version):
    return None if version is None else int(version)
