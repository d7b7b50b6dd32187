"""One version of a bundle, loaded, with a queue before each of its graphs."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from keras_seq.serving.batching import Batcher, BatchStats
from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, InputError, NotFound, listed
from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.generator import Generator
from keras_seq.serving.hypothesis import Hypothesis
from keras_seq.serving.predict_request import PredictRequest
from keras_seq.serving.predictor import Predictor
from keras_seq.serving.served_stream import ServedStream
from keras_seq.serving.server.settings import ServerSettings
from keras_seq.serving.server.signature import Signature
from keras_seq.serving.stream import Stream
from keras_seq.serving.stream_batch import StreamBatch
from keras_seq.serving.text.bundle_text import BundleText
from keras_seq.serving.text_stream import stream_text

_MODEL, _GENERATE, _STEP = "model", "generate", "step"
_TEXT_IN_A_THREAD = 10_000  # characters from which tokenizing would hold up everybody else in the event loop


class ServedModel:
    """A bundle that answers many callers at a time.

    A model that is replaced or unloaded need not be closed: whoever still waits for an answer keeps it alive, and with
    the last of them it goes. So nothing that it holds may hold it.

    Args:
        name: Under which it is served.
        version: Its version.
        bundle: The bundle's folder.
        settings: Limits, threads and batching.
        executor: Where the graphs run.
        observe_batch: Called after each call of a graph, with the name of what was asked and what the call was like.

    Raises:
        BundleError: If the bundle is damaged, or none of its graphs can be served.
    """

    def __init__(
        self,
        name: str,
        version: str,
        bundle: str | Path | Bundle,
        *,
        settings: ServerSettings,
        executor: Executor,
        observe_batch: Callable[[str, BatchStats], Any] | None = None,
    ):
        self.name, self.version = name, version
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        self.settings = settings
        self._executor = executor
        self._observe = observe_batch
        self._predictors: dict[str, Predictor] = {}
        self._generator: Generator | None = None
        graphs = self.bundle.manifest.graphs
        runs = {"variant": settings.variant, "num_threads": settings.num_threads}
        if _MODEL in graphs:
            self._predictors[_MODEL] = Predictor(self.bundle, **runs)
        if _GENERATE in graphs:
            self._generator = Generator(self.bundle, **runs)
            self._predictors[_GENERATE] = self._generator.predictor
        if not self._predictors and _STEP not in graphs:
            raise BundleError(
                f"{self.bundle.path} has no graph to serve. It has: {listed(graphs)}. Export the model with 'onnx' "
                "among `formats`."
            )
        self._streams = self._stream_batch() if _STEP in graphs and self.bundle.graph(_STEP).states else None
        self._batchers = {graph: self.batcher(graph, predictor.run) for graph, predictor in self._predictors.items()}
        self.signatures = {signature.name: signature for signature in self._signatures()}

    def batcher(self, graph: str, run: Callable[[Sequence], Sequence]) -> Batcher:
        """A queue before `run`, with the server's settings; what it does is noted under the graph's name."""
        settings = self.settings
        name = self._name_of(graph)
        return Batcher(
            run,
            executor=self._executor,
            workers=settings.calls_at_a_time,
            max_tokens=settings.max_batch_tokens,
            max_wait_seconds=settings.max_wait_seconds,
            max_queue=settings.max_queue,
            max_queue_tokens=settings.max_queue_tokens,
            observe=None if self._observe is None else functools.partial(self._observe, name),
        )

    @property
    def queued(self) -> dict[str, int]:
        """Requests that wait, by the name of what was asked."""
        waiting = {self._name_of(graph): batcher.queued for graph, batcher in self._batchers.items()}
        return waiting if self._streams is None else waiting | {self._name_of(_STEP): self._streams.queued}

    @property
    def stream_gauges(self) -> dict[str, int]:
        """Streams, `"open"`, and what their states take, `"bytes"`; texts that go on token by token are among them."""
        if self._streams is None:
            return {"open": 0, "bytes": 0}
        return {"open": self._streams.num_streams, "bytes": self._streams.nbytes}

    def predictor(self, graph: str = _MODEL) -> Predictor:
        """What runs a graph.

        Raises:
            NotFound: If the bundle has no such graph, or it carries states.
        """
        if graph not in self._predictors:
            raise NotFound(f"Model {self.name!r} has no graph {graph!r}. It has: {listed(self._predictors)}.")
        return self._predictors[graph]

    async def predict(
        self, graph: str, inputs: Any, options: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> dict[str, Any]:
        """What `Predictor.predict` gives for these inputs alone, in the company of whoever asks at the same time.

        Args:
            graph: Which graph to run.
            inputs: As in `Predictor.predict`.
            options: As in `Predictor.predict`.
            timeout: Seconds it may take; by default, and at most, those of the settings.

        Raises:
            InputError: If they do not suit, or are more than the server takes.
            NotFound: If there is no such graph.
            Overloaded: If too many wait.
            DeadlineExceeded: If the time is over.
            Unavailable: If the model is being taken away.
            ServingError: If ONNX Runtime fails.
        """
        return await self._answer(graph, self.predictor(graph).read(inputs, options), timeout)

    async def predict_text(
        self, graph: str, texts: Any, options: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> dict[str, Any]:
        """What `Predictor.predict_text` gives for these texts alone; the rest as in `predict`."""
        return await self._answer(graph, await self._read_text(self.predictor(graph), texts, options), timeout)

    async def generate_text(
        self, texts: Any, options: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> list[list[Hypothesis]]:
        """What `Generator.generate_text` gives for these texts alone; the rest as in `predict`.

        Raises:
            NotFound: If the model generates nothing.
        """
        answer = await self.predict_text(_GENERATE, texts, options, timeout)
        return self._generator.hypotheses(answer, with_text=True)

    def open_stream(self) -> ServedStream:
        """A stream of one sequence, at its start. It goes on with this version after the model was replaced.

        Raises:
            NotFound: If the bundle was exported without `streaming=True`.
        """
        return self._streaming().open()

    def stream_text(
        self, prompt: str | bytes | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> AsyncIterator[GeneratedToken]:
        """What `Generator.stream` gives, for many at a time; see `keras_seq.serving.text_stream`.

        Each token may take as long as the settings give a request.

        Raises:
            NotFound: If the model generates nothing, or was exported without `streaming=True`.
            InputError: If prompt or options do not suit.
            BundleError: If what the model generates is settled at its end only, as by beam search.
        """
        if self._generator is None:
            raise NotFound(f"Model {self.name!r} generates nothing: it has no graph {_GENERATE!r}.")
        if isinstance(prompt, (str, bytes)):
            self._check_characters(prompt)
        timeout = self.settings.timeout_seconds
        return stream_text(self._generator, self._streaming(), prompt, options, timeout=timeout)

    async def close(self, drain_seconds: float | None = None):
        """Let those who wait have their answers, refuse others, and free the graphs.

        Args:
            drain_seconds: How long that may take; by default as in the settings.
        """
        drain = self.settings.drain_seconds if drain_seconds is None else drain_seconds
        waiting = [*self._batchers.values(), *([] if self._streams is None else [self._streams])]
        await asyncio.gather(*(queue.close(drain) for queue in waiting))
        for predictor in self._predictors.values():
            predictor.close()
        if self._generator is not None:
            self._generator.close()

    async def _answer(self, graph: str, request: PredictRequest, timeout: float | None) -> dict[str, Any]:
        self._check_size(request)
        longest = self.settings.timeout_seconds
        return await self._batchers[graph].submit(
            request,
            key=request.key,
            length=request.length,
            rows=request.num_rows,
            tokens=request.num_tokens,
            timeout=longest if timeout is None else min(timeout, longest),
        )

    async def _read_text(self, predictor: Predictor, texts: Any, options: Mapping[str, Any] | None) -> PredictRequest:
        if self._check_characters(texts) < _TEXT_IN_A_THREAD:
            return predictor.read_text(texts, options)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, predictor.read_text, texts, options)

    def _check_characters(self, texts: Any) -> int:
        characters, most = _count_characters(texts), self.settings.max_text_characters
        if characters > most:
            raise InputError(
                f"A request may have {most} characters of text in all. Received: {characters}. Send less at a time."
            )
        return characters

    def _stream_batch(self) -> StreamBatch:
        settings = self.settings
        stream = Stream(
            self.bundle, graph=_STEP, variant=settings.variant, keep_outputs=False, num_threads=settings.num_threads
        )
        queue = self.batcher(_STEP, stream.run)
        return StreamBatch(
            stream,
            queue,
            max_steps=settings.max_length,
            max_bytes=settings.max_snapshot_bytes,
            max_total_bytes=settings.max_stream_bytes,
        )

    def _streaming(self) -> StreamBatch:
        if self._streams is None:
            raise NotFound(f"Model {self.name!r} has no streams. Export it with `streaming=True`.")
        return self._streams

    def _check_size(self, request: PredictRequest):
        settings = self.settings
        padded = request.num_rows * request.length
        for what, size, most in (
            ("rows", request.num_rows, settings.max_rows),
            ("steps in a row", request.length, settings.max_length),
            ("steps, rows times the longest,", padded, settings.max_tokens),
        ):
            if size > most:
                raise InputError(f"A request may have {most} {what} at most. Received: {size}. Send less at a time.")

    def _name_of(self, graph: str) -> str:
        default = _MODEL if _MODEL in self.bundle.manifest.graphs else _GENERATE
        return self.name if graph == default else f"{self.name}.{graph}"

    def _signatures(self):
        for graph, predictor in self._predictors.items():
            name = self._name_of(graph)
            text_inputs = tuple(predictor.tokenizers)
            common = {"graph": graph, "inputs": predictor.inputs, "outputs": predictor.outputs}
            common |= {"options": predictor.options, "text_inputs": text_inputs, "labels": tuple(predictor.labels)}
            common["one_text"] = BundleText(self.bundle, graph).one_text
            yield Signature(name, takes_text=False, **common)
            if text_inputs:
                with_text = f"{self.name}.text" if graph == _MODEL else f"{self.name}.generate_text"
                yield Signature(with_text, takes_text=True, **common)


def _count_characters(texts: Any) -> int:
    """Characters of all texts, whatever else is among them."""
    if isinstance(texts, (str, bytes)):
        return len(texts)
    if isinstance(texts, Mapping):
        return sum(map(_count_characters, texts.values()))
    return sum(len(text) for text in texts if isinstance(text, (str, bytes))) if isinstance(texts, (list, tuple)) else 0
