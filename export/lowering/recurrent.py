"""Lowering of recurrent layers: `SimpleRNN`, `GRU`, `LSTM`, `PeepholeLSTM`, and `RNN` over cells or stacks of cells."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.native_cell import NativeCell, native_cell
from keras_seq.export.lowering.packed_sequence import PackedSequence
from keras_seq.export.lowering.recurrent_node import RecurrentNode
from keras_seq.export.lowering.trace import Trace

__all__ = ["native_call", "native_cells", "overridden_method", "portable_call", "takes_states"]


def overridden_method(layer: keras.Layer, *further: str) -> str | None:
    """The method by which a subclass of a known layer computes something of its own, or None if it does not.

    Args:
        layer: The layer.
        further: Methods to look for beside `__call__`, `call` and `inner_loop`.
    """
    for base in type(layer).__mro__:
        if base.__module__.startswith(("keras.", "keras_seq.")):
            return None
        for method in ("__call__", "call", "inner_loop", *further):
            if method in vars(base):
                return f"{base.__name__}.{method}"
    return None


def takes_states(layer: keras.layers.RNN) -> bool:
    """Whether the layer keeps the signature of Keras' `RNN.call`, so that states can be handed to it."""
    return {"sequences", "initial_state", "mask", "training"} <= set(layer._call_signature.parameters)


def native_cells(layer: keras.layers.RNN, name: str) -> tuple[NativeCell, ...]:
    """The native form of a layer's cells, from the input upwards.

    Args:
        layer: A built layer.
        name: Prefix of the weights' names in the graph.

    Raises:
        NotNativeError: With the reason, when a cell or the layer itself has no native form.
    """
    method = overridden_method(layer)
    if method:
        raise NotNativeError(f"{method} is its own, so what it computes is unknown")
    if not isinstance(layer.cell, keras.layers.StackedRNNCells):
        return (native_cell(layer.cell, name),)
    return tuple(native_cell(cell, f"{name}.{i}") for i, cell in enumerate(layer.cell.cells))


def native_call(layer: keras.layers.RNN, name: str, cells: tuple[NativeCell, ...], trace: Trace) -> Callable:
    """A `call` for `layer` that puts one native node a cell into the graph."""

    def call(sequences, initial_state=None, mask=None, training=False):
        mask = _first(mask)
        batch = tf.shape(sequences)[0]
        structure = _state_structure(layer, initial_state, batch)
        initial, names = _initial_states(layer, name, trace, initial_state, batch)
        packed = PackedSequence.pack(trace.markers, sequences, mask)
        steps, finals, remaining = packed.steps, [], list(initial or [])
        for cell in cells:
            size = len(cell.state_names)
            own, remaining = (remaining[:size], remaining[size:]) if initial else (None, [])
            stacked = None if own is None else [tf.expand_dims(state, 0) for state in own]
            node = RecurrentNode((cell,), layer.go_backwards)
            outputs, cell_finals = node.place(trace.markers, steps, packed.lengths, stacked)
            cell_finals = [tf.squeeze(final, 0) for final in cell_finals]
            if mask is not None and own is not None:
                moved = tf.expand_dims(packed.lengths > 0, 1)
                cell_finals = [tf.where(moved, f, s) for f, s in zip(cell_finals, own, strict=True)]
            finals += cell_finals
            last, previous = cell_finals[0], None if own is None else own[0]
            steps = tf.squeeze(outputs, 1)

        hold = not layer.zero_output_for_mask
        previous = previous if trace.streaming else None
        if layer.return_sequences:
            result = packed.unpack(outputs, (layer.go_backwards,), hold=hold, previous=previous)
            if layer.go_backwards:
                result = tf.reverse(result, [1])
        elif mask is None:
            result = last
        elif hold:
            result = last if initial is None or trace.streaming else tf.where(moved, last, tf.zeros_like(last))
        else:
            end = mask[:, :1] if layer.go_backwards else mask[:, -1:]
            result = tf.where(tf.cast(end, tf.bool), last, tf.zeros_like(last))
        trace.next_states.update(zip(names, finals, strict=False))
        if layer.return_state:
            return result, *keras.tree.pack_sequence_as(structure, finals)
        return result

    return call


def portable_call(layer: keras.layers.RNN, name: str, trace: Trace) -> Callable:
    """A `call` for `layer` that is its own, but starts from zero or from the stream's states and keeps none inside."""
    original = type(layer).call

    def call(sequences, initial_state=None, mask=None, training=False):
        mask = _first(mask)
        batch = tf.shape(sequences)[0]
        initial, names = _initial_states(layer, name, trace, initial_state, batch)
        structure = _state_structure(layer, initial_state, batch)
        if initial is not None:
            structure = keras.tree.pack_sequence_as(structure, initial)
        with _attributes(layer, return_state=True, stateful=False):
            result, *finals = original(layer, sequences, initial_state=structure, mask=mask, training=training)
        trace.next_states.update(zip(names, keras.tree.flatten(finals), strict=False))
        if trace.streaming and mask is not None and not layer.zero_output_for_mask:
            # Keras takes the output before a call for zero; in a stream it is what the last chunk ended with.
            previous = initial[_output_state(layer)]
            started = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            if layer.return_sequences:
                result = tf.where(tf.expand_dims(started, 2), result, tf.expand_dims(previous, 1))
            else:
                result = tf.where(started[:, -1:], result, previous)
        return (result, *finals) if layer.return_state else result

    return call


def _first(mask):
    masks = [m for m in keras.tree.flatten(mask) if m is not None]
    return masks[0] if masks else None


def _state_structure(layer: keras.layers.RNN, initial_state, batch: tf.Tensor) -> list:
    """The states as the layer returns them: a list, whose members are lists themselves in a stack of cells."""
    structure = layer.get_initial_state(batch) if initial_state is None else initial_state
    return list(structure) if keras.tree.is_nested(structure) else [structure]


def _initial_states(
    layer: keras.layers.RNN, name: str, trace: Trace, initial_state, batch: tf.Tensor
) -> tuple[list[tf.Tensor] | None, list[str]]:
    """The layer's initial states as a flat list, or None for zeros; and, in a stream, the names they are carried by."""
    if not trace.streaming:
        if initial_state is None:
            return None, []
        return [tf.convert_to_tensor(state) for state in keras.tree.flatten(initial_state)], []
    if initial_state is not None:
        trace.refusals.append(
            f"layer {layer.name!r} ({type(layer).__name__}): its initial_state is computed by the model, anew for "
            "each chunk"
        )
    taken = trace.take_states(name, _state_sizes(layer), batch)
    return list(taken.values()), list(taken)


def _state_sizes(layer: keras.layers.RNN) -> dict[str, int]:
    """State names within a layer, e.g. `h`, or `1.c` in a stack of cells, and the units of each."""
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        return {
            f"{i}.{name}": size
            for i, cell in enumerate(layer.cell.cells)
            for name, size in _named(keras.tree.flatten(cell.state_size)).items()
        }
    return _named(keras.tree.flatten(layer.cell.state_size))


def _output_state(layer: keras.layers.RNN) -> int:
    """Which of the flat states is the layer's output: the first one of its last cell."""
    if not isinstance(layer.cell, keras.layers.StackedRNNCells):
        return 0
    return sum(len(keras.tree.flatten(cell.state_size)) for cell in layer.cell.cells[:-1])


def _named(sizes: list[int]) -> dict[str, int]:
    names = ("h", "c") if len(sizes) <= 2 else [f"state_{i}" for i in range(len(sizes))]
    return dict(zip(names, sizes, strict=False))


@contextlib.contextmanager
def _attributes(layer: keras.Layer, **values) -> Iterator[None]:
    """Sets attributes of a layer for a while."""
    before = {name: getattr(layer, name) for name in values}
    try:
        for name, value in values.items():
            setattr(layer, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(layer, name, value)
