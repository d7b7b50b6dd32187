"""One WebSocket on its way through the gate."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from keras_seq.serving.server.errors import log_unforeseen
from keras_seq.serving.server.gone import is_gone

if TYPE_CHECKING:
    from keras_seq.serving.server.gate import Gate

GOING_AWAY = 1001
POLICY = 1008
FAILED = 1011
_PATIENCE = 0.02  # seconds after which somebody looks whether the client is still there; most answers are given by then


class Conversation:
    """A WebSocket, closed with a reason where the application fails or the server shuts down.

    While the application is busy with a message, one more is read, and no further: a client that leaves has the
    application cancelled where it stands, and one that floods is held up by its own connection.

    Args:
        gate: The gate that the WebSocket came to.
        scope: As in ASGI.
        receive: Likewise.
        send: Likewise.
        request_id: Its id.

    Attributes:
        code: The code that it was closed with, in the end.
    """

    def __init__(self, gate: "Gate", scope: dict[str, Any], receive: Any, send: Any, request_id: str):
        self._gate, self._scope, self._receive, self._send = gate, scope, receive, send
        self.request_id = request_id
        self.code = 1006  # what the protocol calls a connection that ended without a word
        self._accepted = self._closed = self._waiting = self._dismissed = False
        self._task = asyncio.current_task()
        self._goodbye: asyncio.Task | None = None
        self._gone = False
        self._timer: asyncio.TimerHandle | None = None
        self._ahead: asyncio.Task[dict[str, Any]] | None = None

    async def run(self, refusal: tuple[int, str] | None):
        """Serve the WebSocket until it is closed.

        Args:
            refusal: Code and reason to close it with at once, if it is to be refused.
        """
        sockets = self._gate.traffic.sockets
        sockets.add(self)
        try:
            if refusal is None:
                await self._gate.app(self._scope, self.receive, self.send)
            else:
                await self._receive()  # that it connects
                await self._close(*refusal)
        except asyncio.CancelledError:
            if not self._dismissed and not self._gone:
                raise
            self._task.uncancel()
            await self._close_for_shutdown()
        except Exception as error:  # noqa: BLE001  Whatever a route raises is told here, and nowhere else.
            if not self._closed:
                log_unforeseen(error, self.request_id)
                await self._close(FAILED, f"The server failed; its log has the reason under {self.request_id}.")
        finally:
            sockets.discard(self)
            self._stop_looking()
            if self._ahead is not None:
                self._ahead.cancel()

    async def receive(self) -> dict[str, Any]:
        """What the application receives; between two messages is the moment to close when the server shuts down."""
        if self._dismissed:
            await self._close_for_shutdown()
        self._stop_looking()
        ahead, self._ahead = self._ahead, None
        self._waiting = True
        try:
            message = await (self._receive() if ahead is None else ahead)
        finally:
            self._waiting = False
        if message["type"] == "websocket.disconnect":
            self._note_closed(message.get("code") or 1005)
        else:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._look)
        return message

    def _look(self):
        self._timer = None
        self._ahead = asyncio.get_running_loop().create_task(self._read_ahead())

    async def _read_ahead(self) -> dict[str, Any]:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and not self._waiting:
            self._note_closed(message.get("code") or 1005)
            self._gone = True
            self._gate.metrics.count_cancelled("client_gone")
            self._task.cancel()
        return message

    def _stop_looking(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def send(self, message: dict[str, Any]):
        """What the application sends, with the request id; nothing once the WebSocket is closed."""
        if self._closed:
            return
        if message["type"] == "websocket.accept":
            self._accepted = True
            message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]}
        elif message["type"] == "websocket.close":
            self._note_closed(message.get("code", 1000))
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:
            if not is_gone(error):
                raise
            self._note_closed(1006)
            raise ConnectionResetError("The client is gone.") from error

    def dismiss(self):
        """Close the WebSocket as soon as the application waits for its next message; asked again, at once."""
        if self._dismissed:
            self._task.cancel()
        elif self._waiting:
            self._goodbye = asyncio.get_running_loop().create_task(self._close_for_shutdown())
        self._dismissed = True

    async def _close_for_shutdown(self):
        await self._close(GOING_AWAY, "The server is shutting down.")

    async def _close(self, code: int, reason: str):
        with contextlib.suppress(ConnectionResetError):  # then there is nobody to tell
            if not self._accepted:
                await self.send({"type": "websocket.accept"})
            await self.send({"type": "websocket.close", "code": code, "reason": reason})

    def _note_closed(self, code: int):
        if not self._closed:
            self._closed, self.code = True, code
