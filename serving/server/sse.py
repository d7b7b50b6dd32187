"""Server-sent events: how they are spelt (WHATWG HTML, 9.2)."""

import json
import math
from collections.abc import Mapping
from typing import Any

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Of an answer made of events: nobody on the way is to keep it, or to hold it back until it is whole."""


def event(name: str, data: Mapping[str, Any]) -> bytes:
    r"""One event, with its data as JSON.

    JSON spells newlines as escapes, so the data always fits in one line.

    Args:
        name: Its name.
        data: Anything JSON has; numbers that are not finite become null, as in the other answers.

    Example:
        >>> event("token", {"text": "\n"})
        b'event: token\ndata: {"text":"\\n"}\n\n'
    """
    data = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in data.items()
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"event: {name}\ndata: {text}\n\n".encode()
