"""Computes once what is computed twice: nodes of one type with the same inputs and attributes.

    a = Shape(x); b = Shape(x)   ->   a = Shape(x), and whoever read b reads a

A node in a body may give way to one outside, in front of the body's node; never the other way round.

A node stays where it draws random numbers, has a graph inside, or makes an output of a graph: an output is made in its
graph and has a name of its own.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.scopes import remove_nodes, rename_uses, subgraphs

__all__ = ["duplicates"]

_RANDOM = {
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


def duplicates(graph: onnx.GraphProto) -> int:
    """Removes nodes that compute what another one has computed.

    Args:
        graph: The outermost graph, with a name for each value (`unique_names`); changed in place.

    Returns:
        How many were removed.
    """
    renames: dict[str, str] = {}
    count = _visit(graph, {}, renames)
    rename_uses(graph, renames)
    return count


def _visit(graph: onnx.GraphProto, visible: dict[tuple, list[str]], renames: dict[str, str]) -> int:
    seen, count, dropped = dict(visible), 0, []
    outputs = {value.name for value in graph.output}
    for position, node in enumerate(graph.node):
        inner_graphs = subgraphs(node)
        for inner in inner_graphs:
            count += _visit(inner, seen, renames)
        if inner_graphs or node.op_type in _RANDOM:
            continue
        inputs = tuple(renames.get(name, name) for name in node.input)
        attributes = tuple(sorted(a.SerializeToString(deterministic=True) for a in node.attribute))
        # Which of the optional outputs are made is part of what a node does.
        key = node.domain, node.op_type, inputs, attributes, tuple(bool(name) for name in node.output)
        if key not in seen:
            seen[key] = list(node.output)
        elif not outputs & set(node.output):
            renames.update((mine, first) for mine, first in zip(node.output, seen[key], strict=True) if mine)
            dropped.append(position)
    remove_nodes(graph, dropped)
    return count + len(dropped)
