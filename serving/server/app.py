"""The application: all routes over one repository of models."""

import contextlib
import importlib.metadata
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

from keras_seq.serving.server import errors, metrics_routes, page_routes, stream_routes, text_routes
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.gate import Gate
from keras_seq.serving.server.metrics import Metrics
from keras_seq.serving.server.repository import ModelRepository
from keras_seq.serving.server.shortcut import Shortcut
from keras_seq.serving.server.v2 import inference_routes, metadata_routes, repository_routes

# In the order that requests are looked up: those that come most often first.
_PARTS = (
    inference_routes,
    text_routes,
    stream_routes,
    metadata_routes,
    repository_routes,
    metrics_routes,
    page_routes,
)


class _Application(FastAPI):
    """FastAPI behind the gate, which is the outermost layer: what every request passes is passed once."""

    def __init__(self, context: Context, **settings: Any):
        super().__init__(**settings)
        self.state.context = context
        routers = [part.routes(context) for part in _PARTS]
        for router in routers:
            self.include_router(router)
        errors.install(self, context)
        for route in self.routes:  # the framework works out what lies behind at the first request: not while one waits
            route.matches({"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []})
        self._entrance = Gate(Shortcut(super().__call__, routers), context)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any):
        await self._entrance(scope, receive, send)


def create_app(repository: ModelRepository) -> FastAPI:
    """Make the application, for `keras_seq.serving.server.run`, `uvicorn` or any other ASGI server.

    Its lifespan loads the models of the repository where none are loaded yet, and closes them at the end.

    Args:
        repository: The models, and the settings.

    Example:
        ```python
        app = create_app(ModelRepository({"tagger": "out/tagger"}))
        ```
    """
    metrics = Metrics()
    context = Context(repository.settings, repository, metrics)
    repository.observe_batch = metrics.observe_batch

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not repository.models:
            await repository.load_all()
        yield
        await repository.close()

    return _Application(
        context,
        title="keras_seq",
        version=importlib.metadata.version("keras_seq"),
        summary="Sequence models behind the Open Inference Protocol, plain texts and streams.",
        lifespan=lifespan,
        docs_url=None,  # the framework's pages load scripts from elsewhere: /docs is ours
        redoc_url=None,
    )
