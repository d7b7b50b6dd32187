"""The arithmetic of a GRU step in TensorFlow, forward and backward, in its three forms.

In all of them `g` is the candidate, the update gate has Keras' convention, `h = z * h_prev + (1 - z) * g`, and `d_a` is
the gradient of the loss with regard to `a`. The gates and the candidate are projected apart (`x_zr` and `x_h`), as the
gradients of the candidate's two products are not the same.
"""

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_loop import Run, weight_gradient


class ResetAfterGRUStep:
    """One step of a GRU whose reset gate multiplies the recurrent product (`reset_after=True` in Keras, as in cuDNN).

    ```
    z = sigmoid(x_z + h_prev @ U_z)       u = h_prev @ U_h + b_h       g = tanh(x_h + r * u)
    r = sigmoid(x_r + h_prev @ U_r)                                    h = z * h_prev + (1 - z) * g
    ```

    Backward:

    ```
    d_xz = d_h * (h_prev - g) * z * (1 - z)                d_xh = d_h * (1 - z) * (1 - g^2)
    d_xr = d_u * u * (1 - r)                               d_u = d_xh * r
    d_h_prev = d_h * z + d_xzr @ transpose(U_zr) + d_u @ transpose(U_h)
    ```

    Args:
        gate_kernel: `U_zr`, `(units, 2 * units)`.
        candidate_kernel: `U_h`, `(units, units)`.
        candidate_bias: `b_h`, `(units,)`.
    """

    num_kept = 4
    num_inside = 3
    num_sums = 0

    @staticmethod
    def arrange(batch, kernel, recurrent_kernel, bias):
        """See `Step.arrange`."""
        kernels, recurrent_kernels = split_candidate(kernel), split_candidate(recurrent_kernel)
        if bias is None:
            return [(k, None) for k in kernels], [
                *recurrent_kernels,
                tf.zeros_like(recurrent_kernel[0, : kernels[1].shape[1]]),
            ]
        (gate_bias, input_bias), (recurrent_gate_bias, candidate_bias) = (
            split_candidate(row) for row in tf.unstack(bias)
        )
        biases = [gate_bias + recurrent_gate_bias, input_bias]
        return list(zip(kernels, biases, strict=True)), [*recurrent_kernels, candidate_bias]

    def __init__(self, gate_kernel: tf.Tensor, candidate_kernel: tf.Tensor, candidate_bias: tf.Tensor):
        self.gate_kernel, self.candidate_kernel, self.bias = gate_kernel, candidate_kernel, candidate_bias
        self.transposed_kernels = tf.transpose(gate_kernel), tf.transpose(candidate_kernel)

    def forward(self, projected, states):
        """See `Step.forward`; keeps z, r, g and u."""
        (x_zr, x_h), (h,) = projected, states
        z, r = tf.split(tf.sigmoid(x_zr + tf.matmul(h, self.gate_kernel)), 2, axis=1)
        u = tf.nn.bias_add(tf.matmul(h, self.candidate_kernel), self.bias)
        g = tf.tanh(x_h + r * u)
        return [z * h + (1 - z) * g], [z, r, g, u]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives `d_xzr`, `d_xh` and `d_u` inside."""
        (z, r, g, u), (h_prev,), (d_h,) = kept, states, d_states
        one_minus_z, d_h_prev = 1 - z, d_h * z
        d_xh = d_h * one_minus_z * (1 - g * g)
        d_u = d_xh * r
        d_xzr = tf.concat([d_h_prev * (h_prev - g) * one_minus_z, d_u * u * (1 - r)], axis=1)
        d_h_prev += tf.matmul(d_xzr, self.transposed_kernels[0]) + tf.matmul(d_u, self.transposed_kernels[1])
        return [d_xzr, d_xh, d_u], [d_h_prev], []

    def gradients(self, run: Run, inside: list[tf.Tensor], sums: list[tf.Tensor]):
        """See `Step.gradients`."""
        d_xzr, d_xh, d_u = inside
        h_prev = run.states_before(0)
        return [d_xzr, d_xh], [weight_gradient(h_prev, d_xzr), weight_gradient(h_prev, d_u), bias_gradient(d_u)]


class ResetBeforeGRUStep:
    """One step of a GRU whose reset gate multiplies the state (Cho et al., 2014; `reset_after=False` in Keras).

    ```
    z = sigmoid(x_z + h_prev @ U_z)       s = r * h_prev               g = tanh(x_h + s @ U_h)
    r = sigmoid(x_r + h_prev @ U_r)                                    h = z * h_prev + (1 - z) * g
    ```

    Backward:

    ```
    d_xz = d_h * (h_prev - g) * z * (1 - z)                d_xh = d_h * (1 - z) * (1 - g^2)
    d_xr = d_s * h_prev * r * (1 - r)                      d_s = d_xh @ transpose(U_h)
    d_h_prev = d_h * z + d_s * r + d_xzr @ transpose(U_zr)
    ```

    Args:
        gate_kernel: `U_zr`, `(units, 2 * units)`.
        candidate_kernel: `U_h`, `(units, units)`.
    """

    num_kept = 4
    num_inside = 2
    num_sums = 0

    @staticmethod
    def arrange(batch, kernel, recurrent_kernel, bias):
        """See `Step.arrange`."""
        biases = [None, None] if bias is None else split_candidate(bias)
        return list(zip(split_candidate(kernel), biases, strict=True)), split_candidate(recurrent_kernel)

    def __init__(self, gate_kernel: tf.Tensor, candidate_kernel: tf.Tensor):
        self.gate_kernel, self.candidate_kernel = gate_kernel, candidate_kernel
        self.transposed_kernels = tf.transpose(gate_kernel), tf.transpose(candidate_kernel)

    def forward(self, projected, states):
        """See `Step.forward`; keeps z, r, g and s."""
        (x_zr, x_h), (h,) = projected, states
        z, r = tf.split(tf.sigmoid(x_zr + tf.matmul(h, self.gate_kernel)), 2, axis=1)
        s = r * h
        g = tf.tanh(x_h + tf.matmul(s, self.candidate_kernel))
        return [z * h + (1 - z) * g], [z, r, g, s]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives `d_xzr` and `d_xh` inside."""
        (z, r, g, s), (h_prev,), (d_h,) = kept, states, d_states
        one_minus_z, d_h_prev = 1 - z, d_h * z
        d_xh = d_h * one_minus_z * (1 - g * g)
        d_s = tf.matmul(d_xh, self.transposed_kernels[1])
        d_xzr = tf.concat([d_h_prev * (h_prev - g) * one_minus_z, d_s * s * (1 - r)], axis=1)
        return [d_xzr, d_xh], [d_h_prev + d_s * r + tf.matmul(d_xzr, self.transposed_kernels[0])], []

    def gradients(self, run: Run, inside: list[tf.Tensor], sums: list[tf.Tensor]):
        """See `Step.gradients`."""
        d_xzr, d_xh = inside
        return inside, [weight_gradient(run.states_before(0), d_xzr), weight_gradient(run.kept[3].stack(), d_xh)]


class SimplifiedGRUStep:
    """One step of a GRU without reset gate.

    ```
    z = sigmoid(x_z + h_prev @ U_z)       g = tanh(x_h + h_prev @ U_h)       h = z * h_prev + (1 - z) * g
    ```

    Backward:

    ```
    d_xz = d_h * (h_prev - g) * z * (1 - z)                d_xh = d_h * (1 - z) * (1 - g^2)
    d_h_prev = d_h * z + d_x @ transpose(U)
    ```

    Args:
        recurrent_kernel: `U`, `(units, 2 * units)`, gates in the order z h.
    """

    num_kept = 2
    num_inside = 1
    num_sums = 0

    @staticmethod
    def arrange(batch, kernel, recurrent_kernel, bias):
        """See `Step.arrange`."""
        return [(kernel, bias)], [recurrent_kernel]

    def __init__(self, recurrent_kernel: tf.Tensor):
        self.kernel, self.transposed_kernel = recurrent_kernel, tf.transpose(recurrent_kernel)

    def forward(self, projected, states):
        """See `Step.forward`; keeps z and g."""
        (h,) = states
        a_z, a_h = tf.split(projected[0] + tf.matmul(h, self.kernel), 2, axis=1)
        z, g = tf.sigmoid(a_z), tf.tanh(a_h)
        return [z * h + (1 - z) * g], [z, g]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives `d_x` inside."""
        (z, g), (h_prev,), (d_h,) = kept, states, d_states
        one_minus_z, d_h_prev = 1 - z, d_h * z
        d_xz, d_xh = d_h_prev * (h_prev - g) * one_minus_z, d_h * one_minus_z * (1 - g * g)
        d_x = tf.concat([d_xz, d_xh], axis=1)
        return [d_x], [d_h_prev + tf.matmul(d_x, self.transposed_kernel)], []

    def gradients(self, run: Run, inside: list[tf.Tensor], sums: list[tf.Tensor]):
        """See `Step.gradients`."""
        return inside, [weight_gradient(run.states_before(0), inside[0])]


def split_candidate(weight: tf.Tensor) -> list[tf.Tensor]:
    """From a weight of the gates z r h: that of the gates z r and that of the candidate."""
    units = weight.shape[-1] // 3
    return tf.split(weight, [2 * units, units], axis=-1)


def bias_gradient(d_outputs: tf.Tensor) -> tf.Tensor:
    """The gradient of a bias: the sum of `d_outputs` `(time, batch, units)`; `reduce_sum` would take far longer."""
    return tf.raw_ops.BiasAddGrad(out_backprop=tf.reshape(d_outputs, [-1, d_outputs.shape[-1]]))
