"""Load on ``tfface serve``: concurrent clients that send JPEG crops and get PNG files, beside a loop in process.

    python -m benchmarks.serving export/ganimation --clients 16 --seconds 180

Starts the server in a process of its own on free ports and stops it at the end. Says errors, requests per second, the
50th and 99th percentile of the time of a request, and the server's memory as time goes on.
"""

import argparse
import contextlib
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from tfface import formats
from tfface.errors import InputError, exit_code
from tfface.serving.client import Client


def main(arguments=None):
    """Runs the benchmark; returns the exit code, 1 if a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("export", type=Path, metavar="EXPORT", help="folder of one exported model's versions")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=180, help="of load (default: 180)")
    parser.add_argument("--protocol", choices=("rest", "grpc"), default="rest")
    parser.add_argument("--batch", type=int, default=16, help="of the server (default: 16; 1: no batching)")
    arguments = parser.parse_args(arguments)
    failed = []
    return exit_code(lambda: failed.extend(measure(arguments))) or bool(failed)


def measure(arguments):
    """Prints the figures; returns the messages of requests that failed."""
    versions = [int(path.name) for path in arguments.export.glob("[0-9]*")]
    if not versions:
        raise InputError(f"{arguments.export}: holds no version; make one with: python -m tfface export RUN -o DIR")
    with _server(arguments.export, arguments.batch) as (pid, addresses):
        address = addresses[arguments.protocol]
        card = Client(f"{address}/{arguments.export.resolve().name}").card()
        inputs = example(card)
        print(_line("a loop in process", *_in_process(arguments.export / str(max(versions)), inputs)))
        times, errors, memory = _load(
            f"{address}/{arguments.export.resolve().name}", inputs, arguments.clients, arguments.seconds, pid
        )
    what = f"{arguments.clients} clients, {arguments.protocol}, batches up to {arguments.batch}"
    print(_line(what, times, arguments.seconds))
    grown = ", ".join(f"{each:.0f}" for each in memory)
    print(f"errors {len(errors)}; server memory at each quarter of the time {grown} MB")
    for message in sorted(set(errors))[:5]:
        print(f"  {message}")
    return errors


def example(card):
    """Returns one request of ``edit_bytes``: a JPEG crop of a real face and conditions in the middle of their range."""
    size = card["inputs"]["image"]["shape"][0]
    crops, landmarks = formats.real_faces(size, card["crop_margin"])
    pixels = np.rint(crops[1] * 127.5 + 127.5).astype(np.uint8)
    conditions = {
        name: np.full((1, *said["shape"]), np.mean(said["range"]), np.float32)
        for name, said in card["inputs"].items()
        if name not in ("image", "landmarks")
    }
    if "landmarks" in card["inputs"]:
        conditions["landmarks"] = landmarks[1:2]
    return {"files": [cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes()], **conditions}


def _in_process(directory, inputs, seconds=10.0):
    """Returns the times of requests one after the other without any server, and how long that took in all."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(directory)).signatures["edit_bytes"]
    tensors = {name: tf.constant(value) for name, value in inputs.items() if name != "files"}
    times, started = [], time.perf_counter()
    for _ in range(3):
        signature(image_bytes=tf.constant(inputs["files"]), **tensors)
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        signature(image_bytes=tf.constant(inputs["files"]), **tensors)["image_bytes"].numpy()
        times.append(time.perf_counter() - before)
    return times, time.perf_counter() - started


@contextlib.contextmanager
def _server(export, batch):
    command = [sys.executable, "-m", "tfface", "serve", str(export), "--port", "0", "--grpc-port", "0"]
    process = subprocess.Popen([*command, "--batch", str(batch)], stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if found := re.match(r"REST http://(\S+)/v1/models  gRPC (\S+) ", line):
                break
        else:
            raise InputError(f"{export}: the server did not start")
        yield process.pid, {"rest": found[1], "grpc": f"grpc://{found[2]}"}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def _load(address, inputs, clients, seconds, pid):
    """Returns seconds of each request, messages of those that failed, and the server's memory at each quarter in MB."""
    times, errors, memory = [], [], []
    end = time.perf_counter() + seconds

    def client():
        served = Client(address)
        while (before := time.perf_counter()) < end:
            try:
                served.edit(**inputs)
                times.append(time.perf_counter() - before)
            except InputError as error:
                errors.append(str(error))
        served.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(seconds / 4)
        memory.append(_megabytes(pid))
    for thread in threads:
        thread.join()
    return times, errors, memory


def _megabytes(pid):
    """Resident memory of a process; NaN where /proc is not there to tell."""
    try:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
    except OSError:
        return float("nan")


def _line(what, times, seconds):
    if not times:
        return f"{what}: no request was answered"
    middle, slow = np.percentile(times, (50, 99)) * 1000
    return f"{what}: {len(times) / seconds:.1f} requests/s, p50 {middle:.0f} ms, p99 {slow:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
