"""Many streams over one graph, advanced in shared calls from an event loop."""

import math
import time
import weakref
from functools import cached_property

import numpy as np

from keras_seq.serving.batching import Batcher
from keras_seq.serving.bundle import Bundle
from keras_seq.serving.chunk_text import ChunkText
from keras_seq.serving.errors import InputError, Overloaded
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.served_stream import ServedStream
from keras_seq.serving.stream import Stream
from keras_seq.serving.stream_step import StreamAnswer, StreamStep

_RECOUNT_SECONDS = 0.1  # to go through all streams takes too long for every chunk; between, what is added is counted


class StreamBatch:
    """Advances streams together: chunks that arrive while a call runs share the next.

    Only chunks of equal length can share one, and where the model attends to its past, only those of streams that have
    come equally far; see `StreamStep.key`. Recurrent models do not care how far a stream has come.

    Args:
        stream: Over the graph; it is not fed itself.
        batcher: A queue before `stream.run`.
        max_steps: The most steps of one chunk; None for as many as the model takes.
        max_bytes: The most memory that the states of one stream may take, which matters where they grow; None for no
            limit.
        max_total_bytes: The most that the growing states of all streams may take together; None for no limit.

    Example:
        ```python
        async def main():
            graph = Stream("out/tagger", keep_outputs=False)
            streams = StreamBatch(graph, Batcher(graph.run, executor=ThreadPoolExecutor(2)))
            stream = streams.open()
            print((await stream.feed({"words": [[4, 8, 15]]}))["tags"])
            stream.close()
            await streams.close()
        ```
    """

    def __init__(
        self,
        stream: Stream,
        batcher: Batcher[StreamStep, StreamAnswer],
        *,
        max_steps: int | None = None,
        max_bytes: int | None = None,
        max_total_bytes: int | None = None,
    ):
        self._stream = stream.new(keep_outputs=False)
        self._batcher = batcher
        self._max_steps = max_steps
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._bytes_a_step = _bytes_a_step(self._stream.spec)
        self._total, self._total_at = 0, -math.inf
        # Weak, as streams hold the batch: one that is forgotten without close() goes at once, with its memory.
        self._open: weakref.WeakSet[ServedStream] = weakref.WeakSet()

    @property
    def bundle(self) -> Bundle:
        """The bundle."""
        return self._stream.bundle

    @property
    def spec(self) -> GraphSpec:
        """The graph: what a stream takes and gives."""
        return self._stream.spec

    @cached_property
    def text(self) -> ChunkText:
        """What makes chunks of texts, where the graph has a tokenizer."""
        return ChunkText(self._stream.bundle, self._stream.graph)

    @property
    def num_streams(self) -> int:
        """How many streams are open."""
        return len(self._open)

    @property
    def nbytes(self) -> int:
        """Bytes of the states of all open streams."""
        return sum(stream.nbytes for stream in self._open)

    @property
    def queued(self) -> int:
        """Chunks that wait."""
        return self._batcher.queued

    @property
    def running(self) -> int:
        """Calls that run now."""
        return self._batcher.running

    def open(self, rows: int = 1) -> ServedStream:
        """A stream at its start. Close it when its sequence has ended.

        Args:
            rows: How many sequences it has, side by side.
        """
        stream = ServedStream(self._stream.new(), self, rows)
        self._open.add(stream)
        return stream

    async def advance(self, step: StreamStep, nbytes: int, timeout: float | None = None) -> StreamAnswer:
        """Run a stream's chunk beside those of others; `ServedStream.feed` is what to call.

        Args:
            step: What `Stream.read` gave.
            nbytes: What the stream holds.
            timeout: As in `ServedStream.feed`.

        Raises:
            InputError: If the chunk or the stream is too long.
            Overloaded: If all streams together hold too much.
        """
        if self._max_steps is not None and step.steps > self._max_steps:
            raise InputError(
                f"A chunk may have {self._max_steps} steps at most. Received: {step.steps}. Cut it: however a sequence "
                "is cut, the outputs are the same."
            )
        added = self._bytes_a_step * step.steps * step.rows
        self.check_size(nbytes + added)
        self._check_total(added)
        return await self._batcher.submit(step, key=step.key, length=step.steps, rows=step.rows, timeout=timeout)

    def check_size(self, nbytes: int):
        """Refuse a stream that has grown as large as it may.

        Raises:
            InputError: If it has.
        """
        if self._max_bytes is not None and nbytes > self._max_bytes:
            raise InputError(
                f"The states of one stream may take {self._max_bytes} bytes, and those of this one would take "
                f"{nbytes}: the model remembers every step. Begin another stream, or allow more at the start."
            )

    def _check_total(self, added: int):
        """Send a chunk away by which the memory of all streams together would grow too large."""
        if self._max_total_bytes is None or not added:
            return
        now = time.monotonic()
        if now - self._total_at > _RECOUNT_SECONDS:
            self._total, self._total_at = self.nbytes, now
        if self._total + added > self._max_total_bytes:
            raise Overloaded(
                f"The states of all streams may take {self._max_total_bytes} bytes together, and take {self._total}. "
                "Try again when others have ended.",
                retry_after_seconds=1.0,
            )
        self._total += added

    def forget(self, stream: ServedStream):
        """Count a stream no more; `ServedStream.close` calls it."""
        self._open.discard(stream)

    async def close(self, drain_seconds: float = 30.0):
        """Refuse further chunks, wait for those that are here, and free the graph.

        Streams that are open keep their states until they are closed themselves, so a snapshot can still be taken.

        Args:
            drain_seconds: How long to wait.
        """
        await self._batcher.close(drain_seconds)
        self._stream.close()


def _bytes_a_step(spec: GraphSpec) -> int:
    """By how much the states of one sequence grow with a step."""
    grown = [
        (state, [dim for dim in state.shape[1:] if isinstance(dim, int)]) for state in spec.states if state.growing_dim
    ]
    return sum(math.prod(sizes) * np.dtype(state.dtype).itemsize for state, sizes in grown)
