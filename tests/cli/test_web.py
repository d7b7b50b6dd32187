"""What `keras-seq web` makes of its arguments; what it writes is shown in tests/serving/site."""

import json
import socket
import threading

import httpx
import pytest

from keras_seq.serving import Bundle
from keras_seq.serving.site import serve_site
from tests.serving.site.test_runtime_files import write_package
from tests.serving.site.test_site_model import add_variants
from tests.serving.toy_text import write_tagger


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return add_variants(write_tagger(tmp_path_factory.mktemp("bundles") / "tagger"), ["int8"])


@pytest.fixture
def web(keras_seq_command, tmp_path):
    """`keras-seq web ...` with an onnxruntime-web that weighs nothing."""
    package = write_package(tmp_path / "package")
    return lambda *arguments: keras_seq_command("web", *arguments, "--onnxruntime-web", package)


def test_a_site_is_written_and_its_sizes_are_listed(web, tagger, decoder_path, tmp_path):
    done = web(tagger, f"numbers={decoder_path}", "-o", tmp_path / "site")
    assert done.code == 0
    assert Bundle.load(tmp_path / "site/models/tagger").manifest.name == "tagger"
    for line in (
        "page: HTML, CSS, programs",
        "onnxruntime-web 7.11.13",
        "model tagger ",
        "model tagger, int8",
        "all of it",
    ):
        assert line in done.out
    assert "numbers takes numbers alone, so the page only lists it" in done.out
    assert done.out.splitlines()[-1].startswith(f"python -m http.server -d {tmp_path / 'site'} ")
    assert "writing tagger" in done.err


def test_json_has_the_sizes_in_bytes(web, tagger, tmp_path):
    done = web(tagger, "--out", tmp_path / "site", "--variant", "int8", "--json")
    report = json.loads(done.out)
    assert report["path"] == str(tmp_path / "site")
    assert set(report["models"]["tagger"]) == {"int8"}
    parts = [report["page"], report["client"], report["runtime"], report["models"]["tagger"]["int8"]]
    assert report["first_visit"]["bytes"] == sum(part["bytes"] for part in parts)


def test_what_is_there_is_kept_unless_told_otherwise(web, tagger, tmp_path):
    assert web(tagger, "-o", tmp_path / "site").code == 0
    again = web(tagger, "-o", tmp_path / "site")
    assert (again.code, again.out) == (2, "")
    assert "site exists already. Give --overwrite" in again.err
    assert web(tagger, "-o", tmp_path / "site", "--overwrite").code == 0
    other = web(tagger, "-o", tagger, "--overwrite")
    assert other.code == 2
    assert "is not a site (it has no site.json), so --overwrite will not replace it" in other.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "site"], "a site needs a bundle at least: keras-seq web BUNDLE"),
        (["{tagger}"], "say where the site is to be"),
        (["{tagger}/model.onnx", "-o", "site"], "model.onnx is no bundle"),
        (["a.b={tagger}", "-o", "site"], "Received: 'a.b'"),
        (["{tagger}", "-o", "site", "--variant", "fp16"], "there is no variant 'fp16'"),
        (["--serve", "-o", "{tagger}"], "is no site: it has no site.json"),
    ],
)
def test_bad_usage_is_told_in_one_line(web, tagger, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = web(*(argument.format(tagger=tagger) for argument in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("keras-seq web: ")
    assert message in done.err
    assert not (tmp_path / "site").exists()


def test_without_npm_both_ways_to_the_runtime_are_said(keras_seq_command, tagger, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_seq.serving.site.runtime_files._web", lambda: tmp_path)
    lock = {"packages": {"node_modules/onnxruntime-web": {"version": "7.11.13", "integrity": "sha512-"}}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    done = keras_seq_command("web", tagger, "-o", tmp_path / "site")
    assert done.code == 2
    assert "Install Node.js, which brings npm" in done.err
    assert "--onnxruntime-web FOLDER" in done.err


def test_it_is_served_with_what_threads_need(web, tagger, tmp_path, monkeypatch):
    found = {}

    def ask_once(folder, port, announce):
        with serve_site.site_server(folder, port) as server:
            server.timeout = 10
            url = f"http://localhost:{server.server_port}/"
            announce(url)
            thread = threading.Thread(target=lambda: found.update(answer=httpx.get(f"{url}site.json")))
            thread.start()
            server.handle_request()
            thread.join()

    monkeypatch.setattr(serve_site, "serve_site", ask_once)
    done = web(tagger, "-o", tmp_path / "site", "--serve", "--port", 0)
    assert done.code == 0
    assert "is at http://localhost:" in done.out
    assert found["answer"].json()["models"][0]["card"]["name"] == "tagger"
    assert found["answer"].headers["cross-origin-embedder-policy"] == "require-corp"


def test_a_port_that_is_taken_is_named(web, tagger, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = web(tagger, "-o", tmp_path / "site", "--serve", "--port", port)
    assert done.code == 2
    assert f"port {port} cannot be had: Address already in use. Choose another: --port N." in done.err
