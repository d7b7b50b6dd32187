"""Ray itself, once for all tests here: two replicas of the server, a batch job, and workers that are killed."""

import concurrent.futures
import itertools
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from keras_seq.cli.main import main
from keras_seq.serving import Predictor, Stream
from keras_seq.serving.ray_start import import_ray, ray_running
from tests.serving.toy_text import write_tagger

pytest.importorskip("ray", reason="ray is not installed: pip install 'keras_seq[ray]'")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds Ray's processes in /proc, which Linux has")

APP = "replicas"
LENGTHS = (3, 1, 7, 5, 2)


@pytest.fixture(scope="module")
def ray():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        with ray_running(num_cpus=4) as ray:
            yield ray


@pytest.fixture(scope="module")
def url(ray, masked_path, tmp_path_factory):
    """Address of two replicas of two models."""
    from keras_seq.serving.ray_app import RayAppSettings, build

    pos = write_tagger(tmp_path_factory.mktemp("bundles") / "pos")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = import_ray("ray.serve")
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    settings = RayAppSettings(bundle=f"{pos},tagger:{masked_path}", replicas=2, num_cpus=0.5)
    serve.run(build(settings), name=APP)
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


def workers_of(name):
    """Ids of the processes of this very Ray whose name begins so."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parent = _parent(folder)
            ours = title.startswith(f"ray::{name}") and _parent(Path("/proc", str(parent))) == os.getpid()
        except (OSError, ValueError):  # it has ended
            continue
        if ours:
            found.append(int(folder.name))
    return found


def _parent(folder):
    return int((folder / "stat").read_text().rpartition(")")[2].split()[1])


def call(url, path, body=None):
    """Status, replica and content of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["X-Replica"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["X-Replica"], error.read()


def infer(url, words, shapes):
    tensors = [
        {"name": "words", "datatype": "INT32", "shape": [1, len(words)], "data": words.tolist()},
        {"name": "shapes", "datatype": "FP32", "shape": [1, *shapes.shape], "data": shapes.ravel().tolist()},
    ]
    return call(url, "/v2/models/tagger/infer", {"inputs": tensors})


def tags_of(content):
    (tags,) = (output for output in json.loads(content)["outputs"] if output["name"] == "tags")
    return np.reshape(tags["data"], tags["shape"])[0]


@pytest.fixture(scope="module")
def rows(masked):
    """Words, shapes and the tags that a predictor gives them, of rows of several lengths."""
    rng = np.random.default_rng(7)
    words = [rng.integers(1, 23, size=n).astype("int32") for n in LENGTHS]
    shapes = [rng.normal(size=(n, 3)).astype("float32") for n in LENGTHS]
    return list(zip(words, shapes, masked.predict({"words": words, "shapes": shapes})["tags"], strict=True))


def test_every_replica_answers_as_a_predictor_does_on_every_route(url, rows, masked_path):
    replicas = set()
    for (words, shapes, expected), _ in zip(itertools.cycle(rows), range(200), strict=False):
        status, replica, content = infer(url, words, shapes)
        assert status == 200, content
        np.testing.assert_allclose(tags_of(content), expected, atol=1e-5)
        replicas.add(replica)
        if len(replicas) == 2:
            break
    assert len(replicas) == 2

    for path in ("/v2/health/ready", "/v2/models/tagger", "/metrics", "/", "/openapi.json"):
        assert call(url, path)[0] == 200
    status, _, content = call(url, "/v1/pos/tag", {"text": "the dog barks"})
    assert (status, [t["text"] for t in json.loads(content)["results"][0]["tokens"]]) == (200, ["the", "dog", "barks"])
    for verb in ("load", "unload"):
        status, _, content = call(url, f"/v2/repository/models/tagger/{verb}", {})
        assert status == 400
        assert "is served by several replicas, and this would change one of them alone." in json.loads(content)["error"]

    from websockets.sync.client import connect

    words, shapes, _ = rows[2]
    with connect(url.replace("http", "ws") + "/v1/tagger/stream") as socket, Stream(masked_path) as stream:
        for steps in (slice(0, 2), slice(2, 7)):
            chunk = {"words": words[steps], "shapes": shapes[steps]}
            socket.send(json.dumps({"inputs": {name: value.tolist() for name, value in chunk.items()}}))
            expected = stream.feed({name: value[None] for name, value in chunk.items()})
            answer = json.loads(socket.recv(timeout=30))
            np.testing.assert_allclose(answer["outputs"]["tags"], expected["tags"][0], atol=1e-5)


def test_a_replica_that_is_killed_costs_no_request_that_is_tried_again(url, rows):
    before = workers_of(f"ServeReplica:{APP}")
    assert len(before) == 2
    wrong, failures, done = [], [], []

    def client(number):
        for i in range(40):
            words, shapes, expected = rows[(number + i) % len(rows)]
            if number == 0 and i == 5:
                os.kill(before[0], signal.SIGKILL)
            for _ in range(60):
                try:
                    status, _, content = infer(url, words, shapes)
                except OSError as error:
                    status, content = None, error
                if status == 200:
                    break
                failures.append((status, content))
                time.sleep(0.1)
            if status != 200 or np.abs(tags_of(content) - expected).max() > 1e-5:
                wrong.append((status, content))
            done.append(number)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))
    assert wrong == []
    assert len(done) == 160
    assert before[0] not in workers_of(f"ServeReplica:{APP}")


def test_a_batch_job_whose_worker_is_killed_finishes_with_every_row_once(ray, tmp_path, capsys):
    bundle = write_tagger(tmp_path / "pos")
    lines = [f"dog {'it ' * (i % 7)}" for i in range(97)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("\n".join(lines), encoding="utf-8")

    from keras_seq.serving.ray_batch import run_batch

    killed = []

    def progress(line):
        if "parts," in line and not killed:  # the first part is done, others are being run
            killed.extend(workers_of("BatchWorker")[:1])
            os.kill(killed[0], signal.SIGKILL)

    report = run_batch(bundle, tmp_path / "in", tmp_path / "out", rows_per_part=5, num_workers=2, progress=progress)
    assert len(killed) == 1
    assert (report.parts, report.rows) == (20, 97)
    parts = sorted((tmp_path / "out").rglob("part-*"))
    found = [json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in found] == lines
    with Predictor(bundle) as predictor:
        expected = predictor.predict_text(lines)
    assert [row["mood.labels"] for row in found] == expected["mood.labels"]
    assert [row["tags.labels"] for row in found] == expected["tags.labels"]

    # The command does the same, and finds it done but for what is taken away.
    parts[3].unlink()
    arguments = ["predict", bundle, "--ray", "--input", tmp_path / "in", "--output", tmp_path / "out"]
    code = main([str(argument) for argument in [*arguments, "--part-rows", 5, "--workers", 1, "--json"]])
    out = capsys.readouterr().out
    told = json.loads(out[out.index("{") :])  # this Ray, which goes on, still tells of the worker that died
    assert (code, told["rows"], told["done_before"], told["parts"]) == (0, 97, 19, 20)
    assert parts[3].is_file()
