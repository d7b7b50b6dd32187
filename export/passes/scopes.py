"""Graphs within graphs: who holds whom, and which names are free where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import onnx

__all__ = ["Names", "graphs", "remove_nodes", "rename_uses", "subgraphs", "use_counts"]


class Names:
    """Makes names that no value or node of a model has.

    Args:
        graph: The outermost graph.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._taken = set()
        for scope in graphs(graph):
            self._taken.update(value.name for value in (*scope.input, *scope.output, *scope.initializer))
            for node in scope.node:
                self._taken.update((node.name, *node.input, *node.output))

    def fresh(self, base: str) -> str:
        """A name that starts with `base`; it is taken from now on."""
        name, count = base, 0
        while name in self._taken:
            count += 1
            name = f"{base}__{count}"
        self._taken.add(name)
        return name


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The bodies and branches of a node, in the order of their attributes."""
    return [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all those within it, the outermost first."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from graphs(inner)


def rename_uses(graph: onnx.GraphProto, names: Mapping[str, str], *, outputs: bool = False) -> None:
    """Lets the nodes of a graph, and of those within it, read other values.

    Args:
        graph: Where to look.
        names: The new name of each old one.
        outputs: Whether the outputs of the graphs change too.
    """
    if not names:
        return
    for scope in graphs(graph):
        for node in scope.node:
            if any(name in names for name in node.input):
                node.input[:] = [names.get(name, name) for name in node.input]
        if outputs:
            for value in scope.output:
                value.name = names.get(value.name, value.name)


def remove_nodes(graph: onnx.GraphProto, positions: list[int]) -> None:
    """Removes the nodes at these positions."""
    for position in sorted(positions, reverse=True):
        del graph.node[position]


def use_counts(graph: onnx.GraphProto) -> Counter[str]:
    """How often each value is read, by nodes at any depth or as the output of a graph."""
    counts: Counter[str] = Counter()
    for scope in graphs(graph):
        for node in scope.node:
            counts.update(name for name in node.input if name)
        counts.update(value.name for value in scope.output)
    return counts
