"""`GRU` and `RNN` as a `Scan` whose body multiplies integers; ONNX Runtime has no operator for that.

Per direction, with `DynamicQuantizeMatMul` written `@`:

    xs = X @ W^T + Wb                          outside, all steps at once
    GRU   z, r = split(f(x_zr + h @ R_zr^T + Rb_zr))
          c = g(x_h + r * (h @ R_h^T + Rb_h))   with linear_before_reset, in one product with the one above
          c = g(x_h + (r * h) @ R_h^T + Rb_h)   without
          h = c + z * (h - c)
    RNN   h = f(x + h @ R^T + Rb)

A step behind a row's length keeps the state, and its output is zero, as in the native nodes. A row without steps keeps
the state that it began with, which ONNX Runtime's own nodes forget.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.quantization.choice import ACTIVATIONS
from keras_seq.export.quantization.constants import constant
from keras_seq.export.quantization.integer_product import add_integer_weight
from keras_seq.export.quantization.integer_weight import IntegerWeight

__all__ = ["integer_scan"]


def integer_scan(node: onnx.NodeProto, scope: onnx.GraphProto, index: GraphIndex) -> None:
    """Writes a `Scan` for each direction in front of a recurrent node, and makes the node's outputs of theirs.

    Args:
        node: A `GRU` or `RNN` with constant weights, and activations that `choose_recurrent` allows.
        scope: Its graph.
        index: Of the model, which is changed in place.
    """
    recurrence = _Recurrence(node, scope, index)
    valid = recurrence.valid_steps()
    parts = [recurrence.direction(number, valid) for number in range(recurrence.directions)]
    # The node becomes what gives its first output that is read; the other one is written in front of it.
    wanted = [(i, name) for i, name in enumerate(node.output) if name]
    for i, name in wanted:
        joined = [recurrence.add("Unsqueeze", [part[i], recurrence.constant(np.array([1 - i]))]) for part in parts]
        if (i, name) == wanted[-1]:
            node.output[:] = [name]
            index.become(node, scope, "Concat", joined, axis=1 - i)
        else:
            index.rename_output(node, name, index.names.fresh(name))
            index.insert(node, scope, "Concat", joined, [name], axis=1 - i)


@dataclass
class _Recurrence:
    node: onnx.NodeProto
    scope: onnx.GraphProto
    index: GraphIndex

    def __post_init__(self) -> None:
        settings = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        given = [*self.node.input, *[""] * (6 - len(self.node.input))]
        self.inputs, self.lengths, self.initial = given[0], given[4], given[5]
        self.weights = [numpy_helper.to_array(self.index.tensor(name)) for name in given[1:3]]
        self.names = [given[1], given[2]]
        self.units = self.weights[1].shape[2]
        gates = self.weights[1].shape[1] // self.units
        self.directions = len(self.weights[0])
        self.bias = (
            numpy_helper.to_array(self.index.tensor(given[3]))
            if given[3]
            else np.zeros((self.directions, 2 * gates * self.units), "float32")
        )
        self.resets_after = bool(settings.get("linear_before_reset", 0))
        self.backwards = [False, True] if self.directions == 2 else [settings.get("direction") == b"reverse"]
        named = [name.decode() for name in settings.get("activations", [])]
        self.activations = named or [*ACTIVATIONS[self.node.op_type]] * self.directions

    def add(self, op_type: str, inputs: list[str], **attributes) -> str:
        return self.index.insert(self.node, self.scope, op_type, inputs, **attributes)

    def constant(self, value: np.ndarray, name: str = "") -> str:
        return constant(self.index, value, name)

    def valid_steps(self) -> str:
        """(time, batch, 1) booleans, which steps are within their row's length; empty where all are."""
        if not self.lengths:
            return ""
        zero, one = self.constant(np.int32(0)), self.constant(np.int32(1))
        count = self.add("Cast", [self.add("Shape", [self.inputs], start=0, end=1)], to=TensorProto.INT32)
        count = self.add("Squeeze", [count])
        steps = self.add("Unsqueeze", [self.add("Range", [zero, count, one]), self.constant(np.array([1, 2]))])
        lengths = self.add("Unsqueeze", [self.lengths, self.constant(np.array([0, 2]))])
        return self.add("Less", [steps, lengths])

    def direction(self, number: int, valid: str) -> tuple[str, str]:
        """Outputs (time, batch, units) and final state (batch, units) of one direction."""
        units, bias = self.units, self.bias[number]
        inner = len(bias) // 2
        projected = self._product(self.inputs, self.weights[0][number], bias[:inner], f"{self.names[0]}.{number}")
        parts = [projected]
        if self.node.op_type == "GRU":
            sizes = self.constant(np.array([2 * units, units]))
            parts = [self.index.names.fresh(f"{projected}.{part}") for part in ("zr", "h")]
            self.index.insert(self.node, self.scope, "Split", [projected, sizes], parts, axis=2)
        body = self._body(number, bias[inner:], len(parts), masked=bool(valid))
        scanned = [*parts, *filter(None, [valid])]
        outputs = [self.index.names.fresh(f"{projected}.{part}") for part in ("final", "states")]
        backwards = int(self.backwards[number])
        self.index.insert(
            self.node,
            self.scope,
            "Scan",
            [self._initial_state(number), *scanned],
            outputs,
            body=body,
            num_scan_inputs=len(scanned),
            scan_input_directions=[backwards] * len(scanned),
            scan_output_directions=[backwards],
        )
        final, states = outputs
        if valid:
            states = self.add("Where", [valid, states, self.constant(np.float32(0))])
        return states, final

    def _product(self, inputs: str, weight: np.ndarray, bias: np.ndarray, name: str) -> str:
        given = add_integer_weight(self.index, IntegerWeight.for_products(weight.T), name)
        return self.add("DynamicQuantizeMatMul", [inputs, *given, self.constant(bias, f"{name}.bias")], domain=CONTRIB)

    def _initial_state(self, number: int) -> str:
        if self.initial:
            return self.add("Gather", [self.initial, self.constant(np.int64(number))], axis=0)
        batch = self.add("Shape", [self.inputs], start=1, end=2)
        shape = self.add("Concat", [batch, self.constant(np.array([self.units]))], axis=0)
        return self.add("Expand", [self.constant(np.float32(0)), shape])

    def _body(self, number: int, bias: np.ndarray, count: int, masked: bool) -> onnx.GraphProto:
        """One step: the state and what the inputs bring in, the state and the output out."""
        body = _Body(self.index, f"{self.names[1]}.{number}")
        state = body.input("state", TensorProto.FLOAT)
        xs = [body.input("x", TensorProto.FLOAT) for _ in range(count)]
        weight = self.weights[1][number]
        per_direction = len(self.activations) // self.directions
        activations = self.activations[number * per_direction : (number + 1) * per_direction]
        if self.node.op_type == "RNN":
            after = body.node(activations[0], [body.node("Add", [xs[0], body.product(state, weight, bias)])])
        else:
            after = self._gru_step(body, state, xs, weight, bias, activations)
        if masked:
            after = body.node("Where", [body.input("valid", TensorProto.BOOL), after, state])
        return body.graph([after, body.node("Identity", [after])])

    def _gru_step(
        self,
        body: _Body,
        state: str,
        xs: list[str],
        weight_zrh: np.ndarray,
        bias_zrh: np.ndarray,
        activations: list[str],
    ) -> str:
        gate, candidate = activations
        units, both = self.units, 2 * self.units
        if self.resets_after:
            product = body.product(state, weight_zrh, bias_zrh)
            zr, own = body.split(product, [both, units])
        else:
            zr = body.product(state, weight_zrh[:both], bias_zrh[:both])
        z, r = body.split(body.node(gate, [body.node("Add", [xs[0], zr])]), [units, units])
        if self.resets_after:
            own = body.node("Mul", [r, own])
        else:
            own = body.product(body.node("Mul", [r, state]), weight_zrh[both:], bias_zrh[both:])
        c = body.node(candidate, [body.node("Add", [xs[1], own])])
        return body.node("Add", [c, body.node("Mul", [z, body.node("Sub", [state, c])])])


class _Body:
    """The body of a `Scan` under construction; its constants stand in the outermost graph."""

    def __init__(self, index: GraphIndex, name: str) -> None:
        self._index, self._name = index, name
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: int) -> str:
        fresh = self._fresh(name)
        self._inputs.append(helper.make_tensor_value_info(fresh, dtype, None))
        return fresh

    def node(self, op_type: str, inputs: list[str], **attributes) -> str:
        return self._place(op_type, inputs, 1, **attributes)[0]

    def split(self, value: str, sizes: list[int]) -> list[str]:
        given = [value, constant(self._index, np.array(sizes))]
        return self._place("Split", given, len(sizes), axis=1)

    def product(self, state: str, weight: np.ndarray, bias: np.ndarray) -> str:
        given = add_integer_weight(self._index, IntegerWeight.for_products(weight.T), self._name)
        bias_name = constant(self._index, bias, f"{self._name}.bias")
        return self.node("DynamicQuantizeMatMul", [state, *given, bias_name], domain=CONTRIB)

    def graph(self, outputs: list[str]) -> onnx.GraphProto:
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        return helper.make_graph(self._nodes, self._name, self._inputs, given)

    def _place(self, op_type: str, inputs: list[str], count: int, **attributes) -> list[str]:
        outputs = [self._fresh(op_type) for _ in range(count)]
        self._nodes.append(helper.make_node(op_type, inputs, outputs, name=outputs[0], **attributes))
        return outputs

    def _fresh(self, name: str) -> str:
        return self._index.names.fresh(f"{self._name}/{name}")
