"""`POST /v2/models/{model}[/versions/{version}]/infer`."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from keras_seq.serving.server.context import Context
from keras_seq.serving.server.errors import timeout_of
from keras_seq.serving.server.fault_responses import FAULTS
from keras_seq.serving.server.plain_route import PlainRoute
from keras_seq.serving.server.served_model import ServedModel
from keras_seq.serving.server.signature import Signature
from keras_seq.serving.server.v2.answers import as_tensor, best_classes, classes_of, of_hypotheses
from keras_seq.serving.server.v2.body import read_body
from keras_seq.serving.server.v2.documents import INFER, INFER_ANSWER, TAG, infer_parameters
from keras_seq.serving.server.v2.infer_request import HEADER, InferRequest, read_request
from keras_seq.serving.server.v2.infer_response import write_response
from keras_seq.serving.server.v2.named_tensors import generates, output_names, texts_of
from keras_seq.serving.server.v2.parameters import Parameters, read_parameters
from keras_seq.serving.server.v2.requested_output import RequestedOutput, read_outputs


def routes(context: Context) -> APIRouter:
    """The routes of inference.

    Args:
        context: What all routes share.
    """
    router = APIRouter(route_class=PlainRoute, tags=[TAG])
    repository, settings = context.repository, context.settings

    async def infer(request: Request) -> Response:
        """Run a model on tensors.

        Tensors come as JSON, or as binary data behind the JSON. Options of the model go into `parameters`; so does
        `timeout`, in microseconds.
        """
        path = request.path_params
        model, signature = repository.signature(path["model_name"], path.get("model_version"))
        body = await read_body(request, settings.max_body_bytes)
        asked = read_request(body, request.headers.get(HEADER))
        parameters = read_parameters(asked.parameters, signature.options)
        wanted = read_outputs(asked.outputs, output_names(signature), parameters.binary)
        timeout = timeout_of(request, settings)
        if parameters.timeout is not None:
            timeout = min(timeout, parameters.timeout)
        answer = await _ask(model, signature, asked, parameters, timeout)
        outputs = [(output.name, _tensor(answer, output, model), output.binary) for output in wanted]
        return write_response(signature.name, model.version, asked.id, outputs)

    for versions in (False, True):
        version = "/versions/{model_version}" if versions else ""
        router.add_api_route(
            f"/v2/models/{{model_name}}{version}/infer",
            infer,
            methods=["POST"],
            summary="Run a model" + " of one version" * versions,
            responses={200: INFER_ANSWER, **FAULTS},
            openapi_extra={"parameters": infer_parameters(versions), **INFER},
        )
    return router


async def _ask(
    model: ServedModel, signature: Signature, asked: InferRequest, parameters: Parameters, timeout: float
) -> dict[str, Any]:
    if not signature.takes_text:
        return await model.predict(signature.graph, asked.inputs, parameters.options, timeout)
    texts = texts_of(asked.inputs, signature)
    if generates(signature):
        return of_hypotheses(await model.generate_text(texts, parameters.options, timeout))
    answer = await model.predict_text(signature.graph, texts, parameters.options, timeout)
    if signature.one_text and "tokens" not in answer:  # the inputs have different ones for the same words
        answer["tokens"] = answer[f"{signature.text_inputs[0]}.tokens"]
    return answer


def _tensor(answer: dict[str, Any], output: RequestedOutput, model: ServedModel) -> np.ndarray:
    value = answer[output.name]
    if not output.classes:
        return as_tensor(value)
    last = np.shape(value if isinstance(value, np.ndarray) else value[0])[-1:]
    labels = classes_of(model.bundle.manifest.labels, output.name, *last) if last else None
    return best_classes(value, output.classes, output.name, labels)
