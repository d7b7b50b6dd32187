"""A server in a thread, behind a real socket."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from keras_seq.serving.server.run import ThreadedServer


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
        self._server = ThreadedServer(self.app)

    def start(self) -> "LiveServer":
        """Returns once it listens."""
        self._server.__enter__()
        self.port, self.url = self._server.port, self._server.url
        self.host = f"127.0.0.1:{self.port}"
        return self

    def stop(self):
        """Returns once it is gone."""
        self._server.__exit__()


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
