"""Gives every value of a model a name of its own.

The bodies of loops and the branches of conditions may use names again that other graphs use, and some exporters do:
two bodies with a `state` each, or a body whose `x` hides the `x` outside. A pass that moves a node from one graph to
another would then change what a name means. After this pass a name means one value wherever it stands.

Only values inside subgraphs are renamed, so the inputs, outputs and weights of the model keep their names.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.scopes import Names, subgraphs

__all__ = ["unique_names"]


def unique_names(graph: onnx.GraphProto) -> int:
    """Renames values that share their name with a value of another graph.

    Args:
        graph: The outermost graph; changed in place.

    Returns:
        How many values were renamed.
    """
    return _visit(graph, {}, Names(graph), set())


def _visit(graph: onnx.GraphProto, visible: dict[str, str], names: Names, defined: set[str]) -> int:
    """Renames within one graph; `visible` maps the names of outer values to those they have now."""
    given = [value.name for value in graph.input]
    constants = [tensor.name for tensor in graph.initializer]
    made = [name for node in graph.node for name in node.output if name]
    # All names of this graph before any of a graph inside: the outermost graph keeps its own.
    own = {name: names.fresh(name) if name in defined else name for name in dict.fromkeys(given + constants + made)}
    defined.update(own.values())
    count = sum(old != new for old, new in own.items())

    scope = {**visible, **{name: own[name] for name in given + constants}}
    for value in (*graph.input, *graph.initializer):
        value.name = own[value.name]
    for node in graph.node:
        node.input[:] = [scope.get(name, name) for name in node.input]
        for inner in subgraphs(node):
            count += _visit(inner, scope, names, defined)
        scope.update((name, own[name]) for name in node.output if name)
        node.output[:] = [own.get(name, name) for name in node.output]
    for value in (*graph.output, *graph.value_info):
        value.name = scope.get(value.name, value.name)
    return count
