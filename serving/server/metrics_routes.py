"""`GET /metrics`."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST


def routes(context: Any) -> APIRouter:
    """The route that Prometheus reads.

    Args:
        context: What all routes share.
    """
    router = APIRouter(tags=["operation"])
    context.metrics.watch(context)

    @router.get(
        "/metrics",
        summary="Counters and gauges for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(request: Request) -> Response:
        return Response(context.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return router
