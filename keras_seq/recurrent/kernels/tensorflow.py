"""The recurrent kernels for TensorFlow: whole sequences, with hand-written backward passes.

Against the backend's generic loop they take the input projection out of the loop, keep the activated gates rather than
every intermediate tensor, and compute the gradient of each kernel as one product over all time steps. Results and
gradients agree with Keras' own layers within rounding, masks of any shape included.

All functions here take and return batch-major tensors, run eagerly, in a `tf.function` and under XLA, and share the
rules for masks: a masked step holds the states; its output repeats the output of the step before it (zeros before the
first valid step), or is zero with `zero_output_for_mask`.
"""

from typing import Literal

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_gru import ResetAfterGRUStep, ResetBeforeGRUStep, SimplifiedGRUStep
from keras_seq.recurrent.kernels.tensorflow_lstm import LSTMStep
from keras_seq.recurrent.kernels.tensorflow_sequence import Options, Result, run_sequence
from keras_seq.recurrent.kernels.tensorflow_simple_rnn import SimpleRNNStep


def lstm(
    inputs: tf.Tensor,
    h0: tf.Tensor,
    c0: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None,
    peephole_kernel: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
    *,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    linear_output: bool = False,
) -> Result:
    """Runs an LSTM over a sequence; the equations are those of `LSTMStep`.

    Args:
        inputs: `(batch, time, features)`.
        h0: initial output, `(batch, units)`.
        c0: initial cell state, `(batch, units)`.
        kernel: `(features, 4 * units)`, gates in the order i f c o.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)` or `None`.
        peephole_kernel: `(3, units)`, rows i f o, or `None`.
        mask: booleans `(batch, time)`, `False` at the steps to leave out, or `None`.
        go_backwards: whether to run from the last step to the first; the outputs come in the order of running.
        zero_output_for_mask: whether the outputs at masked steps are zero.
        linear_output: whether the output is `o * c` rather than `o * tanh(c)`.

    Returns:
        The last output `(batch, units)`, the outputs `(batch, time, units)`, and the final states `[h, c]`.

    Example:
    >>> weights = [tf.zeros(shape) for shape in [(3, 20), (5, 20), (20,)]]
    >>> last_output, outputs, (h, c) = lstm(tf.ones((2, 7, 3)), tf.zeros((2, 5)), tf.ones((2, 5)), *weights)
    >>> outputs.shape
    TensorShape([2, 7, 5])
    >>> float(c[0, 0])  # every gate is half open: the state is halved at each of the seven steps
    0.0078125
    """
    weights = [kernel, recurrent_kernel, bias, peephole_kernel]
    options = Options(go_backwards, zero_output_for_mask, (("linear_output", linear_output),))
    return run_sequence(LSTMStep, options, inputs, [h0, c0], weights, mask)


def gru(
    inputs: tf.Tensor,
    h0: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None,
    mask: tf.Tensor | None = None,
    *,
    reset_after: bool = True,
    simplified: bool = False,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
) -> Result:
    """Runs a GRU over a sequence.

    The equations are those of `ResetAfterGRUStep`, of `ResetBeforeGRUStep`, or, `simplified`, of `SimplifiedGRUStep`.

    Args:
        inputs: `(batch, time, features)`.
        h0: initial state, `(batch, units)`.
        kernel: `(features, 3 * units)`, gates in the order z r h; simplified: `(features, 2 * units)`, z h.
        recurrent_kernel: `(units, 3 * units)`; simplified: `(units, 2 * units)`.
        bias: `None`, or with `reset_after` `(2, 3 * units)`, for the inputs and for the state, else one row alone.
        mask: booleans `(batch, time)`, `False` at the steps to leave out, or `None`.
        reset_after: whether the reset gate comes after the recurrent product.
        simplified: whether to leave the reset gate out; `reset_after` then counts for nothing.
        go_backwards: whether to run from the last step to the first; the outputs come in the order of running.
        zero_output_for_mask: whether the outputs at masked steps are zero.

    Returns:
        The last output `(batch, units)`, the outputs `(batch, time, units)`, and the final states `[h]`.
    """
    step_type = SimplifiedGRUStep if simplified else ResetAfterGRUStep if reset_after else ResetBeforeGRUStep
    options = Options(go_backwards, zero_output_for_mask)
    return run_sequence(step_type, options, inputs, [h0], [kernel, recurrent_kernel, bias], mask)


def simple_rnn(
    inputs: tf.Tensor,
    h0: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None,
    mask: tf.Tensor | None = None,
    *,
    activation: Literal["tanh", "relu"] = "tanh",
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
) -> Result:
    """Runs a plain RNN over a sequence; the equation is that of `SimpleRNNStep`.

    Args:
        inputs: `(batch, time, features)`.
        h0: initial state, `(batch, units)`.
        kernel: `(features, units)`.
        recurrent_kernel: `(units, units)`.
        bias: `(units,)` or `None`.
        mask: booleans `(batch, time)`, `False` at the steps to leave out, or `None`.
        activation: `"tanh"` or `"relu"`.
        go_backwards: whether to run from the last step to the first; the outputs come in the order of running.
        zero_output_for_mask: whether the outputs at masked steps are zero.

    Returns:
        The last output `(batch, units)`, the outputs `(batch, time, units)`, and the final states `[h]`.

    Raises:
        ValueError: where `activation` is another one.
    """
    if activation not in ("tanh", "relu"):
        raise ValueError(f"`activation` must be 'tanh' or 'relu'. Received: activation={activation!r}.")
    options = Options(go_backwards, zero_output_for_mask, (("activation", activation),))
    return run_sequence(SimpleRNNStep, options, inputs, [h0], [kernel, recurrent_kernel, bias], mask)
