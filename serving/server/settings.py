"""Everything about the server that a person may set."""

import math
from dataclasses import dataclass, fields

from keras_seq.serving.cpu_quota import cpu_quota


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Limits, threads and batching of a server; docs/serving.md says where the defaults come from.

    Attributes:
        host: Address to listen at; the default is reached from this machine alone.
        port: Port to listen at; 0 for any that is free.
        tokens: Bearer tokens, of which a request must bring one; none: everybody may ask.
        variant: Which variant of each graph to run, `"int8"` for one, of all bundles served; None for none.
        num_threads: ONNX Runtime's threads for one call.
        workers: Calls of one graph that run at the same time; None for as many as the process may use processors.
        max_batch_tokens: The most padded steps (rows times the longest) of a call.
        max_wait_seconds: How long a request waits for company while a worker is free.
        max_queue: The most requests that wait for one graph; those beyond are sent away.
        max_queue_tokens: The most padded steps that wait for one graph.
        max_body_bytes: The largest body of a request, unpacked.
        max_rows: The most rows of a request.
        max_length: The most steps of a row.
        max_tokens: The most padded steps of a request.
        max_text_characters: The most characters of all texts of a request.
        timeout_seconds: What a request may take where it does not say, and the most that it may ask for.
        receive_timeout_seconds: How long a client may take to send a request.
        send_timeout_seconds: How long it may leave an answer unread.
        keep_alive_seconds: How long an idle connection stays open.
        max_connections: The most connections at a time.
        max_streams: The most streams at a time.
        stream_idle_seconds: After how long without a chunk a stream is ended.
        max_snapshot_bytes: The largest snapshot that a stream is restored from, and the most that its states may take.
        drain_seconds: How long requests that are under way have when the server shuts down or a model is taken away.
        max_stream_bytes: The most that the states of all streams of one model may take where they grow with each step.

    Raises:
        ValueError: If one is not what it must be.

    Example:
        >>> ServerSettings(max_rows=0)
        Traceback (most recent call last):
        ValueError: `max_rows` must be a positive integer. Received: max_rows=0.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    tokens: tuple[str, ...] = ()
    variant: str | None = None
    num_threads: int = 1
    workers: int | None = None
    max_batch_tokens: int = 2048
    max_wait_seconds: float = 0.0
    max_queue: int = 512
    max_queue_tokens: int = 262_144
    max_body_bytes: int = 16 * 2**20
    max_rows: int = 256
    max_length: int = 4096
    max_tokens: int = 65_536
    max_text_characters: int = 262_144
    timeout_seconds: float = 30.0
    receive_timeout_seconds: float = 10.0
    send_timeout_seconds: float = 20.0
    keep_alive_seconds: float = 15.0
    max_connections: int = 1024
    max_streams: int = 1024
    stream_idle_seconds: float = 60.0
    max_snapshot_bytes: int = 64 * 2**20
    drain_seconds: float = 30.0
    max_stream_bytes: int = 2**30

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            counted = field.type is int or (field.name == "workers" and value is not None)
            if counted and field.name != "port":
                self._check(field.name, "a positive integer", type(value) is int and value > 0)
            if field.name.endswith("_seconds"):
                number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
                lowest = field.name in ("max_wait_seconds", "drain_seconds")
                self._check(
                    field.name,
                    f"a number of seconds{'' if lowest else ' above 0'}",
                    number and (value >= 0 if lowest else value > 0),
                )
        self._check("port", "from 0 to 65535", isinstance(self.port, int) and 0 <= self.port <= 65535)
        usable = all(isinstance(token, str) and token and token.isascii() for token in self.tokens)
        if not usable:
            raise ValueError("`tokens` must be texts of ASCII characters, none of them empty.")  # and never shown

    @property
    def calls_at_a_time(self) -> int:
        """Calls of one graph that run at the same time: `workers`, or what that stands for."""
        return cpu_quota() if self.workers is None else self.workers

    def _check(self, name: str, expected: str, right: bool):
        if not right:
            raise ValueError(f"`{name}` must be {expected}. Received: {name}={getattr(self, name)!r}.")
