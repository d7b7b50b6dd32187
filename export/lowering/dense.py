"""Lowering of `Dense` over sequences: one `MatMul`, instead of one between two reshapes with computed shapes."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_seq.export.lowering.markers import GraphWriter
from keras_seq.export.lowering.native_cell import weight_array
from keras_seq.export.lowering.trace import Trace

__all__ = ["dense_call", "is_plain_dense"]


def is_plain_dense(layer: keras.Layer) -> bool:
    """Whether the layer is `Dense` as it stands in the books: neither quantised nor with an adapter."""
    return type(layer) is keras.layers.Dense and not layer.quantization_mode and not layer.lora_enabled


def dense_call(layer: keras.layers.Dense, trace: Trace) -> Callable:
    """A `call` for `layer` that multiplies inputs of any rank by its kernel in one node."""

    def call(inputs, training=None):
        if inputs.shape.rank == 2:
            return type(layer).call(layer, inputs, training=training)

        kernel = weight_array(layer.kernel)

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            return writer.node("MatMul", [names[0], writer.constant(kernel, f"{layer.name}.kernel")])

        shape = [*inputs.shape[:-1], layer.units]
        (outputs,) = trace.markers.place(emit, [tf.cast(inputs, tf.float32)], [(tf.float32, shape)])
        if layer.use_bias:
            outputs = outputs + layer.bias
        return outputs if layer.activation is None else layer.activation(outputs)

    return call
