"""The small server of a site sends what threads in browsers need."""

import signal
import subprocess
import sys
import threading

import httpx
import pytest

from keras_seq.serving.site.serve_site import ISOLATION, site_server


@pytest.fixture
def get(tmp_path):
    for name in ("index.html", "program.mjs", "runtime.wasm", "model.onnx"):
        (tmp_path / name).write_text(name)
    with site_server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield lambda path: httpx.get(f"http://localhost:{server.server_port}{path}")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/program.mjs", "text/javascript; charset=utf-8"),
        ("/runtime.wasm", "application/wasm"),
        ("/model.onnx", "application/octet-stream"),
    ],
)
def test_files_come_with_their_types_and_isolated(get, path, kind):
    answer = get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert {name: answer.headers[name] for name in ISOLATION} == ISOLATION


def test_it_ends_when_it_is_interrupted(tmp_path):
    program = "import sys; from keras_seq.serving.site.serve_site import serve_site; "
    program += f"serve_site({str(tmp_path)!r}, 0, lambda url: print(url, flush=True))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert httpx.get(process.stdout.readline().strip()).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_nothing_outside_of_the_folder_is_served(get, tmp_path):
    (tmp_path.parent / "secret.txt").write_text("secret")
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/nothing"):
        assert get(path).status_code == 404
