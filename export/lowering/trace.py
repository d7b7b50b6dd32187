"""What one tracing of a model carries along: markers and the states of a stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import tensorflow as tf

from keras_seq.export.lowering.markers import Markers

__all__ = ["StreamState", "Trace"]


@dataclass(frozen=True)
class StreamState:
    """A state carried between chunks.

    Attributes:
        name: `<layer>.<state>`, e.g. `lstm_1.h`.
        shape: Behind the batch: `(128,)`; or, for one that grows with the steps, with a named dimension that starts at
            zero, `(8, "past", 64)`.
    """

    name: str
    shape: tuple[int | str, ...]

    @property
    def dims(self) -> tuple[int | str, ...]:
        """All dimensions, as the input that takes the state has them."""
        return ("batch", *self.shape)

    @property
    def next_dims(self) -> tuple[int | str, ...]:
        """All dimensions of the output that gives the next value: one that grows has another name than before."""
        return ("batch", *(f"{dim} + time" if isinstance(dim, str) else dim for dim in self.shape))

    def start_shape(self, batch: int) -> tuple[int, ...]:
        """Shape of the zeros that a stream of `batch` sequences starts with."""
        return (batch, *(0 if isinstance(dim, str) else dim for dim in self.shape))

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
        shared: What the layers have in common and the graph computes once; see `once`.
        refusals: Why the model cannot stream after all, noticed while tracing. (An error raised inside a layer's call
            would reach the user wrapped in a listing of the call's arguments.)
    """

    markers: Markers | None
    streaming: bool = False
    given_states: dict[str, tf.Tensor] = field(default_factory=dict)
    states: list[StreamState] = field(default_factory=list)
    next_states: dict[str, tf.Tensor] = field(default_factory=dict)
    shared: dict[tuple, tuple] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def take_states(
        self, layer_name: str, state_shapes: dict[str, int | tuple[int | str, ...]], batch: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The states that a layer starts a chunk with.

        Args:
            layer_name: The layer's name; a layer that is called again gets `.call_2`, … behind it.
            state_shapes: State name within the layer (`h`, `keys`) to number of units, or to the shape behind the
                batch, in which one dimension may be a name: it grows from zero.
            batch: Scalar, the batch size.

        Returns:
            By full name, tensors (batch, units) or (batch, *shape), in the order of `state_shapes`.
        """
        prefix, call = layer_name, 1
        taken = {state.name for state in self.states}
        while f"{prefix}.{next(iter(state_shapes))}" in taken:
            call += 1
            prefix = f"{layer_name}.call_{call}"
        result = {}
        for short_name, shape in state_shapes.items():
            state = StreamState(f"{prefix}.{short_name}", shape if isinstance(shape, tuple) else (shape,))
            self.states.append(state)
            given = self.given_states.get(state.name)
            if given is None:
                # A zero that the tracing cannot see through: the dimension must be as unknown as it will be.
                sizes = [0 * batch if isinstance(dim, str) else dim for dim in state.shape]
                given = tf.zeros([batch, *sizes])
            result[state.name] = given
        return result

    def once(self, what: str, make: Callable[[], tf.Tensor], source: tf.Tensor | None = None) -> tf.Tensor:
        """A tensor that several layers need, made by the first of them.

        A stream has one time axis, so what depends on the sizes of the chunk and of the past alone is the same for all.

        Args:
            what: Its name.
            make: Makes it.
            source: What else it depends on; each source has a tensor of its own.
        """
        graph = tf.compat.v1.get_default_graph()
        key = (what, id(graph), id(source))
        if key not in self.shared:
            self.shared[key] = (make(), graph, source)  # these two kept, as an id is given anew to what comes later
        return self.shared[key][0]

    @contextlib.contextmanager
    def whole_sequences(self) -> Iterator[None]:
        """Within: recurrences that run along another axis than the stream's time, complete inside one of its steps."""
        streaming, self.streaming = self.streaming, False
        try:
            yield
        finally:
            self.streaming = streaming
