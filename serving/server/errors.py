"""Every error as one kind of answer: a status, a code, and a message that says what to mend, not what the server is."""

import logging
import math
import os
import re
import sys
import tempfile
from http.client import responses
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from keras_seq.serving.errors import (
    BundleError,
    DeadlineExceeded,
    InputError,
    NotFound,
    Overloaded,
    ServingError,
    Unavailable,
)
from keras_seq.serving.server.fault import Fault
from keras_seq.serving.server.settings import ServerSettings

TIMEOUT_HEADER = "x-timeout-seconds"

_log = logging.getLogger(__name__)
_LONGEST = 2000  # characters of a message; names and values of the client's own can be in it
_KINDS: dict[type[ServingError], tuple[int, str]] = {
    InputError: (400, "invalid_input"),
    NotFound: (404, "not_found"),
    Overloaded: (429, "overloaded"),
    BundleError: (500, "bundle_error"),
    Unavailable: (503, "unavailable"),
    DeadlineExceeded: (504, "deadline_exceeded"),
}
_FRAMEWORK = {  # what the web framework says of these would help nobody
    404: "There is nothing at this address. GET /docs lists what there is.",
    405: "This address does not take that method. The header Allow lists those it takes.",
}


def install(app: FastAPI, context: Any):
    """Give the application's errors, and those of the web framework, the common form.

    What is not foreseen is answered in the same form, and goes on to the gate, which logs it.

    Args:
        app: The application.
        context: What all routes share; the paths of its models' bundles are kept out of messages.
    """

    async def answer(request: Request, error: Exception) -> JSONResponse:
        fault = describe(error, context)
        request_id = request.scope.get("state", {}).get("request_id", "")
        if fault.status == 500:
            log_unforeseen(error, request_id)
        return JSONResponse(fault.body(request_id), fault.status, dict(fault.headers))

    async def answer_unforeseen(request: Request, error: Exception) -> JSONResponse:
        fault = describe(error, context)  # the framework raises the error again, and the gate logs it
        return JSONResponse(fault.body(request.scope.get("state", {}).get("request_id", "")), fault.status)

    for kind in (ServingError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, answer_unforeseen)


def describe(error: BaseException, context: Any) -> Fault:
    """What a client is told of an error.

    Args:
        error: Any exception.
        context: What all routes share.

    Returns:
        Status, code and message. Of an exception that is not foreseen, the message says only where to look: it may hold
        anything. So the caller should log it.
    """
    for kind, (status, code) in _KINDS.items():
        if isinstance(error, kind):
            headers = ()
            if isinstance(error, Overloaded):
                headers = (("retry-after", str(max(1, math.ceil(error.retry_after_seconds)))),)
            return Fault(status, code, clean(str(error), context), headers)
    if isinstance(error, RequestValidationError):
        return Fault(422, "invalid_input", clean(_validation(error), context))
    if isinstance(error, HTTPException):
        code = re.sub(r"\W+", "_", responses.get(error.status_code, "error").lower())
        message = _FRAMEWORK.get(error.status_code, str(error.detail))
        headers = tuple((name.lower(), value) for name, value in (error.headers or {}).items())
        return Fault(error.status_code, code, clean(message, context), headers)
    return Fault(500, "internal", "The server failed at this. Its log has the reason under the request id.")


def clean(message: str, context: Any) -> str:
    """A message without the paths of the server.

    Args:
        message: Any text.
        context: What all routes share. The folder of a model's bundle becomes the model's name; other places, such as
            the home folder or where Python lies, three dots.
    """
    if "/" in message or "\\" in message:
        for place, name in sorted(_places(context).items(), key=lambda item: -len(item[0])):
            message = re.sub(rf"{re.escape(place)}(?![\w-])", lambda _, name=name: name, message)
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]} …"


def timeout_of(request: Request, settings: ServerSettings) -> float:
    """Seconds that a request may take: the header `X-Timeout-Seconds`, and no more than the settings say.

    Args:
        request: The request.
        settings: For the default, and the most.

    Raises:
        InputError: If the header is no positive number.
    """
    text = request.headers.get(TIMEOUT_HEADER)
    if text is None:
        return settings.timeout_seconds
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise InputError(
            f"The header X-Timeout-Seconds must be a number of seconds above 0, such as 2.5. Received: {text[:50]!r}."
        )
    return min(seconds, settings.timeout_seconds)


def log_unforeseen(error: BaseException, request_id: str):
    """Put an error that clients are not told of into the log, with where it comes from.

    Args:
        error: The exception.
        request_id: Under which the client can ask for it.
    """
    text = f"{type(error).__name__}: {error}"
    _log.error("A request failed: %s", text, exc_info=error, extra={"request_id": request_id})


def _validation(error: RequestValidationError) -> str:
    """The first few of what FastAPI has to say of a request."""
    lines = []
    for found in error.errors()[:3]:
        place = ".".join(str(part) for part in found.get("loc", ()))
        lines.append(f"{place}: {found.get('msg', 'not valid')}")
    if len(error.errors()) > len(lines):
        lines.append(f"and {len(error.errors()) - len(lines)} more")
    return f"The request does not have the form that /docs describes: {'; '.join(lines)}."


def _places(context: Any) -> dict[str, str]:
    """Folders of this machine, and what stands for each in a message."""
    folders = [os.getcwd(), Path.home(), sys.prefix, sys.base_prefix, tempfile.gettempdir(), Path(__file__).parents[2]]
    places = {str(folder): "…" for folder in folders}
    places.update({str(path): name for path, name in context.repository.folders.items()})
    resolved = {os.path.realpath(place): name for place, name in places.items()}
    return {place: name for place, name in (places | resolved).items() if len(place) > 1}
