"""`LSTM`, peepholes included, as one `com.microsoft.DynamicQuantizeLSTM`."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.quantization.constants import constant
from keras_seq.export.quantization.integer_weight import IntegerWeight

__all__ = ["integer_lstm"]

_INPUTS = 8
"""X, W, R, B, sequence_lens, initial_h, initial_c and P; then come the scales."""


def integer_lstm(node: onnx.NodeProto, scope: onnx.GraphProto, index: GraphIndex) -> None:
    """Turns an `LSTM` node into the one that multiplies integers. Gates, peepholes and states stay float.

    Args:
        node: Whose weights are constants.
        scope: Its graph.
        index: Of the model, which is changed in place.
    """
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    given = [*node.input, *[""] * (_INPUTS - len(node.input))]
    for position in (1, 2):  # W and R
        values, *rest = _by_direction(index, given[position])
        given[position] = values
        given += rest
    index.become(node, scope, "DynamicQuantizeLSTM", given, domain=CONTRIB, **settings)


def _by_direction(index: GraphIndex, name: str) -> list[str]:
    """Integers (directions, inputs, 4 * units), scales and zero points (directions, 4 * units) of a weight."""
    weight_iofc = numpy_helper.to_array(index.tensor(name))
    quantised = [IntegerWeight.for_products(direction.T) for direction in weight_iofc]
    values = np.stack([one.values for one in quantised])
    scales = np.concatenate([one.scales for one in quantised])
    parts = (("int8", values), ("scale", scales), ("zero", np.zeros(scales.shape, "int8")))
    return [constant(index, value, f"{name}.{suffix}") for suffix, value in parts]
