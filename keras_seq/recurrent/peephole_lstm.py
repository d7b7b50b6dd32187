"""The LSTM whose gates see the cell state: the cell and the layer."""

from typing import Any

import keras
from keras import ops

from keras_seq.recurrent.cell import Identifier, Tensor, gate_matmul
from keras_seq.recurrent.lstm import LSTM, LSTMCell


@keras.saving.register_keras_serializable(package="keras_seq")
class PeepholeLSTMCell(LSTMCell):
    """One step of an LSTM with peepholes; the equations and the weights are those of `keras_seq.PeepholeLSTM`.

    Args:
        units: the size of the output and of both states.
        *args: as in `keras.layers.LSTMCell`, in the same order.
        peephole_initializer: initialiser of `peephole_kernel`.
        peephole_regularizer: regulariser of `peephole_kernel`.
        peephole_constraint: constraint on `peephole_kernel`.
        **kwargs: as in `keras_seq.LSTMCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: the list `[h, c]`, each `(batch, units)`.
        training: whether dropout applies.

    Returns:
        The output `(batch, units)` and the new states `[h, c]`.

    Example:
    >>> import keras, keras_seq
    >>> cell = keras_seq.PeepholeLSTMCell(5)
    >>> output, states = cell(keras.ops.ones((2, 3)), [keras.ops.zeros((2, 5)), keras.ops.zeros((2, 5))])
    >>> tuple(cell.peephole_kernel.shape)
    (3, 5)
    """

    cudnn_obstacle = "cuDNN has no peepholes"

    def __init__(
        self,
        units: int,
        *args: Any,
        peephole_initializer: Identifier = "zeros",
        peephole_regularizer: Identifier = None,
        peephole_constraint: Identifier = None,
        **kwargs: Any,
    ):
        super().__init__(units, *args, **kwargs)
        self.peephole_initializer = keras.initializers.get(peephole_initializer)
        self.peephole_regularizer = keras.regularizers.get(peephole_regularizer)
        self.peephole_constraint = keras.constraints.get(peephole_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of `(batch, features)`."""
        super().build(input_shape)
        self.peephole_kernel = self.add_weight(
            shape=(3, self.units),
            name="peephole_kernel",
            initializer=self.peephole_initializer,
            regularizer=self.peephole_regularizer,
            constraint=self.peephole_constraint,
        )

    def step_weights(self) -> tuple[Tensor | None, ...]:
        """The recurrent kernel and the peepholes."""
        return ops.convert_to_tensor(self.recurrent_kernel), ops.convert_to_tensor(self.peephole_kernel)

    def step(
        self,
        projected: Tensor,
        states: list[Tensor],
        weights: tuple[Tensor | None, ...],
        recurrent_masks: Tensor | list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """One pure time step; see `StepCell.step`."""
        h_prev, c_prev = states
        recurrent_kernel, (p_i, p_f, p_o) = weights[0], ops.unstack(weights[1], 3, axis=0)
        sigma = self.recurrent_activation
        z_i, z_f, z_c, z_o = ops.split(projected + gate_matmul(h_prev, recurrent_kernel, recurrent_masks), 4, axis=-1)
        i, f = sigma(z_i + p_i * c_prev), sigma(z_f + p_f * c_prev)
        c = f * c_prev + i * self.activation(z_c)
        o = sigma(z_o + p_o * c)
        h = o * self.output_activation(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "peephole_initializer": keras.initializers.serialize(self.peephole_initializer),
            "peephole_regularizer": keras.regularizers.serialize(self.peephole_regularizer),
            "peephole_constraint": keras.constraints.serialize(self.peephole_constraint),
        }


@keras.saving.register_keras_serializable(package="keras_seq")
class PeepholeLSTM(LSTM):
    """LSTM with peepholes: its gates also see the cell state, unit by unit.

    After Gers & Schmidhuber 2000 (https://doi.org/10.1109/IJCNN.2000.861302) and Gers, Schraudolph & Schmidhuber 2002
    (https://www.jmlr.org/papers/v3/gers02a.html): helps where the exact timing of events matters.

        i = sigma(x W_i + h<t-1> U_i + p_i * c<t-1> + b_i)      input gate, the update gate Γu in other notation
        f = sigma(x W_f + h<t-1> U_f + p_f * c<t-1> + b_f)      forget gate, Γf
        g = tanh(x W_c + h<t-1> U_c + b_c)                      candidate, c~<t>
        c<t> = f * c<t-1> + i * g
        o = sigma(x W_o + h<t-1> U_o + p_o * c<t> + b_o)        output gate, Γo
        h<t> = o * output_activation(c<t>)

    The output gate sees the *new* cell state, as in the papers, TensorFlow's `BlockLSTM` and ONNX. Some courses write
    c<t-1> in all three gates; that is a different network.

    Weights: those of `keras_seq.LSTM`, and `peephole_kernel` `(3, units)` with the rows i, f, o, last in
    `get_weights()`. With peepholes of zero this is `keras_seq.LSTM`. Weights of `tfa.rnn.PeepholeLSTMCell` can be taken
    over with `keras_seq.load_tfa_peephole_weights`. Masks: as there.

    Args:
        units: the size of the output and of both states.
        *args: as in `keras_seq.LSTM`, in the same order.
        peephole_initializer: initialiser of `peephole_kernel`; zeros by default, so that training starts from an LSTM.
        peephole_regularizer: regulariser of `peephole_kernel`.
        peephole_constraint: constraint on `peephole_kernel`.
        **kwargs: as in `keras_seq.LSTM`. `use_cudnn` can be `"auto"` or `False`, which mean the same here.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: the list `[h, c]`, each `(batch, units)`; zeros if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out.
        training: whether dropout applies.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by `h` and
        `c`, each `(batch, units)`.

    Raises:
        ValueError: for `units` that is not positive, or `use_cudnn=True`, since cuDNN has no peepholes.

    Example:
    >>> import keras, keras_seq
    >>> layer = keras_seq.PeepholeLSTM(5, return_sequences=True)
    >>> tuple(layer(keras.ops.ones((2, 7, 3))).shape), [tuple(weight.shape) for weight in layer.weights]
    ((2, 7, 5), [(3, 20), (5, 20), (20,), (3, 5)])
    """

    cell_class = PeepholeLSTMCell
    cell_only_arguments = ("implementation", "peephole_initializer", "peephole_regularizer", "peephole_constraint")

    def __init__(
        self,
        units: int,
        *args: Any,
        peephole_initializer: Identifier = "zeros",
        peephole_regularizer: Identifier = None,
        peephole_constraint: Identifier = None,
        **kwargs: Any,
    ):
        super().__init__(
            units,
            *args,
            peephole_initializer=peephole_initializer,
            peephole_regularizer=peephole_regularizer,
            peephole_constraint=peephole_constraint,
            **kwargs,
        )

    @property
    def peephole_initializer(self) -> Identifier:
        """Initialiser of `peephole_kernel`."""
        return self.cell.peephole_initializer

    @property
    def peephole_regularizer(self) -> Identifier:
        """Regulariser of `peephole_kernel`."""
        return self.cell.peephole_regularizer

    @property
    def peephole_constraint(self) -> Identifier:
        """Constraint on `peephole_kernel`."""
        return self.cell.peephole_constraint

    def fused_arguments(self, sequences: Tensor, mask: Tensor | None) -> dict[str, Any]:
        """The arguments of the LSTM's fused kernel, with the peepholes."""
        return {
            **super().fused_arguments(sequences, mask),
            "peephole_kernel": ops.convert_to_tensor(self.cell.peephole_kernel),
        }

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        cell = self.cell.get_config()
        return {**super().get_config(), **{name: cell[name] for name in cell if name.startswith("peephole_")}}
