"""Long short-term memory: the cell and the layer."""

from typing import Any

import keras
from keras import ops
from keras.src import backend

from keras_seq.recurrent.cell import Identifier, StepCell, Tensor, gate_matmul
from keras_seq.recurrent.cudnn import CudnnLayer
from keras_seq.recurrent.layer import TANH


@keras.saving.register_keras_serializable(package="keras_seq")
class LSTMCell(StepCell, keras.layers.LSTMCell):
    """One step of an LSTM; the equations and the layout of the weights are those of `keras_seq.LSTM`.

    Args:
        units: the size of the output and of both states.
        *args: as in `keras.layers.LSTMCell`, in the same order.
        output_activation: the activation of the cell state on its way out, see `keras_seq.LSTM`.
        **kwargs: as in `keras.layers.LSTMCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: the list `[h, c]`, each `(batch, units)`.
        training: whether dropout applies.

    Returns:
        The output `(batch, units)` and the new states `[h, c]`.

    Example:
    >>> import keras, keras_seq
    >>> cell = keras_seq.LSTMCell(5)
    >>> output, states = cell(keras.ops.ones((2, 3)), [keras.ops.zeros((2, 5)), keras.ops.zeros((2, 5))])
    >>> tuple(output.shape), len(states)
    ((2, 5), 2)
    """

    state_names = ("h", "c")

    def __init__(self, units: int, *args: Any, output_activation: Identifier = "auto", **kwargs: Any):
        super().__init__(units, *args, **kwargs)
        self.output_activation = (
            self.activation if output_activation == "auto" else keras.activations.get(output_activation)
        )

    @property
    def cudnn_obstacle(self) -> str | None:
        """Why cuDNN cannot compute this cell, whatever the machine; `None` where it can."""
        follows = self.output_activation is self.activation
        return None if follows else "cuDNN has no output_activation apart from activation"

    def step(
        self,
        projected: Tensor,
        states: list[Tensor],
        weights: tuple[Tensor | None, ...],
        recurrent_masks: Tensor | list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """One pure time step; see `StepCell.step`."""
        h_prev, c_prev = states
        (recurrent_kernel,) = weights
        sigma = self.recurrent_activation
        z_i, z_f, z_c, z_o = ops.split(projected + gate_matmul(h_prev, recurrent_kernel, recurrent_masks), 4, axis=-1)
        i, f, o = sigma(z_i), sigma(z_f), sigma(z_o)
        c = f * c_prev + i * self.activation(z_c)
        h = o * self.output_activation(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        follows = self.output_activation is self.activation
        return {
            **super().get_config(),
            "output_activation": "auto" if follows else keras.activations.serialize(self.output_activation),
            "implementation": self.implementation,
        }


@keras.saving.register_keras_serializable(package="keras_seq")
class LSTM(CudnnLayer, keras.layers.LSTM):
    """Long short-term memory.

    Hochreiter & Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735), with the forget gate of Gers,
    Schmidhuber & Cummins 2000 (https://doi.org/10.1162/089976600300015015).

    Takes the place of `keras.layers.LSTM`: the same arguments, weights and results, and the weights of one can be set
    in the other. In addition it has `output_activation`.

        i = sigma(x W_i + h<t-1> U_i + b_i)         input gate, the update gate Γu in other notation
        f = sigma(x W_f + h<t-1> U_f + b_f)         forget gate, Γf
        g = tanh(x W_c + h<t-1> U_c + b_c)          candidate, c~<t>
        o = sigma(x W_o + h<t-1> U_o + b_o)         output gate, Γo
        c<t> = f * c<t-1> + i * g
        h<t> = o * output_activation(c<t>)          the activation a<t>

    Weights, gates in the order i, f, c, o: `kernel` `(features, 4 * units)`, `recurrent_kernel` `(units, 4 * units)`,
    `bias` `(4 * units,)`.

    A masked time step leaves both states as they are and repeats the output of the step before (zeros before the first
    valid step); with `zero_output_for_mask=True` its output is zero. Any pattern of masks is allowed.

    Args:
        units: the size of the output and of both states.
        activation: the activation of the candidate, and of the output unless `output_activation` is given.
        recurrent_activation: the activation of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initialiser of `kernel`.
        recurrent_initializer: initialiser of `recurrent_kernel`.
        bias_initializer: initialiser of `bias`.
        unit_forget_bias: whether the forget gate's bias starts at 1 instead (Jozefowicz et al. 2015,
            https://proceedings.mlr.press/v37/jozefowicz15.html), which lets gradients through from the first step.
        kernel_regularizer: regulariser of `kernel`.
        recurrent_regularizer: regulariser of `recurrent_kernel`.
        bias_regularizer: regulariser of `bias`.
        activity_regularizer: regulariser of the output.
        kernel_constraint: constraint on `kernel`.
        recurrent_constraint: constraint on `recurrent_kernel`.
        bias_constraint: constraint on `bias`.
        dropout: fraction of the input features to drop, the same ones at every time step.
        recurrent_dropout: fraction of `h<t-1>` to drop, one mask for each gate, the same at every time step. Rules out
            the fast kernels.
        seed: seed of the dropout.
        return_sequences: whether to return the outputs of all time steps instead of the last.
        return_state: whether to return the final `h` and `c` too.
        go_backwards: whether to read the sequence from its end; the outputs then come in the order of reading.
        stateful: whether the final states of one batch are the initial ones of the next.
        unroll: whether to write the steps one after the other instead of a loop.
        output_activation: the activation of `c<t>` on its way out. `"auto"`: the same as `activation`. `None`: none, so
            that `h<t> = o * c<t>`, as a<t> = Γo * c<t> is sometimes written.
        use_cudnn: `"auto"`, `True` (an error where cuDNN cannot run the layer) or `False`. With an `output_activation`
            that cuDNN does not know `"auto"` means `False`. Call `training_kernel()` to see what is used.
        **kwargs: `zero_output_for_mask`, `implementation` (1: one dropout mask of the inputs for each gate, 2: one for
            all), `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: the list `[h, c]`, each `(batch, units)`; zeros if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out.
        training: whether dropout applies.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by `h` and
        `c`, each `(batch, units)`.

    Raises:
        ValueError: for `units` that is not positive, or `use_cudnn=True` where cuDNN cannot run the layer.

    Example:
    >>> import keras, keras_seq
    >>> outputs, h, c = keras_seq.LSTM(5, return_sequences=True, return_state=True)(keras.ops.ones((2, 7, 3)))
    >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
    ((2, 7, 5), (2, 5), (2, 5))
    """

    cell_class = LSTMCell

    def __init__(
        self,
        units: int,
        activation: Identifier = "tanh",
        recurrent_activation: Identifier = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        recurrent_initializer: Identifier = "orthogonal",
        bias_initializer: Identifier = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Identifier = None,
        recurrent_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        kernel_constraint: Identifier = None,
        recurrent_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        *,
        output_activation: Identifier = "auto",
        **kwargs: Any,
    ):
        cell = self.make_cell(
            kwargs,
            units=units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            output_activation=output_activation,
        )
        self.run_cell(
            cell,
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            use_cudnn=use_cudnn,
            **kwargs,
        )

    @property
    def output_activation(self) -> Identifier:
        """The activation of the cell state on its way out."""
        return self.cell.output_activation

    def run_cudnn(self, sequences: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the backend's cuDNN kernel over `(batch, time, features)`; results as from `run_loop`."""
        return backend.lstm(
            sequences,
            *states,
            None,
            kernel=self.cell.kernel,
            recurrent_kernel=self.cell.recurrent_kernel,
            bias=self.cell.bias,
            activation=self.cell.activation,
            recurrent_activation=self.cell.recurrent_activation,
            return_sequences=self.return_sequences,
        )

    def fused_obstacle(self) -> str | None:
        """Why this library's fused kernel cannot run this layer here, or `None` where it can."""
        if self.cell.output_activation not in (*TANH, keras.activations.linear):
            return "the fused kernel knows tanh and no activation for output_activation"
        return super().fused_obstacle()

    def run_fused(
        self, sequences: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs this library's fused kernel over `(batch, time, features)`; results as from `run_loop`."""
        from keras_seq.recurrent.kernels import tensorflow as kernels

        return kernels.lstm(
            h0=states[0],
            c0=states[1],
            linear_output=self.cell.output_activation is keras.activations.linear,
            **self.fused_arguments(sequences, mask),
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        cell = self.cell.get_config()
        return {**super().get_config(), **{name: cell[name] for name in ("output_activation", "implementation")}}
