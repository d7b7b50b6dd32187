"""Runs the application: uvicorn with patience that ends, and a shutdown that answers whoever is being served."""

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from keras_seq.serving.errors import ServingError
from keras_seq.serving.server.connection import Watchman, http_protocol
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.settings import ServerSettings

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OTHER_FILES = 192  # open files besides connections: those to be sent away, models, the system's
_LAST_WORDS = 5.0  # seconds for connections to close once nobody is served any more


def serve(app: Any, *, announce: Callable[[str], Any] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then let requests under way finish.

    Models are loaded first; only then does the server listen. From the signal on, health says "not ready", further
    requests get 503, WebSockets are closed with 1001 after the message they are busy with, and after `drain_seconds`
    what is still under way is answered 503 too. A second SIGINT ends at once.

    Args:
        app: What `create_app` made.
        announce: Called with the address, such as `"http://127.0.0.1:8000"`, once requests are answered.

    Returns:
        0 if everybody was answered, 1 if time ran out for some.

    Raises:
        ServingError: If the address cannot be listened at, or there are models and none could be loaded.
    """
    context: Context = app.state.context
    warn_if_open(context.settings)
    allow_files(context.settings.max_connections + _OTHER_FILES)
    server = _Server(app, context, announce)
    listener = bind(context.settings.host, context.settings.port)
    with listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_load(context))
        gc.collect()
        gc.freeze()  # what has been loaded stays, and need not be looked through again and again
        try:
            runner.run(server.serve([listener]))
        finally:
            gc.unfreeze()
    return 0 if server.drained else 1


class ThreadedServer:
    """A server in a thread of this process, at a port of its own: for tests, notebooks and examples.

    Args:
        app: What `create_app` made. Whatever its settings say, it listens at 127.0.0.1, at a port that is free.

    Attributes:
        port: Where it listens.
        url: Likewise, as `"http://127.0.0.1:PORT"`.

    Raises:
        ServingError: If there are models and none could be loaded.
    """

    def __init__(self, app: Any):
        self._context: Context = app.state.context
        self._server = _Server(app, self._context, lambda url: self._ready.set())
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="keras-seq-server", daemon=True)

    @property
    def connections(self) -> int:
        """How many there are at the moment."""
        return len(self._server.server_state.connections)

    def __enter__(self) -> "ThreadedServer":
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *exception: object):
        self._server.should_exit = True
        self._thread.join()

    def _run(self):
        try:
            with self._listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_load(self._context))
                runner.run(self._server.serve([self._listener]))
        except BaseException as error:  # noqa: BLE001  Raised again where the server was started.
            self._failure = error
        finally:
            self._ready.set()


class _Server(uvicorn.Server):
    """The HTTP server: looks after its connections, and drains before it goes."""

    def __init__(self, app: Any, context: Context, announce: Callable[[str], Any] | None):
        settings = context.settings
        config = uvicorn.Config(
            app,
            http=http_protocol(settings),
            ws="websockets-sansio",  # what newer versions take by default, and older ones beside one that is given up
            ws_max_size=max(settings.max_body_bytes, settings.max_snapshot_bytes),
            ws_per_message_deflate=False,  # numbers hardly shrink, and what a small frame unpacks to has no bound
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=_LAST_WORDS,
            h11_max_incomplete_event_size=64 * 1024,
        )
        super().__init__(config)
        self.drained = True
        self._settings, self._traffic, self._announce = settings, context.traffic, announce
        self._watchman = Watchman(self.server_state.connections, settings)

    async def startup(self, sockets: list[socket.socket] | None = None):
        try:
            await super().startup(sockets)
        except OSError as error:
            await self.lifespan.shutdown()
            raise ServingError(_why_not(self._settings.host, self._settings.port, error)) from error
        if self._announce is not None and self.started:
            self._announce(_address(sockets[0]))

    async def on_tick(self, counter: int) -> bool:
        if counter % 2 == 0:  # every 0.2 seconds
            self._watchman.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None):
        self._traffic.drain()
        await self._wait_until_quiet(self._settings.drain_seconds)
        if not self._traffic.quiet:
            self.drained = False
            _log.warning("Time is up: %d requests are answered 503.", len(self._traffic.requests))
            self._traffic.dismiss()
            await self._wait_until_quiet(_LAST_WORDS)
        await super().shutdown(sockets)

    async def _wait_until_quiet(self, seconds: float):
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self._traffic.quiet and loop.time() < end and not self.force_exit:
            self._watchman.look(loop.time())
            await asyncio.sleep(0.05)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn, does not raise the signal again in the end: what was asked for has been done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address, which nobody is let into yet.

    Args:
        host: A name or an address.
        port: The port; 0 for any that is free.

    Raises:
        ServingError: If the port is taken or not allowed, or the address is not this machine's.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ServingError(_why_not(host, port, error)) from error
    return listener


def warn_if_open(settings: ServerSettings):
    """Note in the log that a server can be reached from elsewhere and answers everybody.

    Args:
        settings: Where it listens, and whether it wants tokens.
    """
    if not settings.tokens and not _is_this_machine(settings.host):
        _log.warning(
            "The server listens at %s and wants no token: whoever reaches this machine may ask it, load and unload its "
            "models. Give it tokens, or let it listen at 127.0.0.1.",
            settings.host,
        )


def allow_files(number: int):
    """Let the process have that many files open, if the system does, or note in the log that it will not.

    Each connection is one, and many systems allow 1024 at first; without one left, nobody could even be sent away.

    Args:
        number: How many there may have to be.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit
        return
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if now == unlimited or now >= number:
        return
    allowed = number if most == unlimited else min(number, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    if allowed < number:
        _log.warning(
            "The system allows %d open files, and all connections may need %d. See `ulimit -n`.", allowed, number
        )


async def _load(context: Context):
    """Load the models. One that cannot be loaded leaves the others; all of them, nothing to serve."""
    repository = context.repository
    await repository.load_all()
    states = repository.index()
    if repository.models or not states:
        if not states:
            _log.warning("There is no model yet. Put one into the model folder, and load it.")
        return
    reasons = "\n".join(f"{state.name}: {state.reason}" for state in states)
    await repository.close(0)
    raise ServingError(f"None of the models could be loaded.\n{reasons}")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken. Stop what listens there, or choose another port, or 0 for any."
    if error.errno == errno.EACCES:
        return f"Port {port} is not for everybody. Choose one above 1023."
    return f"Cannot listen at {host}, port {port}: {error.strerror or error}. Name an address of this machine."
