"""What OpenAPI says of errors: the same for every route."""

from typing import Any

from pydantic import BaseModel, Field


class FaultBody(BaseModel):
    """The body of every answer that is an error."""

    error: str = Field(description="What was wrong, what was expected, what came, and how to mend it.")
    code: str = Field(description="A word for programs.", examples=["invalid_input"])
    request_id: str = Field(description="Under which the server's log has it; also in the header X-Request-Id.")


_DESCRIPTIONS = {
    400: "The request does not suit what is asked.",
    401: "The server wants a bearer token, and this is none of its own.",
    404: "There is no such model, version, or address.",
    408: "The request came too slowly.",
    413: "The body is too large.",
    415: "The body is packed in a way that the server does not know.",
    422: "The request does not have the documented form.",
    429: "Too many requests wait. Try again after the time in Retry-After.",
    500: "The server failed. Its log has the reason.",
    503: "The model is not loaded, or the server is shutting down.",
    504: "The time of the request was over before the answer was there.",
}

FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": FaultBody, "description": description} for status, description in _DESCRIPTIONS.items()
}
"""Status to what may come with it, for `responses` of an application or a router."""

FAULTS[429]["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
