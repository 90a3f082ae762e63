"""Requests computed together get their own answers, and none suffers from another."""

import threading

import numpy as np
import pytest

from tfface.serving.batching import Batcher
from tfface.serving.status import ServingError


class Doubler:
    """Doubles numbers; waits for `go` before each batch, and refuses negative ones."""

    def __init__(self):
        self.go, self.started = threading.Semaphore(0), threading.Semaphore(0)
        self.sizes = []

    def __call__(self, inputs):
        self.started.release()
        assert self.go.acquire(timeout=30)
        x = inputs["x"]
        self.sizes.append(len(x))
        if (x < 0).any():
            raise ServingError("INVALID_ARGUMENT", "negative")
        return {"y": 2 * x}


@pytest.fixture
def doubler():
    return Doubler()


def request(*values):
    return {"x": np.array(values, np.float32)}


def queued(batcher, doubler, requests):
    """Submits a request that occupies the thread, then others; returns the others' futures."""
    first = batcher.submit(doubler, request(0))
    assert doubler.started.acquire(timeout=30)
    futures = [batcher.submit(doubler, each) for each in requests]
    for _ in range(20):
        doubler.go.release()
    first.result(30)
    return futures


def test_what_gathers_is_computed_together_and_dealt_out(doubler):
    observed = []
    batcher = Batcher(largest=5, observe=observed.append)
    futures = queued(batcher, doubler, [request(1), request(2, 3), request(4, 5), request(6), request(7)])
    assert [f.result(30)["y"].tolist() for f in futures] == [[2], [4, 6], [8, 10], [12], [14]]
    assert doubler.sizes == observed == [1, 5, 2]  # 1, 2 3 and 4 5 are full; 6 and 7 follow


@pytest.mark.parametrize("count, filled", [(2, 2), (3, 4), (5, 8), (9, 12)])
def test_shared_batches_have_few_sizes(doubler, count, filled):
    observed = []
    batcher = Batcher(largest=12, observe=observed.append)
    futures = queued(batcher, doubler, [request(n) for n in range(count)])
    assert [f.result(30)["y"].tolist() for f in futures] == [[2 * n] for n in range(count)]
    assert doubler.sizes == [1, filled] and observed == [1, count]


def test_a_lone_request_is_alone_and_a_large_one_is_not_split(doubler):
    batcher = Batcher(largest=2)
    doubler.go.release()
    assert batcher.submit(doubler, request(1, 2, 3)).result(30)["y"].tolist() == [2, 4, 6]
    assert doubler.sizes == [3]


def test_other_shapes_and_other_functions_wait_for_their_own_batch(doubler):
    batcher = Batcher()
    other = Doubler()
    other.go.release()
    wide = {"x": np.ones((1, 2), np.float32)}
    first = batcher.submit(doubler, request(0))
    assert doubler.started.acquire(timeout=30)
    futures = [batcher.submit(f, r) for f, r in ((doubler, request(1)), (doubler, wide), (other, request(2)))]
    for _ in range(5):
        doubler.go.release()
    assert [f.result(30)["y"].tolist() for f in (first, *futures)] == [[0], [2], [[2, 2]], [4]]
    assert doubler.sizes == [1, 1, 1]


def test_a_bad_request_fails_alone(doubler):
    batcher = Batcher()
    good, bad, last = queued(batcher, doubler, [request(1), request(-1), request(2)])
    assert good.result(30)["y"].tolist() == [2] and last.result(30)["y"].tolist() == [4]
    with pytest.raises(ServingError, match="negative"):
        bad.result(30)
    assert doubler.sizes == [1, 4, 1, 1, 1]


def test_cancelled_requests_are_never_computed(doubler):
    batcher = Batcher()
    first = batcher.submit(doubler, request(0))
    assert doubler.started.acquire(timeout=30)
    gone, stays = batcher.submit(doubler, request(1)), batcher.submit(doubler, request(2))
    assert gone.cancel()
    for _ in range(3):
        doubler.go.release()
    first.result(30), stays.result(30)
    assert doubler.sizes == [1, 1]


def test_a_full_queue_refuses_and_a_stopping_one_answers_what_it_has(doubler):
    batcher = Batcher(waiting=2)
    first = batcher.submit(doubler, request(0))
    assert doubler.started.acquire(timeout=30)
    futures = [batcher.submit(doubler, request(n)) for n in (1, 2)]
    assert batcher.waiting == 2
    with pytest.raises(ServingError, match="waiting already") as refused:
        batcher.submit(doubler, request(3))
    assert refused.value.http == 503
    stopping = threading.Thread(target=batcher.stop)
    stopping.start()
    for _ in range(3):
        doubler.go.release()
    stopping.join(30)
    assert [f.result(0)["y"].tolist() for f in (first, *futures)] == [[0], [2], [4]]
    with pytest.raises(ServingError, match="stopping"):
        batcher.submit(doubler, request(4))
