"""The page at `/`, and the files it is made of."""

import hashlib
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from keras_seq.serving.errors import NotFound, listed
from keras_seq.serving.server.context import Context

INDEX = "index.html"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Cache-Control": "no-cache",  # kept, but asked about each time: a new version of the server has a new page
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What the page's files are sent with: they run nothing and ask nobody but this server."""


def routes(context: Context) -> APIRouter:
    """The routes of the page, which need no bearer token: the page asks for one where the server wants it.

    Args:
        context: What the server's parts share.
    """
    files = {name: _File(name, content) for name, content in page_files().items()}
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return files[INDEX].answer(request)

    @router.get("/docs")
    async def docs() -> Response:
        return RedirectResponse("page/api.html")  # relative, as the server may lie below a path of another

    @router.api_route("/page/{name}", methods=["GET", "HEAD"])
    async def file(name: str, request: Request) -> Response:
        if name not in files:
            raise NotFound(f"The page has no file {name!r}. It has: {listed(files)}.")
        return files[name].answer(request)

    return router


def page_files() -> dict[str, bytes]:
    """Name to content of every file of the page: what it shares with the static site, and who answers here.

    >>> {"index.html", "client.js"} <= page_files().keys()
    True
    """
    serving = resources.files("keras_seq.serving")
    files = [item for folder in ("page", "server/page") for item in (serving / folder).iterdir()]
    return {
        item.name: item.read_bytes()
        for item in sorted(files, key=lambda item: item.name)
        if Path(item.name).suffix in MEDIA_TYPES
    }


class _File:
    """A file in memory, and the mark by which a browser knows whether its copy is still good."""

    def __init__(self, name: str, content: bytes):
        self._content = content
        self._media_type = MEDIA_TYPES["." + name.rpartition(".")[2]]
        self._headers = {**HEADERS, "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}

    def answer(self, request: Request) -> Response:
        """The file; or 304 without it, where the browser has it already."""
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if known & {self._headers["ETag"], "*"}:
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, media_type=self._media_type, headers=self._headers)
