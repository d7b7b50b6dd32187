"""The kinds of recurrent layer that become native nodes."""

from typing import NamedTuple

import keras

import keras_seq
from tests.export.graphs import UNITS


class Kind(NamedTuple):
    """A layer and its cell, with their arguments.

    Attributes:
        operator: The ONNX operator that it becomes.
        layer: Class of the layer.
        cell: Class of the cell.
        arguments: Of either.
    """

    operator: str
    layer: type
    cell: type
    arguments: dict

    @property
    def states(self) -> int:
        return 2 if self.operator == "LSTM" else 1

    def make_layer(self, **options) -> keras.Layer:
        return self.layer(UNITS, **self.arguments, **options)

    def make_cell(self) -> keras.Layer:
        return self.cell(UNITS, **self.arguments)


def _kind(operator, library, name, **arguments):
    return Kind(operator, getattr(library, name), getattr(library, f"{name}Cell"), arguments)


OURS = {
    "SimpleRNN-tanh": _kind("RNN", keras_seq, "SimpleRNN"),
    "SimpleRNN-relu": _kind("RNN", keras_seq, "SimpleRNN", activation="relu"),
    "GRU-reset_after": _kind("GRU", keras_seq, "GRU"),
    "GRU-reset_before": _kind("GRU", keras_seq, "GRU", reset_after=False),
    "GRU-reset_after-simplified": _kind("GRU", keras_seq, "GRU", simplified=True),
    "GRU-reset_before-simplified": _kind("GRU", keras_seq, "GRU", reset_after=False, simplified=True),
    "LSTM": _kind("LSTM", keras_seq, "LSTM"),
    "LSTM-linear_output": _kind("LSTM", keras_seq, "LSTM", output_activation=None),
    "PeepholeLSTM": _kind("LSTM", keras_seq, "PeepholeLSTM"),
}
STOCK = {
    "keras-SimpleRNN-tanh": _kind("RNN", keras.layers, "SimpleRNN"),
    "keras-SimpleRNN-relu": _kind("RNN", keras.layers, "SimpleRNN", activation="relu"),
    "keras-GRU-reset_after": _kind("GRU", keras.layers, "GRU"),
    "keras-GRU-reset_before": _kind("GRU", keras.layers, "GRU", reset_after=False),
    "keras-LSTM": _kind("LSTM", keras.layers, "LSTM"),
}
