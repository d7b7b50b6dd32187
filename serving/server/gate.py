"""What every request passes before and after it is served."""

import itertools
import logging
import re
import secrets
import time
from typing import Any

from keras_seq.serving.errors import NotFound, ServingError
from keras_seq.serving.server.access import Access
from keras_seq.serving.server.conversation import GOING_AWAY, POLICY, Conversation
from keras_seq.serving.server.exchange import SHUT_DOWN, Exchange
from keras_seq.serving.server.fault import Fault
from keras_seq.serving.server.logs import REQUESTS
from keras_seq.serving.server.metrics import UNKNOWN

_REQUEST_ID = re.compile(rb"[\w.:/+=@-]{1,128}")
_OPEN_WHILE_DRAINING = frozenset({"/v2/health/live", "/metrics"})
_TOKEN_NEEDED = "This server answers those who bring a token: Authorization: Bearer TOKEN."
_FOREIGN = Fault(403, "forbidden", "Pages of another site may not ask a server that wants no token. Give it tokens.")
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNAUTHORIZED = Fault(401, "unauthorized", _TOKEN_NEEDED, (("www-authenticate", "Bearer"),))


class Gate:
    """ASGI middleware for what all requests share: ids, tokens, limits, patience, counters, and a line in the log.

    It is the outermost layer, so that what goes wrong anywhere inside is answered here. A request that is done within
    20 ms costs it some µs: a pass over the headers, one timer set and taken away, counters, and a line in the log.

    - The body may have `max_body_bytes` (413), whether announced or in chunks, and must arrive within
      `receive_timeout_seconds`, and a second more for every 16 KiB (408). Where the rest of a body is not waited for,
      the connection is closed.
    - A client that goes away, or leaves an answer unread for `send_timeout_seconds`, has its request cancelled where it
      stands; a place in a queue is free again. Logs and metrics call that 499.
    - `X-Request-Id` comes back as it came; where there is none, one is made up.
    - Without tokens, pages of other sites may not post: a browser would do so in the name of whoever sits before it.
    - Once the server drains, what comes is answered with 503, and WebSockets are closed with 1001.

    Args:
        app: What is behind the gate.
        context: What all routes share: settings, models, metrics, traffic.
    """

    def __init__(self, app: Any, context: Any):
        self.app, self.context = app, context
        self.settings, self.metrics, self.traffic = context.settings, context.metrics, context.traffic
        self._access = Access(self.settings.tokens)
        self._log = logging.getLogger(REQUESTS)
        self._prefix, self._numbers = secrets.token_hex(4), itertools.count(1)
        self._models: set[str] = set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any):
        """Serve a request or a WebSocket; everything else goes through."""
        began = time.perf_counter()
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = self._request_id(headers.get(b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["type"] == "http":
            exchange = Exchange(self, scope, receive, send, request_id)
            try:
                await exchange.run(headers, self._refusal(scope, headers))
            finally:
                self._note(scope, scope["method"], exchange.status, request_id, time.perf_counter() - began)
        else:
            conversation = Conversation(self, scope, receive, send, request_id)
            try:
                await conversation.run(self._socket_refusal(scope, headers))
            finally:
                self._note(scope, "WEBSOCKET", conversation.code, request_id, time.perf_counter() - began)

    def _refusal(self, scope: dict[str, Any], headers: dict[bytes, bytes]) -> Fault | None:
        path = scope["path"]
        if not self._access.allows(path, headers.get(b"authorization")):
            return _UNAUTHORIZED
        # Browsers let any page post to this machine, in the name of whoever looks at it.
        foreign = b"origin" in headers and headers[b"origin"].partition(b"://")[2] != headers.get(b"host")
        if foreign and scope["method"] not in _HARMLESS and not self._access.required:
            return _FOREIGN
        if self.traffic.draining and path not in _OPEN_WHILE_DRAINING:
            return SHUT_DOWN
        return None

    def _socket_refusal(self, scope: dict[str, Any], headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        if not self._access.allows(scope["path"], headers.get(b"authorization"), scope.get("query_string", b"")):
            return POLICY, "This server answers those who bring a token: ?token=TOKEN."
        if self.traffic.draining:
            return GOING_AWAY, "The server is shutting down."
        return None

    def _note(self, scope: dict[str, Any], method: str, status: int, request_id: str, seconds: float):
        """Count and log what was done."""
        route = getattr(scope.get("route"), "path", UNKNOWN)
        model = self._model(scope)
        if method == "WEBSOCKET":
            self.metrics.count_websocket(route, model, status)
        else:
            self.metrics.count_request(route, model, status, seconds)
        if self._log.isEnabledFor(logging.INFO):
            fields = {
                "method": method,
                "route": route,
                "model": model,
                "status": status,
                "seconds": round(seconds, 6),
                "request_id": request_id,
            }
            # Not `info`, which would go through the stack to find out from where it was called.
            self._log.handle(logging.LogRecord(REQUESTS, logging.INFO, "", 0, fields, None, None))

    def _model(self, scope: dict[str, Any]) -> str:
        """The model that a request was about, if there is one of that name."""
        path = scope.get("path_params", {})
        name = path.get("model", path.get("model_name"))
        if name is None:
            return ""
        if name in self._models:
            return name
        try:
            self.context.repository.signature(name)
        except NotFound:
            return UNKNOWN
        except ServingError:
            return name.partition(".")[0]  # there, and not loaded
        self._models.add(name)
        return name

    def _request_id(self, given: bytes | None) -> str:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode()
        return f"{self._prefix}-{next(self._numbers):x}"
