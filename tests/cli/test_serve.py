"""What `keras-seq serve` makes of its arguments; how it runs is shown in tests/serving/server/test_run.py."""

import importlib.util
import json
import logging
import shutil
import socket

import pytest

from keras_seq.serving.server import ServerSettings, logs
from tests.serving.toy_decoder import write_decoder

LOGGERS = ("keras_seq.serving", "uvicorn", "uvicorn.error", "asyncio", logs.REQUESTS)


@pytest.fixture(scope="module")
def dates_path(tmp_path_factory):
    return write_decoder(tmp_path_factory.mktemp("bundles") / "dates")


@pytest.fixture(autouse=True)
def _loggers_as_before():
    before = [(log, log.handlers, log.propagate, log.level) for log in map(logging.getLogger, LOGGERS)]
    yield
    for log, log.handlers, log.propagate, level in before:
        log.setLevel(level)


@pytest.fixture
def started(monkeypatch):
    """Applications that would have been run: here each only announces itself."""
    apps = []

    def serve(app, *, announce):
        apps.append(app)
        announce("http://127.0.0.1:8000")
        return 0

    monkeypatch.setattr("keras_seq.serving.server.run.serve", serve)
    return apps


def names(app):
    return app.state.context.repository.names()


def test_a_bundle_is_served_under_the_name_of_its_folder(keras_seq_command, dates_path, started, monkeypatch):
    assert keras_seq_command("serve", dates_path).code == 0
    monkeypatch.chdir(dates_path)
    assert keras_seq_command("serve", ".").code == 0
    assert [names(app) for app in started] == [["dates"], ["dates"]]
    assert started[0].state.context.settings == ServerSettings()


def test_a_bundle_may_be_given_another_name(keras_seq_command, dates_path, started):
    done = keras_seq_command("serve", f"one={dates_path}", f"two={dates_path}", "--models", dates_path.parent)
    assert done.code == 0
    assert names(started[0]) == ["dates", "one", "two"]


def test_a_folder_whose_name_has_an_equals_sign_is_a_folder(keras_seq_command, dates_path, started, tmp_path):
    shutil.copytree(dates_path, tmp_path / "a=b")
    done = keras_seq_command("serve", tmp_path / "a=b")
    assert done.code == 2  # it is found, and its name will not do
    assert "made of letters, digits, '-' and '_'. Received: 'a=b'" in done.err


def test_options_become_settings(keras_seq_command, dates_path, started):
    options = "--host ::1 --port 0 --threads 3 --workers 5 --max-batch-tokens 7 --max-wait-ms 11 --max-queue 13"
    options += " --max-rows 17 --max-length 19 --max-body-mib 2 --max-connections 23 --max-streams 29"
    options += " --timeout 3.1 --drain 0"
    assert keras_seq_command("serve", dates_path, *options.split()).code == 0
    assert started[0].state.context.settings == ServerSettings(
        host="::1",
        port=0,
        num_threads=3,
        workers=5,
        max_batch_tokens=7,
        max_wait_seconds=0.011,
        max_queue=13,
        max_rows=17,
        max_length=19,
        max_body_bytes=2 * 2**20,
        max_connections=23,
        max_streams=29,
        timeout_seconds=3.1,
        drain_seconds=0,
    )


def test_it_says_where_it_serves(keras_seq_command, dates_path, started):
    done = keras_seq_command("serve", dates_path)
    assert "at http://127.0.0.1:8000" in done.out
    said = json.loads(keras_seq_command("serve", dates_path, "--json").out)
    assert said == {"url": "http://127.0.0.1:8000", "models": []}  # nothing has been loaded here


def test_tokens_come_from_a_file_or_the_environment_and_are_never_shown(
    keras_seq_command, dates_path, started, tmp_path, monkeypatch
):
    (tmp_path / "tokens").write_text("# of the page\nfirst\n\n  second \n")
    monkeypatch.setenv("KERAS_SEQ_TOKENS", "third fourth")
    first = keras_seq_command("serve", dates_path, "--token-file", tmp_path / "tokens")
    second = keras_seq_command("serve", dates_path)
    tokens = [app.state.context.settings.tokens for app in started]
    assert tokens == [("first", "second"), ("third", "fourth")]
    assert not any(token in done.out + done.err for done in (first, second) for token in (*tokens[0], *tokens[1]))


@pytest.mark.parametrize(
    ("text", "told"), [("\n# none\n", "holds no token. Write one a line."), (None, "cannot be read: No such file")]
)
def test_a_file_without_tokens_is_an_error(keras_seq_command, dates_path, started, tmp_path, text, told):
    if text is not None:
        (tmp_path / "tokens").write_text(text)
    done = keras_seq_command("serve", dates_path, "--token-file", tmp_path / "tokens")
    assert (done.code, done.out, started) == (2, "", [])
    assert told in done.err


def test_tokens_that_no_header_can_hold_are_refused_without_being_shown(
    keras_seq_command, dates_path, started, monkeypatch
):
    monkeypatch.setenv("KERAS_SEQ_TOKENS", "schlüssel")
    done = keras_seq_command("serve", dates_path)
    assert done.code == 2
    assert "texts of ASCII characters" in done.err
    assert "schl" not in done.err


def test_nothing_to_serve_is_an_error(keras_seq_command):
    done = keras_seq_command("serve")
    assert (done.code, done.out) == (2, "")
    assert "Name a bundle's folder, or a folder of models with --models" in done.err


@pytest.mark.parametrize("text", ["nowhere", "name=nowhere"])
def test_what_is_no_bundle_is_an_error(keras_seq_command, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    done = keras_seq_command("serve", text)
    assert done == (
        2,
        "",
        "keras-seq serve: nowhere is no bundle: it has no bundle.json. `keras-seq export` writes bundles.\n",
    )


def test_two_bundles_of_one_name_are_an_error(keras_seq_command, dates_path, tmp_path):
    shutil.copytree(dates_path, tmp_path / "dates")
    done = keras_seq_command("serve", dates_path, tmp_path / "dates")
    assert done.code == 2
    assert f"two bundles are called dates. Give one another name: NAME={tmp_path / 'dates'}" in done.err


def test_a_port_that_is_taken_is_an_error(keras_seq_command, dates_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = keras_seq_command("serve", dates_path, "--port", port)
    assert (done.code, done.out) == (2, "")
    advice = "Stop what listens there, or choose another port, or 0 for any."
    assert done.err == f"keras-seq serve: Port {port} of 127.0.0.1 is taken. {advice}\n"


def test_nothing_but_damaged_bundles_is_an_error(keras_seq_command, dates_path, tmp_path):
    damaged = shutil.copytree(dates_path, tmp_path / "dates")
    next(damaged.glob("*.onnx")).write_bytes(b"no graph")
    done = keras_seq_command("serve", damaged, "--port", 0)
    assert (done.code, done.out) == (2, "")
    assert "keras-seq serve: None of the models could be loaded. dates: " in done.err


def test_without_the_extra_the_install_line_is_shown(keras_seq_command, dates_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    done = keras_seq_command("serve", dates_path)
    assert done == (
        2,
        "",
        "keras-seq serve: serving needs uvicorn, not installed here: pip install 'keras_seq[cli,serve]'\n",
    )
