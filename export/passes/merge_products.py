"""Makes one product of several that have the same left side.

    a = MatMul(h, W)                       p = MatMul(h, [W | U])
    b = MatMul(h, U)             ->        q = Add(p, [v | 0])
    c = Add(a, v)                          c, b = Split(q, [columns of W, columns of U])

In the body of a loop each step has few rows, and a product costs mostly its call and the reading of its weights: one
wide product is faster than two. Outside of loops, with many rows, there is nothing to gain.

Taken in are products with constant matrices that nothing else reads: a merged matrix beside the old ones would make the
file larger. A constant bias comes along where the product is read by its addition alone. Products without one get
zeros, so at least one bias must be there for an addition to be written. (Adding 0 turns -0.0 into 0.0.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.loop_states import LoopStates
from keras_seq.export.passes.scopes import graphs

__all__ = ["merge_products"]


@dataclass(frozen=True)
class _Branch:
    """One product: its node, its matrix, and the addition of a bias, if any."""

    product: onnx.NodeProto
    matrix: onnx.TensorProto
    addition: onnx.NodeProto | None
    bias: np.ndarray | None

    @property
    def columns(self) -> int:
        return self.matrix.dims[1]


def merge_products(index: GraphIndex) -> int:
    """Merges products with a common left side in the bodies of loops.

    Args:
        index: Of the model, which is changed in place.

    Returns:
        How many products were merged into others: two that become one count as one.
    """
    count = 0
    for scope in list(graphs(index.graph)):
        for node in list(scope.node):
            if LoopStates.applies_to(node):
                count += _merge_in(LoopStates(node).body, index)
    return count


def _merge_in(body: onnx.GraphProto, index: GraphIndex) -> int:
    groups: dict[tuple, list[_Branch]] = {}
    for node in body.node:
        branch = _branch(node, body, index)
        if branch is not None:
            key = node.input[0], branch.matrix.data_type, branch.matrix.dims[0]
            groups.setdefault(key, []).append(branch)
    return sum(_merge(branches, body, index) for branches in groups.values() if len(branches) > 1)


def _branch(node: onnx.NodeProto, body: onnx.GraphProto, index: GraphIndex) -> _Branch | None:
    matrix = index.tensor(node.input[1]) if node.op_type == "MatMul" and not node.domain else None
    if matrix is None or len(matrix.dims) != 2 or index.uses[node.input[1]] != 1:
        return None
    rank, result = len(index.shape(node.input[0]) or ()), node.output[0]
    if rank < 2 or matrix.data_location == onnx.TensorProto.EXTERNAL:
        return None
    addition = bias = None
    readers = index.consumers(result)
    if index.uses[result] == 1 and len(readers) == 1 and readers[0][1] is body and readers[0][0].op_type == "Add":
        (other,) = [name for name in readers[0][0].input if name != result]
        value = index.constant(other)
        if value is not None and value.shape == (matrix.dims[1],):
            addition, bias = readers[0][0], value
    return _Branch(node, matrix, addition, bias)


def _merge(branches: list[_Branch], body: onnx.GraphProto, index: GraphIndex) -> int:
    first, axis = branches[0].product, len(index.shape(branches[0].product.input[0])) - 1
    weights = np.concatenate([numpy_helper.to_array(branch.matrix) for branch in branches], axis=1)
    base = branches[0].matrix.name
    merged = index.insert(first, body, "MatMul", [first.input[0], index.add_constant(weights, f"{base}/merged")])
    if any(branch.bias is not None for branch in branches):
        biases = [np.zeros(b.columns, weights.dtype) if b.bias is None else b.bias for b in branches]
        name = index.add_constant(np.concatenate(biases), f"{base}/merged_bias")
        merged = index.insert(first, body, "Add", [merged, name])
    sizes = index.add_constant(np.array([branch.columns for branch in branches], "int64"), f"{base}/columns")
    parts = [index.names.fresh(f"{branch.product.output[0]}/part") for branch in branches]
    index.insert(first, body, "Split", [merged, sizes], parts, axis=axis)
    for branch, part in zip(branches, parts, strict=True):
        index.become(branch.addition or branch.product, body, "Identity", [part])
    return len(branches) - 1
