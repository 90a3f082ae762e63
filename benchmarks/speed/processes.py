"""A benchmark's sides in processes of their own, which take turns.

So each has its own threads and its own peak of memory, and nothing that one of them imports is there for the others.
"""

import contextlib
import importlib
import multiprocessing
import os
import resource
import time
import traceback


class Side:
    """An object in another process. `call` runs one of its methods and waits for the answer.

    Args:
        path: ``"module:Class"``.
        arguments: of its constructor.
    """

    def __init__(self, path, *arguments, **settings):
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, path, arguments, settings), daemon=True)
        # Libraries read these when they are first imported, in the process that is started here.
        with _environment(TF_CPP_MIN_LOG_LEVEL="3"):
            self._process.start()
        other.close()
        self._answer()

    def call(self, method, *arguments):
        self._connection.send((method, arguments))
        return self._answer()[0]

    def seconds(self, method, *arguments):
        """Returns how long a call took in that process."""
        self._connection.send((method, arguments))
        return self._answer()[1]

    def peak_memory(self):
        """Returns the most memory that the process has had, in MB."""
        self._connection.send(("", ()))
        return self._answer()[0]

    def _answer(self):
        try:
            failed, value, seconds = self._connection.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"the process ended with exit code {self._process.exitcode}") from None
        if failed:
            raise RuntimeError(value)
        return value, seconds

    def close(self):
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._connection.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def _environment(**values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: value for name, value in values.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]


def _serve(connection, path, arguments, settings):
    try:
        module, _, name = path.partition(":")
        made = getattr(importlib.import_module(module), name)(*arguments, **settings)
        connection.send((False, None, 0.0))
        while (message := connection.recv()) is not None:
            method, values = message
            if not method:
                connection.send((False, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0.0))
                continue
            start = time.perf_counter()
            result = getattr(made, method)(*values)
            connection.send((False, result, time.perf_counter() - start))
    except (EOFError, KeyboardInterrupt):
        pass
    except Exception:  # the other process raises it again, with where it happened here
        with contextlib.suppress(OSError):
            connection.send((True, traceback.format_exc(), 0.0))
