"""Streams over a WebSocket: chunks in, partial results out."""

from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket

from keras_seq.serving.errors import InputError, NotFound, Overloaded, Unavailable
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.errors import describe, timeout_of
from keras_seq.serving.server.stream_session import StreamSession
from keras_seq.serving.server.stream_sessions import StreamSessions

_POLICY, _TRY_LATER = 1008, 1013
_LONGEST_REASON = 123  # bytes that the protocol allows


def routes(context: Context) -> APIRouter:
    """`/v1/{model}/stream`: a WebSocket is a stream. docs/serving.md describes its frames.

    Args:
        context: What all routes share.
    """
    router = APIRouter(tags=["streams"])
    sessions = StreamSessions(context.settings.max_streams)

    @router.websocket("/v1/{model}/stream")
    async def stream(socket: WebSocket, model: str, version: str | None = None):
        await socket.accept()  # before a refusal too: only then a browser learns the reason
        try:
            _refuse_foreign_pages(socket, context)
            timeout = timeout_of(socket, context.settings)
            with sessions.open(context.repository.get(model, version)) as opened:
                await StreamSession(socket, opened, context, timeout).run()
        except (InputError, NotFound) as error:
            await socket.close(_POLICY, _reason(describe(error, context).message))
        except (Overloaded, Unavailable) as error:
            await socket.close(_TRY_LATER, _reason(describe(error, context).message))

    return router


def _refuse_foreign_pages(socket: WebSocket, context: Context):
    """Keep pages of other sites out where no token does: browsers let any page open a WebSocket to this machine."""
    origin, host = socket.headers.get("origin"), socket.headers.get("host")
    if origin is not None and not context.settings.tokens and urlsplit(origin).netloc != host:
        raise InputError("Pages of another site need a token. Start the server with one, or serve the page from it.")


def _reason(message: str) -> str:
    """A message as a close frame may hold it.

    >>> len(_reason("é" * 200).encode())
    123
    """
    if len(message.encode()) <= _LONGEST_REASON:
        return message
    return message.encode()[: _LONGEST_REASON - 3].decode(errors="ignore") + "…"
