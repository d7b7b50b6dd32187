"""One HTTP request on its way through the gate."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from keras_seq.serving.server.errors import describe, log_unforeseen
from keras_seq.serving.server.fault import Fault
from keras_seq.serving.server.gone import is_gone

if TYPE_CHECKING:
    from keras_seq.serving.server.gate import Gate

GONE = 499  # no status that is ever sent: what logs and metrics say of a client that did not wait
_PATIENCE = 0.02  # seconds after which a request is looked after; most are done by then and pay nothing
_TICK = 1.0  # seconds between two looks at a request that takes longer
_SLOWEST = 16 * 1024  # bytes a second: a body that comes slower than this, after the time-out, comes too slowly
_LINGER = 2.0  # seconds that the rest of a refused body is read and thrown away

_GONE = Fault(GONE, "gone", "")
SHUT_DOWN = Fault(503, "unavailable", "The server is shutting down. Ask another, or this one later.")
_TOO_SLOW = "The request did not arrive in time: its body may take {} seconds, and one more for every 16 KiB."
_TOO_LARGE = "The body of a request may have {} bytes. Send less at a time."


class Exchange:
    """A request and its answer, and a watch over both: the body comes in time, the answer is read, the client is there.

    There is no task or timer for each of these. One timer looks after the request from time to time, for the first time
    when most are answered already.

    Args:
        gate: The gate that the request came to.
        scope: As in ASGI.
        receive: Likewise.
        send: Likewise.
    """

    __slots__ = (
        "_asked_since",
        "_body_done",
        "_done",
        "_expects",
        "_fault",
        "_gate",
        "_gone",
        "_lingers",
        "_loop",
        "_receive",
        "_received",
        "_scope",
        "_send",
        "_sending_since",
        "_started",
        "_task",
        "_timer",
        "_unread",
        "_watch",
        "request_id",
        "status",
    )

    def __init__(self, gate: "Gate", scope: dict[str, Any], receive: Any, send: Any, request_id: str):
        self._gate, self._scope, self._receive, self._send = gate, scope, receive, send
        self.request_id = request_id
        self.status = 0
        self._fault: Fault | None = None  # an answer that takes the place of the application's
        self._started = self._done = self._lingers = False
        self._received = 0
        self._asked_since = self._sending_since = 0.0  # when the application began to wait; 0: it does not
        self._gone: asyncio.Event | None = None
        self._watch: asyncio.Task | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    async def run(self, headers: dict[bytes, bytes], refusal: Fault | None):
        """Serve the request.

        Args:
            headers: Its headers.
            refusal: What to answer at once, if anything.
        """
        length = headers.get(b"content-length")
        self._expects = b"expect" in headers
        self._unread = (length is not None and length != b"0") or b"transfer-encoding" in headers
        self._body_done = not self._unread
        self._fault = refusal
        if refusal is None and length is not None:
            self._fault = self._check_length(length)
        self._timer = self._loop.call_later(_PATIENCE, self._look)
        requests = self._gate.traffic.requests
        requests.add(self)
        try:
            if self._fault is None:
                await self._gate.app(self._scope, self.receive, self.send)
        except asyncio.CancelledError:
            if self._fault is None:  # somebody else's doing
                await self._answer(SHUT_DOWN)
                raise
            self._task.uncancel()
        except Exception as error:  # noqa: BLE001  Whatever a route raises is answered here, and nowhere else.
            if self._fault is None:
                self._fault = describe(error, self._gate.context)
                if self._fault.status == 500:
                    log_unforeseen(error, self.request_id)
        finally:
            self._timer.cancel()
            if self._watch is not None:
                self._watch.cancel()
            requests.discard(self)
        if self._fault is not None:
            await self._answer(self._fault)

    async def receive(self) -> dict[str, Any]:
        """What the application receives: the body, as far as the limits allow, and whether the client left."""
        if self._body_done:
            if not self._unread:  # a request without a body says so once
                self._unread = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return await self._departure()
        if not self._asked_since:
            self._asked_since = self._loop.time()
        message = await self._receive()
        if message["type"] != "http.request":
            self._note_gone()
            return message
        self._received += len(message.get("body", b""))
        self._body_done = not message.get("more_body", False)
        if self._received > self._gate.settings.max_body_bytes:
            self._interrupt(self._too_large())
            await asyncio.sleep(0)  # where this task is told
        return message

    async def send(self, message: dict[str, Any]):
        """What the application sends, with the request id; nothing once another answer has taken its place."""
        if self._fault is None:
            await self._pass_on(message)

    def dismiss(self):
        """End the request with 503: the server shuts down."""
        self._interrupt(SHUT_DOWN)

    async def _pass_on(self, message: dict[str, Any]):
        more = message.get("more_body", False)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = [(b"x-request-id", self.request_id.encode())]
            if not self._body_done and not await self._rest_is_here():
                # The connection could not be used again: what comes next on it is the rest of this body.
                self._lingers = True
                extra.append((b"connection", b"close"))
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
            self._started = more = True
        elif self._lingers and not more:
            await self._timed_send({**message, "more_body": True})
            await self._throw_away(_LINGER)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        self._done = not more
        await self._timed_send(message)

    async def _timed_send(self, message: dict[str, Any]):
        self._sending_since = self._loop.time()
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:
            if not is_gone(error):
                raise
            self._note_gone()
            raise ConnectionResetError("The client is gone.") from error
        finally:
            self._sending_since = 0.0

    async def _answer(self, fault: Fault):
        """Send a fault in place of the application's answer, unless that has begun or nobody listens."""
        if fault is _GONE:
            self.status = GONE
        if self._started or fault is _GONE:
            return
        body = json.dumps(fault.body(self.request_id)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in fault.headers]
        try:
            async with asyncio.timeout(self._gate.settings.send_timeout_seconds + _LINGER):
                await self._pass_on({"type": "http.response.start", "status": fault.status, "headers": headers})
                await self._pass_on({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            self._gate.metrics.count_cancelled("slow_reader")
        except ConnectionResetError:
            self.status = GONE

    def _look(self):
        """See whether the request goes on: called from time to time."""
        now = self._loop.time()
        settings = self._gate.settings
        due = now + _TICK
        if not self._body_done:
            if not self._asked_since:
                due = now + _PATIENCE
            elif not self._started:
                due = self._asked_since + settings.receive_timeout_seconds + self._received / _SLOWEST
                if now >= due:
                    self._gate.metrics.count_cancelled("slow_body")
                    message = _TOO_SLOW.format(settings.receive_timeout_seconds)
                    self._interrupt(Fault(408, "request_timeout", message))
        elif self._watch is None:
            self._watch = self._loop.create_task(self._wait_for_departure())
        if self._sending_since:
            unread = self._sending_since + settings.send_timeout_seconds
            due = min(due, unread)
            if now >= unread:
                self._gate.metrics.count_cancelled("slow_reader")
                self._interrupt(_GONE)
        self._timer = self._loop.call_at(min(max(due, now + _PATIENCE), now + _TICK), self._look)

    async def _wait_for_departure(self):
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._gone is not None:
            self._gone.set()
        if not self._done:
            self._note_gone()
            self._task.cancel()

    async def _departure(self) -> dict[str, Any]:
        """Wait for the client to leave, as an application does that sends for long."""
        if self._gone is None:
            self._gone = asyncio.Event()
        if self._watch is None:
            self._watch = self._loop.create_task(self._wait_for_departure())
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def _note_gone(self):
        if self._fault is None:
            self._fault = _GONE
            self._gate.metrics.count_cancelled("client_gone")

    def _interrupt(self, fault: Fault):
        """Take the request from the application, which frees its place in any queue."""
        if self._fault is None:
            self._fault = fault
            self._task.cancel()

    def _check_length(self, length: bytes) -> Fault | None:
        if not length.isdigit():
            return Fault(400, "invalid_input", "The header Content-Length must be a number of bytes.")
        # Python refuses to read numbers of thousands of digits.
        return self._too_large() if int(length[:20]) > self._gate.settings.max_body_bytes else None

    def _too_large(self) -> Fault:
        return Fault(413, "too_large", _TOO_LARGE.format(self._gate.settings.max_body_bytes))

    async def _rest_is_here(self) -> bool:
        """Read what is left of a body that the application did not want; whether that was there already."""
        if self._expects and not self._asked_since:
            return False  # the client waits to be told whether to send it
        await self._throw_away(_PATIENCE)
        return self._body_done

    async def _throw_away(self, seconds: float):
        """Read on for a moment: closing on a client that still sends would make it lose the answer."""
        left = self._gate.settings.max_body_bytes
        try:
            async with asyncio.timeout(seconds):
                while not self._body_done and left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self._body_done = not message.get("more_body", False)
        except TimeoutError:
            return
