import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from keras_seq.serving import Predictor
from keras_seq.serving.errors import ServingError
from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from keras_seq.serving.server.run import ThreadedServer, allow_files, bind, serve, warn_if_open
from tests.serving.server.small_app import RawClient, served, small_app

FORBIDDEN = ("keras", "tensorflow", "jax", "torch", "onnx", "tf2onnx", "keras_seq.recurrent", "pandas")
WORDS = [[4, 8, 15, 16, 22]]
SHAPES = np.arange(15).reshape(1, 5, 3) / 7


def tensors():
    """The toy's inputs, in the form of the inference protocol."""
    return {
        "inputs": [
            {"name": "words", "shape": [1, 5], "datatype": "INT32", "data": WORDS},
            {"name": "shapes", "shape": [1, 5, 3], "datatype": "FP32", "data": SHAPES.tolist()},
        ]
    }


@contextlib.contextmanager
def running(*arguments, code=None):
    """`keras-seq serve` in a process of its own: the process, what it announces, and a way to connect."""
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "keras_seq.cli"]
    command += ["serve", *map(str, arguments), "--port", "0", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        said = json.loads(process.stdout.readline() or "{}")
        with contextlib.ExitStack() as clients:
            clients.callback(process.kill)
            yield process, said, lambda: clients.enter_context(RawClient(int(said["url"].rpartition(":")[2])))


# a process


def test_a_server_that_is_told_to_end_answers_who_is_being_served_and_nobody_else(masked_path):
    with running(masked_path, "--max-wait-ms", "2500") as (process, said, connect):
        assert said["models"] == ["masked"]
        watching = connect()
        assert watching.ask(b"GET /v2/health/ready").answer()[0] == 200
        under_way = connect().ask(b"POST /v2/models/masked/infer", body=json.dumps(tensors()).encode())
        while b"keras_seq_requests_in_progress 2.0" not in watching.ask(b"GET /metrics").answer()[2]:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        while watching.ask(b"GET /v2/health/ready").answer()[0] == 200:
            time.sleep(0.01)
        status, _, body = watching.ask(b"GET /v2/models/masked").answer()
        assert (status, json.loads(body)["code"]) == (503, "unavailable")
        assert watching.ask(b"GET /v2/health/live").answer()[0] == 200
        status, _, body = under_way.answer()
        assert status == 200
        outputs = {
            output["name"]: np.reshape(output["data"], output["shape"]) for output in json.loads(body)["outputs"]
        }
        with Predictor(masked_path) as predictor:
            expected = predictor.predict({"words": WORDS, "shapes": SHAPES.astype("float32")})
        np.testing.assert_allclose(outputs["tags"][0], expected["tags"][0], atol=1e-6)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["status"] for line in lines if line.get("route", "").endswith("/infer")] == [200]
    assert [line for line in lines if line["level"] not in ("info",)] == []


def test_a_server_that_runs_out_of_time_answers_503_and_says_so(masked_path):
    with running(masked_path, "--max-wait-ms", "25000", "--drain", "0.1") as (process, _, connect):
        under_way = connect().ask(b"POST /v2/models/masked/infer", body=json.dumps(tensors()).encode())
        watching = connect()
        while b"keras_seq_requests_in_progress 2.0" not in watching.ask(b"GET /metrics").answer()[2]:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert under_way.answer()[0] == 503
        _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Time is up: 1 requests" in log


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the resident set from /proc")
def test_a_server_needs_no_framework_and_little_memory(masked_path):
    code = """
import atexit, sys
from keras_seq.cli.main import main
atexit.register(lambda: print(*sorted(sys.modules)))
sys.exit(main())
"""
    with running(masked_path, code=code) as (process, said, _):
        answer = httpx.post(f"{said['url']}/v2/models/masked/infer", json=tensors(), trust_env=False)
        assert answer.status_code == 200
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
        status = dict(line.split(":", 1) for line in lines)
        process.send_signal(signal.SIGTERM)
        loaded, _ = process.communicate(timeout=20)
    assert [name for name in FORBIDDEN if name in loaded.split()] == []
    assert "onnxruntime" in loaded.split()
    assert int(status["VmHWM"].split()[0]) < 250_000  # kB, at its highest


# in this process


def test_one_damaged_bundle_leaves_the_others_served_and_the_log_says_why(write_bundle, caplog):
    whole, damaged = write_bundle("whole"), write_bundle("damaged")
    (damaged / "model.onnx").write_bytes(b"no graph")
    app = create_app(ModelRepository({"whole": whole, "damaged": damaged}))
    with ThreadedServer(app) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get("/v2/models/whole/ready").status_code == 200
        assert client.get("/v2/models/damaged/ready").status_code >= 400
        assert client.get("/v2/health/ready").status_code == 200
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("damaged" in message for message in errors)


def test_nothing_but_damaged_bundles_is_an_error_with_the_reasons(write_bundle, caplog):
    damaged = write_bundle("damaged")
    (damaged / "model.onnx").write_bytes(b"no graph")
    app = create_app(ModelRepository({"damaged": damaged}))
    with (
        pytest.raises(ServingError, match=r"None of the models could be loaded\.\ndamaged: .*model\.onnx"),
        ThreadedServer(app),
    ):
        pass


def test_an_empty_model_folder_is_served_with_a_word_in_the_log(tmp_path, caplog):
    with ThreadedServer(create_app(ModelRepository(folder=tmp_path))) as server:
        assert httpx.get(f"{server.url}/v2/health/live", trust_env=False).status_code == 200
        assert httpx.get(f"{server.url}/v2/health/ready", trust_env=False).status_code >= 400
    assert "There is no model yet" in caplog.text


def test_requests_are_refused_while_the_server_drains_and_its_life_signs_stay():
    with served(small_app()) as server:
        server.context.traffic.draining = True
        client = server.connect()
        status, _, body = client.ask(b"GET /large?size=3").answer()
        assert (status, json.loads(body)["code"]) == (503, "unavailable")
        assert client.ask(b"GET /metrics").answer()[0] == 200
        assert client.ask(b"GET /v2/health/live").answer()[0] == 404  # not refused: there is no such route here


def test_a_connection_that_is_idle_does_not_hold_the_end_up():
    with contextlib.ExitStack() as clients:
        with ThreadedServer(small_app(drain_seconds=20, keep_alive_seconds=20)) as server:
            client = clients.enter_context(RawClient(server.port))
            assert client.ask(b"GET /large?size=3").answer()[0] == 200
            started = time.monotonic()
        assert client.rest() == b""
    assert time.monotonic() - started < 15  # none of the two times has been waited for


def test_serving_in_a_thread_leaves_signals_alone():
    before = signal.getsignal(signal.SIGTERM)
    with served(small_app()):
        assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_end_a_server_in_the_main_thread_and_are_put_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    app = small_app()
    said = []

    def announce(url):
        said.append(url)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    assert serve(app, announce=announce) == 0
    assert said[0].startswith("http://127.0.0.1:")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize(
    ("limits", "set_to", "warned"),
    [((1024, 4096), (3000, 4096), False), ((1024, 2048), (2048, 2048), True), ((1024, -1), (3000, -1), False)]
    + [(limits, None, False) for limits in ((4096, 4096), (-1, -1), (3000, 3000))],
)
def test_as_many_files_as_connections_may_be_open(limits, set_to, warned, monkeypatch, caplog):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    calls = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: calls.append(new))
    allow_files(3000)
    assert calls == ([] if set_to is None else [set_to])
    assert ("allows 2048 open files" in caplog.text) == warned


# addresses


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServingError, match=rf"Port {port} of 127\.0\.0\.1 is taken\. Stop what listens there"):
            bind("127.0.0.1", port)
        with pytest.raises(ServingError, match="is taken"):
            serve(small_app(port=port))


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_told(host):
    with pytest.raises(ServingError, match=rf"Cannot listen at {host}, port 0: .*Name an address of this machine"):
        bind(host, 0)


@pytest.mark.parametrize(
    ("host", "tokens", "warned"),
    [
        ("127.0.0.1", (), False),
        ("127.0.0.53", (), False),
        ("localhost", (), False),
        ("::1", (), False),
        ("0.0.0.0", (), True),
        ("0.0.0.0", ("s3cret",), False),
        ("example.org", (), True),
    ],
)
def test_a_server_open_to_everybody_is_noted(host, tokens, warned, caplog):
    warn_if_open(ServerSettings(host=host, tokens=tokens))
    assert ("wants no token" in caplog.text) == warned
