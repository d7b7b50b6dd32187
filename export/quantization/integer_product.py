"""`MatMul` and `Gemm` with constant weights as one `com.microsoft.DynamicQuantizeMatMul`."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.quantization.constants import constant
from keras_seq.export.quantization.integer_weight import IntegerWeight

__all__ = ["add_integer_weight", "integer_product", "product_weight"]


def product_weight(node: onnx.NodeProto, index: GraphIndex) -> onnx.TensorProto | None:
    """The constant (inputs, outputs) that a node multiplies what it reads by; None if the node does no such thing."""
    if node.domain or node.op_type not in ("MatMul", "Gemm"):
        return None
    weight = index.tensor(node.input[1])
    if weight is None or weight.data_type != onnx.TensorProto.FLOAT or len(weight.dims) != 2:
        return None
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    plain = settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0 and not settings.get("transA", 0)
    return weight if plain and not index.is_constant(node.input[0]) else None


def integer_product(node: onnx.NodeProto, scope: onnx.GraphProto, index: GraphIndex) -> None:
    """Turns a product, and the bias added to it, into a product of integers.

    The input is made 8-bit integers with one scale for all of it, so an output depends, as far as rounding goes, on
    what else is in the same call.

    Args:
        node: A node that `product_weight` finds the weight of.
        scope: Its graph.
        index: Of the model, which is changed in place.
    """
    tensor = product_weight(node, index)
    weight = numpy_helper.to_array(tensor)
    if any(a.name == "transB" and a.i for a in node.attribute):
        weight = weight.T
    given = [node.input[0], *add_integer_weight(index, IntegerWeight.for_products(weight), tensor.name)]
    bias = node.input[2] if len(node.input) > 2 else ""
    if bias and not _is_bias(bias, weight.shape[1], index):
        product = index.insert(node, scope, "DynamicQuantizeMatMul", given, domain=CONTRIB)
        index.become(node, scope, "Add", [product, bias])
        return
    added = None if bias else _added_bias(node, scope, weight.shape[1], index)
    if added is None:
        index.become(node, scope, "DynamicQuantizeMatMul", [*given, *filter(None, [bias])], domain=CONTRIB)
        return
    index.become(added, scope, "DynamicQuantizeMatMul", [*given, _other(added, node.output[0])], domain=CONTRIB)


def add_integer_weight(index: GraphIndex, weight: IntegerWeight, name: str) -> list[str]:
    """Adds a weight to the model: the names of its integers, its scales and its zero points.

    Args:
        index: Of the model.
        weight: As `IntegerWeight.for_products` makes it.
        name: Of the float weight.
    """
    scales = weight.scales[0]
    parts = (("int8", weight.values), ("scale", scales), ("zero", np.zeros(scales.shape, "int8")))
    return [constant(index, value, f"{name}.{suffix}") for suffix, value in parts]


def _added_bias(node: onnx.NodeProto, scope: onnx.GraphProto, outputs: int, index: GraphIndex) -> onnx.NodeProto | None:
    """The node that adds a bias to the product, where nothing else reads the product."""
    (product,) = node.output
    readers = index.consumers(product)
    if index.uses[product] != 1 or product in index.outputs or len(readers) != 1:
        return None
    reader, home = readers[0]
    if home is not scope or reader.op_type != "Add" or reader.domain:
        return None
    return reader if _is_bias(_other(reader, product), outputs, index) else None


def _other(node: onnx.NodeProto, name: str) -> str:
    return node.input[1] if node.input[0] == name else node.input[0]


def _is_bias(name: str, outputs: int, index: GraphIndex) -> bool:
    tensor = index.tensor(name)
    return tensor is not None and list(tensor.dims) == [outputs] and tensor.data_type == onnx.TensorProto.FLOAT
