"""Renders scenes, or does other tasks, in processes of their own: ``python -m tfface.synthetic.worker`` is one of them.

The processes are started as commands and not through multiprocessing: nothing of the caller's program is imported again
(no TensorFlow, no notebook cell, no ``if __name__`` guard to forget), and each ends with its parent, however that ends,
because its input closes. Task k goes to process k modulo their number and answers are read in that order, so the
results come in the order of the tasks whatever the number of processes.
"""

import collections
import importlib
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import traceback

import tfface
from tfface.errors import InputError

_AHEAD = 2  # tasks that wait in a process's pipe, so that it never idles while the caller writes
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def ordered_map(tasks, workers, module="tfface.synthetic.labelled", function="render_range"):
    """Yields ``module.function(*task)`` for each task, in order, from `workers` processes.

    Raises:
        InputError: as a task raised it.
        RuntimeError: a task failed otherwise (with its traceback) or a process ended.
    """
    root = str(pathlib.Path(tfface.__file__).parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, **dict.fromkeys(_ONE_THREAD, "1")}
    command = [sys.executable, "-m", "tfface.synthetic.worker", module, function]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = []
    try:
        for _ in range(workers):
            processes.append(subprocess.Popen(command, env=environment, **pipes))
        tasks, waiting = enumerate(tasks), collections.deque()
        while True:
            while len(waiting) < _AHEAD * workers and (task := next(tasks, None)) is not None:
                process = processes[task[0] % workers]
                pickle.dump(task[1], process.stdin)
                process.stdin.flush()
                waiting.append(process)
            if not waiting:
                return
            yield _answer(waiting.popleft())
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def _answer(process):
    try:
        kind, value = pickle.load(process.stdout)
    except EOFError:
        raise RuntimeError(f"a rendering process ended with code {process.wait()}; is there enough memory?") from None
    if kind == "input error":
        raise InputError(value)
    if kind == "error":
        raise RuntimeError(f"a rendering process failed:\n{value}")
    return value


def main():
    """Answers tasks from standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what to do
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print must not end up between the answers
    import cv2

    work = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    cv2.setNumThreads(1)
    while True:
        try:
            task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = ("done", work(*task))
        except InputError as error:
            answer = ("input error", str(error))
        except Exception:
            answer = ("error", traceback.format_exc())
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody waits any more; skip the flush at exit, which would complain


if __name__ == "__main__":
    main()
