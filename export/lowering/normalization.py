"""Lowering of `LayerNormalization` to one node, of `RMSNormalization` to what ONNX Runtime makes one node of."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_seq.export.lowering.markers import GraphWriter
from keras_seq.export.lowering.native_cell import weight_array
from keras_seq.export.lowering.recurrent import overridden_method
from keras_seq.export.lowering.trace import Trace

__all__ = ["is_normalization", "normalization_call"]


def is_normalization(layer: keras.Layer) -> bool:
    """Whether the layer is one that `normalization_call` knows, over the last axis."""
    if not isinstance(layer, (keras.layers.LayerNormalization, keras.layers.RMSNormalization)) or not layer.built:
        return False
    return list(layer.axis) == [-1] and not getattr(layer, "rms_scaling", False) and overridden_method(layer) is None


def normalization_call(layer: keras.Layer, name: str, trace: Trace) -> Callable:
    """A `call` for `layer` that normalises over the last axis.

    Args:
        layer: One for which `is_normalization` holds.
        name: Prefix of the weights' names.
        trace: Takes the marker.
    """
    is_rms = isinstance(layer, keras.layers.RMSNormalization)
    variables = {part: getattr(layer, part) for part in (("scale",) if is_rms else ("gamma", "beta"))}
    weights = {part: weight_array(variable) for part, variable in variables.items() if variable is not None}
    epsilon = float(layer.epsilon)

    def call(inputs):
        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            constants = [writer.constant(value, f"{name}.{part}") for part, value in weights.items()]
            if is_rms:
                return _write_rms_norm(writer, names[0], *constants, writer.constant(np.float32(epsilon), "epsilon"))
            if "gamma" not in weights:  # which the operator cannot do without
                constants.insert(0, writer.constant(np.ones(inputs.shape[-1], "float32"), "ones"))
            return writer.node("LayerNormalization", [names[0], *constants], axis=-1, epsilon=epsilon)

        return trace.markers.place(emit, [tf.cast(inputs, tf.float32)], [(tf.float32, inputs.shape)])[0]

    return call


def _write_rms_norm(writer: GraphWriter, inputs: str, scale: str, epsilon: str) -> list[str]:
    """Divides x by sqrt(mean(x^2) + epsilon), times scale: in the very nodes that ONNX Runtime fuses."""
    squares = writer.node("Pow", [inputs, writer.constant(np.float32(2), "two")])
    means = writer.node("ReduceMean", [*squares, writer.constant(np.array([-1]), "last_axis")], keepdims=1)
    roots = writer.node("Sqrt", writer.node("Add", [*means, epsilon]))
    return writer.node("Mul", [*writer.node("Div", [inputs, *roots]), scale])
