"""The application: all routes over one repository of models."""

import contextlib
import importlib
import importlib.metadata
import importlib.util

from fastapi import FastAPI

from keras_seq.serving.server.context import Context
from keras_seq.serving.server.repository import ModelRepository

_PARTS = (
    "v2.inference_routes",
    "v2.repository_routes",
    "text_routes",
    "stream_routes",
    "metrics_routes",
    "page_routes",
)


def _part(name):
    full = f"keras_seq.serving.server.{name}"
    with contextlib.suppress(ImportError):
        if importlib.util.find_spec(full):
            return importlib.import_module(full)
    return None


def create_app(repository: ModelRepository) -> FastAPI:
    """Make the application.

    Its lifespan loads the models of the repository that are not loaded yet, and closes them.

    Args:
        repository: The models, and the settings.
    """
    metrics_module = _part("metrics")
    metrics = metrics_module.Metrics() if hasattr(metrics_module, "Metrics") else None
    if metrics is not None:
        repository.observe_batch = metrics.observe_batch
    context = Context(repository.settings, repository, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI):
        if not repository.models:
            await repository.load_all()
        yield
        await repository.close()

    app = FastAPI(
        title="keras_seq",
        version=importlib.metadata.version("keras_seq"),
        summary="Sequence models behind the Open Inference Protocol, plain texts and streams.",
        lifespan=lifespan,
    )
    app.state.context = context
    for name in _PARTS:
        part = _part(name)
        if part is not None and hasattr(part, "routes"):
            app.include_router(part.routes(context))
    errors, gate = _part("errors"), _part("gate")
    if errors is not None and hasattr(errors, "install"):
        errors.install(app, context)
    if gate is not None and hasattr(gate, "Gate"):
        app.add_middleware(gate.Gate, context=context)
    return app
