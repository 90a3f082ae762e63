"""The stand-in server: loads, warms up, listens, takes up new versions, and stops on SIGTERM or Ctrl-C.

What it was asked before that signal it still answers.
"""

import asyncio
import signal

from tfface.errors import InputError
from tfface.serving.batching import Batcher
from tfface.serving.catalog import Catalog
from tfface.serving.monitoring import Monitoring

POLL_SECONDS = 1.0  # between looks for new versions, TensorFlow Serving's default
NOTICE = (
    "This is tfface's stand-in for TensorFlow Serving, for laptops and tests. It speaks the same REST and gRPC; "
    "for production see docs/serving.md."
)


async def serve(
    path, *, host="127.0.0.1", port=8501, grpc_port=8500, largest_body=32 * 2**20, timeout=60.0, batch=16, grace=30.0,
    say=print,
):  # fmt: skip
    """Serves exported models until a signal or cancellation stops it.

    Args:
        path: folder of versions of one model, or of several such folders.
        host: address to listen on.
        port, grpc_port: of REST and gRPC; 0 takes any free one.
        largest_body: bytes of a request at most.
        timeout: seconds for reading, and for computing, a request.
        batch: examples of concurrent requests computed together at most; 1 computes each request alone.
        grace: seconds that requests under way have after the signal to stop.
        say: gets the messages; the ports are in the line that begins with "REST".

    Raises:
        InputError: nothing to serve there, a port is taken, or the extra `serving` is not installed.
    """
    try:
        from aiohttp import web

        from tfface.serving import rest, rpc
    except ImportError as error:
        raise InputError(f"tfface serve needs {error.name}: pip install -e '.[serving]'") from None

    catalog = Catalog(path)
    for model in catalog.models.values():
        warm = model.warm_up()
        say(f"{model.name} version {model.version} from {model.directory}, {warm} warm-up requests")
    monitoring = Monitoring()
    batcher = Batcher(batch, observe=monitoring.batch)
    monitoring.watch(batcher)
    app = rest.application(catalog, batcher, monitoring, largest_body=largest_body, timeout=timeout)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=grace)
    await runner.setup()
    over_grpc = None
    try:
        try:
            await web.TCPSite(runner, host, port).start()
            over_grpc, grpc_port, leave = rpc.server(
                catalog, batcher, monitoring,
                address=f"{host}:{grpc_port}", largest_message=largest_body, timeout=timeout,
            )  # fmt: skip
        except (OSError, RuntimeError) as error:
            raise InputError(f"--port {port}, --grpc-port {grpc_port}: cannot listen on {host}: {error}") from None
        over_grpc.start()
        port = runner.addresses[0][1]
        say(NOTICE)
        say(f"REST http://{host}:{port}/v1/models  gRPC {host}:{grpc_port}  metrics http://{host}:{port}/metrics")
        looking = asyncio.create_task(_take_up_versions(catalog, say))
        await _until_stopped()
        looking.cancel()
        say("Stopping: no new requests, answering those under way")
        leave()
        ended = over_grpc.stop(grace)
        await asyncio.gather(runner.cleanup(), asyncio.to_thread(ended.wait))
    finally:
        if over_grpc is not None:
            over_grpc.stop(0)
        await runner.cleanup()
        await asyncio.to_thread(batcher.stop)


async def _take_up_versions(catalog, say):
    while True:
        await asyncio.sleep(POLL_SECONDS)
        for line in await asyncio.to_thread(catalog.refresh):
            say(line)


async def _until_stopped():
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
