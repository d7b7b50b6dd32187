"""The arithmetic of an LSTM step in TensorFlow, forward and backward."""

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_loop import Run, weight_gradient


class LSTMStep:
    """One step of an LSTM, with or without peepholes `p` (Gers & Schmidhuber, 2000).

    With `z = projected + h_prev @ recurrent_kernel`:

    ```
    i = sigmoid(z_i + p_i * c_prev)       f = sigmoid(z_f + p_f * c_prev)       g = tanh(z_c)
    c = f * c_prev + i * g                o = sigmoid(z_o + p_o * c)            h = o * tanh(c)
    ```

    or `h = o * c`, where the output is linear. Backward, with `d_a` the gradient of the loss with regard to `a`,
    `s * (1 - s)` the derivative of a sigmoid `s` and `1 - g^2` that of a tanh `g`:

    ```
    d_zo = d_h * tanh(c) * o * (1 - o)
    d_c = d_c + d_h * o * (1 - tanh(c)^2) + d_zo * p_o
    d_zi = d_c * g * i * (1 - i)          d_zf = d_c * c_prev * f * (1 - f)     d_zc = d_c * i * (1 - g^2)
    d_c_prev = d_c * f + d_zi * p_i + d_zf * p_f
    d_h_prev = d_z @ transpose(recurrent_kernel)
    ```

    and the gradients of the peepholes are sums over the steps: `d_pi = sum(d_zi * c_prev)`,
    `d_pf = sum(d_zf * c_prev)`, `d_po = sum(d_zo * c)`.

    Args:
        recurrent_kernel: `(units, 4 * units)`, gates in the order i f c o.
        peephole_kernel: `None` or `(3, batch, units)`, i f o, the same for each sequence of the batch: to broadcast it
            once takes less time than at every step.
        linear_output: whether `h = o * c`.
    """

    num_kept = 4
    num_inside = 1

    @staticmethod
    def arrange(batch, kernel, recurrent_kernel, bias, peephole_kernel):
        """See `Step.arrange`."""
        step_weights = [recurrent_kernel]
        if peephole_kernel is not None:
            step_weights.append(tf.broadcast_to(peephole_kernel[:, None, :], [3, batch, recurrent_kernel.shape[0]]))
        return [(kernel, bias)], step_weights

    def __init__(
        self, recurrent_kernel: tf.Tensor, peephole_kernel: tf.Tensor | None = None, *, linear_output: bool = False
    ):
        self.kernel = recurrent_kernel
        # A product with a transposed argument takes several times as long as one with a transposed copy.
        self.transposed_kernel = tf.transpose(recurrent_kernel)
        self.peepholes = None if peephole_kernel is None else tf.unstack(peephole_kernel)
        self.num_sums = 0 if peephole_kernel is None else 3
        self.linear_output = linear_output

    def forward(self, projected, states):
        """See `Step.forward`; keeps the gates."""
        h, c = states
        z_i, z_f, z_c, z_o = tf.split(projected[0] + tf.matmul(h, self.kernel), 4, axis=1)
        if self.peepholes:
            p_i, p_f, p_o = self.peepholes
            z_i, z_f = z_i + p_i * c, z_f + p_f * c
        i, f, g = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.tanh(z_c)
        c = f * c + i * g
        if self.peepholes:
            z_o += p_o * c
        o = tf.sigmoid(z_o)
        h = o * c if self.linear_output else o * tf.tanh(c)
        return [h, c], [i, f, g, o]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives `d_z` inside, and sums the products of the peepholes."""
        (i, f, g, o), (_, c_prev), (_, c), (d_h, d_c) = kept, states, new_states, d_states
        a = c if self.linear_output else tf.tanh(c)
        d_a = d_h * o
        d_ao = d_a * a
        d_zo = d_ao * (1 - o)
        d_c += d_a if self.linear_output else d_a - d_ao * a
        if self.peepholes:
            p_i, p_f, p_o = self.peepholes
            d_c += d_zo * p_o
        d_g, d_c_prev = d_c * i, d_c * f
        d_ig = d_g * g
        d_zi, d_zf, d_zc = d_ig * (1 - i), d_c_prev * c_prev * (1 - f), d_g - d_ig * g
        products = []
        if self.peepholes:
            d_c_prev += d_zi * p_i + d_zf * p_f
            products = [d_zi * c_prev, d_zf * c_prev, d_zo * c]
        d_z = tf.concat([d_zi, d_zf, d_zc, d_zo], axis=1)
        return [d_z], [tf.matmul(d_z, self.transposed_kernel), d_c_prev], products

    def gradients(self, run: Run, inside: list[tf.Tensor], sums: list[tf.Tensor]):
        """See `Step.gradients`."""
        d_kernel = weight_gradient(run.states_before(0), inside[0])
        return inside, [d_kernel, tf.stack(sums)] if sums else [d_kernel]
