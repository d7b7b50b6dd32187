"""One recurrent cell in the form of ONNX's `RNN`, `GRU` and `LSTM` operators.

Weights cross a boundary here, so the gate order stands in each variable's name: Keras keeps LSTM gates as i f c o and
ONNX as i o f c (peepholes i o f); both keep GRU gates as z r h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.activations import Activation, native_activation

__all__ = ["NativeCell", "native_cell", "register_cell", "weight_array"]

# A gate that must stay open gets this bias: far beyond where every float32 sigmoid has become 1.
_PINNED_OPEN = 100.0


@dataclass(frozen=True)
class NativeCell:
    """Weights and attributes of one direction of an ONNX recurrent operator, in ONNX's own layout.

    Attributes:
        operator: `"RNN"`, `"GRU"` or `"LSTM"`.
        name: The Keras layer's name, from which the weights in the graph take theirs.
        units: Size of the state h.
        weights: By ONNX input name: `W` (gates * units, features), `R` (gates * units, units), `B`
            (2 * gates * units,) and, with peepholes, `P` (3 * units,). Always float32.
        activations: As many as the operator has, in its order.
        linear_before_reset: `GRU` only: Keras' `reset_after`.
    """

    operator: str
    name: str
    units: int
    weights: dict[str, np.ndarray]
    activations: tuple[Activation, ...]
    linear_before_reset: bool = False

    @property
    def state_names(self) -> tuple[str, ...]:
        """`("h",)`, or `("h", "c")` for an LSTM."""
        return ("h", "c") if self.operator == "LSTM" else ("h",)

    def pairs_with(self, other: NativeCell) -> bool:
        """Whether the two can be the two directions of one bidirectional node."""
        return (
            self.operator == other.operator
            and self.units == other.units
            and self.linear_before_reset == other.linear_before_reset
            and self.weights.keys() == other.weights.keys()
        )


_CONVERTERS: dict[type, Callable[[keras.Layer, str], NativeCell]] = {}


def register_cell(*classes: type) -> Callable:
    """Registers a function `(cell, name) -> NativeCell` for cells of exactly these classes.

    Exactly, because a subclass may compute something else: it gets a rule of its own or stays as it is.
    """

    def register(function: Callable[[keras.Layer, str], NativeCell]) -> Callable:
        _CONVERTERS.update(dict.fromkeys(classes, function))
        return function

    return register


def native_cell(cell: keras.Layer, name: str) -> NativeCell:
    """The native form of a cell.

    Args:
        cell: A built recurrent cell.
        name: Prefix of the weights' names in the graph.

    Raises:
        NotNativeError: There is no rule for the cell's class, or ONNX cannot express its arguments.
    """
    converter = _CONVERTERS.get(type(cell))
    if converter is None:
        known = ", ".join(sorted({c.__name__ for c in _CONVERTERS}))
        raise NotNativeError(f"its cell {type(cell).__name__} has no lowering rule (there is one for {known})")
    return converter(cell, name)


def weight_array(variable: keras.Variable) -> np.ndarray:
    """A variable's value in float32, also while a graph is traced."""
    with tf.init_scope():
        return np.asarray(keras.ops.convert_to_numpy(variable.value), dtype="float32")


def _bias(cell: keras.Layer, gates: int) -> np.ndarray:
    if cell.bias is None:
        return np.zeros(gates * cell.units, "float32")
    return weight_array(cell.bias)


def _reorder(array_gates: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Permutes the gates, which lie side by side on the last axis."""
    gates = np.split(array_gates, len(order), axis=-1)
    return np.concatenate([gates[g] for g in order], axis=-1)


@register_cell(keras.layers.SimpleRNNCell, keras_seq.SimpleRNNCell)
def simple_rnn(cell: keras.Layer, name: str) -> NativeCell:
    """`SimpleRNNCell` as ONNX `RNN`."""
    bias = _bias(cell, gates=1)
    return NativeCell(
        operator="RNN",
        name=name,
        units=cell.units,
        weights={
            "W": weight_array(cell.kernel).T,
            "R": weight_array(cell.recurrent_kernel).T,
            "B": np.concatenate([bias, np.zeros_like(bias)]),
        },
        activations=(native_activation(cell.activation),),
    )


@register_cell(keras.layers.GRUCell, keras_seq.GRUCell)
def gru(cell: keras.Layer, name: str) -> NativeCell:
    """`GRUCell` as ONNX `GRU`; without relevance gate, a `GRU` whose reset gate is pinned open."""
    gate, candidate = native_activation(cell.recurrent_activation), native_activation(cell.activation)
    kernel_zrh, recurrent_kernel_zrh = weight_array(cell.kernel), weight_array(cell.recurrent_kernel)
    if getattr(cell, "simplified", False):
        if not gate.saturates_at_one:
            raise NotNativeError(
                "it has no relevance gate, and ONNX's GRU always has one: it could be pinned open only under an "
                f"activation that reaches 1, which {gate.name} does not"
            )
        bias_zh = _bias(cell, gates=2)
        kernel_zrh = _with_reset_gate(kernel_zrh, 0.0)
        recurrent_kernel_zrh = _with_reset_gate(recurrent_kernel_zrh, 0.0)
        input_bias_zrh = _with_reset_gate(bias_zh, _PINNED_OPEN)
        recurrent_bias_zrh = np.zeros_like(input_bias_zrh)
        reset_after = True
    elif cell.reset_after and cell.bias is not None:
        input_bias_zrh, recurrent_bias_zrh = weight_array(cell.bias)
        reset_after = True
    else:
        input_bias_zrh = _bias(cell, gates=3)
        recurrent_bias_zrh = np.zeros_like(input_bias_zrh)
        reset_after = cell.reset_after
    return NativeCell(
        operator="GRU",
        name=name,
        units=cell.units,
        weights={
            "W": kernel_zrh.T,
            "R": recurrent_kernel_zrh.T,
            "B": np.concatenate([input_bias_zrh, recurrent_bias_zrh]),
        },
        activations=(gate, candidate),
        linear_before_reset=reset_after,
    )


def _with_reset_gate(array_zh: np.ndarray, fill: float) -> np.ndarray:
    z, h = np.split(array_zh, 2, axis=-1)
    return np.concatenate([z, np.full_like(z, fill), h], axis=-1)


@register_cell(keras.layers.LSTMCell, keras_seq.LSTMCell, keras_seq.PeepholeLSTMCell)
def lstm(cell: keras.Layer, name: str) -> NativeCell:
    """`LSTMCell` and `PeepholeLSTMCell` as ONNX `LSTM`; a linear output is an `Affine` third activation."""
    ifco_to_iofc = (0, 3, 1, 2)
    bias_iofc = _reorder(_bias(cell, gates=4), ifco_to_iofc)
    weights = {
        "W": _reorder(weight_array(cell.kernel), ifco_to_iofc).T,
        "R": _reorder(weight_array(cell.recurrent_kernel), ifco_to_iofc).T,
        "B": np.concatenate([bias_iofc, np.zeros_like(bias_iofc)]),
    }
    if getattr(cell, "peephole_kernel", None) is not None:
        peephole_i, peephole_f, peephole_o = weight_array(cell.peephole_kernel)
        weights["P"] = np.concatenate([peephole_i, peephole_o, peephole_f])
    candidate = native_activation(cell.activation)
    output = native_activation(cell.output_activation) if hasattr(cell, "output_activation") else candidate
    return NativeCell(
        operator="LSTM",
        name=name,
        units=cell.units,
        weights=weights,
        activations=(native_activation(cell.recurrent_activation), candidate, output),
    )
