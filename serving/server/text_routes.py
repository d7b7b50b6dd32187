"""Plain text over HTTP: `POST /v1/{model}/tag`, `/classify`, `/generate`, `/translate`, and `GET /v1/models`."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from keras_seq.serving.errors import DeadlineExceeded, InputError
from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.server import errors, sse
from keras_seq.serving.server.context import Context
from keras_seq.serving.server.fault_responses import FAULTS
from keras_seq.serving.server.served_model import ServedModel
from keras_seq.serving.server.text_bodies import (
    ClassifyAnswer,
    GenerateAnswer,
    GenerateBody,
    LabelBody,
    ModelList,
    TagAnswer,
    TranslateBody,
)
from keras_seq.serving.server.text_cards import model_cards
from keras_seq.serving.server.text_model import TextModel
from keras_seq.serving.text.strings import read_texts
from keras_seq.serving.text.text_task import TextTask

Model = Annotated[str, Path(description="Its name.")]
Version = Annotated[str | None, Query(description="Which version; by default the highest.")]

_EVENTS = """\
With `stream` an answer of the type `text/event-stream`: events `token` (`text`, `id`, `log_prob`), then one `done`
(`text`: all of it, `finished`, `tokens`: how many, `seconds`) or, if something goes wrong on the way, one `error`
(`error`, `code`, `request_id`). The deadline is then that of each token. Whoever has read enough closes the
connection."""


def routes(context: Context) -> APIRouter:
    """The routes of plain text.

    Args:
        context: What the server's parts share.
    """
    router = APIRouter(prefix="/v1", tags=["text"], responses=FAULTS)
    known: WeakKeyDictionary[ServedModel, TextModel] = WeakKeyDictionary()  # tokenizers are read once a model

    def look_up(name: str, version: str | None) -> tuple[ServedModel, TextModel]:
        served = context.repository.get(name, version)
        if served not in known:
            known[served] = TextModel(served)
        return served, known[served]

    async def label(task: str, request: Request, model: str, version: str | None, body: LabelBody) -> Response:
        served, text_model = look_up(model, version)
        timeout = errors.timeout_of(request, context.settings)
        answer = await text_model.label(served, text_model.task(task), _texts(body), body.output, body.options, timeout)
        return Response(answer, media_type="application/json")

    async def find(
        name: str, request: Request, model: str, version: str | None, body: GenerateBody | TranslateBody
    ) -> Response:
        served, text_model = look_up(model, version)
        timeout = errors.timeout_of(request, context.settings)
        task, texts = text_model.task(name), _texts(body)
        if body.stream:
            tokens = text_model.stream(served, task, texts, body.options)
            return await _streaming(tokens, task, timeout, request, context)
        answer = await text_model.generate(served, task, texts, body.options, timeout)
        return Response(answer, media_type="application/json")

    @router.get("/models", summary="What the loaded models do with text")
    async def models() -> ModelList:
        return ModelList(models=model_cards(context.repository, look_up))

    @router.post("/{model}/tag", response_model=TagAnswer, summary="Label each token")
    async def tag(model: Model, body: LabelBody, request: Request, version: Version = None):
        return await label("tag", request, model, version, body)

    @router.post("/{model}/classify", response_model=ClassifyAnswer, summary="Label each text")
    async def classify(model: Model, body: LabelBody, request: Request, version: Version = None):
        return await label("classify", request, model, version, body)

    @router.post(
        "/{model}/generate",
        response_model=GenerateAnswer,
        summary="Go on with each text",
        description=_EVENTS,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def generate(model: Model, body: GenerateBody, request: Request, version: Version = None):
        return await find("generate", request, model, version, body)

    @router.post("/{model}/translate", response_model=GenerateAnswer, summary="Translate each text")
    async def translate(model: Model, body: TranslateBody, request: Request, version: Version = None):
        return await find("translate", request, model, version, body)

    return router


def _texts(body: LabelBody | GenerateBody | TranslateBody) -> list[str]:
    given = {"text", "texts"} & body.model_fields_set
    if len(given) != 1:
        raise InputError(
            f"A request has either `text`, a string, or `texts`, a list of strings. Received: "
            f"{'both' if given else 'neither'}."
        )
    return read_texts([body.text] if "text" in given else body.texts)  # JSON can spell half a pair of surrogates


async def _streaming(
    tokens: AsyncIterator[GeneratedToken], task: TextTask, timeout: float, request: Request, context: Context
) -> StreamingResponse:
    """The answer as events; what goes wrong before the first token is an ordinary error with its status code."""
    start = time.perf_counter()
    first = await _next(tokens, timeout)

    async def events() -> AsyncIterator[bytes]:
        token, text, count, last = first, [], 0, None
        try:
            while token is not None:
                text.append(token.text or "")
                count, last = count + 1, token.id
                yield sse.event("token", {"text": token.text, "id": token.id, "log_prob": token.log_prob})
                token = await _next(tokens, timeout)
            seconds = round(time.perf_counter() - start, 6)
            done = {"text": "".join(text), "finished": last == task.end_id, "tokens": count, "seconds": seconds}
            yield sse.event("done", done)
        except Exception as error:  # noqa: BLE001 - the status code is sent already, so the error becomes an event
            fault, request_id = errors.describe(error, context), request.scope.get("state", {}).get("request_id", "")
            if fault.status == 500:
                errors.log_unforeseen(error, request_id)
            yield sse.event("error", fault.body(request_id))
        finally:
            await tokens.aclose()

    return StreamingResponse(events(), media_type="text/event-stream", headers=sse.HEADERS)


async def _next(tokens: AsyncIterator[GeneratedToken], timeout: float) -> GeneratedToken | None:
    try:
        async with asyncio.timeout(timeout):
            return await anext(tokens, None)
    except TimeoutError:
        raise DeadlineExceeded(
            f"The next token was not there within {timeout:g} s. Ask for fewer at a time, or allow more time with "
            "X-Timeout-Seconds."
        ) from None
