"""A server in a thread, behind a real socket."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import uvicorn

from keras_seq.serving.server import ModelRepository, ServerSettings, create_app


class LiveServer:
    """Serves bundles until `stop`.

    Attributes:
        repository: Its models.
        url: `http://127.0.0.1:PORT`.
        host: `127.0.0.1:PORT`.
        port: The port.
    """

    def __init__(self, bundles: Mapping[str, Path] | None = None, folder: Path | None = None, **settings):
        self.repository = ModelRepository(bundles, folder, settings=ServerSettings(port=0, **settings))
        self.app = create_app(self.repository)
        config = uvicorn.Config(self.app, host="127.0.0.1", port=0, log_level="error", lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> "LiveServer":
        """Returns once it listens."""
        self._thread.start()
        give_up = time.monotonic() + 60
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                raise RuntimeError("The server did not start.")
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        return self

    def stop(self):
        """Returns once it is gone."""
        self._server.should_exit = True
        self._thread.join(timeout=60)
        if self._thread.is_alive():
            raise RuntimeError("The server did not stop.")


@contextlib.contextmanager
def live_server(
    bundles: Mapping[str, Path] | None = None, folder: Path | None = None, **settings
) -> Iterator[LiveServer]:
    """A `LiveServer` for the time of a `with` block."""
    server = LiveServer(bundles, folder, **settings).start()
    try:
        yield server
    finally:
        server.stop()
