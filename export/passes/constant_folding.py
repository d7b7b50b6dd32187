"""Computes what is the same in every run.

- Nodes that arrange, compare, or add and multiply constants become constants.
- Vectors of sizes whose elements are known, such as the last size of `Shape(x)`, become constants.

NumPy computes them, by ONNX' reference implementation, so only operations are listed whose results are the same to the
bit everywhere: no `Exp`. A node stays where it is not listed, makes an output of its graph, or where its results would
be larger than 4 KB and larger than what it reads: a file must not grow.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.scopes import graphs, remove_nodes
from keras_seq.export.passes.shape_values import shape_value

__all__ = ["constant_folding"]

_EXACT = {
    "Add", "And", "Cast", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Gather", "Greater", "GreaterOrEqual",
    "Identity", "Less", "LessOrEqual", "Max", "Min", "Mul", "Neg", "Not", "Or", "Reshape", "Shape", "Slice", "Split",
    "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where", "Xor",
}  # fmt: skip
_ALWAYS_SMALL = 4096  # bytes
_PLAIN_KINDS = "biuf"


def constant_folding(index: GraphIndex) -> int:
    """Replaces nodes by the constants that they make.

    Args:
        index: Of the model, which is changed in place.

    Returns:
        How many nodes were replaced.
    """
    opset = next(entry.version for entry in index.opsets if entry.domain == "")
    count = 0
    for scope in graphs(index.graph):
        outputs = {value.name for value in scope.output}
        folded = []
        for position, node in enumerate(scope.node):
            if node.domain or outputs & set(node.output):
                continue
            values = _sizes(node, index)
            if values is None and node.op_type in _EXACT:
                values = _computed(node, index, opset)
            if values is None:
                continue
            for name, value in zip(node.output, values, strict=True):
                if name:
                    index.define_constant(value, name)
            folded.append(position)
        remove_nodes(scope, folded)
        count += len(folded)
    return count


def _sizes(node: onnx.NodeProto, index: GraphIndex) -> list[np.ndarray] | None:
    """The value of a node that computes sizes, all of which are known."""
    if node.op_type not in ("Shape", "Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Cast"):
        return None
    shape, dtype = index.shape(node.output[0]), index.dtype(node.output[0])
    sizes = shape_value(node.output[0], index)
    if shape is None or len(shape) > 1 or dtype not in (onnx.TensorProto.INT32, onnx.TensorProto.INT64):
        return None
    if sizes is None or not all(isinstance(size, int) for size in sizes) or (shape == () and len(sizes) != 1):
        return None
    value = np.array(sizes, onnx.helper.tensor_dtype_to_np_dtype(dtype))
    return [value.reshape(()) if shape == () else value]


def _computed(node: onnx.NodeProto, index: GraphIndex, opset: int) -> list[np.ndarray] | None:
    names = [name for name in node.input if name]
    inputs = {name: index.constant(name) for name in names}
    if not inputs or any(value is None or value.dtype.kind not in _PLAIN_KINDS for value in inputs.values()):
        return None
    sizes = [
        index.integers(node.input[i])
        for i in {"ConstantOfShape": [0], "Expand": [1], "Tile": [1]}.get(node.op_type, [])
    ]
    if any(np.prod(size or [1], dtype="float64") > _ALWAYS_SMALL for size in sizes):
        return None
    if node.op_type in ("Div", "Cast") and not _is_plain(list(inputs.values())):
        return None
    call = onnx.helper.make_model(
        onnx.helper.make_graph(
            [node],
            "folding",
            [onnx.helper.make_tensor_value_info(n, index.dtype(n), None) for n in dict.fromkeys(names)],
            [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in node.output if n],
        ),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
    )
    with np.errstate(all="ignore"):
        results = iter(ReferenceEvaluator(call).run(None, inputs))
    values = [np.asarray(next(results)) if name else None for name in node.output]
    made = sum(value.nbytes for value in values if value is not None)
    if made > max(_ALWAYS_SMALL, sum(value.nbytes for value in inputs.values())):
        return None
    if any(value is not None and value.dtype.kind not in _PLAIN_KINDS for value in values):
        return None
    return values


def _is_plain(values: list[np.ndarray]) -> bool:
    """Whether divisions and conversions of these numbers are the same everywhere.

    Quotients of integers are rounded down by some and to zero by others; floats may be too large for an integer.
    """
    for value in values:
        if value.dtype.kind == "i" and (
            value.min(initial=1) < 0 or (len(values) == 2 and value is values[1] and not value.all())
        ):
            return False
        if value.dtype.kind == "f" and not np.all(np.abs(value) < 2**31):
            return False
    return True
