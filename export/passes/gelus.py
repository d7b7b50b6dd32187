"""GELU as one node (Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415).

    0.5 x (1 + erf(x / sqrt(2)))  or  0.5 x (1 - erf(-x / sqrt(2)))          ->      com.microsoft.Gelu(x)
    0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))                        ->      com.microsoft.FastGelu(x)

with the factors in any order; the converter makes the second form of what Keras computes exactly. A graph that is to
run elsewhere gets Mul(Mul(x, Add(Erf(Div(x, sqrt(2))), 1)), 0.5) for both of the first line, which ONNX Runtime makes
one node of by itself; the tanh stays.

Refused where somebody else reads one of the terms, and where a number differs by more than 1e-6 of itself.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.rewrite import Rule

__all__ = ["GELU_RULES", "PORTABLE_GELU_RULES"]

_ROOT_2 = math.sqrt(2.0)
_RATE = math.sqrt(2 / math.pi)


def _gelu(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex, portable: bool) -> bool:
    found = _halved(node, index)
    if found is None:
        return False
    x, bracket = found
    is_mirrored = _is_mirrored(bracket, x, index)
    if not is_mirrored and not _is_exact(bracket, x, index):
        return not portable and _is_tanh(bracket, x, index) and _fuse(node, graph, index, "FastGelu", x)
    if not portable:
        return _fuse(node, graph, index, "Gelu", x)
    return (is_mirrored or not _is_divided(bracket, index)) and _write_portably(node, graph, index, x)


def _write_portably(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex, x: str) -> bool:
    quotient = index.insert(node, graph, "Div", [x, index.add_constant(np.float32(_ROOT_2), "sqrt_2")])
    erf = index.insert(node, graph, "Erf", [quotient])
    total = index.insert(node, graph, "Add", [erf, index.add_constant(np.float32(1), "one")])
    product = index.insert(node, graph, "Mul", [x, total])
    return index.become(node, graph, "Mul", [product, index.add_constant(np.float32(0.5), "half")])


def _fuse(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex, op_type: str, x: str) -> bool:
    if all(entry.domain != CONTRIB for entry in index.opsets):
        index.opsets.append(onnx.helper.make_opsetid(CONTRIB, 1))
    return index.become(node, graph, op_type, [x], domain=CONTRIB)


def _halved(node: onnx.NodeProto, index: GraphIndex) -> tuple[str, str] | None:
    """X and the bracket of a product of 0.5, x and a bracket."""
    if node.op_type != "Mul" or index.dtype(node.output[0]) != onnx.TensorProto.FLOAT:
        return None
    for product, other in (node.input, reversed(node.input)):
        inner = _own(product, "Mul", index)
        if inner is None:
            continue
        factors = [*inner.input, other]
        halves = [name for name in factors if _is_number(name, 0.5, index)]
        if len(halves) != 1:
            continue
        first, second = [name for name in factors if name != halves[0]]
        for x, bracket in ((first, second), (second, first)):
            if index.uses[bracket] == 1 and index.producer(bracket, "Add", "Sub") is not None:
                return x, bracket
    return None


def _is_exact(bracket: str, x: str, index: GraphIndex) -> bool:
    """Whether it is 1 + erf(x / sqrt(2))."""
    erf = _beside(bracket, "Add", 1.0, index, "Erf")
    return erf is not None and _is_scaled(erf.input[0], x, index)


def _is_divided(bracket: str, index: GraphIndex) -> bool:
    """Whether an exact form is the one that ONNX Runtime fuses by itself: it divides by sqrt(2)."""
    return index.producer(_beside(bracket, "Add", 1.0, index, "Erf").input[0], "Div") is not None


def _is_mirrored(bracket: str, x: str, index: GraphIndex) -> bool:
    """Whether it is 1 - erf(-x / sqrt(2))."""
    difference = index.producer(bracket, "Sub")
    if difference is None or not _is_number(difference.input[0], 1.0, index):
        return False
    erf = _own(difference.input[1], "Erf", index)
    product = _own(erf.input[0], "Mul", index) if erf is not None else None
    negated = None if product is None else _other(product, 1 / _ROOT_2, index)
    minus = None if negated is None else _own(negated, "Neg", index)
    return minus is not None and minus.input[0] == x


def _is_tanh(bracket: str, x: str, index: GraphIndex) -> bool:
    """Whether it is 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))."""
    tanh = _beside(bracket, "Add", 1.0, index, "Tanh")
    product = None if tanh is None else _own(tanh.input[0], "Mul", index)
    total = None if product is None else _other(product, _RATE, index)
    added = None if total is None else _own(total, "Add", index)
    if added is None or x not in added.input:
        return False
    (term,) = [name for name in added.input if name != x] or [x]
    scaled = _own(term, "Mul", index)
    cube = None if scaled is None else _other(scaled, 0.044715, index)
    power = None if cube is None else _own(cube, "Pow", index)
    return power is not None and power.input[0] == x and _is_number(power.input[1], 3.0, index)


def _is_scaled(name: str, x: str, index: GraphIndex) -> bool:
    """Whether a value is x / sqrt(2)."""
    quotient = _own(name, "Div", index)
    if quotient is not None:
        return quotient.input[0] == x and _is_number(quotient.input[1], _ROOT_2, index)
    product = _own(name, "Mul", index)
    return product is not None and _other(product, 1 / _ROOT_2, index) == x


def _beside(name: str, op_type: str, number: float, index: GraphIndex, wanted: str) -> onnx.NodeProto | None:
    """The node of type `wanted` that a number is added to."""
    node = index.producer(name, op_type)
    other = None if node is None else _other(node, number, index)
    return None if other is None else _own(other, wanted, index)


def _other(node: onnx.NodeProto, number: float, index: GraphIndex) -> str | None:
    """The operand of a node beside a number."""
    for position in (0, 1):
        if _is_number(node.input[position], number, index):
            return node.input[1 - position]
    return None


def _own(name: str, op_type: str, index: GraphIndex) -> onnx.NodeProto | None:
    """The node that makes a value, if it is of this type and nobody but one reads the value."""
    return index.producer(name, op_type) if index.uses[name] == 1 else None


def _is_number(name: str, number: float, index: GraphIndex) -> bool:
    value = index.constant(name)
    return value is not None and value.ndim == 0 and math.isclose(value.item(), number, rel_tol=1e-6)


GELU_RULES: tuple[Rule, ...] = (functools.partial(_gelu, portable=False),)
PORTABLE_GELU_RULES: tuple[Rule, ...] = (functools.partial(_gelu, portable=True),)
