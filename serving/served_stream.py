"""One stream of a server: as `Stream`, fed from an event loop and in company."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq.serving.errors import InputError, ServingError
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.stream import Stream

if TYPE_CHECKING:
    from keras_seq.serving.stream_batch import StreamBatch


_TEXT_IN_A_THREAD = 10_000  # characters from which tokenizing would hold up everybody else in the event loop


class ServedStream:
    """A sequence that arrives in chunks, beside many others. `StreamBatch.open` makes one.

    Its answers are those that it would get alone. Everything happens in one event loop, and a stream takes one chunk
    at a time: the next when the answer to the last is there.

    Args:
        stream: At its start.
        batch: What advances it.
        rows: How many sequences it has, side by side.
    """

    def __init__(self, stream: Stream, batch: StreamBatch, rows: int):
        self._stream = stream
        self._batch = batch
        self._rows = rows
        self._feeding = self._closed = False

    @property
    def spec(self) -> GraphSpec:
        """The graph: what `feed` takes and gives."""
        return self._stream.spec

    @property
    def steps(self) -> int:
        """Number of time steps fed since the start."""
        return self._stream.steps

    @property
    def nbytes(self) -> int:
        """Bytes of the states."""
        return self._stream.nbytes

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    async def feed(self, inputs: Any, timeout: float | None = None) -> dict[str, np.ndarray]:
        """Run the next chunk, in one call with those of other streams that are alike.

        Where this raises, or its task is cancelled, the stream is as it was: the same chunk may be fed again.

        Args:
            inputs: As `Stream.feed` takes them.
            timeout: Seconds it may take; None for as long as it takes.

        Returns:
            What `Stream.feed` returns.

        Raises:
            InputError: If `Stream.feed` would refuse the chunk, it is longer than the server takes, it has not `rows`
                sequences, or the stream has grown as large as it may.
            Overloaded: If too much is waiting already.
            DeadlineExceeded: If the time is over.
            Unavailable: If the graph is being taken away.
            ServingError: If the stream is closed or being fed already, or ONNX Runtime fails.
        """
        self._check_free()
        step = self._stream.read(inputs)
        if step.rows != self._rows:
            raise InputError(
                f"This stream is of {self._rows} sequence{'s' * (self._rows != 1)}. Received a chunk of {step.rows}. "
                "Open another stream for each further sequence."
            )
        self._feeding = True
        try:
            answer = await self._batch.advance(step, self.nbytes, timeout)
        finally:
            self._feeding = False
        self._check_free()  # it may have been closed meanwhile
        return self._stream.take(answer)

    async def feed_text(self, text: Any, timeout: float | None = None) -> dict[str, Any]:
        """Run a text as the next chunk; it is tokenized by itself, as `ChunkText` says.

        Args:
            text: A text; with several inputs a dict, as `ChunkText.read` takes it.
            timeout: As in `feed`.

        Returns:
            What `feed` returns, and besides `"tokens"` and `"<output>.labels"` as in `Predictor.predict_text`. A text
            without tokens changes nothing and has no outputs.

        Raises:
            InputError: If `feed` or `ChunkText.read` refuses it.
            ServingError: As in `feed`.
        """
        self._check_free()
        chunks = self._batch.text
        if _length(text) < _TEXT_IN_A_THREAD:
            chunk = chunks.read(text)
        else:
            chunk = await asyncio.to_thread(chunks.read, text)
        outputs = {} if chunk.inputs is None else await self.feed(chunk.inputs, timeout)
        return chunks.tell(outputs, chunk.tokens)

    def snapshot(self) -> bytes:
        """The stream as bytes, for `restore`; while a chunk is being computed, as it was before."""
        self._check_open()
        return self._stream.snapshot()

    def restore(self, data: bytes):
        """Go on from where a snapshot was taken, here or by another server that has the same graph.

        Args:
            data: What `snapshot` gave, or that of a `Stream`.

        Raises:
            InputError: If the bytes are no snapshot of a stream like this. The stream is as it was then.
            ServingError: If the stream is closed or being fed.
        """
        self._check_free()
        restored = self._stream.new()
        restored.restore(data)
        if restored.batch_size not in (None, self._rows):
            raise InputError(
                f"The snapshot is of {restored.batch_size} sequences side by side, and this stream is of {self._rows}. "
                "Take snapshots of streams of one sequence each."
            )
        self._batch.check_size(restored.nbytes)
        self._stream = restored

    def reset(self):
        """Go back to the start.

        Raises:
            ServingError: If the stream is closed or being fed.
        """
        self._check_free()
        self._stream.reset()

    def close(self):
        """Free its memory. What is being computed for it is dropped."""
        if not self._closed:
            self._closed = True
            self._stream.reset()
            self._batch.forget(self)

    def _check_open(self):
        if self._closed:
            raise ServingError("The stream is closed. Open a new one; a snapshot of this one can be restored into it.")

    def _check_free(self):
        self._check_open()
        if self._feeding:
            raise ServingError("A chunk of this stream is still being computed. Wait for its answer first.")


def _length(text: Any) -> int:
    parts = text.values() if isinstance(text, Mapping) else [text]
    return sum(len(part) for part in parts if isinstance(part, str))
