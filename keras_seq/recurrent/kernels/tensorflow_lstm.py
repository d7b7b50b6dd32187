"""The arithmetic of an LSTM step in TensorFlow, forward and backward."""

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_loop import Run, weight_gradient


class LSTMStep:
    """One step of an LSTM, with or without peepholes (Gers & Schmidhuber, 2000) `p`:

    ```
    i = sigmoid(z_i + p_i * c_prev)       f = sigmoid(z_f + p_f * c_prev)       g = tanh(z_c)
    c = f * c_prev + i * g                o = sigmoid(z_o + p_o * c)            h = o * tanh(c)
    ```

    with `z = projected + h_prev @ recurrent_kernel`, and `h = o * c` where the output is linear. Backward, with `d_x` the
    gradient of the loss with regard to `x`, `s * (1 - s)` the derivative of a sigmoid and `1 - g * g` of a tanh:

    ```
    d_zo = d_h * tanh(c) * o * (1 - o)
    d_c += d_h * o * (1 - tanh(c)^2) + d_zo * p_o
    d_zi = d_c * g * i * (1 - i)          d_zf = d_c * c_prev * f * (1 - f)     d_zc = d_c * i * (1 - g^2)
    d_c_prev = d_c * f + d_zi * p_i + d_zf * p_f
    d_h_prev = d_z @ transpose(recurrent_kernel)
    ```

    Args:
        recurrent_kernel: `(units, 4 * units)`, gates in the order i f c o.
        peephole_kernel: `None` or `(3, units)`, rows i f o.
        linear_output: whether `h = o * c`.
    """

    num_kept = 1
    num_gradients = 1

    def __init__(
        self,
        recurrent_kernel: tf.Tensor,
        peephole_kernel: tf.Tensor | None = None,
        *,
        linear_output: bool = False,
    ):
        # A product with a transposed argument takes several times as long as one with a transposed copy.
        self.kernel, self.transposed_kernel = (
            recurrent_kernel,
            tf.transpose(recurrent_kernel),
        )
        self.peephole_kernel = peephole_kernel
        self.linear_output = linear_output

    def forward(self, projected, states):
        """See `Step.forward`; keeps the four gates."""
        h, c = states
        z_i, z_f, z_c, z_o = tf.split(projected + tf.matmul(h, self.kernel), 4, axis=1)
        if self.peephole_kernel is not None:
            z_i += c * self.peephole_kernel[0]
            z_f += c * self.peephole_kernel[1]
        i, f, g = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.tanh(z_c)
        c = f * c + i * g
        if self.peephole_kernel is not None:
            z_o += c * self.peephole_kernel[2]
        o = tf.sigmoid(z_o)
        h = o * (c if self.linear_output else tf.tanh(c))
        return [h, c], [tf.concat([i, f, g, o], axis=1)]

    def backward(self, kept, states, new_states, d_states):
        """See `Step.backward`; gives the gradient of the four gates before their activations."""
        i, f, g, o = tf.split(kept[0], 4, axis=1)
        (_, c_prev), (_, c), (d_h, d_c) = states, new_states, d_states
        a = c if self.linear_output else tf.tanh(c)
        d_zo = d_h * a * o * (1 - o)
        d_c += d_h * o if self.linear_output else d_h * o * (1 - a * a)
        if self.peephole_kernel is not None:
            d_c += d_zo * self.peephole_kernel[2]
        d_zi, d_zf, d_zc = (
            d_c * g * i * (1 - i),
            d_c * c_prev * f * (1 - f),
            d_c * i * (1 - g * g),
        )
        d_c *= f
        if self.peephole_kernel is not None:
            d_c += d_zi * self.peephole_kernel[0] + d_zf * self.peephole_kernel[1]
        d_z = tf.concat([d_zi, d_zf, d_zc, d_zo], axis=1)
        return [d_z], [tf.matmul(d_z, self.transposed_kernel), d_c]

    def gradients(self, run: Run, inner: list[tf.Tensor]):
        """See `Step.gradients`."""
        (d_z,), (h, c) = inner, run.states
        d_weights = [weight_gradient(h[:-1], d_z)]
        if self.peephole_kernel is not None:
            d_zi, d_zf, _, d_zo = tf.split(d_z, 4, axis=2)
            products = [d_zi * c[:-1], d_zf * c[:-1], d_zo * c[1:]]
            d_weights.append(
                tf.stack([tf.reduce_sum(product, axis=[0, 1]) for product in products])
            )
        return d_z, d_weights
