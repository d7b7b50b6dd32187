"""The server's log: lines for people, or JSON for programs. Never bodies, never tokens."""

import functools
import json
import logging
import sys
import time
from typing import TextIO

REQUESTS = "keras_seq.serving.requests"
"""The logger with one line a request."""

_ROOT = "keras_seq.serving"


class JSONFormatter(logging.Formatter):
    """A JSON object a line: `time`, `level`, `event`, and the fields of a request or a `message`, perhaps a `trace`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {"time": _utc(record.created), "level": record.levelname.lower()}
        if isinstance(record.msg, dict):
            line |= {"event": "request", **record.msg}
        else:
            line |= {"event": "message", "logger": record.name, "message": record.getMessage()}
            line |= _request_id(record)
            if record.exc_info:
                line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """A line for people: time, then what happened; below it where an error comes from."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and more for an error."""
        if isinstance(record.msg, dict):
            text = " ".join(str(value) for value in record.msg.values() if value != "")
        else:
            request_id = "".join(f" [{value}]" for value in _request_id(record).values())
            text = f"{record.levelname.lower()}: {record.getMessage()}{request_id}"
            if record.exc_info:
                text += "\n" + self.formatException(record.exc_info)
        return f"{_utc(record.created)} {text}"


def configure(*, as_json: bool = False, requests: bool = True, stream: TextIO | None = None):
    """Send what the server, and the HTTP server below it, have to say to one place.

    Args:
        as_json: JSON instead of lines for people.
        requests: Whether each request is a line.
        stream: Where to; by default stderr.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JSONFormatter() if as_json else TextFormatter())
    for name, level in ((_ROOT, logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    # At a lower level it would write addresses with their queries, which hold the tokens of WebSockets.
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.setLevel(logging.WARNING)
    if _is_news not in uvicorn.filters:
        uvicorn.addFilter(_is_news)
    logging.getLogger(REQUESTS).setLevel(logging.INFO if requests else logging.WARNING)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether the gate has not told of it already: answers that are broken off have their line, as 499."""
    return not record.getMessage().startswith("ASGI callable returned without")


def _request_id(record: logging.LogRecord) -> dict[str, str]:
    found = getattr(record, "request_id", "")
    return {"request_id": found} if found else {}


def _utc(seconds: float) -> str:
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@functools.lru_cache(maxsize=1)  # a busy server writes many lines a second
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
