"""The plain recurrent network: the cell and the layer."""

from typing import Any

import keras

from keras_seq.recurrent.cell import Identifier, StepCell, Tensor, gate_matmul
from keras_seq.recurrent.layer import TANH, RecurrentLayer


@keras.saving.register_keras_serializable(package="keras_seq")
class SimpleRNNCell(StepCell, keras.layers.SimpleRNNCell):
    """One step of a plain recurrent network; the equation and the weights are those of `keras_seq.SimpleRNN`.

    Args: as in `keras.layers.SimpleRNNCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: the list `[h]`, or `h` alone, `(batch, units)`.
        training: whether dropout applies.

    Returns:
        The output `(batch, units)` and the new state, in a list if it came in one.

    Example:
    >>> import keras, keras_seq
    >>> output, states = keras_seq.SimpleRNNCell(5)(keras.ops.ones((2, 3)), [keras.ops.zeros((2, 5))])
    >>> tuple(output.shape), len(states)
    ((2, 5), 1)
    """

    def step(
        self,
        projected: Tensor,
        states: list[Tensor],
        weights: tuple[Tensor | None, ...],
        recurrent_masks: Tensor | list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """One pure time step; see `StepCell.step`."""
        (h_prev,) = states
        (recurrent_kernel,) = weights
        h = self.activation(projected + gate_matmul(h_prev, recurrent_kernel, recurrent_masks))
        return h, [h]


@keras.saving.register_keras_serializable(package="keras_seq")
class SimpleRNN(RecurrentLayer, keras.layers.SimpleRNN):
    """Plain recurrent network (Elman 1990, https://doi.org/10.1207/s15516709cog1402_1).

    Takes the place of `keras.layers.SimpleRNN`: the same arguments, weights and results, and the weights of one can be
    set in the other.

        h<t> = activation(x W + h<t-1> U + b)       a<t> = g(W_ax x<t> + W_aa a<t-1> + b_a) in other notation

    Weights: `kernel` `(features, units)`, `recurrent_kernel` `(units, units)`, `bias` `(units,)`.

    A masked time step leaves the state as it is and repeats the output of the step before (zeros before the first valid
    step); with `zero_output_for_mask=True` its output is zero. Any pattern of masks is allowed.

    Args:
        units: the size of the output and of the state.
        activation: the activation; `"relu"` is the usual one beside `"tanh"`.
        use_bias: whether there is a bias.
        kernel_initializer: initialiser of `kernel`.
        recurrent_initializer: initialiser of `recurrent_kernel`.
        bias_initializer: initialiser of `bias`.
        kernel_regularizer: regulariser of `kernel`.
        recurrent_regularizer: regulariser of `recurrent_kernel`.
        bias_regularizer: regulariser of `bias`.
        activity_regularizer: regulariser of the output.
        kernel_constraint: constraint on `kernel`.
        recurrent_constraint: constraint on `recurrent_kernel`.
        bias_constraint: constraint on `bias`.
        dropout: fraction of the input features to drop, the same ones at every time step.
        recurrent_dropout: fraction of `h<t-1>` to drop, the same at every time step.
        return_sequences: whether to return the outputs of all time steps instead of the last.
        return_state: whether to return the final `h` too.
        go_backwards: whether to read the sequence from its end; the outputs then come in the order of reading.
        stateful: whether the final state of one batch is the initial one of the next.
        unroll: whether to write the steps one after the other instead of a loop.
        seed: seed of the dropout.
        **kwargs: `zero_output_for_mask`, `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `h`, or the list `[h]`, `(batch, units)`; zeros if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out.
        training: whether dropout applies.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by `h`,
        `(batch, units)`.

    Raises:
        ValueError: for `units` that is not positive.

    Example:
    >>> import keras, keras_seq
    >>> tuple(keras_seq.SimpleRNN(5, activation="relu", return_sequences=True)(keras.ops.ones((2, 7, 3))).shape)
    (2, 7, 5)
    """

    cell_class = SimpleRNNCell
    cell_only_arguments = ()
    fast_activations = (*TANH, keras.activations.relu, keras.ops.relu)

    def __init__(
        self,
        units: int,
        activation: Identifier = "tanh",
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        recurrent_initializer: Identifier = "orthogonal",
        bias_initializer: Identifier = "zeros",
        kernel_regularizer: Identifier = None,
        recurrent_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        kernel_constraint: Identifier = None,
        recurrent_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        cell = self.make_cell(
            kwargs,
            units=units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
        )
        self.run_cell(
            cell,
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )

    def run_fused(
        self, sequences: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs this library's fused kernel over `(batch, time, features)`; results as from `run_loop`."""
        from keras_seq.recurrent.kernels import tensorflow as kernels

        activation = "tanh" if self.cell.activation in TANH else "relu"
        return kernels.simple_rnn(h0=states[0], activation=activation, **self.fused_arguments(sequences, mask))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; Keras leaves `seed` out."""
        return {**super().get_config(), "seed": self.cell.seed}
