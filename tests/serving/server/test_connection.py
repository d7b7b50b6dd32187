import json
import sys
import time

import pytest

from tests.serving.server.small_app import HOST, served, small_app

REQUEST = b"GET /large?size=3 HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module", params=["httptools", "h11"])
def server(request):
    """A server with short patience, on the parser in C and on the one in Python."""
    app = small_app(
        receive_timeout_seconds=0.4,
        send_timeout_seconds=0.3,
        keep_alive_seconds=0.6,
        max_connections=5,
        drain_seconds=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "h11":
            patch.setitem(sys.modules, "uvicorn.protocols.http.httptools_impl", None)
        with served(app) as server:
            server.parser = request.param
            yield server


@pytest.fixture(autouse=True)
def _all_closed(server):
    """Connections of one test do not count in the next."""
    yield
    for client in server.clients:
        client.close()
    give_up = time.monotonic() + 20
    while server.connections() > 0:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def told(client):
    """Status and message of the only answer before the server closes."""
    head, _, body = client.rest().partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\nhost: he", b"\r\n", b"GET / HTTP/1.1\r\n" + HOST])
def test_headers_that_are_not_finished_are_given_up(server, part):
    status, answer = told(server.connect().send(part))
    if (server.parser, part) == ("h11", b"\r\n"):
        assert status == 400  # which takes an empty line for a request
        return
    assert (status, answer["code"]) == (408, "request_timeout")
    assert "0.4 seconds" in answer["error"]


def test_headers_that_trickle_are_given_up_too(server):
    client = server.connect().send(b"GET / HTTP/1.1\r\n")
    with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012  many sends until the server is gone
        for number in range(400):
            client.send(b"x-%d: 1\r\n" % number)
            time.sleep(0.01)


def test_a_connection_that_never_says_a_word_is_closed_without_one(server):
    assert server.connect().rest() == b""


def test_a_second_request_that_is_not_finished_is_given_up(server):
    client = server.connect().send(REQUEST)
    assert client.answer()[0] == 200
    client.send(b"G")
    assert told(client)[0] == 408


def test_empty_lines_between_requests_do_not_keep_a_connection_open(server):
    client = server.connect().send(REQUEST)
    assert client.answer()[0] == 200
    with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012  many sends until the server is gone
        for _ in range(400):
            client.send(b"\r\n")
            time.sleep(0.01)


def test_an_idle_connection_is_closed_after_the_keep_alive_time(server):
    client = server.connect().send(REQUEST)
    assert client.answer()[0] == 200
    assert client.rest() == b""


def test_headers_without_end_are_refused(server):
    client = server.connect().send(b"GET / HTTP/1.1\r\n", HOST, b"x: ")
    with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012  many sends until the server is gone
        for _ in range(400):
            client.send(b"y" * 2**14)
            time.sleep(0.005)


def test_headers_that_are_too_large_are_told_so(server):
    status, answer = told(server.connect().send(b"GET / HTTP/1.1\r\n", b"x: 1234567890\r\n" * 20_000))
    expected = (431, "headers_too_large") if server.parser == "httptools" else (400, "bad_request")
    assert (status, answer["code"]) == expected


def test_what_stands_behind_a_body_is_no_header_and_has_an_end(server):
    start = b"POST /echo HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n"
    status, headers, body = server.connect().send(start, b"x-request-id: forged\r\n\r\n").answer()
    assert (status, body) == (200, b"yes")
    assert headers["x-request-id"] != "forged"
    client = server.connect().send(start)
    with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012  many sends until the server is gone
        for _ in range(400):
            client.send(b"x: " + b"y" * 2**14 + b"\r\n")
            time.sleep(0.005)


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / SPDY/9\r\n\r\n"])
def test_what_is_no_http_is_told_so(server, nonsense):
    status, answer = told(server.connect().send(nonsense))
    assert (status, answer["code"]) == (400, "bad_request")


def test_an_answer_that_nobody_reads_does_not_keep_the_connection(server):
    """The request is long done when the client still has not read: nobody but the connection can tell."""
    client = server.connect().send(b"GET /large?size=30000000 HTTP/1.1\r\n", HOST, b"\r\n")
    give_up = time.monotonic() + 20
    while not server.connections() or server.context.traffic.requests:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    while server.connections():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert len(client.rest()) < 30_000_000


def test_connections_beyond_the_limit_are_sent_away_and_the_others_served(server):
    served = [server.connect().send(REQUEST) for _ in range(5)]
    assert [client.answer()[0] for client in served] == [200] * 5
    status, answer = told(server.connect().send(REQUEST))
    assert (status, answer["code"]) == (503, "unavailable")
    assert [client.send(REQUEST).answer()[0] for client in served] == [200] * 5
    served[0].close()
    time.sleep(0.1)
    assert server.connect().send(REQUEST).answer()[0] == 200
