"""Texts that go on token by token in an event loop, all of them in shared calls."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.generator import Generator
from keras_seq.serving.stream_batch import StreamBatch
from keras_seq.serving.token_graph import TokenGraph
from keras_seq.serving.token_steps import TokenSteps

_LONG_TEXT = 10_000
"""Characters from which a text is tokenized in a thread."""
_LARGE_VOCABULARY = 4096
"""From here on it takes long enough to choose a token (0.3 ms) that others should not wait for it."""


def stream_text(
    generator: Generator,
    streams: StreamBatch,
    prompt: str | bytes | Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
) -> AsyncIterator[GeneratedToken]:
    """Go on with a prompt as `Generator.stream` does, without making anybody wait.

    The tokens are those of `Generator.stream`. Whoever has read enough calls `aclose()` of the iterator, or is
    cancelled: nothing is computed beyond what is asked for, and what the text held is freed.

    Args:
        generator: The language model.
        streams: Over the graph `step` of the same bundle.
        prompt: As in `Generator.stream`.
        options: Option name to number.
        timeout: Seconds that each token may take; None for as long as it takes.

    Raises:
        InputError: As in `Generator.stream`, at the call; for a text of 10,000 characters or more from the iterator,
            since to tokenize it would hold up everybody else.
        BundleError: As in `Generator.stream`, at the call.
        Overloaded: From the iterator: if too much is waiting already.
        DeadlineExceeded: From the iterator: if a token took too long.
        Unavailable: From the iterator: if the model is being taken away.
        ServingError: From the iterator: if ONNX Runtime fails.
    """
    options = dict(options or {})
    if isinstance(prompt, (str, bytes)) and len(prompt) >= _LONG_TEXT:
        generator.token_steps(None, **options)  # refuses at once what is wrong whatever the text
        return _tokens_of_long(generator, streams, prompt, options, timeout)
    return _tokens(generator.token_graph, generator.token_steps(prompt, **options), streams, timeout)


async def _tokens_of_long(
    generator: Generator, streams: StreamBatch, prompt: str | bytes, options: Mapping[str, Any], timeout: float | None
) -> AsyncIterator[GeneratedToken]:
    steps = await asyncio.to_thread(generator.token_steps, prompt, **options)
    async with contextlib.aclosing(_tokens(generator.token_graph, steps, streams, timeout)) as tokens:
        async for token in tokens:
            yield token


async def _tokens(
    graph: TokenGraph, steps: TokenSteps, streams: StreamBatch, timeout: float | None
) -> AsyncIterator[GeneratedToken]:
    stream = streams.open()
    try:
        while steps.chunk is not None:
            logits = graph.logits(await stream.feed(graph.feeds(steps.chunk), timeout))
            if logits.size < _LARGE_VOCABULARY:
                yield steps.take(logits)
            else:
                loop = asyncio.get_running_loop()
                yield await loop.run_in_executor(None, steps.take, logits)
    finally:
        stream.close()
