"""One client's stream, from the first frame to the last."""

import asyncio
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from keras_seq.serving.errors import InputError, Overloaded, ServingError
from keras_seq.serving.served_stream import ServedStream
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.errors import describe, log_unforeseen
from keras_seq.serving.server.stream_frames import (
    INPUTS,
    SNAPSHOT,
    TEXT,
    batch_of_one,
    read_frame,
    texts_of_one,
    write_answer,
)

_IN_A_THREAD = 2**17  # bytes from which reading or writing would hold up everybody else in the event loop

NORMAL = 1000


class StreamSession:
    """Answers the frames of a WebSocket one after the other: the next is read when the last is answered.

    So a client that floods the server is held up by its own connection, and costs no memory.

    Args:
        socket: Accepted already.
        stream: At its start.
        context: What all routes share.
        timeout: Seconds that a chunk may take.
    """

    def __init__(self, socket: WebSocket, stream: ServedStream, context: Context, timeout: float):
        self._socket = socket
        self._stream = stream
        self._context = context
        self._settings = context.settings
        self._timeout = timeout

    async def run(self):
        """Returns when the client has left, does not read its answers, or sends nothing for too long."""
        idle = self._settings.stream_idle_seconds
        try:
            while True:
                try:
                    async with asyncio.timeout(idle):
                        message = await self._socket.receive()
                except TimeoutError:
                    await self._send(
                        {"type": "websocket.close", "code": NORMAL, "reason": f"Idle for {idle:g} seconds."}
                    )
                    return
                if message["type"] == "websocket.disconnect":
                    return
                await self._send({"type": "websocket.send", **await self._answer(message)})
        except WebSocketDisconnect:  # it left while it was being answered
            return
        except TimeoutError:
            self._context.metrics.count_cancelled("slow_reader")

    async def _send(self, message: dict[str, Any]):
        async with asyncio.timeout(self._settings.send_timeout_seconds):
            await self._socket.send(message)

    async def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The frame that answers a frame; a fault where the client can go on with another."""
        try:
            text = message.get("text")
            return await (self._restore(message["bytes"]) if text is None else self._act(text))
        except ServingError as error:
            fault = describe(error, self._context)
            request_id = self._socket.scope.get("state", {}).get("request_id", "")
            if fault.status == 500:
                log_unforeseen(error, request_id)
            body: dict[str, Any] = fault.body(request_id)
            if isinstance(error, Overloaded):
                body["retry_after_seconds"] = error.retry_after_seconds
            return {"text": json.dumps(body)}

    async def _act(self, text: str) -> dict[str, Any]:
        self._check_size("A frame of JSON", len(text), self._settings.max_body_bytes)
        kind, value = await _aside(len(text), read_frame, text)
        stream, specs = self._stream, self._stream.spec.inputs
        if kind == INPUTS:
            inputs = await _aside(len(text), batch_of_one, value, specs)
            outputs = await stream.feed(inputs, self._timeout)
        elif kind == TEXT:
            self._check_text(text)
            outputs = await stream.feed_text(texts_of_one(value, specs), self._timeout)
        elif value == SNAPSHOT:
            return {"bytes": await _aside(stream.nbytes, stream.snapshot)}
        else:
            stream.reset()
            return self._standing()
        size = sum(getattr(value, "nbytes", 0) for value in outputs.values())
        return {"text": await _aside(size, write_answer, outputs, stream.steps)}

    async def _restore(self, data: bytes) -> dict[str, Any]:
        self._check_size("A snapshot", len(data), self._settings.max_snapshot_bytes)
        await _aside(len(data), self._stream.restore, data)
        return self._standing()

    def _standing(self) -> dict[str, Any]:
        return {"text": json.dumps({"steps": self._stream.steps})}

    def _check_text(self, text: str):
        self._check_size("A text", len(text), self._settings.max_text_characters, "characters")

    def _check_size(self, what: str, size: int, most: int, unit: str = "bytes"):
        if size > most:
            raise InputError(f"{what} may have {most} {unit}. Received: {size}. Send less at a time.")


async def _aside(size: int, function, *args) -> Any:
    """Call a function; in a thread where it has much to do."""
    return function(*args) if size < _IN_A_THREAD else await asyncio.to_thread(function, *args)
