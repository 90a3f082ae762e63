"""What a server counts, in Prometheus' text format."""

import time

import prometheus_client as prometheus

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Monitoring:
    """Counts of one server; `text` is what ``/metrics`` shows."""

    def __init__(self):
        self.registry = prometheus.CollectorRegistry()
        labels = ["model", "protocol", "code"]
        self._requests = prometheus.Counter(
            "tfface_serving_requests", "Predict requests by canonical status", labels, registry=self.registry
        )
        self._seconds = prometheus.Histogram(
            "tfface_serving_request_seconds", "From the whole request read to the answer made", ["model", "protocol"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._examples = prometheus.Histogram(
            "tfface_serving_batch_examples", "Examples computed together", buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )  # fmt: skip
        self._waiting = prometheus.Gauge(
            "tfface_serving_waiting_requests", "Requests in the queue", registry=self.registry
        )
        prometheus.ProcessCollector(registry=self.registry)

    def watch(self, batcher):
        """Shows the queue of a `Batcher`."""
        self._waiting.set_function(lambda: batcher.waiting)

    def batch(self, examples):
        """Notes a batch that is computed."""
        self._examples.observe(examples)

    def request(self, model, protocol, code, started):
        """Notes an answered request; `started` is of `time.monotonic`."""
        self._requests.labels(model, protocol, code).inc()
        self._seconds.labels(model, protocol).observe(time.monotonic() - started)

    def text(self):
        """Returns the metrics as bytes."""
        return prometheus.generate_latest(self.registry)
