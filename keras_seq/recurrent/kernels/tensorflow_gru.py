"""The arithmetic of a GRU step in TensorFlow, forward and backward, in its three forms."""

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_loop import Run, weight_gradient


class ResetAfterGRUStep:
    """One step of a GRU whose reset gate multiplies the recurrent product (`reset_after=True` in Keras, as in cuDNN).

    With `x` the projected inputs and `u = h_prev @ recurrent_kernel + recurrent_bias`, each for the gates z, r and h:

    ```
    z = sigmoid(x_z + u_z)     r = sigmoid(x_r + u_r)     g = tanh(x_h + r * u_h)     h = z * h_prev + (1 - z) * g
    ```

    Backward, with `d_a` the gradient of the loss with regard to `a`:

    ```
    d_xz = d_uz = d_h * (h_prev - g) * z * (1 - z)        d_xh = d_h * (1 - z) * (1 - g^2)
    d_xr = d_ur = d_xh * u_h * r * (1 - r)                d_uh = d_xh * r
    d_h_prev = d_h * z + d_u @ transpose(recurrent_kernel)
    ```

    Args:
        recurrent_kernel: `(units, 3 * units)`, gates in the order z r h.
        recurrent_bias: `(3 * units,)`.
    """

    num_kept = 1
    num_gradients = 2

    def __init__(self, recurrent_kernel: tf.Tensor, recurrent_bias: tf.Tensor):
        self.kernel, self.bias = recurrent_kernel, recurrent_bias
        self.transposed_kernel = tf.transpose(recurrent_kernel)

    def forward(self, projected, states):
        """See `Step.forward`; keeps z, r, g and u_h."""
        (h,) = states
        x_z, x_r, x_h = tf.split(projected, 3, axis=1)
        u_z, u_r, u_h = tf.split(tf.matmul(h, self.kernel) + self.bias, 3, axis=1)
        z, r = tf.sigmoid(x_z + u_z), tf.sigmoid(x_r + u_r)
        g = tf.tanh(x_h + r * u_h)
        return [z * h + (1 - z) * g], [tf.concat([z, r, g, u_h], axis=1)]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives d_u and d_x."""
        z, r, g, u_h = tf.split(kept[0], 4, axis=1)
        (h_prev,), (d_h,) = states, d_states
        d_z = d_h * (h_prev - g) * z * (1 - z)
        d_xh = d_h * (1 - z) * (1 - g * g)
        d_r = d_xh * u_h * r * (1 - r)
        d_u = tf.concat([d_z, d_r, d_xh * r], axis=1)
        return [d_u, tf.concat([d_z, d_r, d_xh], axis=1)], [
            d_h * z + tf.matmul(d_u, self.transposed_kernel)
        ]

    def gradients(self, run: Run, inner: list[tf.Tensor]):
        """See `Step.gradients`."""
        d_u, d_x = inner
        return d_x, [
            weight_gradient(run.states[0][:-1], d_u),
            tf.reduce_sum(d_u, axis=[0, 1]),
        ]


class ResetBeforeGRUStep:
    """One step of a GRU whose reset gate multiplies the state (Cho et al., 2014; `reset_after=False` in Keras).

    ```
    z = sigmoid(x_z + h_prev @ U_z)     r = sigmoid(x_r + h_prev @ U_r)
    g = tanh(x_h + (r * h_prev) @ U_h)  h = z * h_prev + (1 - z) * g
    ```

    Backward:

    ```
    d_xz = d_h * (h_prev - g) * z * (1 - z)      d_xh = d_h * (1 - z) * (1 - g^2)      d_s = d_xh @ transpose(U_h)
    d_xr = d_s * h_prev * r * (1 - r)
    d_h_prev = d_h * z + d_s * r + [d_xz d_xr] @ transpose([U_z U_r])
    ```

    Args:
        recurrent_kernel: `(units, 3 * units)`, gates in the order z r h.
    """

    num_kept = 1
    num_gradients = 1

    def __init__(self, recurrent_kernel: tf.Tensor):
        units = recurrent_kernel.shape[0]
        self.gate_kernel, self.candidate_kernel = (
            recurrent_kernel[:, : 2 * units],
            recurrent_kernel[:, 2 * units :],
        )
        self.transposed_gate_kernel = tf.transpose(self.gate_kernel)
        self.transposed_candidate_kernel = tf.transpose(self.candidate_kernel)

    def forward(self, projected, states):
        """See `Step.forward`; keeps z, r and g."""
        (h,) = states
        x_z, x_r, x_h = tf.split(projected, 3, axis=1)
        u_z, u_r = tf.split(tf.matmul(h, self.gate_kernel), 2, axis=1)
        z, r = tf.sigmoid(x_z + u_z), tf.sigmoid(x_r + u_r)
        g = tf.tanh(x_h + tf.matmul(r * h, self.candidate_kernel))
        return [z * h + (1 - z) * g], [tf.concat([z, r, g], axis=1)]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives d_x."""
        z, r, g = tf.split(kept[0], 3, axis=1)
        (h_prev,), (d_h,) = states, d_states
        d_z = d_h * (h_prev - g) * z * (1 - z)
        d_xh = d_h * (1 - z) * (1 - g * g)
        d_s = tf.matmul(d_xh, self.transposed_candidate_kernel)
        d_r = d_s * h_prev * r * (1 - r)
        d_gates = tf.matmul(tf.concat([d_z, d_r], axis=1), self.transposed_gate_kernel)
        return [tf.concat([d_z, d_r, d_xh], axis=1)], [d_h * z + d_s * r + d_gates]

    def gradients(self, run: Run, inner: list[tf.Tensor]):
        """See `Step.gradients`."""
        (d_x,), h_prev = inner, run.states[0][:-1]
        units = h_prev.shape[2]
        r = run.kept[0][:, :, units : 2 * units]
        d_gates = weight_gradient(h_prev, d_x[:, :, : 2 * units])
        d_candidate = weight_gradient(r * h_prev, d_x[:, :, 2 * units :])
        return d_x, [tf.concat([d_gates, d_candidate], axis=1)]


class SimplifiedGRUStep:
    """One step of a GRU without reset gate.

    ```
    z = sigmoid(x_z + h_prev @ U_z)     g = tanh(x_h + h_prev @ U_h)     h = z * h_prev + (1 - z) * g
    ```

    Backward:

    ```
    d_xz = d_h * (h_prev - g) * z * (1 - z)      d_xh = d_h * (1 - z) * (1 - g^2)
    d_h_prev = d_h * z + d_x @ transpose(U)
    ```

    Args:
        recurrent_kernel: `(units, 2 * units)`, gates in the order z h.
    """

    num_kept = 1
    num_gradients = 1

    def __init__(self, recurrent_kernel: tf.Tensor):
        self.kernel, self.transposed_kernel = (
            recurrent_kernel,
            tf.transpose(recurrent_kernel),
        )

    def forward(self, projected, states):
        """See `Step.forward`; keeps z and g."""
        (h,) = states
        a_z, a_h = tf.split(projected + tf.matmul(h, self.kernel), 2, axis=1)
        z, g = tf.sigmoid(a_z), tf.tanh(a_h)
        return [z * h + (1 - z) * g], [tf.concat([z, g], axis=1)]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives d_x."""
        z, g = tf.split(kept[0], 2, axis=1)
        (h_prev,), (d_h,) = states, d_states
        d_x = tf.concat(
            [d_h * (h_prev - g) * z * (1 - z), d_h * (1 - z) * (1 - g * g)], axis=1
        )
        return [d_x], [d_h * z + tf.matmul(d_x, self.transposed_kernel)]

    def gradients(self, run: Run, inner: list[tf.Tensor]):
        """See `Step.gradients`."""
        return inner[0], [weight_gradient(run.states[0][:-1], inner[0])]
