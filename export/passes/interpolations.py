"""A weighted mean of two values, as gates take it, with one product less.

    Add(Mul(z, a), Mul(Sub(1, z), b))       ->      Add(b, Mul(z, Sub(a, b)))

The same number but for rounding; the GRU's update of its state is one. Refused where the 1 is not a single constant, or
where somebody else reads one of the terms.
"""

from __future__ import annotations

import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.rewrite import Rule

__all__ = ["INTERPOLATION_RULES"]


def _weighted_mean(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Add":
        return False
    for kept, renewed in (node.input, reversed(node.input)):
        first, second = _own(kept, "Mul", index), _own(renewed, "Mul", index)
        if first is None or second is None or first is second:
            continue
        for complement, b in (second.input, reversed(second.input)):
            rest = _own(complement, "Sub", index)
            if rest is None or not _is_one(rest.input[0], index) or rest.input[1] not in first.input:
                continue
            z = rest.input[1]
            (a,) = [name for name in first.input if name != z] or [z]
            difference = index.insert(node, graph, "Sub", [a, b])
            product = index.insert(node, graph, "Mul", [z, difference])
            return index.become(node, graph, "Add", [b, product])
    return False


def _own(name: str, op_type: str, index: GraphIndex) -> onnx.NodeProto | None:
    """The node that makes a value, if it is of this type and nobody but one reads the value."""
    return index.producer(name, op_type) if index.uses[name] == 1 else None


def _is_one(name: str, index: GraphIndex) -> bool:
    value = index.constant(name)
    return value is not None and value.size == 1 and value.ndim == 0 and value.item() == 1


INTERPOLATION_RULES: tuple[Rule, ...] = (_weighted_mean,)
