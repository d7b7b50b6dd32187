"""Serves a site to this machine, with the headers that threads in browsers need."""

import contextlib
import http.server
import os
import sys
from collections.abc import Callable
from functools import partial

ISOLATION = {
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What makes a page cross-origin isolated; without it browsers give it no threads that share memory."""


class SiteHandler(http.server.SimpleHTTPRequestHandler):
    """The files of a folder, asked about each time and sent with `ISOLATION`."""

    extensions_map = {  # noqa: RUF012  the base class has it so; not left to what this machine knows of types
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
    }
    protocol_version = "HTTP/1.1"

    def end_headers(self):
        """Adds the headers of every answer."""
        for name, value in ISOLATION.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object):
        """Says nothing: what browsers ask for here is the site itself."""


class SiteServer(http.server.ThreadingHTTPServer):
    """Serves each browser in a thread of its own; one that has gone is no matter to speak of."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object):
        """Says what is wrong, unless it is only that the browser left."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def site_server(folder: str | os.PathLike, port: int = 0) -> SiteServer:
    """A server of `folder` for this machine alone, not started yet.

    Args:
        folder: The site.
        port: Where; 0 for any that is free.

    Raises:
        OSError: If the port is taken.
    """
    return SiteServer(("127.0.0.1", port), partial(SiteHandler, directory=os.fspath(folder)))


def serve_site(folder: str | os.PathLike, port: int, announce: Callable[[str], None]):
    """Serves `folder` to this machine until it is interrupted.

    Args:
        folder: The site.
        port: Where; 0 for any that is free.
        announce: Told the address once it is served.

    Raises:
        OSError: If the port is taken.
    """
    with site_server(folder, port) as server:
        announce(f"http://localhost:{server.server_port}/")
        with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
            server.serve_forever()
