"""Requests that wait for the same signature are computed as one batch. No TensorFlow.

There is no waiting time: while one batch is computed the next one gathers, so that a lone request is answered at once
and never shares a batch (its numbers are then those of a call in process, to the bit).

A shared batch is filled up to the next power of two with copies of its last example: TensorFlow keeps something for
each size that it has met, so that a server that meets all of them grows for as long as new ones come.
"""

import concurrent.futures
import dataclasses
import threading

import numpy as np

from tfface.serving.status import ServingError


@dataclasses.dataclass(eq=False)
class _Task:
    key: tuple
    function: object
    inputs: dict
    future: concurrent.futures.Future

    @property
    def size(self):
        return len(next(iter(self.inputs.values())))


class Batcher:
    """Runs requests on a thread of its own, several of the same kind at once."""

    def __init__(self, largest=16, waiting=256, observe=lambda examples: None):
        """
        Args:
            largest: examples in one batch at most, where they come from several requests.
            waiting: requests in the queue at most; further ones get UNAVAILABLE.
            observe: gets the number of examples of each batch that is computed.
        """
        self._largest, self._most_waiting, self._observe = largest, waiting, observe
        self._tasks, self._changed, self._stopping = [], threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self):
        """How many requests are in the queue now."""
        return len(self._tasks)

    def submit(self, function, inputs):
        """Queues a request.

        Args:
            function: from a dict of arrays to a dict of arrays, both with the batch as first axis.
            inputs: dict of arrays of equal length.

        Returns:
            `concurrent.futures.Future` of the outputs; cancelled ones that still wait are never computed.
        """
        kinds = ((name, value.shape[1:], value.dtype.str) for name, value in sorted(inputs.items()))
        task = _Task((function, *kinds), function, inputs, concurrent.futures.Future())
        with self._changed:
            if self._stopping:
                raise ServingError("UNAVAILABLE", "the server is stopping")
            if len(self._tasks) >= self._most_waiting:
                raise ServingError("UNAVAILABLE", f"{self._most_waiting} requests are waiting already; try again later")
            self._tasks.append(task)
            self._changed.notify()
        return task.future

    def stop(self):
        """Takes no more requests, computes those that wait and returns when all are done."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self):
        while tasks := self._take():
            tasks = [task for task in tasks if task.future.set_running_or_notify_cancel()]
            if tasks:
                self._compute(tasks)

    def _take(self):
        """Returns the oldest request and those after it that fit into its batch; an empty list at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or self._stopping)
            if not self._tasks:
                return []
            first = self._tasks[0]
            chosen, size = [], 0
            for task in self._tasks:
                if task is first or (task.key == first.key and size + task.size <= self._largest):
                    chosen.append(task)
                    size += task.size
            self._tasks = [task for task in self._tasks if task not in chosen]
            return chosen

    def _compute(self, tasks):
        size = sum(task.size for task in tasks)
        joined = {name: np.concatenate([task.inputs[name] for task in tasks]) for name in tasks[0].inputs}
        if len(tasks) > 1:
            joined = {name: _filled(value, self._largest) for name, value in joined.items()}
        self._observe(size)
        try:
            outputs = tasks[0].function(joined)
        except Exception as error:  # whatever it is, it belongs to the requests, not to this thread
            if len(tasks) == 1:
                tasks[0].future.set_exception(error)
            else:  # one bad picture must not fail the others
                for task in tasks:
                    self._compute([task])
            return
        start = 0  # what follows the last request is the filling
        for task in tasks:
            part = slice(start, start := start + task.size)
            task.future.set_result({name: value[part] for name, value in outputs.items()})


def _filled(values, largest):
    """Returns an array of several examples with copies of the last one up to a power of two, `largest` at most."""
    size = min(1 << (len(values) - 1).bit_length(), largest)
    return np.concatenate([values, *[values[-1:]] * (size - len(values))])
