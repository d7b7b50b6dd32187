"""Takes out of loops what is the same in every iteration.

    Loop(n, c, h0)                                     k2 = Unsqueeze(keys, 1)
      body(i, c, h):                                   Loop(n, c, h0)
        k2 = Unsqueeze(keys, 1)            ->            body(i, c, h):
        h' = Add(h, k2)                                    h' = Add(h, k2)

A node moves if all that it reads is made outside, and it is one of the operations listed here: they have no memory,
draw no random numbers, and cannot fail where their inputs fit each other. So a loop of no iterations, which never
ran them, may have them run once.

A node stays where
- it is not listed: whether it can fail depends on the values it gets (an index, a divisor of integers);
- it makes an output of the body, which must be made in the body;
- it is in a branch of an `If`: it would run though the branch is not taken.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.loop_states import LoopStates
from keras_seq.export.passes.scopes import graphs, remove_nodes

__all__ = ["loop_motion"]

_SAFE = {
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Concat", "ConstantOfShape", "Cos", "Equal", "Erf", "Exp", "Expand",
    "Flatten", "Floor", "Gemm", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Log", "LogSoftmax",
    "MatMul", "Max", "Min", "Mul", "Neg", "Not", "Or", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "Relu", "Reshape", "Shape", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Softmax", "Softplus", "Split",
    "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where", "Xor",
}  # fmt: skip
_SAFE_ON_FLOATS = {"Div", "Pow", "Reciprocal"}
_FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}


def loop_motion(graph: onnx.GraphProto, types: dict[str, int] | None = None) -> int:
    """Moves nodes that are the same in every iteration in front of their `Loop` or `Scan`.

    Args:
        graph: The outermost graph, with a name for each value (`unique_names`); changed in place.
        types: Element types by name, as far as known. Divisions move only where they are known to be of floats.

    Returns:
        How many nodes were moved; one that left two loops counts twice.
    """
    types, total = types or {}, 0
    while count := sum(_move_out(scope, types) for scope in list(graphs(graph))):
        total += count
    return total


def _move_out(scope: onnx.GraphProto, types: dict[str, int]) -> int:
    count, position = 0, 0
    while position < len(scope.node):
        node = scope.node[position]
        position += 1
        if not LoopStates.applies_to(node):
            continue
        body = LoopStates(node).body
        inside = {v.name for v in (*body.input, *body.initializer)} | {n for m in body.node for n in m.output}
        outputs = {value.name for value in body.output}
        moved = []
        for inner_position, inner in enumerate(body.node):
            if _can_move(inner, types) and not inside & set(inner.input) and not outputs & set(inner.output):
                moved.append(inner_position)
                inside -= set(inner.output)
        for offset, inner_position in enumerate(moved):
            scope.node.insert(position - 1 + offset, body.node[inner_position])
        remove_nodes(body, moved)
        position += len(moved)
        count += len(moved)
    return count


def _can_move(node: onnx.NodeProto, types: dict[str, int]) -> bool:
    if node.domain:
        return False
    if node.op_type in _SAFE_ON_FLOATS:
        return types.get(node.input[0]) in _FLOATS
    return node.op_type in _SAFE
