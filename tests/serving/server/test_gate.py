import asyncio
import json
import logging
import time

import pytest

from keras_seq.serving.batching import Batcher
from tests.serving.server.small_app import HOST, served, small_app

MIB = 2**20


def wait_for(condition):
    """Until something holds that happens in the server's thread."""
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.fixture(scope="module")
def server():
    """One server with short patience for all tests that change nothing about it."""
    app = small_app(max_body_bytes=MIB, receive_timeout_seconds=0.4, send_timeout_seconds=0.4, drain_seconds=1)
    with served(app) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_seen(server):
    server.seen.clear()


@pytest.fixture
def lines(caplog):
    """What was logged: the lines of requests."""
    caplog.set_level(logging.INFO, logger="keras_seq.serving")
    return lambda: [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def code_of(body):
    return json.loads(body)["code"]


# ids


def test_a_request_id_comes_back_as_it_came(server):
    status, headers, _ = server.connect().ask(b"GET /large?size=3", b"X-Request-Id: order/66-a").answer()
    assert (status, headers["x-request-id"]) == (200, "order/66-a")


@pytest.mark.parametrize("given", [None, b"", b"a b", b"x" * 129, b"caf\xe9", b'"}{'])
def test_where_there_is_no_usable_id_one_is_made_up(server, given):
    client = server.connect()
    headers = [] if given is None else [b"X-Request-Id: " + given]
    made = {client.ask(b"GET /large?size=3", *headers).answer()[1]["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    assert all(text.replace("-", "").isalnum() for text in made)


def test_errors_carry_the_request_id(server):
    status, headers, body = server.connect().ask(b"GET /nowhere", b"X-Request-Id: a7").answer()
    assert (status, headers["x-request-id"], json.loads(body)["request_id"]) == (404, "a7", "a7")


# bodies


def test_an_announced_body_beyond_the_limit_is_refused_before_it_is_read(server):
    client = server.connect().send(b"POST /echo HTTP/1.1\r\n", HOST, b"content-length: %d\r\n\r\n" % (MIB + 1))
    status, headers, body = client.answer()
    assert (status, code_of(body), headers["connection"]) == (413, "too_large", "close")
    assert f"{MIB} bytes" in json.loads(body)["error"]
    assert server.seen == []


def test_a_body_in_chunks_is_cut_off_at_the_limit_and_the_client_reads_why(server):
    client = server.connect().send(b"POST /echo HTTP/1.1\r\n", HOST, b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(24):  # half as much again as may come
        client.send(b"10000\r\n", b"x" * 2**16, b"\r\n")
    status, headers, body = client.answer()
    assert (status, code_of(body), headers["connection"]) == (413, "too_large", "close")


@pytest.mark.parametrize(("length", "status"), [(b"-1", 400), (b"many", 400), (b"", 400), (b"9" * 5000, 413)])
def test_a_length_that_another_http_server_lets_through_is_looked_at_too(length, status):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/echo", "headers": [(b"content-length", length)]}
    asyncio.run(small_app()(scope, receive, send))
    assert sent[0]["status"] == status


def test_a_body_of_just_the_limit_is_taken(server):
    status, _, body = server.connect().ask(b"POST /echo", body=b"x" * MIB).answer()
    assert (status, body) == (200, b"x" * MIB)


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_body_that_comes_too_slowly_is_given_up(server, drip):
    client = server.connect().send(b"POST /echo HTTP/1.1\r\n", HOST, b"content-length: 97\r\n\r\nxxx")
    for _ in range(8):
        time.sleep(0.05)
        client.send(drip)
    status, headers, body = client.answer()
    assert (status, code_of(body), headers["connection"]) == (408, "request_timeout", "close")
    client.socket.shutdown(1)
    assert client.rest() == b""


def test_a_large_body_may_take_longer(server):
    piece = b"x" * 2**15
    client = server.connect().send(b"POST /echo HTTP/1.1\r\n", HOST, b"content-length: %d\r\n\r\n" % (4 * len(piece)))
    for _ in range(4):
        client.send(piece)
        time.sleep(0.2)
    assert client.answer()[0] == 200


def test_a_body_that_nobody_read_leaves_the_connection_usable(server):
    client = server.connect()
    assert client.ask(b"POST /nowhere", body=b"x" * 997).answer()[0] == 404
    assert client.ask(b"POST /echo", body=b"next").answer()[2] == b"next"


def test_a_body_that_nobody_waits_for_closes_the_connection(server):
    client = server.connect().send(b"POST /nowhere HTTP/1.1\r\n", HOST, b"content-length: 97\r\n\r\nxxx")
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (404, "close")


def test_who_asks_before_sending_is_told_to_go_on_or_refused_at_once(server):
    expect = b"expect: 100-continue\r\n"
    client = server.connect().send(b"POST /echo HTTP/1.1\r\n", HOST, expect, b"content-length: 3\r\n\r\n")
    assert client.answer()[0] == 100
    assert client.send(b"yes").answer()[2] == b"yes"
    client = server.connect().send(b"POST /echo HTTP/1.1\r\n", HOST, expect, b"content-length: 9999999\r\n\r\n")
    assert client.answer()[0] == 413


def test_pipelined_requests_are_answered_in_order(server):
    client = server.connect()
    for number in range(7):
        client.ask(b"POST /echo", b"x-request-id: %d" % number, body=b"%d" % number)
    answers = [client.answer() for _ in range(7)]
    assert [(headers["x-request-id"], body) for _, headers, body in answers] == [(str(n), b"%d" % n) for n in range(7)]


# clients that go away, or do not read


def test_a_client_that_goes_away_has_its_request_cancelled(server, lines):
    client = server.connect().ask(b"POST /slow", b"x-request-id: left", body=b"x")
    wait_for(lambda: server.seen == ["slow"])
    client.close()
    wait_for(lambda: server.seen == ["slow", "cancelled"])
    wait_for(lambda: any(line["request_id"] == "left" for line in lines()))
    assert [line["status"] for line in lines() if line["request_id"] == "left"] == [499]


def test_a_client_that_goes_away_in_the_middle_of_its_body_is_no_error(server, lines, caplog):
    client = server.connect()
    client.send(b"POST /echo HTTP/1.1\r\n", HOST, b"x-request-id: half\r\ncontent-length: 97\r\n\r\nxxx")
    wait_for(lambda: server.seen == ["echo"])
    client.close()
    wait_for(lambda: any(line["request_id"] == "half" for line in lines()))
    assert [line["status"] for line in lines() if line["request_id"] == "half"] == [499]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_that_goes_away_frees_its_place_in_the_queue():
    """With the batcher itself: one call runs, one request waits, and its client leaves."""
    app = small_app()

    @app.post("/queue")
    async def queue():
        return await app.state.batcher.submit("x", key=0, length=1)

    @app.get("/queued")
    async def queued():
        return app.state.batcher.queued

    import threading
    from concurrent.futures import ThreadPoolExecutor

    held = threading.Event()
    executor = ThreadPoolExecutor(1)
    app.state.batcher = Batcher(lambda payloads: [held.wait(20) for _ in payloads], executor=executor, max_tokens=1)
    with served(app) as server:
        try:
            first = server.connect().ask(b"POST /queue")
            second = server.connect().ask(b"POST /queue")
            look = server.connect()
            wait_for(lambda: look.ask(b"GET /queued").answer()[2] == b"1")
            second.close()
            wait_for(lambda: look.ask(b"GET /queued").answer()[2] == b"0")
            held.set()
            assert first.answer()[2] == b"true"
        finally:
            held.set()
    executor.shutdown()


def test_a_client_that_leaves_a_stream_ends_it(server):
    client = server.connect().ask(b"GET /endless")
    client.answer()
    client.close()
    wait_for(lambda: server.seen == ["closed"])


def test_a_client_that_does_not_read_is_cut_off(server):
    client = server.connect().ask(b"GET /endless?size=1000000")
    wait_for(lambda: server.context.traffic.requests)
    wait_for(lambda: server.context.traffic.quiet)
    received = client.rest()
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")  # no whole answer
    wait_for(lambda: b'cancelled_total{why="slow_reader"}' in server.context.metrics.page())


CLOSED = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.mark.parametrize("path", ["/large?size=3", "/fail", "/endless"])
@pytest.mark.parametrize("error", [CLOSED, BrokenPipeError()])
def test_a_client_that_is_found_gone_on_sending_is_no_error_of_the_server(path, error, lines, caplog):
    app = small_app()

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        raise error

    path, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": query.encode()}
    asyncio.run(app(scope, receive, send))
    assert [line["status"] for line in lines()] == [499]
    failures = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(failures) == (path == "/fail")  # which is one, whoever hears of it


def test_a_response_that_the_server_cannot_send_is_told_in_the_log(caplog):
    app = small_app()
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)
        if len(sent) == 1:
            raise RuntimeError("Invalid HTTP header value.")

    scope = {"type": "http", "method": "GET", "path": "/large", "headers": [], "query_string": b"size=3"}
    asyncio.run(app(scope, receive, send))
    assert any("Invalid HTTP header value" in record.getMessage() for record in caplog.records)


# errors


@pytest.mark.parametrize("text", ["", "secret", "/etc/passwd"])
def test_what_nobody_foresaw_is_told_to_the_log_alone(server, caplog, text):
    status, headers, body = server.connect().ask(b"GET /fail?text=" + text.encode(), b"X-Request-Id: f7").answer()
    assert (status, headers["content-type"], code_of(body)) == (500, "application/json", "internal")
    assert b"wiring" not in body
    assert b"Traceback" not in body
    found = [record for record in caplog.records if getattr(record, "request_id", "") == "f7"]
    assert [record.exc_info[0] for record in found] == [RuntimeError]


def test_an_answer_that_fails_half_way_ends_without_its_end(server, caplog):
    received = server.connect().ask(b"GET /fail_late").rest()
    assert b"so far" in received
    assert not received.endswith(b"0\r\n\r\n")
    assert any("wiring" in record.getMessage() for record in caplog.records)


def test_a_request_cancelled_by_somebody_else_is_answered_and_stays_cancelled():
    app = small_app()
    sent = []

    async def main():
        body = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            return body.pop() if body else await asyncio.sleep(60)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/slow", "headers": [], "query_string": b""}
        task = asyncio.create_task(app(scope, receive, send))
        while app.state.seen != ["slow"]:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert sent[0]["status"] == 503
    assert app.state.context.traffic.quiet


# tokens and pages


def test_without_a_token_nothing_private_is_answered():
    with served(small_app(tokens=("s3cret",))) as server:
        client = server.connect()
        for header in (b"x: y", b"Authorization: Bearer wrong"):
            status, headers, body = client.ask(b"POST /echo", header, body=b"x").answer()
            assert (status, code_of(body), headers["www-authenticate"]) == (401, "unauthorized", "bearer")
        assert client.ask(b"POST /echo?token=s3cret", body=b"x").answer()[0] == 401  # addresses end up in logs
        assert client.ask(b"GET /v2/health/live").answer()[0] == 404  # let through, to where nothing is here
        assert server.seen == []
        assert client.ask(b"POST /echo", b"Authorization: Bearer s3cret", body=b"x").answer()[0] == 200
        assert (
            client.ask(b"POST /echo", b"Authorization: Bearer s3cret", b"Origin: http://a", body=b"x").answer()[0]
            == 200
        )


@pytest.mark.parametrize("origin", [b"http://elsewhere.example", b"null", b"http://here.example"])
def test_a_page_of_another_site_may_not_post_where_no_token_is_wanted(server, origin):
    client = server.connect()
    status, _, body = client.ask(b"POST /echo", b"Origin: " + origin, body=b"x").answer()
    assert (status, code_of(body)) == (403, "forbidden")
    assert client.ask(b"POST /echo", b"Origin: http://here", body=b"x").answer()[0] == 200
    assert client.ask(b"GET /large?size=3", b"Origin: " + origin).answer()[0] == 200


# logs and counters


def test_each_request_is_one_line_without_bodies_queries_or_tokens(server, lines, caplog):
    client = server.connect()
    client.ask(b"POST /models/tagger?number=secret", b"authorization: Bearer secret", body=b"secret").answer()
    client.ask(b"GET /models/tagger?number=7", b"x-request-id: a7").answer()
    wait_for(lambda: len(lines()) == 2)
    assert [(line["method"], line["route"], line["model"], line["status"]) for line in lines()] == [
        ("POST", "/models/{model}", "tagger", 405),
        ("GET", "/models/{model}", "tagger", 200),
    ]
    assert lines()[1]["request_id"] == "a7"
    assert 0 < lines()[1]["seconds"] < 20
    assert "secret" not in caplog.text


def test_names_that_clients_make_up_share_one_label(server):
    client = server.connect()
    for path in (b"/models/one", b"/models/two", b"/three", b"/four", b"/models/tagger"):
        client.ask(b"GET " + path).answer()
    page = server.context.metrics.page().decode()
    assert 'keras_seq_requests_total{model="unknown",route="/models/{model}",status="200"}' in page
    assert 'keras_seq_requests_total{model="tagger",route="/models/{model}",status="200"}' in page
    assert 'keras_seq_requests_total{model="",route="unknown",status="404"}' in page
    assert not any(name in page for name in ("one", "two", "three", "four") if f'"{name}"' in page)
