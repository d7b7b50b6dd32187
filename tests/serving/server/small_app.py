"""An application with routes that misbehave in one way each, behind the gate; and a client that speaks bytes."""

import asyncio
import contextlib
import socket
from types import SimpleNamespace

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

from keras_seq.serving.errors import NotFound
from keras_seq.serving.server import ServerSettings, errors, metrics_routes
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.gate import Gate
from keras_seq.serving.server.metrics import Metrics

HOST = b"host: here\r\n"


class NoModels:
    """A repository that knows one name and serves nothing."""

    def __init__(self, folders=None):
        self.folders = folders or {}
        self.models = []

    async def load_all(self):
        pass

    async def close(self, drain_seconds=None):
        pass

    def index(self):
        return []

    def signature(self, name, version=None):
        if name != "tagger":
            raise NotFound(f"There is no model {name!r}.")
        return None, None


def small_app(folders=None, **settings):
    """The application; `app.state.seen` notes what became of requests."""
    app = FastAPI()
    context = Context(ServerSettings(**{"port": 0, **settings}), NoModels(folders), Metrics())
    app.state.context, app.state.seen = context, []
    app.state.fail_with = lambda text: RuntimeError("the wiring came loose")
    app.include_router(metrics_routes.routes(context))
    errors.install(app, context)

    @app.post("/echo")
    async def echo(request: Request):
        app.state.seen.append("echo")
        return PlainTextResponse(await request.body())

    @app.get("/slow")
    @app.post("/slow")
    async def slow(request: Request, seconds: float = 60.0):
        await request.body()
        app.state.seen.append("slow")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            app.state.seen.append("cancelled")
            raise
        return PlainTextResponse("at last")

    @app.get("/large")
    async def large(size: int):
        return PlainTextResponse(b"7" * size)

    @app.get("/endless")
    async def endless(size: int = 7):
        async def pieces():
            try:
                while True:
                    yield b"7" * size
                    await asyncio.sleep(0.01)
            finally:
                app.state.seen.append("closed")

        return StreamingResponse(pieces())

    @app.get("/fail")
    async def fail(text: str = ""):
        raise app.state.fail_with(text)

    @app.get("/fail_late")
    async def fail_late():
        async def pieces():
            yield b"so far"
            raise RuntimeError("the wiring came loose")

        return StreamingResponse(pieces())

    @app.get("/models/{model}")
    async def model(model: str, number: int = 0):
        return number

    @app.websocket("/socket")
    async def talk(websocket: WebSocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            if text == "fail":
                raise RuntimeError("the wiring came loose")
            await asyncio.sleep(float(text))
            await websocket.send_text(text)

    app.add_middleware(Gate, context=context)
    return app


class RawClient:
    """A connection on which every byte is one's own."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._left = b""

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))
        return self

    def ask(self, line, *headers, body=b""):
        """Send a whole request, such as `GET /slow`."""
        length = b"content-length: %d\r\n" % len(body) if body else b""
        return self.send(line, b" HTTP/1.1\r\n", HOST, length, *(header + b"\r\n" for header in headers), b"\r\n", body)

    def answer(self):
        """The next response: status, headers, body."""
        head = self._read_until(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = self._read(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    def rest(self):
        """Everything until the server closes; nothing if it cuts the connection off."""
        received = self._left
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(2**16):
                received += data
        return received

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _read_until(self, mark):
        while mark not in self._left:
            self._more()
        head, self._left = self._left.split(mark, 1)
        return head

    def _read(self, size):
        while len(self._left) < size:
            self._more()
        body, self._left = self._left[:size], self._left[size:]
        return body

    def _more(self):
        data = self.socket.recv(2**16)
        if not data:
            raise EOFError(f"The server closed. Received before: {self._left!r}.")
        self._left += data


@contextlib.contextmanager
def served(app):
    """The application behind a socket: its port, a way to connect, and the notes of what happened."""
    from keras_seq.serving.server.run import ThreadedServer

    clients = []

    def connect():
        clients.append(RawClient(server.port))
        return clients[-1]

    with ThreadedServer(app) as server:
        try:
            yield SimpleNamespace(
                connect=connect,
                port=server.port,
                url=server.url,
                seen=app.state.seen,
                context=app.state.context,
                connections=lambda: server.connections,
                clients=clients,
            )
        finally:
            for client in clients:
                client.close()
