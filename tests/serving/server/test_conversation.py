import asyncio
import contextlib
import logging
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.serving.server.small_app import served, small_app


@pytest.fixture(scope="module")
def server():
    with served(small_app(tokens=("s3cret", "other"), drain_seconds=1)) as server:
        yield server


def open_socket(server, query="?token=s3cret", **headers):
    return connect(f"ws://127.0.0.1:{server.port}/socket{query}", additional_headers=headers, proxy=None)


def closed_with(socket):
    with pytest.raises(ConnectionClosed) as found:
        socket.recv(timeout=20)
    return found.value.rcvd.code, found.value.rcvd.reason


def test_a_websocket_gets_a_request_id(server):
    with open_socket(server, **{"X-Request-Id": "a7"}) as socket:
        assert socket.response.headers["x-request-id"] == "a7"
        socket.send("0")
        assert socket.recv(timeout=20) == "0"


@pytest.mark.parametrize("query", ["", "?token=", "?token=s3cre", "?other=s3cret"])
def test_a_websocket_without_token_is_closed_with_a_reason(server, query):
    with open_socket(server, query) as socket:
        code, reason = closed_with(socket)
    assert code == 1008
    assert "?token=TOKEN" in reason


def test_a_token_may_stand_in_the_header(server):
    with open_socket(server, "", Authorization="Bearer other") as socket:
        socket.send("0")
        assert socket.recv(timeout=20) == "0"


def test_a_route_that_fails_closes_the_websocket_and_is_logged(server, caplog):
    with open_socket(server, **{"X-Request-Id": "f7"}) as socket:
        socket.send("fail")
        code, reason = closed_with(socket)
    assert (code, "wiring" in reason, "f7" in reason) == (1011, False, True)
    found = [record for record in caplog.records if getattr(record, "request_id", "") == "f7"]
    assert [record.exc_info[0] for record in found] == [RuntimeError]


def test_websockets_are_counted_and_logged_without_their_tokens(server, caplog):
    caplog.set_level(logging.DEBUG)
    for code in (1000, 4321):
        with open_socket(server) as socket:
            socket.close(code)
    give_up = time.monotonic() + 20
    while sum(isinstance(record.msg, dict) for record in caplog.records) < 2:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("WEBSOCKET", "/socket", 1000),
        ("WEBSOCKET", "/socket", 4321),
    ]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("keras_seq")]
    assert "s3cret" not in " ".join(ours)
    page = server.context.metrics.page().decode()
    assert 'keras_seq_websockets_total{code="1000",model="",route="/socket"}' in page
    assert 'keras_seq_websockets_total{code="other",model="",route="/socket"}' in page


def test_when_the_server_drains_websockets_are_told_and_the_busy_one_answers_first(caplog):
    with contextlib.ExitStack() as sockets:
        with served(small_app(drain_seconds=5)) as server:
            idle, busy = (sockets.enter_context(open_socket(server, "")) for _ in range(2))
            busy.send("0.7")
            time.sleep(0.2)
        assert closed_with(idle) == (1001, "The server is shutting down.")
        assert busy.recv(timeout=20) == "0.7"
        assert closed_with(busy)[0] == 1001
    assert "Time is up" not in caplog.text


def test_a_websocket_that_comes_while_the_server_drains_is_sent_away():
    with served(small_app()) as server:
        server.context.traffic.draining = True
        with open_socket(server, "") as socket:
            assert closed_with(socket) == (1001, "The server is shutting down.")


def test_a_websocket_that_stays_busy_is_ended_when_time_is_up():
    with contextlib.ExitStack() as sockets:
        with served(small_app(drain_seconds=0)) as server:
            busy = sockets.enter_context(open_socket(server, ""))
            busy.send("60")
            time.sleep(0.2)
        assert closed_with(busy) == (1001, "The server is shutting down.")


@pytest.mark.parametrize("error", [RuntimeError("<TCPTransport closed=True>; the handler is closed"), OSError()])
def test_a_client_that_is_found_gone_on_sending_is_no_error_of_the_server(error, caplog):
    app = small_app()
    messages = [{"type": "websocket.receive", "text": "0"}, {"type": "websocket.connect"}]

    async def receive():
        return messages.pop()

    async def send(message):
        if message["type"] != "websocket.accept":
            raise error

    scope = {"type": "websocket", "path": "/socket", "headers": [], "query_string": b"", "subprotocols": []}
    asyncio.run(app(scope, receive, send))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert b'code="1006",model="",route="/socket"} 1.0' in app.state.context.metrics.page()


def test_cancelling_by_somebody_else_goes_through():
    app = small_app()

    async def main():
        messages = [{"type": "websocket.connect"}]

        async def receive():
            return messages.pop() if messages else await asyncio.sleep(60)

        async def send(message):
            sent.append(message["type"])

        sent = []
        scope = {"type": "websocket", "path": "/socket", "headers": [], "query_string": b"", "subprotocols": []}
        task = asyncio.create_task(app(scope, receive, send))
        while not sent:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert app.state.context.traffic.quiet
