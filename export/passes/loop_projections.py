"""Makes one product for all steps of a loop of those that each step makes.

    Loop(n, c, h0)                                     p = Add(MatMul(x, W), b)
      body(i, c, h):                                   Loop(n, c, h0)
        x_i = Gather(x, i)                               body(i, c, h):
        a = Add(MatMul(x_i, W), b)         ->              a = Gather(p, i)
        …                                                  …

What a step reads of an input it multiplies with the same matrix at each step. In one product the matrix is read once,
and the processor is busy with more than a few rows.

Moved are products with constant matrices, and sums with constant vectors, of a slice along the first axis that nothing
else reads. Refused where the loop may end before its trip count, or the trip count is not the size of that axis: it
would compute what no step asks for. The results of all steps are in memory at once, as those of a native node are.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.loop_states import LoopStates
from keras_seq.export.passes.scopes import graphs
from keras_seq.export.passes.shape_values import dimension, shape_value

__all__ = ["loop_projections"]


def loop_projections(index: GraphIndex) -> int:
    """Moves products of what each step reads in front of the loops.

    Args:
        index: Of the model, which is changed in place.

    Returns:
        How many operations were moved.
    """
    count = 0
    for scope in list(graphs(index.graph)):
        for node in list(scope.node):
            if node.op_type == "Loop" and not node.domain and _runs_to_the_end(node, index):
                count += sum(_move(node, scope, inner, index) for inner in list(LoopStates(node).body.node))
    return count


def _runs_to_the_end(node: onnx.NodeProto, index: GraphIndex) -> bool:
    """Whether only the trip count ends a loop."""
    body = LoopStates(node).body
    condition = body.output[0].name
    while (copy := index.producer(condition, "Identity")) is not None:
        condition = copy.input[0]
    return bool(node.input[0]) and condition == body.input[1].name


def _move(loop: onnx.NodeProto, scope: onnx.GraphProto, node: onnx.NodeProto, index: GraphIndex) -> bool:
    if node.op_type not in ("MatMul", "Add") or node.domain:
        return False
    for position in (0, 1) if node.op_type == "Add" else (0,):
        step, constant = node.input[position], node.input[1 - position]
        gather = index.producer(step, "Gather")
        if gather is None or not index.is_constant(constant) or index.uses[step] != 1:
            continue
        if _is_a_step(gather, loop, index) and _keeps_steps_apart(node.op_type, gather, constant, index):
            body = LoopStates(loop).body
            inputs = [gather.input[0], constant]
            whole = index.insert(loop, scope, node.op_type, inputs if position == 0 else inputs[::-1])
            return index.become(node, body, "Gather", [whole, gather.input[1]], axis=0)
    return False


def _is_a_step(gather: onnx.NodeProto, loop: onnx.NodeProto, index: GraphIndex) -> bool:
    """Whether a `Gather` takes the part of a value from outside that has the number of the iteration."""
    whole, number = gather.input
    body = LoopStates(loop).body
    if number != body.input[0].name or any(a.name == "axis" and a.i != 0 for a in gather.attribute):
        return False
    if any(index.homes.get(whole) is inner for inner in graphs(body)):
        return False
    shape = index.shape(whole)
    if shape is None:
        return False
    steps = shape_value(loop.input[0], index)
    return steps in ([dimension(whole, 0, index)], [shape[0]]) and steps != [None]


def _keeps_steps_apart(op_type: str, gather: onnx.NodeProto, constant: str, index: GraphIndex) -> bool:
    """Whether an operation on all steps at once does the same to each."""
    rank, own = len(index.shape(gather.input[0])), len(index.shape(constant))
    return (rank >= 3 and own == 2) if op_type == "MatMul" else own < rank
