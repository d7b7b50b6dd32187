"""The model repository extension: what there is, loading and unloading."""

from typing import Any

from fastapi import APIRouter, Request, Response

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.errors import clean
from keras_seq.serving.server.fault_responses import FAULTS
from keras_seq.serving.server.plain_route import PlainRoute
from keras_seq.serving.server.v2.body import read_body
from keras_seq.serving.server.v2.documents import TAG, ModelIndexEntry, json_body, path_parameters
from keras_seq.serving.server.v2.infer_response import JSON
from keras_seq.serving.server.v2.json_data import encode_json, parse_json
from keras_seq.serving.server.v2.values import check_bool, check_object

_PARAMETERS = {"parameters": {"type": "object", "properties": {"unload_dependents": {"type": "boolean"}}}}


def routes(context: Context) -> APIRouter:
    """The routes of the repository.

    Args:
        context: What all routes share.
    """
    router = APIRouter(route_class=PlainRoute, tags=[f"{TAG}: model repository"])
    repository = context.repository

    async def index(request: Request) -> Response:
        """Every version of every model that there is, loaded or not; with `"ready": true`, those that can be asked."""
        ready = check_bool(await _read(request), "ready", "body")
        states = [
            {
                "name": state.name,
                "version": state.version,
                "state": state.state,
                "reason": clean(state.reason, context),
            }
            for state in repository.index()
            if state.state == "READY" or not ready
        ]
        return Response(encode_json(states), media_type=JSON)

    async def load(request: Request) -> Response:
        """Load a model from disk, or load it anew; it is swapped in once it is ready, and no request is lost."""
        await _check_parameters(request, ())
        await repository.load(request.path_params["model_name"])
        return Response(b"{}", media_type=JSON)

    async def unload(request: Request) -> Response:
        """Take a model away. Requests that it has taken are answered still."""
        await _check_parameters(request, ("unload_dependents",))
        await repository.unload(request.path_params["model_name"])
        return Response(b"{}", media_type=JSON)

    async def _read(request: Request) -> dict[str, Any]:
        body = await read_body(request, context.settings.max_body_bytes)
        return check_object(parse_json(body, "The request's body") if body.strip() else None, "body")

    async def _check_parameters(request: Request, valid: tuple[str, ...]):
        given = check_object((await _read(request)).get("parameters"), "parameters")
        for name in given:
            if name not in valid:
                raise InputError(
                    f"`parameters` may have {listed(valid)}. Received: {name[:80]!r}. A model is loaded as its folder "
                    "has it: change what is there, and load it again."
                )

    done = {200: {"description": "Done.", "content": {JSON: {"schema": {"type": "object"}}}}}
    router.add_api_route(
        "/v2/repository/index",
        index,
        methods=["POST"],
        summary="The models that there are",
        responses={200: {"model": list[ModelIndexEntry]}, **FAULTS},
        openapi_extra=json_body({"ready": {"type": "boolean"}}),
    )
    for verb, endpoint, summary in (("load", load, "Load a model"), ("unload", unload, "Unload a model")):
        router.add_api_route(
            f"/v2/repository/models/{{model_name}}/{verb}",
            endpoint,
            methods=["POST"],
            summary=summary,
            responses={**done, **FAULTS},
            openapi_extra={"parameters": path_parameters(False), **json_body(_PARAMETERS)},
        )
    return router
