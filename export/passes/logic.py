"""Rules on logic and on operands that change nothing.

    Not(Not(x))                   ->  x
    And(x, x), Or(x, x)           ->  x
    And(x, true), Or(x, false)    ->  x                       the constant being a single one
    Where(Not(c), a, b)           ->  Where(c, b, a)
    Mul(x, 1), Div(x, 1), Pow(x, 1), Sub(x, 0)  ->  x         the constant being a single one
    Add(i, 0)                     ->  i                       for integers: -0.0 + 0 is 0

Refused where the constant has more dimensions than x: it then gives the result its dimensions.
"""

from __future__ import annotations

import numpy as np
import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.rewrite import Rule

__all__ = ["LOGIC_RULES"]

_NEUTRAL = {"And": True, "Or": False, "Mul": 1, "Div": 1, "Pow": 1, "Sub": 0, "Add": 0}
_COMMUTES = {"And", "Or", "Mul", "Add"}


def _double_negation(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    inner = index.producer(node.input[0], "Not") if node.op_type == "Not" else None
    return inner is not None and index.become(node, graph, "Identity", [inner.input[0]])


def _same_twice(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type not in ("And", "Or") or node.input[0] != node.input[1]:
        return False
    return index.become(node, graph, "Identity", [node.input[0]])


def _neutral_operand(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type not in _NEUTRAL:
        return False
    for position in (1, 0) if node.op_type in _COMMUTES else (1,):
        value, other = index.constant(node.input[position]), node.input[1 - position]
        if value is None or value.size != 1 or value.item() != _NEUTRAL[node.op_type]:
            continue
        if node.op_type == "Add" and not np.issubdtype(value.dtype, np.integer):
            continue
        shape = index.shape(other)
        if value.ndim and (shape is None or len(shape) < value.ndim):
            continue
        return index.become(node, graph, "Identity", [other])
    return False


def _negated_choice(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    negation = index.producer(node.input[0], "Not") if node.op_type == "Where" else None
    if negation is None:
        return False
    return index.become(node, graph, "Where", [negation.input[0], node.input[2], node.input[1]])


LOGIC_RULES: tuple[Rule, ...] = (_double_negation, _same_twice, _neutral_operand, _negated_choice)
