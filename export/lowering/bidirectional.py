"""Lowering of `Bidirectional`: both directions in one native node."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.native_cell import NativeCell
from keras_seq.export.lowering.packed_sequence import PackedSequence
from keras_seq.export.lowering.recurrent import native_cells, overridden_method
from keras_seq.export.lowering.recurrent_node import RecurrentNode
from keras_seq.export.lowering.trace import Trace

__all__ = ["bidirectional_call", "paired_cells"]


def paired_cells(layer: keras.layers.Bidirectional) -> tuple[NativeCell, NativeCell] | None:
    """The two cells of one bidirectional node, or None where the two layers are lowered each for itself."""
    forward, backward = layer.forward_layer, layer.backward_layer
    recurrent = isinstance(forward, keras.layers.RNN) and isinstance(backward, keras.layers.RNN)
    if not recurrent or overridden_method(layer) or forward.go_backwards:
        return None
    if forward.zero_output_for_mask != backward.zero_output_for_mask:
        return None
    try:
        cells = (*native_cells(forward, forward.name), *native_cells(backward, backward.name))
    except NotNativeError:
        return None
    return cells if len(cells) == 2 and cells[0].pairs_with(cells[1]) else None


def bidirectional_call(
    layer: keras.layers.Bidirectional, trace: Trace, cells: tuple[NativeCell, NativeCell]
) -> Callable:
    """A `call` for `layer` that puts one bidirectional node into the graph."""
    hold = not layer.forward_layer.zero_output_for_mask

    def call(sequences, initial_state=None, mask=None, training=None):
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        packed = PackedSequence.pack(trace.markers, sequences, mask)
        states = None
        if initial_state is not None:
            flat = [tf.cast(state, tf.float32) for state in keras.tree.flatten(initial_state)]
            half = len(flat) // 2
            states = [tf.stack(pair) for pair in zip(flat[:half], flat[half:], strict=True)]
        outputs, finals = RecurrentNode(cells).place(trace.markers, packed.steps, packed.lengths, states)
        ends = finals[0]
        if mask is not None:
            moved = tf.reshape(packed.lengths > 0, [1, -1, 1])
            if states is not None:
                finals = [tf.where(moved, f, s) for f, s in zip(finals, states, strict=True)]
                ends = tf.where(moved, ends, tf.zeros_like(ends))
            if not hold:
                valid = tf.cast(mask, tf.bool)
                at_end = tf.expand_dims(tf.stack([valid[:, -1], valid[:, 0]]), 2)
                ends = tf.where(at_end, ends, tf.zeros_like(ends))
        if layer.return_sequences:
            both = packed.unpack(outputs, (False, True), hold=hold)
        else:
            both = tf.transpose(ends, [1, 0, 2])
        merged = _merge(both, layer.merge_mode)
        if not layer.return_state:
            return merged
        finals = [final[d] for d in (0, 1) for final in finals]
        return (*merged, *finals) if layer.merge_mode is None else (merged, *finals)

    return call


def _merge(both: tf.Tensor, mode: str | None):
    """Merges (..., 2, units) over the directions."""
    if mode is None:
        forward, backward = tf.unstack(both, axis=-2)
        return forward, backward
    if mode == "concat":
        shape = tf.concat([tf.shape(both)[:-2], [2 * both.shape[-1]]], axis=0)
        return tf.ensure_shape(tf.reshape(both, shape), [*both.shape[:-2], 2 * both.shape[-1]])
    if mode == "sum":
        return tf.reduce_sum(both, axis=-2)
    if mode == "ave":
        return tf.reduce_mean(both, axis=-2)
    return tf.reduce_prod(both, axis=-2)
