"""Removes `Identity` nodes: each costs a copy, and hides from other passes where a value comes from.

    b = Identity(a); c = Neg(b)          ->   c = Neg(a)
    a = Relu(x); y = Identity(a)         ->   y = Relu(x)            where y is an output of the graph

A copy stays where it makes an output of its graph out of an input, a constant, a value from outside, or a value that is
an output already: an output has a name of its own, and is made in its graph.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.scopes import graphs, remove_nodes, rename_uses

__all__ = ["identities"]


def identities(graph: onnx.GraphProto) -> int:
    """Removes copies in a graph and in those within it.

    Args:
        graph: The outermost graph, with a name for each value (`unique_names`); changed in place.

    Returns:
        How many were removed.
    """
    renames: dict[str, str] = {}
    count = 0
    for scope in graphs(graph):
        outputs = {value.name for value in scope.output}
        made = {name for node in scope.node for name in node.output}
        dropped = []
        for position, node in enumerate(scope.node):
            if node.op_type != "Identity" or node.domain:
                continue
            source, target = _last(renames, node.input[0]), node.output[0]
            if target not in outputs:
                renames[target] = source
            elif source in made and source not in outputs:
                renames[source] = target
                outputs.discard(source)
            else:
                continue
            dropped.append(position)
        remove_nodes(scope, dropped)
        count += len(dropped)
    if renames:
        renames = {name: _last(renames, name) for name in renames}
        rename_uses(graph, renames)
        for scope in graphs(graph):
            for node in scope.node:
                if any(name in renames for name in node.output):
                    node.output[:] = [renames.get(name, name) for name in node.output]
    return count


def _last(renames: dict[str, str], name: str) -> str:
    while name in renames:
        name = renames[name]
    return name
