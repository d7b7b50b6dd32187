"""The short way to routes that need nothing of the framework but its document."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request

from keras_seq.serving.server.plain_route import PlainRoute


class Shortcut:
    """ASGI middleware that takes requests straight to the endpoints of plain routes.

    Routers within routers, exit stacks and handlers of exceptions cost a third of the time of a small request, and do
    nothing for an endpoint that takes the request, gives the response and is watched over by the gate.

    Args:
        app: Where everything else goes.
        routers: The routers whose `PlainRoute`s are taken to, the most wanted first.
    """

    def __init__(self, app: Any, routers: Iterable[APIRouter]):
        self.app = app
        self._routes: dict[str, list[PlainRoute]] = {}
        for router in routers:
            for route in router.routes:
                if isinstance(route, PlainRoute):
                    for method in route.methods:
                        self._routes.setdefault(method, []).append(route)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any):
        """Serve a request to a plain route; everything else goes through."""
        if scope["type"] == "http" and not scope.get("root_path"):
            for route in self._routes.get(scope["method"], ()):
                match = route.path_regex.match(scope["path"])
                if match is not None:
                    scope["path_params"], scope["route"] = match.groupdict(), route
                    response = await route.endpoint(Request(scope, receive, send))
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)
