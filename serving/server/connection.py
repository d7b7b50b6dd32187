"""Connections that hold on to the server without asking anything of it."""

import asyncio
import json
import logging
from typing import Any

from keras_seq.serving.server.fault import Fault
from keras_seq.serving.server.settings import ServerSettings

_log = logging.getLogger(__name__)
_MOST_HEADERS = 64 * 1024  # bytes that may come without being part of a body: headers, and what surrounds chunks
_LAST_WORDS = 1.0  # seconds to read what a client still sends, so that it reads why it was sent away
_GRACE = 1.0  # seconds more than the gate gives, which knows the request and so goes first where there is one
_BEYOND = 64  # connections above the limit that are told so; any further ones are cut off

_TOO_MANY = Fault(503, "unavailable", "Too many connections are open. Try again.", (("retry-after", "1"),))
_TOO_SLOW = "The headers of a request must arrive within {} seconds."
_TOO_LARGE = Fault(431, "headers_too_large", f"Headers may have {_MOST_HEADERS} bytes.")


class PatientConnection:
    """What is added to a protocol class of uvicorn: patience with clients has an end.

    The HTTP server below knows one limit, for connections that are idle between requests. Here are the others:

    - the headers of a request must be there within `receive_timeout_seconds` of the connection or of their first byte
      (408, or no word if nothing came), and within 64 KiB (431);
    - what was sent must be read: a connection whose buffer stays as it is for `send_timeout_seconds`, or that
      should be closed and still has one after that time, is cut off;
    - more than `max_connections` are answered 503 and closed.

    No connection has a timer of its own for this: `look` is called now and then for each.
    """

    settings: ServerSettings

    def connection_made(self, transport: asyncio.Transport):
        """A client connected."""
        super().connection_made(transport)
        now = self.loop.time()
        self._waits_since: float | None = now  # for headers; None while a request is under way
        self._heard = False
        self._leaves_at: float | None = None
        beyond = len(self.connections) - self.settings.max_connections
        if 0 < beyond <= _BEYOND:  # those that have been sent away already do not count
            beyond -= sum(getattr(connection, "_leaves_at", None) is not None for connection in self.connections)
        if beyond > _BEYOND:
            transport.abort()
        elif beyond > 0:
            self.send_away(_TOO_MANY)

    def data_received(self, data: bytes):
        """Bytes came."""
        if self._leaves_at is not None:
            return
        self._heard = True
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = self.loop.time()

    def look(self, now: float):
        """See how the connection stands; called now and then.

        Args:
            now: The event loop's time.
        """
        if self._leaves_at is not None and now >= self._leaves_at:
            self._leaves_at = None
            self.transport.close()
        elif self._waits_since is not None and now - self._waits_since >= self.settings.receive_timeout_seconds:
            if self._heard and not self.transport.is_closing():
                self.send_away(Fault(408, "request_timeout", _TOO_SLOW.format(self.settings.receive_timeout_seconds)))
            else:
                self.transport.close()

    def on_response_complete(self):
        """A request was answered; what waits for the next is the keep-alive time."""
        super().on_response_complete()
        self._heard = False

    def send_400_response(self, message: str):
        """What came is no HTTP."""
        self.send_away(Fault(400, "bad_request", "This is no HTTP/1.1 request."))

    def send_away(self, fault: Fault):
        """Answer without a request, and close once the client has had time to read that."""
        if self._leaves_at is not None or self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # something is being said already
            return
        body = json.dumps(fault.body("")).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
        lines = [f"HTTP/1.1 {fault.status} {fault.code}", *(f"{k}: {v}" for k, v in [*headers.items(), *fault.headers])]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._leaves_at = self.loop.time() + _LAST_WORDS


class _Measured:
    """For the parser in C, which keeps headers of any size: counts the bytes that are no part of a body."""

    _loose = 0

    def data_received(self, data: bytes):
        self._loose += len(data)
        super().data_received(data)
        if self._loose > _MOST_HEADERS and not self.transport.is_closing():
            self.send_away(_TOO_LARGE)

    def on_message_begin(self):
        self._loose = 0
        super().on_message_begin()

    def on_body(self, body: bytes):
        self._loose = 0
        super().on_body(body)

    def on_header(self, name: bytes, value: bytes):
        if self.cycle is None or self.scope is not self.cycle.scope:  # else it stands behind the body
            super().on_header(name, value)


def http_protocol(settings: ServerSettings) -> type[asyncio.Protocol]:
    """The protocol class for a server: on httptools where that is installed, else in pure Python on h11.

    Args:
        settings: For the limits.
    """
    bases: tuple[type, ...]
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        bases = (_Measured, HttpToolsProtocol)
    except ModuleNotFoundError:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        bases = (H11Protocol,)
    return type("Connection", (PatientConnection, *bases), {"settings": settings})


class Watchman:
    """Looks at all connections of a server from time to time, and cuts off those that do not read.

    Args:
        connections: The server's connections, WebSockets among them.
        settings: For the limits.
    """

    def __init__(self, connections: set[Any], settings: ServerSettings):
        self._connections = connections
        self._settings = settings
        self._unread: dict[Any, tuple[float, int]] = {}
        self._closing: dict[Any, float] = {}

    def look(self, now: float):
        """Look at each connection; `now` is the event loop's time."""
        patience = self._settings.send_timeout_seconds + _GRACE
        unread: dict[Any, tuple[float, int]] = {}
        closing: dict[Any, float] = {}
        for connection in list(self._connections):
            transport = connection.transport
            if isinstance(connection, PatientConnection):
                try:
                    connection.look(now)
                except Exception:  # noqa: BLE001  One connection that nobody thought of must not end the server.
                    _log.exception("A connection could not be looked after, and was cut off.")
                    transport.abort()
            size = transport.get_write_buffer_size()
            if size:
                since, before = self._unread.get(connection, (now, size))
                unread[connection] = (since if size >= before else now, size)
                if transport.is_closing():
                    closing[connection] = self._closing.get(connection, now)
                if now - unread[connection][0] >= patience or now - closing.get(connection, now) >= patience:
                    transport.abort()
        self._unread, self._closing = unread, closing
