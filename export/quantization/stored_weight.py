"""Weights that are stored in fewer bits and are float32 again before anything reads them.

`Cast` and `Mul` stand between the stored constant and its readers. ONNX Runtime computes them once, when it loads the
graph, so that calls take as long as with float weights.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.quantization.integer_weight import IntegerWeight

__all__ = ["fits_half", "store_half", "store_integers"]

_LARGEST_HALF = float(np.finfo("float16").max)


def store_integers(name: str, axis: int | tuple[int, ...], index: GraphIndex) -> None:
    """Stores a constant as 8-bit integers.

    Args:
        name: Of the constant; its readers keep reading it.
        axis: The axes that share a scale.
        index: Of the model, which is changed in place.
    """
    weight = IntegerWeight.for_storage(numpy_helper.to_array(index.tensor(name)), axis)
    values = index.add_constant(weight.values, f"{name}.int8")
    scales = index.add_constant(weight.scales, f"{name}.scale")
    whole = index.names.fresh(f"{name}.whole")
    _compute(name, index, ("Cast", [values], whole, {"to": onnx.TensorProto.FLOAT}), ("Mul", [whole, scales], name, {}))


def fits_half(name: str, index: GraphIndex) -> bool:
    """Whether all numbers of a constant have a place among the 16-bit floats.

    Args:
        name: Of the constant.
        index: Of the model.
    """
    return bool(np.all(np.abs(numpy_helper.to_array(index.tensor(name))) <= _LARGEST_HALF))


def store_half(name: str, index: GraphIndex) -> None:
    """Stores a constant in 16-bit floats.

    Args:
        name: Of the constant, which `fits_half`; its readers keep reading it.
        index: Of the model, which is changed in place.
    """
    weight = numpy_helper.to_array(index.tensor(name))
    half = index.add_constant(weight.astype("float16"), f"{name}.half")
    _compute(name, index, ("Cast", [half], name, {"to": onnx.TensorProto.FLOAT}))


def _compute(name: str, index: GraphIndex, *steps: tuple[str, list[str], str, dict]) -> None:
    """Lets nodes at the front of the outermost graph compute what was a constant of it."""
    graph = index.graph
    position = next(i for i, tensor in enumerate(graph.initializer) if tensor.name == name)
    del graph.initializer[position]
    for op_type, inputs, output, attributes in reversed(steps):
        label = index.names.fresh(f"{output}/{op_type}")
        graph.node.insert(0, onnx.helper.make_node(op_type, inputs, [output], name=label, **attributes))
