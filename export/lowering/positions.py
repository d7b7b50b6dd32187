"""Lowering of layers that know positions in a stream: how many steps there were is carried from chunk to chunk."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_seq.export.lowering.trace import Trace

__all__ = ["positions_call"]


def positions_call(layer: keras.Layer, name: str, trace: Trace, otherwise: Callable) -> Callable:
    """A `call` for a layer `call(inputs, positions=None)` that goes on from the steps before the chunk.

    The state is `<name>.position`, (batch, 1): how many steps there were, the same in each row. It is a float as all
    states are, and exact up to 2^24 steps.

    Args:
        layer: A built layer.
        name: Prefix of the state's name.
        trace: Holds the state.
        otherwise: Its own call.
    """

    def call(inputs, positions=None):
        if trace.streaming and positions is None:
            steps = tf.shape(inputs)[1]
            ((state, before),) = trace.take_states(name, {"position": 1}, tf.shape(inputs)[0]).items()
            trace.next_states[state] = before + tf.cast(steps, tf.float32)
            positions = tf.cast(before[:1], tf.int32) + tf.range(steps)  # (1, steps): the same for all rows
        return otherwise(inputs, positions)

    return call
