"""What the server counts and measures, for Prometheus."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from keras_seq.serving.batching import BatchStats

UNKNOWN = "unknown"
"""The label of routes and models that there are not, so that nobody can make up labels without end."""

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
_CLOSE_CODES = frozenset({1000, 1001, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013})


class Metrics:
    """The counters of one server, in a registry of its own.

    Args:
        context: What all routes share, if the state of models, queues and streams is to be shown too; `watch` may bring
            it later.

    Attributes:
        registry: The registry of prometheus_client.

    Example:
        >>> metrics = Metrics()
        >>> metrics.count_request("/v2/models/{model}/infer", "tagger", 200, 0.003)
        >>> line = 'keras_seq_requests_total{model="tagger",route="/v2/models/{model}/infer",status="200"} 1.0'
        >>> line in metrics.page().decode()
        True
    """

    def __init__(self, context: Any = None):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, processor time, open files
        make = {"namespace": "keras_seq", "registry": self.registry}
        route = ["route", "model"]
        self._requests = Counter("requests", "Requests answered.", [*route, "status"], **make)
        self._seconds = Histogram("request_seconds", "Time to the answer's end.", route, buckets=_SECONDS, **make)
        self._websockets = Counter("websockets", "WebSockets closed.", [*route, "code"], **make)
        self._shed = Counter("shed", "Requests sent away as too many waited.", ["model"], **make)
        self._cancelled = Counter("cancelled", "Requests that were given up.", ["why"], **make)
        sizes = {"buckets": _SIZES, **make}
        self._batch_requests = Histogram("batch_requests", "Requests in a call of a graph.", ["model"], **sizes)
        self._batch_rows = Histogram("batch_rows", "Rows in a call of a graph.", ["model"], **sizes)
        self._batch_seconds = Histogram("batch_seconds", "Time of a call.", ["model"], buckets=_SECONDS, **make)
        waited = "Time that the oldest request of a call waited."
        self._batch_waited = Histogram("batch_waited_seconds", waited, ["model"], buckets=_SECONDS, **make)
        self._tokens = Counter("tokens", "Steps computed, without padding.", ["model"], **make)
        self._padded = Counter("padded_tokens", "Steps computed, with padding.", ["model"], **make)
        self._found: dict[tuple, tuple] = {}  # looking a label up takes longer than counting
        if context is not None:
            self.watch(context)

    def watch(self, context: Any):
        """Show the state of models, queues and streams too, as it is whenever somebody asks.

        Args:
            context: What all routes share.
        """
        self.registry.register(_State(context))

    def count_request(self, route: str, model: str, status: int, seconds: float):
        """Count an answer.

        Args:
            route: The route's template, such as `/v2/models/{model}/infer`.
            model: The model's name; empty for a route without one.
            status: HTTP status.
            seconds: Time from the request's headers to the answer's end.
        """
        found = self._found.get((route, model, status))
        if found is None:
            found = self._requests.labels(route, model, str(status)), self._seconds.labels(route, model)
            self._found[route, model, status] = found
        found[0].inc()
        found[1].observe(seconds)
        if status == 429:
            self._shed.labels(model).inc()

    def count_websocket(self, route: str, model: str, code: int):
        """Count a WebSocket that was closed; `code` says how."""
        self._websockets.labels(route, model, str(code) if code in _CLOSE_CODES else "other").inc()

    def count_cancelled(self, why: str):
        """Count a request that was given up: `why` is `client_gone`, `slow_body` or `slow_reader`."""
        self._cancelled.labels(why).inc()

    def observe_batch(self, model: str, stats: BatchStats):
        """Count a call of a graph; `model` is what the repository calls what was asked."""
        found = self._found.get((model,))
        if found is None:
            kinds = self._batch_requests, self._batch_rows, self._batch_seconds, self._batch_waited
            found = tuple(kind.labels(model) for kind in (*kinds, self._tokens, self._padded))
            self._found[model,] = found
        requests, rows, seconds, waited, tokens, padded = found
        requests.observe(stats.requests)
        rows.observe(stats.rows)
        seconds.observe(stats.seconds)
        waited.observe(stats.waited_seconds)
        tokens.inc(stats.tokens)
        padded.inc(stats.padded_tokens)

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _State:
    """What is read when somebody asks."""

    def __init__(self, context: Any):
        self._context = context

    def describe(self) -> Iterable[Metric]:
        return []  # so that registering reads nothing yet

    def collect(self) -> Iterable[Metric]:
        repository, traffic = self._context.repository, self._context.traffic
        ready = GaugeMetricFamily("keras_seq_model_ready", "Whether a model can be asked.", labels=["model", "version"])
        for state in repository.index():
            ready.add_metric([state.name, state.version], float(state.state == "READY"))
        queue = GaugeMetricFamily("keras_seq_queue", "Requests that wait.", labels=["model", "version"])
        for model in repository.models:
            for name, waiting in model.queued.items():
                queue.add_metric([name, model.version], waiting)
        streams = GaugeMetricFamily("keras_seq_streams", "Open streams.", labels=["model", "version"])
        size = GaugeMetricFamily(
            "keras_seq_stream_bytes", "Memory of the streams' states.", labels=["model", "version"]
        )
        for model in repository.models:
            streams.add_metric([model.name, model.version], model.stream_gauges["open"])
            size.add_metric([model.name, model.version], model.stream_gauges["bytes"])
        yield from (ready, queue, streams, size)
        for name, text, value in (
            ("requests_in_progress", "HTTP requests under way.", len(traffic.requests)),
            ("websockets_open", "Open WebSockets.", len(traffic.sockets)),
            ("draining", "Whether the server shuts down.", traffic.draining),
        ):
            yield GaugeMetricFamily(f"keras_seq_{name}", text, value=float(value))
