"""The arithmetic of a plain RNN step in TensorFlow, forward and backward."""

from typing import Literal

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_loop import Run, weight_gradient


class SimpleRNNStep:
    """One step of a plain RNN: `h = activation(a)` with `a = projected + h_prev @ recurrent_kernel`.

    Backward: `d_a = d_h * (1 - h^2)` for tanh, `d_a = d_h where h > 0 else 0` for relu, and
    `d_h_prev = d_a @ transpose(recurrent_kernel)`.

    Args:
        recurrent_kernel: `(units, units)`.
        activation: `"tanh"` or `"relu"`.
    """

    num_kept = 0
    num_inside = 1
    num_sums = 0

    @staticmethod
    def arrange(batch, kernel, recurrent_kernel, bias):
        """See `Step.arrange`."""
        return [(kernel, bias)], [recurrent_kernel]

    def __init__(
        self,
        recurrent_kernel: tf.Tensor,
        *,
        activation: Literal["tanh", "relu"] = "tanh",
    ):
        self.kernel, self.transposed_kernel = (
            recurrent_kernel,
            tf.transpose(recurrent_kernel),
        )
        self.activation = activation

    def forward(self, projected, states):
        """See `Step.forward`."""
        a = projected[0] + tf.matmul(states[0], self.kernel)
        return [tf.tanh(a) if self.activation == "tanh" else tf.nn.relu(a)], []

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives `d_a` inside."""
        (h,), (d_h,) = new_states, d_states
        d_a = d_h * (1 - h * h) if self.activation == "tanh" else tf.where(h > 0, d_h, tf.zeros_like(d_h))
        return [d_a], [tf.matmul(d_a, self.transposed_kernel)], []

    def gradients(self, run: Run, inside: list[tf.Tensor], sums: list[tf.Tensor]):
        """See `Step.gradients`."""
        return inside, [weight_gradient(run.states_before(0), inside[0])]
