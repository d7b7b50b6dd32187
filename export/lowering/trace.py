"""What one tracing of a model carries along: markers and the states of a stream."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import tensorflow as tf

from keras_seq.export.lowering.markers import Markers

__all__ = ["StreamState", "Trace"]


@dataclass(frozen=True)
class StreamState:
    """A state carried between chunks.

    Attributes:
        name: `<layer>.<state>`, e.g. `lstm_1.h`.
        size: Number of units; the tensor is (batch, size).
    """

    name: str
    size: int

    @property
    def next_name(self) -> str:
        """The output that holds the state's next value."""
        return f"{self.name}.next"


@dataclass
class Trace:
    """One tracing of a model for an export.

    Attributes:
        markers: Where native nodes are placed, or None when the graph is for TensorFlow.
        streaming: Whether recurrent layers take their states from outside and give them back.
        given_states: With streaming, the tensors of the states by name; a state that is missing starts at zero, which
            serves to find out which states there are.
        states: The states met, in order.
        next_states: Their values after the chunk, by name.
        refusals: Why the model cannot stream after all, noticed while tracing. (An error raised inside a layer's call
            would reach the user wrapped in a listing of the call's arguments.)
    """

    markers: Markers | None
    streaming: bool = False
    given_states: dict[str, tf.Tensor] = field(default_factory=dict)
    states: list[StreamState] = field(default_factory=list)
    next_states: dict[str, tf.Tensor] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def take_states(self, layer_name: str, state_sizes: dict[str, int], batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """The states that a layer starts a chunk with.

        Args:
            layer_name: The layer's name; a layer that is called again gets `.call_2`, … behind it.
            state_sizes: State name within the layer (`h`, `c`) to number of units.
            batch: Scalar, the batch size.

        Returns:
            By full name, tensors (batch, size), in the order of `state_sizes`.
        """
        prefix, call = layer_name, 1
        taken = {state.name for state in self.states}
        while f"{prefix}.{next(iter(state_sizes))}" in taken:
            call += 1
            prefix = f"{layer_name}.call_{call}"
        result = {}
        for short_name, size in state_sizes.items():
            state = StreamState(f"{prefix}.{short_name}", size)
            self.states.append(state)
            given = self.given_states.get(state.name)
            result[state.name] = tf.zeros([batch, size]) if given is None else given
        return result

    @contextlib.contextmanager
    def whole_sequences(self) -> Iterator[None]:
        """Within: recurrences that run along another axis than the stream's time, complete inside one of its steps."""
        streaming, self.streaming = self.streaming, False
        try:
            yield
        finally:
            self.streaming = streaming
