import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.requests import Request

from keras_seq.serving.errors import (
    BundleError,
    DeadlineExceeded,
    InputError,
    NotFound,
    Overloaded,
    ServingError,
    Unavailable,
)
from keras_seq.serving.server import ServerSettings
from keras_seq.serving.server.errors import clean, describe, timeout_of
from tests.serving.server.small_app import NoModels, small_app

PLACES = {Path("/srv/models"): "models", Path("/srv/other/tagger-2024"): "tagger"}
CONTEXT = SimpleNamespace(repository=NoModels(PLACES))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InputError("ids run from 0 to 22"), 400, "invalid_input"),
        (NotFound("There is no model 'x'."), 404, "not_found"),
        (Overloaded("7 wait", 2.3), 429, "overloaded"),
        (BundleError("bundle.json is missing"), 500, "bundle_error"),
        (Unavailable("draining"), 503, "unavailable"),
        (DeadlineExceeded("5 s are over"), 504, "deadline_exceeded"),
        (HTTPException(415, "no such encoding"), 415, "unsupported_media_type"),
        (HTTPException(599, "beyond the list"), 599, "error"),
    ],
)
def test_what_was_foreseen_is_told(error, status, code):
    fault = describe(error, CONTEXT)
    assert (fault.status, fault.code) == (status, code)
    assert fault.message == (error.detail if isinstance(error, HTTPException) else str(error))


@pytest.mark.parametrize(("seconds", "header"), [(0.01, "1"), (1.0, "1"), (2.3, "3")])
def test_who_is_sent_away_is_told_when_to_come_back_in_whole_seconds(seconds, header):
    assert describe(Overloaded("full", seconds), CONTEXT).headers == (("retry-after", header),)


@pytest.mark.parametrize(
    "error", [RuntimeError("/srv/secret"), ServingError("ONNX Runtime: /srv/x"), MemoryError(), KeyError("x")]
)
def test_what_was_not_foreseen_is_told_to_nobody(error):
    fault = describe(error, CONTEXT)
    assert (fault.status, fault.code) == (500, "internal")
    assert "srv" not in fault.message
    assert "log" in fault.message


@pytest.mark.parametrize(
    ("message", "cleaned"),
    [
        ("/srv/other/tagger-2024 has no graph", "tagger has no graph"),
        ("/srv/other/tagger-2024/model.onnx is damaged.", "tagger/model.onnx is damaged."),
        ("/srv/models/dates/3/bundle.json: missing", "models/dates/3/bundle.json: missing"),
        ("/srv/models-of-others stays", "/srv/models-of-others stays"),
        ("a/b is no path of ours", "a/b is no path of ours"),
        ("POST /v2/models/tagger/infer", "POST /v2/models/tagger/infer"),
        (f"{Path.home()}/.cache/x", "…/.cache/x"),
        (f"read {tempfile.gettempdir()}/tmp123", "read …/tmp123"),
        (f"{sys.prefix}/lib/python", "…/lib/python"),
        (f"{os.getcwd()}/model.onnx", "…/model.onnx"),
    ],
)
def test_paths_of_the_server_are_taken_out(message, cleaned):
    assert clean(message, CONTEXT) == cleaned


def test_a_bundle_behind_a_link_is_named_by_neither_path(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    context = SimpleNamespace(repository=NoModels({tmp_path / "link": "tagger"}))
    for name in ("link", "real"):
        assert clean(f"{tmp_path / name}/model.onnx is missing", context) == "tagger/model.onnx is missing"


def test_a_message_has_an_end():
    assert len(clean("x" * 100_000, CONTEXT)) < 2100


@pytest.fixture(scope="module")
def client():
    app = small_app(PLACES)
    app.state.fail_with = InputError
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/echo", 405, "method_not_allowed"),
        ("GET", "/models/tagger?number=many", 422, "invalid_input"),
        ("GET", "/fail?text=wrong", 400, "invalid_input"),
    ],
)
def test_every_error_has_one_form(client, method, path, status, code):
    answer = client.request(method, path, headers={"X-Request-Id": "a7"})
    assert answer.status_code == status
    assert answer.json() == {"error": answer.json()["error"], "code": code, "request_id": "a7"}
    assert answer.json()["error"].endswith((".", "wrong"))


def test_a_wrong_method_is_told_the_right_ones(client):
    assert client.get("/echo").headers["allow"] == "POST"


def test_what_does_not_fit_the_schema_is_named_with_its_place(client):
    assert "query.number: " in client.get("/models/tagger?number=many").json()["error"]


NASTY = [
    "/srv/models/../../etc/passwd",
    "/srv/other/tagger-2024/model.onnx: No such file or directory",
    f'File "{__file__}", line 7, in <module>',
    f"[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from {tempfile.gettempdir()}/x/model.onnx failed",
    f"{sys.executable}: cannot open shared object file",
    f"{Path.home()}/.ssh/id_rsa",
    f"{Path(sys.modules['keras_seq.serving'].__file__).parent}/predictor.py",
]


@pytest.mark.parametrize(
    "kind", [InputError, NotFound, BundleError, Unavailable, DeadlineExceeded, ServingError, OSError]
)
@pytest.mark.parametrize("message", NASTY)
def test_no_answer_holds_a_path_or_a_trace(client, kind, message):
    client.app.state.fail_with = kind
    answer = client.get("/fail", params={"text": message})
    assert answer.status_code >= 400
    told = answer.json()["error"]
    here = [*map(str, PLACES), str(Path.home()), sys.prefix, tempfile.gettempdir(), os.getcwd()]
    assert [place for place in here if place in told] == []
    assert "Traceback" not in answer.text


def _request(**headers):
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("given", "seconds"), [(None, 30.0), ("2.5", 2.5), ("1e-3", 0.001), ("99", 30.0), ("inf", 30.0)]
)
def test_a_request_may_ask_for_less_time_than_the_settings_give(given, seconds):
    headers = {} if given is None else {"x_timeout_seconds": given}
    assert timeout_of(_request(**headers), ServerSettings()) == seconds


@pytest.mark.parametrize("given", ["", "soon", "0", "-1", "nan", "1,5"])
def test_a_timeout_that_is_none_is_refused(given):
    with pytest.raises(InputError, match=r"X-Timeout-Seconds must be a number of seconds above 0.*Received: "):
        timeout_of(_request(x_timeout_seconds=given), ServerSettings())
