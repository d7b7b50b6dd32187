"""How Triton is to batch what a bundle's entries are asked."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TritonSettings"]


@dataclass(frozen=True, kw_only=True)
class TritonSettings:
    """What the `config.pbtxt` of every entry says of batches and streams.

    Attributes:
        max_batch_size: The most rows that a request, and all requests that share a call together, may have.
        preferred_batch_sizes: As soon as that many rows wait, they are run; rising, at most `max_batch_size`.
        max_queue_delay_microseconds: How long a request waits for others at most.
        max_streams: How many streams of `step.onnx` may be open at a time, in each instance of the model.
        max_stream_idle_seconds: A stream that nobody feeds for that long is forgotten.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> TritonSettings(max_batch_size=8, preferred_batch_sizes=(16,))
        Traceback (most recent call last):
        ...
        ValueError: `preferred_batch_sizes` must rise and be from 1 to max_batch_size=8. Received: (16,).
    """

    max_batch_size: int = 64
    preferred_batch_sizes: tuple[int, ...] = (16, 32, 64)
    max_queue_delay_microseconds: int = 500
    max_streams: int = 1024
    max_stream_idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, least in (("max_batch_size", 1), ("max_queue_delay_microseconds", 0), ("max_streams", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"`{name}` must be an integer of at least {least}. Received: {value!r}.")
        if not self.max_stream_idle_seconds > 0:
            raise ValueError(
                f"`max_stream_idle_seconds` must be a positive number. Received: {self.max_stream_idle_seconds!r}."
            )
        sizes = tuple(self.preferred_batch_sizes)
        if list(sizes) != sorted(set(sizes)) or any(not 1 <= size <= self.max_batch_size for size in sizes):
            raise ValueError(
                f"`preferred_batch_sizes` must rise and be from 1 to max_batch_size={self.max_batch_size}. "
                f"Received: {sizes}."
            )
        object.__setattr__(self, "preferred_batch_sizes", sizes)
