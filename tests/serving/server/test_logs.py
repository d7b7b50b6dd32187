import io
import json
import logging

import pytest

from keras_seq.serving.server import logs

FIELDS = {"method": "GET", "route": "/v2", "model": "", "status": 200, "seconds": 0.5, "request_id": "a7"}
NAMES = ("keras_seq.serving", "uvicorn", "uvicorn.error", "asyncio", logs.REQUESTS)


@pytest.fixture
def stream():
    """A log, with the loggers put back afterwards."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield io.StringIO()
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def _fail(log):
    try:
        raise RuntimeError("the wiring came loose")
    except RuntimeError:
        log.exception("A request failed: %s", "so", extra={"request_id": "f7"})


def test_json_lines_hold_the_fields_of_requests_and_the_trace_of_errors(stream):
    logs.configure(as_json=True, stream=stream)
    logging.getLogger(logs.REQUESTS).info(FIELDS)
    _fail(logging.getLogger("keras_seq.serving.server.errors"))
    request, error = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert request.pop("time").endswith("Z")
    assert request == {"level": "info", "event": "request", **FIELDS}
    assert (error["level"], error["event"], error["request_id"]) == ("error", "message", "f7")
    assert error["message"] == "A request failed: so"
    assert "RuntimeError: the wiring came loose" in error["trace"]


def test_lines_for_people(stream):
    logs.configure(stream=stream)
    logging.getLogger(logs.REQUESTS).info(FIELDS)
    _fail(logging.getLogger("keras_seq.serving.server.errors"))
    request, error, *trace = stream.getvalue().splitlines()
    assert request.partition(" ")[2] == "GET /v2 200 0.5 a7"
    assert error.partition(" ")[2] == "error: A request failed: so [f7]"
    assert trace[-1] == "RuntimeError: the wiring came loose"


def test_lines_of_requests_can_be_left_out(stream):
    logs.configure(requests=False, stream=stream)
    logging.getLogger(logs.REQUESTS).info(FIELDS)
    assert stream.getvalue() == ""


def test_the_http_server_says_nothing_of_addresses(stream):
    """It would write the queries of WebSockets, which hold tokens; and that answers broke off, which the gate says."""
    logs.configure(stream=stream)
    logging.getLogger("uvicorn.error").info('"WebSocket /v1/a/stream?token=s3cret" [accepted]')
    logging.getLogger("uvicorn.error").error("ASGI callable returned without completing response.")
    logging.getLogger("uvicorn.error").warning("of interest")
    assert stream.getvalue().partition(" ")[2] == "warning: of interest\n"
