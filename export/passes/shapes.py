"""Rules on operations that only arrange values.

    Slice(x), everything                          ->  x
    Reshape(x) to the dimensions x has            ->  x
    Reshape(Reshape(x), s)                        ->  Reshape(x, s)             likewise of (Un)Squeeze; s without 0
    Unsqueeze(Reshape(x, s)), Squeeze(…)          ->  Reshape(x, s')            s and the axes constant, s without 0
    Squeeze(Unsqueeze(x, a), a), and reversed     ->  x
    Transpose(Transpose(x))                       ->  Transpose(x), or x        by the order of the axes that results
    Shape(f(x))                                   ->  Shape(x)                  where f works element by element
    GatherND(x, Unsqueeze(i, -1), batch_dims=1)   ->  GatherElements(x, i, 1)   x and i of two axes

A size of 0 in s means "as in the input", so such an s cannot be moved to another input. The converter writes "to the
end" as an end of 10**9 or more; no axis is as long as that.
"""

from __future__ import annotations

import numpy as np
import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.rewrite import Rule
from keras_seq.export.passes.shape_values import ELEMENTWISE

__all__ = ["SHAPE_RULES", "attribute", "slice_bounds", "whole_axis"]

_TO_THE_END = 10**9


def attribute(node: onnx.NodeProto, name: str, default):
    """The value of a node's attribute."""
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default


def whole_axis(start: int, end: int, size: int | None) -> bool:
    """Whether a slice in steps of one takes all of an axis."""
    return start == 0 and (end >= _TO_THE_END or (size is not None and end >= size))


def slice_bounds(node: onnx.NodeProto, index: GraphIndex) -> dict[int, tuple[int, int]] | None:
    """The start and end of a `Slice` by axis, if they are constant and all steps are one."""
    starts, ends = (index.integers(name) for name in node.input[1:3])
    shape = index.shape(node.input[0])
    if starts is None or ends is None or shape is None:
        return None
    given = [index.integers(name) if name else None for name in node.input[3:5]]
    if any(value is None and name for value, name in zip(given, node.input[3:5], strict=True)):
        return None
    axes, steps = [*given, None, None][:2]
    if steps is not None and set(steps) != {1}:
        return None
    axes = list(range(len(starts))) if axes is None else [axis % len(shape) for axis in axes]
    return {axis: (start, end) for axis, start, end in zip(axes, starts, ends, strict=True)}


def _whole_slice(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Slice":
        return False
    shape = index.shape(node.input[0])
    if shape is None:  # then only what takes all, however long it is
        bounds = [index.integers(name) for name in node.input[1:] if name]
        if None in bounds or (len(bounds) == 4 and set(bounds[3]) != {1}):
            return False
        whole = all(whole_axis(start, end, None) for start, end in zip(*bounds[:2], strict=True))
    else:
        bounds = slice_bounds(node, index)
        whole = bounds is not None and all(whole_axis(*bound, shape[axis]) for axis, bound in bounds.items())
    if not whole:
        return False
    return index.become(node, graph, "Identity", [node.input[0]])


def _same_shape(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Reshape":
        return False
    shape, wanted = index.shape(node.input[0]), index.integers(node.input[1])
    if shape is None or wanted is None or len(shape) != len(wanted) or attribute(node, "allowzero", 0):
        return False
    # One dimension may stay open: it is what the others leave.
    unsure = [i for i, (size, new) in enumerate(zip(shape, wanted, strict=True)) if new not in (0, size)]
    if len(unsure) > 1 or any(wanted[i] != -1 for i in unsure) or (unsure and 0 in shape):
        return False
    return index.become(node, graph, "Identity", [node.input[0]])


def _reshape_of_reshape(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Reshape":
        return False
    inner = index.producer(node.input[0], "Reshape", "Squeeze", "Unsqueeze", "Flatten")
    wanted = index.integers(node.input[1])
    if inner is None or wanted is None or 0 in wanted:
        return False
    return index.rewire(node, graph, 0, inner.input[0])


def _axes_of_reshape(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type not in ("Squeeze", "Unsqueeze") or len(node.input) < 2:
        return False
    inner, axes = index.producer(node.input[0], "Reshape"), index.integers(node.input[1])
    wanted = index.integers(inner.input[1]) if inner is not None else None
    if wanted is None or axes is None or 0 in wanted:
        return False
    if node.op_type == "Unsqueeze":
        rank = len(wanted) + len(axes)
        rest = iter(wanted)
        new = [1 if i in {axis % rank for axis in axes} else next(rest) for i in range(rank)]
    else:
        dropped = {axis % len(wanted) for axis in axes}
        if any(wanted[axis] != 1 for axis in dropped):
            return False
        new = [size for i, size in enumerate(wanted) if i not in dropped]
    name = index.add_constant(np.array(new, "int64"), f"{node.output[0]}/shape")
    return index.become(node, graph, "Reshape", [inner.input[0], name])


def _axes_of_axes(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    opposite = {"Squeeze": "Unsqueeze", "Unsqueeze": "Squeeze"}.get(node.op_type)
    inner = index.producer(node.input[0], opposite) if opposite else None
    if inner is None or len(node.input) < 2 or len(inner.input) < 2:
        return False
    shape = index.shape(inner.input[0])
    outer_axes, inner_axes = index.integers(node.input[1]), index.integers(inner.input[1])
    if shape is None or outer_axes is None or inner_axes is None:
        return False
    rank = len(shape) + (len(inner_axes) if opposite == "Unsqueeze" else 0)  # of the larger of the two shapes
    if {axis % rank for axis in outer_axes} != {axis % rank for axis in inner_axes}:
        return False
    return index.become(node, graph, "Identity", [inner.input[0]])


def _transposed_twice(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Transpose":
        return False
    order = attribute(node, "perm", None)
    if order is not None and order == list(range(len(order))):
        return index.become(node, graph, "Identity", [node.input[0]])
    inner = index.producer(node.input[0], "Transpose")
    first = attribute(inner, "perm", None) if inner is not None else None
    if first is None or order is None:
        return False
    both = [first[axis] for axis in order]
    if both == sorted(both):
        return index.become(node, graph, "Identity", [inner.input[0]])
    return index.become(node, graph, "Transpose", [inner.input[0]], perm=both)


def _shape_of_elementwise(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    inner = index.producer(node.input[0]) if node.op_type == "Shape" else None
    if inner is None or inner.domain or inner.op_type not in ELEMENTWISE:
        return False
    return index.rewire(node, graph, 0, inner.input[0])


def _gather_elements(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "GatherND" or attribute(node, "batch_dims", 0) != 1:
        return False
    inner = index.producer(node.input[1], "Unsqueeze")
    if inner is None or len(index.shape(node.input[0]) or ()) != 2 or len(index.shape(inner.input[0]) or ()) != 2:
        return False
    if index.integers(inner.input[1]) not in ([-1], [2]):
        return False
    return index.become(node, graph, "GatherElements", [node.input[0], inner.input[0]], axis=1)


SHAPE_RULES: tuple[Rule, ...] = (
    _whole_slice,
    _same_shape,
    _reshape_of_reshape,
    _axes_of_reshape,
    _axes_of_axes,
    _transposed_twice,
    _shape_of_elementwise,
    _gather_elements,
)
