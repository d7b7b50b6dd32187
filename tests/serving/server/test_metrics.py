from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keras_seq.serving.batching import BatchStats
from keras_seq.serving.server.metrics import Metrics
from keras_seq.serving.server.repository import ModelState
from keras_seq.serving.server.traffic import Traffic
from tests.serving.server.small_app import served, small_app


def samples(page):
    """Every sample of a page: name and labels to value."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_route_model_and_status():
    metrics = Metrics()
    for status, seconds in ((200, 0.003), (200, 0.3), (429, 0.001)):
        metrics.count_request("/a/{model}", "tagger", status, seconds)
    metrics.count_request("/b", "", 404, 0.001)
    found = samples(metrics.page())
    a = ("model", "tagger"), ("route", "/a/{model}")
    assert found["keras_seq_requests_total", *a, ("status", "200")] == 2
    assert found["keras_seq_requests_total", *a, ("status", "429")] == 1
    assert found["keras_seq_requests_total", ("model", ""), ("route", "/b"), ("status", "404")] == 1
    assert found["keras_seq_shed_total", ("model", "tagger")] == 1
    assert found["keras_seq_request_seconds_count", *a] == 3
    assert found["keras_seq_request_seconds_sum", *a] == pytest.approx(0.304)
    buckets = {
        labels[0][1]: value
        for (name, *labels), value in found.items()
        if name.endswith("seconds_bucket")
        if a[0] in labels
    }
    assert (buckets["0.002"], buckets["0.005"], buckets["0.5"]) == (1, 2, 3)


def test_calls_are_counted_with_what_padding_wastes():
    metrics = Metrics()
    metrics.observe_batch("tagger", BatchStats(3, 5, 41, 65, seconds=0.02, waited_seconds=0.004))
    metrics.observe_batch("tagger", BatchStats(1, 1, 7, 7, seconds=0.01, waited_seconds=0.0))
    found = samples(metrics.page())
    model = ("model", "tagger")
    assert found["keras_seq_tokens_total", model] == 48
    assert found["keras_seq_padded_tokens_total", model] == 72
    for name, total in (
        ("batch_requests", 4),
        ("batch_rows", 6),
        ("batch_seconds", 0.03),
        ("batch_waited_seconds", 0.004),
    ):
        assert found[f"keras_seq_{name}_sum", model] == pytest.approx(total)
        assert found[f"keras_seq_{name}_count", model] == 2


def test_queues_models_and_traffic_are_read_when_somebody_asks():
    states = [ModelState("tagger", "1", "READY"), ModelState("dates", "3", "UNAVAILABLE", "damaged")]
    queued = {"tagger": 7, "tagger.text": 0}
    streams = {"open": 3, "bytes": 499}
    models = [SimpleNamespace(name="tagger", version="1", queued=queued, stream_gauges=streams)]
    repository = SimpleNamespace(index=lambda: states, models=models)
    context = SimpleNamespace(repository=repository, traffic=Traffic())
    metrics = Metrics(context)
    assert samples(metrics.page())["keras_seq_queue", ("model", "tagger"), ("version", "1")] == 7
    queued["tagger"] = 11
    context.traffic.requests |= {1, 2, 3}
    context.traffic.draining = True
    found = samples(metrics.page())
    assert found["keras_seq_queue", ("model", "tagger"), ("version", "1")] == 11
    assert found["keras_seq_streams", ("model", "tagger"), ("version", "1")] == 3
    assert found["keras_seq_stream_bytes", ("model", "tagger"), ("version", "1")] == 499
    assert found["keras_seq_model_ready", ("model", "tagger"), ("version", "1")] == 1
    assert found["keras_seq_model_ready", ("model", "dates"), ("version", "3")] == 0
    assert found["keras_seq_requests_in_progress",] == 3
    assert found["keras_seq_websockets_open",] == 0
    assert found["keras_seq_draining",] == 1


def test_two_servers_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.count_cancelled("client_gone")
    assert samples(one.page())["keras_seq_cancelled_total", ("why", "client_gone")] == 1
    assert ("keras_seq_cancelled_total", ("why", "client_gone")) not in samples(other.page())


def test_the_page_is_what_prometheus_reads():
    with served(small_app()) as server:
        status, headers, body = server.connect().ask(b"GET /metrics").answer()
        assert status == 200
        assert headers["content-type"].startswith("text/plain; version=")
        found = samples(body)
        assert found["process_resident_memory_bytes",] > 1e6
        assert found["keras_seq_requests_in_progress",] == 1
