"""A deep recurrent network as one layer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops, tree

from keras_seq.recurrent.cell import StepCell, Tensor, gate_matmul
from keras_seq.recurrent.cell_stack import CellWeights, run_cells
from keras_seq.recurrent.gru import GRU
from keras_seq.recurrent.kernel_choice import KernelChoice, slowest_kernel
from keras_seq.recurrent.layer import as_time_mask
from keras_seq.recurrent.lstm import LSTM
from keras_seq.recurrent.peephole_lstm import PeepholeLSTM
from keras_seq.recurrent.simple_rnn import SimpleRNN
from keras_seq.recurrent.state_names import state_names

_LAYER_CLASSES = {"simple_rnn": SimpleRNN, "gru": GRU, "lstm": LSTM, "peephole_lstm": PeepholeLSTM}
_LAYER_OF_CELL = {layer_class.cell_class: layer_class for layer_class in _LAYER_CLASSES.values()}


@keras.saving.register_keras_serializable(package="keras_seq")
class StackedRNN(keras.layers.Layer):
    """A deep recurrent network: each layer reads the outputs of the one below, step by step.

    Graves, Mohamed & Hinton 2013 (https://arxiv.org/abs/1303.5778); residual connections as in Wu et al. 2016
    (https://arxiv.org/abs/1609.08144). Without residual connections and dropout the results are those of
    `keras.layers.RNN` over a list of the same cells; but here each layer runs on its own over the whole sequence, on
    the fastest kernel for its kind.

    A masked time step changes no state, and repeats the output of the step before (zeros before the first valid step);
    with `zero_output_for_mask=True` its output is zero.

    Args:
        cells: `(units, layers)` for so many layers of so many units of the same kind, or a list of cells, of this
            library, of Keras or your own. Cells of this library take the fast kernels; any other runs in
            `keras.layers.RNN`.
        cell: the kind of cell that `(units, layers)` makes: `"simple_rnn"`, `"gru"`, `"lstm"`, `"peephole_lstm"`, or a
            class that is called with `units`.
        cell_arguments: further arguments of the cells that `(units, layers)` makes, such as
            `{"recurrent_dropout": 0.1}`.
        residual: whether each layer from the second on adds its input to its output. Needs the same number of units in
            all layers.
        dropout: fraction of the elements of each layer's output but the last to drop, each step apart, as
            `torch.nn.LSTM` does.
        seed: seed of that dropout.
        return_sequences: whether to return the outputs of all time steps instead of the last.
        return_state: whether to return the final states too, those of the first layer first.
        go_backwards: whether to read the sequence from its end; the outputs then come in the order of reading.
        stateful: whether the final states of one batch are the initial ones of the next.
        unroll: whether to write the steps one after the other instead of a loop.
        zero_output_for_mask: whether the outputs at masked steps are zero.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: the flat list of all layers' states, those of the first layer first, each `(batch, units)`; zeros
            if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out.
        training: whether dropout applies.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by all states,
        each `(batch, units)`.

    Attributes:
        layers: the recurrent layers, from the first to the last.

    Raises:
        ValueError: for cells that do not go together, an unknown kind of cell, or a wrong number of states.
        TypeError: for something that is not a cell.

    Example:
    >>> import keras, keras_seq
    >>> stack = keras_seq.StackedRNN((5, 3), cell="gru", residual=True, dropout=0.1, return_sequences=True)
    >>> tuple(stack(keras.ops.ones((2, 7, 11))).shape), stack.state_names
    ((2, 7, 5), ('0.h', '1.h', '2.h'))
    >>> mixed = keras_seq.StackedRNN([keras_seq.LSTMCell(5), keras_seq.SimpleRNNCell(3, activation="relu")])
    >>> tuple(mixed(keras.ops.ones((2, 7, 11))).shape), mixed.state_names
    ((2, 3), ('0.h', '0.c', '1.h'))
    """

    def __init__(
        self,
        cells: tuple[int, int] | Sequence[Any],
        cell: str | type = "lstm",
        *,
        cell_arguments: dict[str, Any] | None = None,
        residual: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"`dropout` must be at least 0 and less than 1. Received: dropout={dropout}")
        self.residual = residual
        self.dropout = dropout
        self.seed = seed
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        if _is_units_and_layers(cells):
            cells = _make_cells(*cells, cell, cell_arguments or {}, self.dtype_policy)
        elif cell_arguments:
            raise ValueError(
                "`cell_arguments` goes with `(units, layers)` alone; give each cell of a list its own arguments. "
                f"Received: cell_arguments={cell_arguments}"
            )
        _check_cells(cells, residual)
        last = len(cells) - 1
        self.layers = [
            self._make_layer(cell, index, return_sequences or index < last) for index, cell in enumerate(cells)
        ]
        self.state_size = [size for layer in self.layers for size in layer.state_size]
        self.output_size = _output_size(cells[-1])

    def _make_layer(self, cell: Any, index: int, return_sequences: bool) -> keras.layers.RNN:
        layer_class = _LAYER_OF_CELL.get(type(cell))
        return (layer_class.from_cell if layer_class else keras.layers.RNN)(
            cell,
            return_sequences=return_sequences,
            return_state=True,
            stateful=self.stateful,
            unroll=self.unroll,
            dtype=getattr(cell, "dtype_policy", self.dtype_policy),
            name=f"layer_{index}",
        )

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states, in their order in `initial_state` and behind the output with `return_state`."""
        return tuple(f"{index}.{name}" for index, layer in enumerate(self.layers) for name in state_names(layer))

    def training_kernel(self, masked: bool = False) -> KernelChoice:
        """The slowest of the layers' kernels, see `keras_seq.LSTM.training_kernel`."""
        return slowest_kernel(self.layers, masked)

    def build(self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None) -> None:
        """Builds all layers for inputs of `(batch, time, features)`."""
        for layer in self.layers:
            layer.build(sequences_shape)
            sequences_shape = (*sequences_shape[:2], _output_size(layer.cell))
        self.built = True

    def call(
        self,
        sequences: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """Runs all layers over `sequences`; see the class for the shapes."""
        mask = as_time_mask(mask)
        layer_states = self._split_states(initial_state)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        outputs, states = sequences, []
        for index, (layer, state) in enumerate(zip(self.layers, layer_states, strict=True)):
            inputs = outputs
            if index > 0 and self.dropout and training:
                inputs = keras.random.dropout(inputs, self.dropout, seed=self.seed_generator)
            outputs, *new_state = layer(inputs, initial_state=state, mask=mask, training=training)
            if index > 0 and self.residual:
                # At a masked step both terms repeat what they were at the last valid step, and so does their sum.
                outputs = outputs + (inputs if layer.return_sequences else inputs[:, -1])
            states.extend(new_state)
        if mask is not None and self.zero_output_for_mask:
            valid = mask[:, :, None] if self.return_sequences else mask[:, -1, None]
            outputs = ops.where(valid, outputs, ops.zeros_like(outputs))
        # The cells may compute in another dtype than this layer.
        outputs, *states = (ops.cast(tensor, self.compute_dtype) for tensor in (outputs, *states))
        return (outputs, *states) if self.return_state else outputs

    def _split_states(self, initial_state: list[Tensor] | None) -> list[list[Tensor] | None]:
        if initial_state is None:
            return [None] * len(self.layers)
        states = list(initial_state) if tree.is_nested(initial_state) else [initial_state]
        if len(states) != len(self.state_size):
            raise ValueError(
                f'`initial_state` of layer "{self.name}" must hold {len(self.state_size)} states, in the order '
                f"{', '.join(self.state_names)}. Received: {len(states)}"
            )
        split = []
        for layer in self.layers:
            count = len(layer.state_size)
            split.append(states[:count])
            states = states[count:]
        return split

    @property
    def cells(self) -> list[Any]:
        """The cells of the layers, from the first to the last."""
        return [layer.cell for layer in self.layers]

    def step_weights(self) -> tuple[CellWeights, ...]:
        """The weights of `step`, read and cast to the compute dtype once for a whole loop.

        Raises:
            ValueError: for a cell that is not of this library, whose step is unknown.
        """
        weights = []
        for index, cell in enumerate(self.cells):
            if not isinstance(cell, StepCell):
                raise ValueError(
                    f'Layer "{self.name}" can be stepped through with cells of this library alone. '
                    f"Received: {type(cell).__name__}"
                )
            recurrent = tuple(self._read(weight) for weight in cell.step_weights())
            kernel, bias = (None, None) if index == 0 else (self._read(cell.kernel), self._read(cell.input_bias))
            weights.append(CellWeights(kernel, bias, recurrent))
        return tuple(weights)

    def project_inputs(self, inputs: Tensor) -> Tensor:
        """The part of the first cell's step that depends on the inputs alone.

        Args:
            inputs: `(rows, features)`, `(batch, time, features)`, or a whole table of embeddings `(ids, features)`.

        Returns:
            The inputs' leading dimensions and `gates * units` features.
        """
        cell = self.cells[0]
        projected = gate_matmul(ops.cast(inputs, self.compute_dtype), self._read(cell.kernel))
        return projected if cell.input_bias is None else projected + self._read(cell.input_bias)

    def step(
        self, projected: Tensor, states: Sequence[Tensor], weights: Sequence[CellWeights]
    ) -> tuple[Tensor, list[Tensor]]:
        """One pure time step, without dropout.

        Args:
            projected: `(rows, gates * units)`, from `project_inputs`.
            states: `(rows, units)` each, in the order of `state_names`.
            weights: what `step_weights` gave.

        Returns:
            The output `(rows, units)` of the last layer, and the new states.
        """
        return run_cells(self.cells, projected, states, weights, residual=self.residual)

    def _read(self, weight: Any) -> Tensor | None:
        return None if weight is None else ops.cast(ops.convert_to_tensor(weight), self.compute_dtype)

    def compute_output_shape(
        self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None
    ) -> tuple[Any, ...]:
        """The shapes of what `call` returns, for inputs of `(batch, time, features)`."""
        batch, time = sequences_shape[:2]
        output_shape = (batch, time, self.output_size) if self.return_sequences else (batch, self.output_size)
        return (output_shape, *((batch, size) for size in self.state_size)) if self.return_state else output_shape

    def compute_mask(self, _: Any, mask: Tensor | list[Tensor] | None) -> Any:
        """The mask of each tensor that `call` returns: the input's for whole sequences, otherwise `None`."""
        mask = tree.flatten(mask)[0] if tree.is_nested(mask) else mask
        output_mask = mask if self.return_sequences else None
        return [output_mask, *(None for _ in self.state_size)] if self.return_state else output_mask

    @property
    def states(self) -> list[Any] | None:
        """The variables that hold the states of a stateful network, as in `state_names`; `None` before `build`."""
        if not all(layer.states for layer in self.layers):
            return None
        return [state for layer in self.layers for state in layer.states]

    def reset_state(self) -> None:
        """Sets the states of a stateful network to zero."""
        for layer in self.layers:
            layer.reset_state()

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, with `(units, layers)` written out as a list of cells."""
        return {
            **super().get_config(),
            "cells": [keras.saving.serialize_keras_object(layer.cell) for layer in self.layers],
            "residual": self.residual,
            "dropout": self.dropout,
            "seed": self.seed,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "StackedRNN":
        """Makes the layer from what `get_config` gave."""
        cells = [keras.saving.deserialize_keras_object(cell, custom_objects=custom_objects) for cell in config["cells"]]
        return cls(**{**config, "cells": cells})


def _is_units_and_layers(cells: Any) -> bool:
    return isinstance(cells, (list, tuple)) and len(cells) == 2 and all(type(number) is int for number in cells)


def _make_cells(units: int, layers: int, cell: str | type, arguments: dict[str, Any], dtype: Any) -> list[Any]:
    if units < 1 or layers < 1:
        raise ValueError(
            "`cells` must be (units, layers), two positive integers, or a list of cells. "
            f"Received: cells={(units, layers)}"
        )
    if isinstance(cell, str):
        if cell not in _LAYER_CLASSES:
            raise ValueError(
                f"`cell` must be one of {', '.join(_LAYER_CLASSES)}, or a cell class. Received: cell={cell!r}"
            )
        cell = _LAYER_CLASSES[cell].cell_class
    if not isinstance(cell, type):
        raise TypeError(
            "`cell` must be a class or a name beside `(units, layers)`; put cells that exist into a list. "
            f"Received: cell={cell!r}"
        )
    return [cell(units, dtype=dtype, name=f"cell_{index}", **arguments) for index in range(layers)]


def _check_cells(cells: Any, residual: bool) -> None:
    if not isinstance(cells, (list, tuple)) or not cells:
        raise ValueError(f"`cells` must be (units, layers) or a list of at least one cell. Received: cells={cells!r}")
    for index, cell in enumerate(cells):
        if not callable(getattr(cell, "call", None)) or not hasattr(cell, "state_size"):
            raise TypeError(
                f"`cells[{index}]` must be a recurrent cell, with `call` and `state_size`. Received: {cell!r}"
            )
        if isinstance(cell, keras.layers.StackedRNNCells):
            raise TypeError(f"`cells[{index}]` is a StackedRNNCells: list its cells one by one instead.")
    sizes = [_output_size(cell) for cell in cells]
    if residual and len(set(sizes)) > 1:
        raise ValueError(
            "`residual=True` adds the outputs of neighbouring layers, so all need the same number of units. "
            f"Received: {sizes}"
        )


def _output_size(cell: Any) -> int:
    size = getattr(cell, "output_size", None)
    return size if size is not None else tree.flatten(cell.state_size)[0]
