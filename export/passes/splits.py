"""A `Split` of a part of a `Split` becomes one.

    a, b = Split(x, [m, n])                 ->      c, d, b = Split(x, [p, q, n])
    c, d = Split(a, [p, q])

One copy of `a` is saved. Refused where
- the axes differ, or may differ: one is counted from the end, and the number of axes is not known;
- the sizes of the parts are not constants;
- somebody else reads `a`, be it as an output of the graph.
"""

from __future__ import annotations

import numpy as np
import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.scopes import graphs, remove_nodes

__all__ = ["splits"]


def splits(index: GraphIndex) -> int:
    """Joins splits of splits.

    Args:
        index: Of the model, which is changed in place.

    Returns:
        How many were joined to others.
    """
    return sum(_join_one(scope, index) for scope in list(graphs(index.graph)))


def _join_one(graph: onnx.GraphProto, index: GraphIndex) -> int:
    """At most one a graph and call: the index knows nothing of the new node, and is made anew for the next call."""
    for outer in graph.node:
        sizes = _sizes(outer, index)
        if sizes is None:
            continue
        for part, (name, size) in enumerate(zip(outer.output, sizes, strict=True)):
            inner = _only_reader(name, graph, index)
            same_axis = inner is not None and _axis(inner, index) == _axis(outer, index)
            inner_sizes = _sizes(inner, index, size) if same_axis else None
            if inner_sizes is None:
                continue
            outputs = [*outer.output[:part], *inner.output, *outer.output[part + 1 :]]
            sizes[part : part + 1] = inner_sizes
            constant = index.add_constant(np.array(sizes, "int64"), f"{outputs[0]}/sizes")
            joined = onnx.helper.make_node(
                "Split", [outer.input[0], constant], outputs, name=outer.name, axis=_axis(outer, index)
            )
            position = next(i for i, node in enumerate(graph.node) if node is inner)
            outer.CopyFrom(joined)
            remove_nodes(graph, [position])
            return 1
    return 0


def _only_reader(name: str, graph: onnx.GraphProto, index: GraphIndex) -> onnx.NodeProto | None:
    readers = index.consumers(name)
    if index.uses[name] != 1 or len(readers) != 1 or readers[0][1] is not graph:
        return None
    return next((node for node in graph.node if node is readers[0][0] or node == readers[0][0]), None)


def _sizes(node: onnx.NodeProto, index: GraphIndex, total: int | None = None) -> list[int] | None:
    """The sizes of the parts of a `Split`; of equal parts where the size of the whole is known."""
    if node.op_type != "Split" or node.domain or not all(node.output):
        return None
    if len(node.input) > 1 and node.input[1]:
        sizes = index.constant(node.input[1])
        return None if sizes is None else sizes.tolist()
    if total is None or total % len(node.output):
        return None
    return [total // len(node.output)] * len(node.output)


def _axis(node: onnx.NodeProto, index: GraphIndex) -> int:
    """Counted from the front where the number of axes is known."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    rank = len(index.shape(node.input[0]) or ())
    return axis + rank if axis < 0 else axis
