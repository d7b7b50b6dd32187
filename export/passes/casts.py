"""Rules on conversions between number types.

    Cast(x, T)                                  ->  x                      where x is of type T
    Cast(Cast(x, A), B)                         ->  Cast(x, B)             where A can hold every value of x's type
    Cast(Cast(i, int32), int64)                 ->  i                      where i is int64 and fits 32 bits
    Less(Cast(i, float), Cast(j, float))        ->  Less(i, j)             integers of one type; other comparisons too
    Less(Cast(i, float), 40.0)                  ->  Less(i, 40)            where the number is whole
    Gather(x, Cast(i, int32 or int64))          ->  Gather(x, i)           where i is int32 or int64; fits 32 bits

The converter compares integers as floats, from the days when ONNX had no other comparison. Above 2**24 neighbouring
integers are one float; the comparison of integers is right there, and what the model says.

What fits 32 bits: sizes, positions along an axis (`TopK`, `ArgMax`), the number of an iteration, constants that do, and
what is picked from, divided or arranged out of such. That no axis is longer than 2**31 - 1 the converter assumes too,
when it turns sizes into int32.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.rewrite import Rule

__all__ = ["CAST_RULES", "fits_32_bits"]

_INTEGERS = {TensorProto.INT32, TensorProto.INT64}
_COMPARISONS = {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"}
_HOLDS = {
    TensorProto.BOOL: {
        TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64,
        TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE,
    },
    TensorProto.INT8: {TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT, TensorProto.DOUBLE},
    TensorProto.UINT8: {TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT, TensorProto.DOUBLE},
    TensorProto.INT32: {TensorProto.INT64, TensorProto.DOUBLE},
    TensorProto.FLOAT16: {TensorProto.FLOAT, TensorProto.DOUBLE},
    TensorProto.FLOAT: {TensorProto.DOUBLE},
}  # fmt: skip
"""The types that can hold every value of a type."""
_POSITIONS = {"TopK": 1, "ArgMax": 0, "ArgMin": 0, "Shape": 0, "Size": 0}
_ARRANGED = {"Cast", "Identity", "Squeeze", "Unsqueeze", "Reshape", "Slice", "Gather", "GatherElements", "GatherND"}


def cast_target(node: onnx.NodeProto) -> int:
    """The type that a `Cast` makes."""
    return next(a.i for a in node.attribute if a.name == "to")


def fits_32_bits(name: str, index: GraphIndex) -> bool:
    """Whether a value of integers is known to fit a signed 32-bit integer."""
    values = index.integers(name)
    if values is not None:
        return all(-(2**31) <= value < 2**31 for value in values)
    if index.dtype(name) == TensorProto.INT32:
        return True
    if index.dtype(name) not in (TensorProto.INT64, 0):
        return False
    if name in index.iteration_numbers:
        return True
    node = index.producer(name)
    if node is None or node.domain:
        return False
    if node.op_type in _POSITIONS:
        return node.output[_POSITIONS[node.op_type]] == name
    if node.op_type == "Cast":
        return index.dtype(node.input[0]) in _INTEGERS and fits_32_bits(node.input[0], index)
    if node.op_type in _ARRANGED:
        return fits_32_bits(node.input[0], index)
    if node.op_type in ("Concat", "Min", "Max"):
        return all(fits_32_bits(part, index) for part in node.input)
    if node.op_type == "Where":
        return all(fits_32_bits(part, index) for part in node.input[1:])
    if node.op_type in ("Div", "Mod"):
        divisor = index.integers(node.input[1])
        return bool(divisor) and min(divisor) > 0 and fits_32_bits(node.input[0], index)
    return False


def _same_type(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Cast" or index.dtype(node.input[0]) != cast_target(node):
        return False
    return index.become(node, graph, "Identity", [node.input[0]])


def _chain(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Cast":
        return False
    first = index.producer(node.input[0], "Cast")
    if first is None:
        return False
    source, target = index.dtype(first.input[0]), cast_target(node)
    if cast_target(first) in _HOLDS.get(source, ()):
        return index.rewire(node, graph, 0, first.input[0])
    narrowed = source == target == TensorProto.INT64 and cast_target(first) == TensorProto.INT32
    if narrowed and fits_32_bits(first.input[0], index):
        return index.become(node, graph, "Identity", [first.input[0]])
    return False


def _comparison(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type not in _COMPARISONS:
        return False
    sources = [_before_float(name, index) for name in node.input]
    types = {index.dtype(source) for source in sources if source}
    if len(types) != 1:
        return False
    dtype = onnx.helper.tensor_dtype_to_np_dtype(types.pop())
    for position, (name, source) in enumerate(zip(node.input, sources, strict=True)):
        if source:
            continue
        value = index.constant(name)
        if value is None or not _is_whole(value, dtype):
            return False
        sources[position] = value
    names = [
        s if isinstance(s, str) else index.add_constant(s.astype(dtype), f"{node.output[0]}/whole") for s in sources
    ]
    return index.become(node, graph, node.op_type, names)


def _before_float(name: str, index: GraphIndex) -> str | None:
    """The integers that a value was before it became float; None if it was none."""
    cast = index.producer(name, "Cast")
    if cast is None or cast_target(cast) not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        return None
    return cast.input[0] if index.dtype(cast.input[0]) in _INTEGERS else None


def _is_whole(value: np.ndarray, dtype: np.dtype) -> bool:
    limits = np.iinfo(dtype)
    # The limits themselves are no floats; anything so near to them is no count.
    return bool(np.all(np.isfinite(value)) and np.all(value == np.round(value)) and np.all(abs(value) < limits.max / 2))


def _index(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type not in ("Gather", "GatherElements"):
        return False
    cast = index.producer(node.input[1], "Cast")
    if cast is None or cast_target(cast) not in _INTEGERS or index.dtype(cast.input[0]) not in _INTEGERS:
        return False
    if not fits_32_bits(cast.input[0], index):
        return False
    return index.rewire(node, graph, 1, cast.input[0])


CAST_RULES: tuple[Rule, ...] = (_same_type, _chain, _comparison, _index)
