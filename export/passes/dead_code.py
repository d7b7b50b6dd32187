"""Removes what nothing reads.

- Nodes none of whose outputs is read.
- Collected outputs of a `Loop` or `Scan` that nothing reads.
- States of a `Loop` or `Scan` that only compute themselves: their final value is not read, and inside the body nothing
  but the states of this kind depends on them. (A step counter, once the loop has a trip count.)
- Weights and other constants that are left over, except those that a caller may set: inputs with a default.

Inputs and outputs of the model stay, needed or not, as do the branches of an `If`.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.loop_states import LoopStates
from keras_seq.export.passes.scopes import graphs, remove_nodes, subgraphs, use_counts

__all__ = ["dead_code"]


def dead_code(graph: onnx.GraphProto) -> int:
    """Removes nodes, states, collected outputs and constants that nothing reads.

    Args:
        graph: The outermost graph, with a name for each value (`unique_names`); changed in place.

    Returns:
        How many of each were removed, summed.
    """
    total = 0
    while count := _nodes(graph) + _loop_values(graph):
        total += count
    return total + _constants(graph)


def _nodes(graph: onnx.GraphProto) -> int:
    uses = use_counts(graph)
    count = 0

    def visit(scope: onnx.GraphProto) -> None:
        nonlocal count
        dead = []
        for position in range(len(scope.node) - 1, -1, -1):
            node = scope.node[position]
            if any(uses[name] for name in node.output if name):
                for inner in subgraphs(node):
                    visit(inner)
                continue
            dead.append(position)
            uses.subtract(name for name in node.input if name)
            for inner in subgraphs(node):
                uses.subtract(use_counts(inner))
        remove_nodes(scope, dead)
        count += len(dead)

    visit(graph)
    return count


def _loop_values(graph: onnx.GraphProto) -> int:
    uses, count = use_counts(graph), 0
    for scope in list(graphs(graph)):
        for node in scope.node:
            if not LoopStates.applies_to(node):
                continue
            loop = LoopStates(node)
            collected = loop.scanned_outputs()
            unread = [i for i, (_, outer) in enumerate(collected) if not (outer and uses[outer])]
            live = _live_states(loop, [inner for i, (inner, _) in enumerate(collected) if i not in unread], uses)
            dead = [state.position for state in loop.states() if state.position not in live]
            if len(unread) + len(dead) == len(node.output):
                continue  # then the node as a whole is dead
            loop.remove_scanned_outputs(unread)
            loop.remove_states(dead)
            count += len(unread) + len(dead)
    return count


def _live_states(loop: LoopStates, collected: list[str], uses: dict[str, int]) -> set[int]:
    """The positions of the states that something outside, the condition or a collected output depends on."""
    states = loop.states()
    live = {state.position for state in states if state.final and uses[state.final]}
    roots = [loop.body.output[0].name] if loop.node.op_type == "Loop" else []
    needed = {*roots, *collected, *(state.after for state in states if state.position in live)}
    while True:
        for node in reversed(loop.body.node):
            if needed & set(node.output):
                needed.update(filter(None, node.input))
                for inner in subgraphs(node):
                    needed.update(use_counts(inner))
        added = {state.position for state in states if state.before in needed} - live
        if not added:
            return live
        live |= added
        needed.update(state.after for state in states if state.position in added)


def _constants(graph: onnx.GraphProto) -> int:
    uses, count = use_counts(graph), 0
    for scope in graphs(graph):
        given = {value.name for value in scope.input}
        for position in range(len(scope.initializer) - 1, -1, -1):
            name = scope.initializer[position].name
            if not uses[name] and name not in given:
                del scope.initializer[position]
                count += 1
    return count
