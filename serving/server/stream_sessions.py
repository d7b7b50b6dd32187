"""The streams of all WebSockets of a server: how many there may be."""

import contextlib
from collections.abc import Iterator

from keras_seq.serving.errors import Overloaded
from keras_seq.serving.served_stream import ServedStream
from keras_seq.serving.server.served_model import ServedModel


class StreamSessions:
    """Lets streams in while there is room, and sees to it that none outlives its client.

    Args:
        max_streams: How many there may be at a time.

    Example:
        ```python
        with sessions.open(served_model) as stream:
            await stream.feed(...)
        ```
    """

    def __init__(self, max_streams: int):
        self._max_streams = max_streams
        self._count = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count

    @contextlib.contextmanager
    def open(self, model: ServedModel) -> Iterator[ServedStream]:
        """A stream for the time of a `with` block.

        Args:
            model: The model.

        Raises:
            Overloaded: If there is no room.
            NotFound: If the model has no streams.
        """
        if self._count >= self._max_streams:
            raise Overloaded(
                f"There are {self._count} streams already, which is all that may be. Try again later.",
                retry_after_seconds=1.0,
            )
        stream = model.open_stream()
        self._count += 1
        try:
            yield stream
        finally:
            self._count -= 1
            stream.close()
