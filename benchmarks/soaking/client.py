"""An HTTP client that can leave at any moment: one connection, one request at a time."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

PATIENCE_SECONDS = 40.0  # more than the server's deadline: whoever waits longer has been forgotten


class Lost(Exception):
    """A request that was sent whole got no answer."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The status code.
        headers: Header name, in small letters, to value.
        body: All of it; empty for one that is read as events.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


class Client:
    """A connection that is made when it is needed, and kept.

    Args:
        port: Of the server, at 127.0.0.1.
    """

    def __init__(self, port: int):
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, body: bytes | dict | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Ask and wait for the answer: POST where there is a body, else GET.

        Raises:
            Lost: If the connection ends or nothing comes.
        """
        await self.send(path, body, headers)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._read_head()
                if answer.headers.get("transfer-encoding") == "chunked":
                    content = b"".join([part async for part in self._chunks()])
                else:
                    content = await self._reader.readexactly(int(answer.headers.get("content-length", 0)))
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            self.leave()
            raise Lost(f"{path}: {type(error).__name__} {error}") from error
        if answer.headers.get("connection") == "close":
            self.leave()
        return Answer(answer.status, answer.headers, content)

    async def events(self, path: str, body: dict) -> AsyncIterator[tuple[str, dict]]:
        """Ask, and give the server-sent events one by one; where the answer is no stream, `("refused", answer)`.

        Raises:
            Lost: If the connection ends or nothing comes.
        """
        await self.send(path, body)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._read_head()
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    content = await self._reader.readexactly(int(answer.headers["content-length"]))
                    yield "refused", {"status": answer.status, "body": content.decode()}
                    return
                text = b""
                async for part in self._chunks():
                    text += part
                    *whole, text = text.split(b"\n\n")
                    for event in whole:
                        name, _, data = event.partition(b"\n")
                        yield name.decode().removeprefix("event: "), json.loads(data.removeprefix(b"data: "))
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            self.leave()
            raise Lost(f"{path}: {type(error).__name__} {error}") from error

    async def send(
        self,
        path: str,
        body: bytes | dict | None = None,
        headers: dict[str, str] | None = None,
        share: float = 1.0,
    ):
        """Send a request, or its first part.

        Args:
            path: Where to.
            body: Bytes, or what becomes JSON.
            headers: Besides those that every request has.
            share: How much of it to send.
        """
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        lines = {"Host": "localhost", "Content-Type": "application/json", **(headers or {})}
        lines["Content-Length"] = str(len(body or b""))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        request = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request[: int(share * len(request))])
        await self._writer.drain()

    def leave(self):
        """Close the connection at once, whatever is under way on it."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _read_head(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Answer(int(head[0].split()[1]), headers, b"")

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            size = int(await self._reader.readline(), 16)
            part = await self._reader.readexactly(size + 2)
            if not size:
                return
            yield part[:-2]
