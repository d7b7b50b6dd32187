"""Lowering of `TimeDistributed`: time and batch become one axis, instead of a loop over time."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_seq.export.lowering.dense import is_plain_dense
from keras_seq.export.lowering.trace import Trace

__all__ = ["inside_time_distributed", "time_distributed_call"]


def inside_time_distributed(model: keras.Model) -> set[int]:
    """Ids of the layers that see one step of the sequence at a time, as they are inside a `TimeDistributed`."""
    return {
        id(inner)
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.TimeDistributed)
        for inner in layer._flatten_layers(include_self=False)
    }


def time_distributed_call(layer: keras.layers.TimeDistributed, trace: Trace) -> Callable:
    """A `call` for `layer` that runs the wrapped layer once, over (batch * time, ...)."""
    inner = layer.layer

    def call(inputs, training=None, mask=None):
        if trace.markers is not None and is_plain_dense(inner):
            return inner.call(inputs)  # takes any rank
        kwargs = {}
        if inner._call_has_training_arg:
            kwargs["training"] = training
        if inner._call_has_mask_arg and mask is not None:
            kwargs["mask"] = _merge_axes(mask)
        with trace.whole_sequences():
            outputs = inner.call(_merge_axes(inputs), **kwargs)
        shape = tf.concat([tf.shape(inputs)[:2], tf.shape(outputs)[1:]], axis=0)
        static = [*inputs.shape[:2], *outputs.shape[1:]]
        return tf.ensure_shape(tf.reshape(outputs, shape), static)

    return call


def _merge_axes(tensor: tf.Tensor) -> tf.Tensor:
    if all(size is not None for size in tensor.shape[2:]):
        return tf.reshape(tensor, [-1, *tensor.shape[2:]])
    return tf.reshape(tensor, tf.concat([[-1], tf.shape(tensor)[2:]], axis=0))
