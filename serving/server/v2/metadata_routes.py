"""Health and metadata of the server and of its models."""

import importlib.metadata
from typing import Any

from fastapi import APIRouter, Request, Response

from keras_seq.serving.errors import Unavailable
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.fault_responses import FAULTS
from keras_seq.serving.server.plain_route import PlainRoute
from keras_seq.serving.server.v2.datatypes import datatype_of
from keras_seq.serving.server.v2.documents import (
    TAG,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    path_parameters,
)
from keras_seq.serving.server.v2.infer_response import JSON
from keras_seq.serving.server.v2.json_data import encode_json
from keras_seq.serving.server.v2.named_tensors import NamedTensor, input_tensors, output_tensors

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_repository",
    "model_repository(unload_dependents)",
    "parameters",
)
"""Triton's names for what the server has beside the protocol itself."""

_PLATFORM = "onnxruntime_onnx"


def routes(context: Context) -> APIRouter:
    """The routes of health and metadata.

    Args:
        context: What all routes share.
    """
    router = APIRouter(route_class=PlainRoute, tags=[TAG])
    repository = context.repository
    server = {"name": "keras_seq", "version": importlib.metadata.version("keras_seq"), "extensions": EXTENSIONS}

    async def live(request: Request) -> Response:
        """Whether the server answers at all."""
        return _json({"live": True})

    async def ready(request: Request) -> Response:
        """Whether there are models to ask; 503 while there are none, and while the server shuts down."""
        if not repository.ready:
            raise Unavailable("The server is not ready: no model is loaded, or it is shutting down.")
        return _json({"ready": True})

    async def server_metadata(request: Request) -> Response:
        """What the server is, and which extensions of the protocol it has."""
        return _json(server)

    async def model_metadata(request: Request) -> Response:
        """What a model takes and gives, and the options that go into `parameters`."""
        model, signature = _find(request)
        return _json(
            {
                "name": signature.name,
                "versions": [other.version for other in repository.models if other.name == model.name],
                "platform": _PLATFORM,
                "inputs": [_tensor(tensor) for tensor in input_tensors(signature)],
                "outputs": [_tensor(tensor) for tensor in output_tensors(signature)],
                "parameters": {option.name: _option(option) for option in signature.options},
            }
        )

    async def model_ready(request: Request) -> Response:
        """Whether a model can be asked; 404 if there is none of that name, 503 if it is not loaded."""
        _, signature = _find(request)
        return _json({"name": signature.name, "ready": True})

    def _find(request: Request):
        path = request.path_params
        return repository.signature(path["model_name"], path.get("model_version"))

    def add(path: str, endpoint, answer: type, summary: str, parameters: list | None = None):
        extra = {"parameters": parameters} if parameters else {}
        documented = {200: {"model": answer}, **FAULTS}
        router.add_api_route(path, endpoint, summary=summary, responses=documented, openapi_extra=extra)

    add("/v2/health/live", live, ServerLive, "The server is alive")
    add("/v2/health/ready", ready, ServerReady, "The server is ready")
    add("/v2", server_metadata, ServerMetadata, "About the server")
    for versions in (False, True):
        path = "/v2/models/{model_name}" + "/versions/{model_version}" * versions
        of = " of one version" * versions
        add(path, model_metadata, ModelMetadata, f"About a model{of}", path_parameters(versions))
        add(f"{path}/ready", model_ready, ModelReady, f"A model{of} is ready", path_parameters(versions))
    return router


def _json(value: Any) -> Response:
    return Response(encode_json(value), media_type=JSON)


def _tensor(tensor: NamedTensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _option(option: OptionSpec) -> dict[str, Any]:
    bounds = {"default": option.default, "minimum": option.minimum, "maximum": option.maximum}
    return {"datatype": datatype_of(option.dtype), **bounds}
