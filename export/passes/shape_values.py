"""What a vector of sizes consists of: constants, and dimensions of other values."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from keras_seq.export.passes.graph_index import GraphIndex

__all__ = ["ELEMENTWISE", "Dimension", "dimension", "shape_value"]

ELEMENTWISE = {
    "Abs", "Cast", "Ceil", "Clip", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "Identity", "LeakyRelu",
    "Log", "LogSoftmax", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softmax",
    "Softplus", "Softsign", "Sqrt", "Tanh",
}  # fmt: skip
"""Operations whose result has the dimensions of their first input."""

_INTEGERS = {onnx.TensorProto.INT32, onnx.TensorProto.INT64}


@dataclass(frozen=True)
class Dimension:
    """The size of a value along an axis, which is not known before the run."""

    value: str
    axis: int


def dimension(value: str, axis: int, index: GraphIndex) -> Dimension:
    """The size of a value along an axis, told by the first value that has it.

    Sizes come through operations element by element, sums and products with constants that have fewer axes, products
    with a matrix, `Transpose`, and a `Slice` of another axis or in reverse.
    """
    while (node := index.producer(value)) is not None and not node.domain:
        shape = index.shape(value)
        if node.op_type in ELEMENTWISE:
            value = node.input[0]
        elif node.op_type == "Transpose" and shape is not None:
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), list(range(len(shape)))[::-1])
            value, axis = node.input[0], order[axis]
        elif node.op_type == "MatMul" and shape and axis < len(shape) - 1:
            if len(index.shape(node.input[1]) or ()) != 2:
                break
            value = node.input[0]
        elif node.op_type in ("Add", "Sub", "Mul", "Div") and shape is not None:
            constants = [i for i in (0, 1) if index.is_constant(node.input[i])]
            if len(constants) != 1 or len(index.shape(node.input[constants[0]])) >= len(shape) - axis:
                break
            value = node.input[1 - constants[0]]
        elif node.op_type == "Slice" and shape is not None and _keeps_size(node, axis, len(shape), index):
            value = node.input[0]
        else:
            break
    return Dimension(value, axis)


def _keeps_size(node: onnx.NodeProto, axis: int, rank: int, index: GraphIndex) -> bool:
    """Whether a `Slice` leaves an axis as long as it was: it cuts others, or turns this one round."""
    bounds = [index.integers(name) for name in node.input[1:]]
    if len(bounds) < 3 or None in bounds:
        return False
    starts, ends, axes = bounds[:3]
    axes = [cut % rank for cut in axes]
    if axis not in axes:
        return True
    i = axes.index(axis)
    step = bounds[3][i] if len(bounds) > 3 else 1
    return starts[i] == step == -1 and ends[i] <= -(10**9)


def shape_value(name: str, index: GraphIndex) -> list[int | Dimension] | None:
    """The elements of a vector of sizes; of a single number, a list of one. None if they cannot be told.

    It looks through what converters compute sizes with: `Shape`, `Cast`, `Slice`, `Gather`, `Concat`, `Squeeze` and
    `Unsqueeze`.
    """
    constant = index.integers(name)
    if constant is not None:
        return constant
    node = index.producer(name)
    if node is None or node.domain:
        return None
    if node.op_type == "Shape":
        return _shape(node, index)
    if node.op_type == "Cast":
        return shape_value(node.input[0], index) if index.dtype(name) in _INTEGERS else None
    if node.op_type in ("Identity", "Squeeze", "Unsqueeze"):
        return shape_value(node.input[0], index)
    if node.op_type == "Concat":
        parts = [shape_value(part, index) for part in node.input]
        return None if any(part is None for part in parts) else [size for part in parts for size in part]
    if node.op_type in ("Gather", "Slice"):
        whole = shape_value(node.input[0], index)
        return None if whole is None else _picked(node, whole, index)
    return None


def _shape(node: onnx.NodeProto, index: GraphIndex) -> list[int | Dimension] | None:
    shape = index.shape(node.input[0])
    if shape is None:
        return None
    sizes = [dimension(node.input[0], axis, index) if size is None else size for axis, size in enumerate(shape)]
    bounds = {a.name: a.i for a in node.attribute}
    return sizes[bounds.get("start", 0) : bounds.get("end", len(sizes))]


def _picked(node: onnx.NodeProto, whole: list[int | Dimension], index: GraphIndex) -> list[int | Dimension] | None:
    if len(index.shape(node.input[0]) or ()) != 1:
        return None
    if node.op_type == "Gather":
        positions = index.integers(node.input[1])
        if positions is None or not all(-len(whole) <= p < len(whole) for p in positions):
            return None
        return [whole[p] for p in positions]
    bounds = [index.integers(name) for name in node.input[1:]]
    if any(bound is None or len(bound) != 1 for bound in bounds) or len(bounds) < 2:
        return None
    (start,), (end,) = bounds[:2]
    (step,) = bounds[3] if len(bounds) > 3 else (1,)
    return whole[start:end:step] if step > 0 else None
