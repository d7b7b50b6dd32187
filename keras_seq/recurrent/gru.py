"""The gated recurrent unit: the cell and the layer."""

from typing import Any

import keras
from keras import ops
from keras.src import backend

from keras_seq.recurrent.cell import Identifier, StepCell, Tensor, gate_matmul
from keras_seq.recurrent.cudnn import CudnnLayer


@keras.saving.register_keras_serializable(package="keras_seq")
class GRUCell(StepCell, keras.layers.GRUCell):
    """One step of a GRU; the equations and the layout of the weights are those of `keras_seq.GRU`.

    Args:
        units: the size of the output and of the state.
        *args: as in `keras.layers.GRUCell`, in the same order.
        simplified: whether there is no reset gate, see `keras_seq.GRU`.
        **kwargs: as in `keras.layers.GRUCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: the list `[h]`, or `h` alone, `(batch, units)`.
        training: whether dropout applies.

    Returns:
        The output `(batch, units)` and the new state, in a list if it came in one.

    Example:
    >>> import keras, keras_seq
    >>> output, states = keras_seq.GRUCell(5)(keras.ops.ones((2, 3)), [keras.ops.zeros((2, 5))])
    >>> tuple(output.shape), len(states)
    ((2, 5), 1)
    """

    def __init__(self, units: int, *args: Any, simplified: bool = False, **kwargs: Any):
        super().__init__(units, *args, **kwargs)
        self.simplified = simplified
        if simplified and self.implementation == 1:
            self.dropout_mask_count = 2

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of `(batch, features)`."""
        if not self.simplified:
            super().build(input_shape)
            return
        columns = 2 * self.units
        shapes = {"kernel": (input_shape[-1], columns), "recurrent_kernel": (self.units, columns), "bias": (columns,)}
        self.bias = None
        for name, shape in shapes.items():
            if name == "bias" and not self.use_bias:
                continue
            prefix = name.removesuffix("_kernel")
            weight = self.add_weight(
                shape=shape,
                name=name,
                initializer=getattr(self, f"{prefix}_initializer"),
                regularizer=getattr(self, f"{prefix}_regularizer"),
                constraint=getattr(self, f"{prefix}_constraint"),
            )
            setattr(self, name, weight)
        self.built = True

    @property
    def cudnn_obstacle(self) -> str | None:
        """Why cuDNN cannot compute this cell, whatever the machine; `None` where it can."""
        if self.simplified:
            return "cuDNN has no GRU without a reset gate"
        return None if self.reset_after else "cuDNN has no GRU with reset_after=False"

    @property
    def _has_recurrent_bias(self) -> bool:
        return self.use_bias and self.reset_after and not self.simplified

    @property
    def input_bias(self) -> Tensor | None:
        """The bias that is added to the projected inputs, `(gates * units,)`, or `None`."""
        return self.bias[0] if self._has_recurrent_bias else self.bias

    def step_weights(self) -> tuple[Tensor | None, ...]:
        """The recurrent kernel and, where there is one, the recurrent bias."""
        recurrent_bias = ops.convert_to_tensor(self.bias)[1] if self._has_recurrent_bias else None
        return ops.convert_to_tensor(self.recurrent_kernel), recurrent_bias

    def step(
        self,
        projected: Tensor,
        states: list[Tensor],
        weights: tuple[Tensor | None, ...],
        recurrent_masks: Tensor | list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """One pure time step; see `StepCell.step`."""
        (h_prev,) = states
        if self.simplified:
            gates = self._gates_simplified
        else:
            gates = self._gates_reset_after if self.reset_after else self._gates_reset_before
        z, candidate = gates(projected, h_prev, weights, recurrent_masks)
        h = z * h_prev + (1 - z) * candidate
        return h, [h]

    def _gates_simplified(self, projected, h_prev, weights, recurrent_masks):
        recurrent_kernel, _ = weights
        a_z, a_h = ops.split(projected + gate_matmul(h_prev, recurrent_kernel, recurrent_masks), 2, axis=-1)
        return self.recurrent_activation(a_z), self.activation(a_h)

    def _gates_reset_after(self, projected, h_prev, weights, recurrent_masks):
        recurrent_kernel, recurrent_bias = weights
        recurrent = gate_matmul(h_prev, recurrent_kernel, recurrent_masks)
        if recurrent_bias is not None:
            recurrent = recurrent + recurrent_bias
        x_zr, x_h = ops.split(projected, [2 * self.units], axis=-1)
        a_zr, a_h = ops.split(recurrent, [2 * self.units], axis=-1)
        z, r = ops.split(self.recurrent_activation(x_zr + a_zr), 2, axis=-1)
        return z, self.activation(x_h + r * a_h)

    def _gates_reset_before(self, projected, h_prev, weights, recurrent_masks):
        gate_kernel, candidate_kernel = ops.split(weights[0], [2 * self.units], axis=-1)
        gate_masks, candidate_mask = (recurrent_masks[:2], recurrent_masks[2]) if recurrent_masks else (None, None)
        x_zr, x_h = ops.split(projected, [2 * self.units], axis=-1)
        a_zr = gate_matmul(h_prev, gate_kernel, gate_masks)
        z, r = ops.split(self.recurrent_activation(x_zr + a_zr), 2, axis=-1)
        return z, self.activation(x_h + gate_matmul(r * h_prev, candidate_kernel, candidate_mask))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "simplified": self.simplified, "implementation": self.implementation}


@keras.saving.register_keras_serializable(package="keras_seq")
class GRU(CudnnLayer, keras.layers.GRU):
    """Gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078).

    Takes the place of `keras.layers.GRU`: the same arguments, weights and results, and the weights of one can be set in
    the other. In addition it has `simplified`.

        z = sigma(x W_z + h<t-1> U_z + b_z)                     update gate
        r = sigma(x W_r + h<t-1> U_r + b_r)                     reset gate, the relevance gate Γr in other notation
        g = tanh(x W_h + r * (h<t-1> U_h + d_h) + b_h)          candidate c~<t>, with reset_after=True
        g = tanh(x W_h + (r * h<t-1>) U_h + b_h)                candidate c~<t>, with reset_after=False
        g = tanh(x W_h + h<t-1> U_h + b_h)                      candidate c~<t>, with simplified=True
        h<t> = z * h<t-1> + (1 - z) * g

    `z` is the share that is *kept*, as in Keras, cuDNN and ONNX. Where the update gate is written as the share that is
    renewed, c<t> = Γu * c~<t> + (1 - Γu) * c<t-1> (Chung et al. 2014, https://arxiv.org/abs/1412.3555), Γu = 1 - z:
    weights change over with the signs of `W_z`, `U_z` and `b_z` turned.

    Weights, gates in the order z, r, h: `kernel` `(features, 3 * units)`, `recurrent_kernel` `(units, 3 * units)`,
    `bias` `(2, 3 * units)` with `reset_after=True` (the second row, `d`, is added to `h<t-1> U` in all three gates),
    otherwise `(3 * units,)`. With `simplified=True` the order is z, h: `(features, 2 * units)`, `(units, 2 * units)`,
    `(2 * units,)`.

    A masked time step leaves the state as it is and repeats the output of the step before (zeros before the first valid
    step); with `zero_output_for_mask=True` its output is zero. Any pattern of masks is allowed.

    Args:
        units: the size of the output and of the state.
        activation: the activation of the candidate.
        recurrent_activation: the activation of the gates.
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
        recurrent_dropout: fraction of `h<t-1>` to drop, one mask for each gate, the same at every time step. Rules out
            the fast kernels.
        seed: seed of the dropout.
        return_sequences: whether to return the outputs of all time steps instead of the last.
        return_state: whether to return the final `h` too.
        go_backwards: whether to read the sequence from its end; the outputs then come in the order of reading.
        stateful: whether the final state of one batch is the initial one of the next.
        unroll: whether to write the steps one after the other instead of a loop.
        reset_after: whether the reset gate applies after the product with `U_h`, which cuDNN needs, or before it, as in
            the paper. Without meaning where `simplified=True`.
        use_cudnn: `"auto"`, `True` (an error where cuDNN cannot run the layer) or `False`. In a form that cuDNN does
            not know `"auto"` means `False`. Call `training_kernel()` to see what is used.
        simplified: whether to do without the reset gate, as if it were always open. This is not the "minimal gated
            unit", in which one gate does both jobs.
        **kwargs: `zero_output_for_mask`, `implementation` (1: one dropout mask of the inputs for each gate, 2: one for
            all), `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `h`, or the list `[h]`, `(batch, units)`; zeros if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out.
        training: whether dropout applies.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by `h`,
        `(batch, units)`.

    Raises:
        ValueError: for `units` that is not positive, or `use_cudnn=True` where cuDNN cannot run the layer.

    Example:
    >>> import keras, keras_seq
    >>> tuple(keras_seq.GRU(5, return_sequences=True, simplified=True)(keras.ops.ones((2, 7, 3))).shape)
    (2, 7, 5)
    """

    cell_class = GRUCell

    def __init__(
        self,
        units: int,
        activation: Identifier = "tanh",
        recurrent_activation: Identifier = "sigmoid",
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
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        *,
        simplified: bool = False,
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
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            reset_after=reset_after,
            simplified=simplified,
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
    def simplified(self) -> bool:
        """Whether there is no reset gate."""
        return self.cell.simplified

    def cudnn_obstacle(self, masked: bool) -> str | None:
        """Why the backend's cuDNN kernel cannot run this layer here, or `None` where it can."""
        obstacle = super().cudnn_obstacle(masked)
        if obstacle is None and backend.backend() == "jax":
            return "JAX has a cuDNN kernel for the LSTM alone"
        return obstacle

    def run_cudnn(self, sequences: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the backend's cuDNN kernel over `(batch, time, features)`; results as from `run_loop`."""
        return backend.gru(
            sequences,
            *states,
            None,
            kernel=self.cell.kernel,
            recurrent_kernel=self.cell.recurrent_kernel,
            bias=self.cell.bias,
            activation=self.cell.activation,
            recurrent_activation=self.cell.recurrent_activation,
            return_sequences=self.return_sequences,
            reset_after=True,
        )

    def run_fused(
        self, sequences: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs this library's fused kernel over `(batch, time, features)`; results as from `run_loop`."""
        from keras_seq.recurrent.kernels import tensorflow as kernels

        return kernels.gru(
            h0=states[0],
            reset_after=self.cell.reset_after,
            simplified=self.cell.simplified,
            **self.fused_arguments(sequences, mask),
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        cell = self.cell.get_config()
        return {**super().get_config(), **{name: cell[name] for name in ("simplified", "implementation")}}
