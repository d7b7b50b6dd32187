"""The recurrent kernels for TensorFlow: whole sequences, with hand-written backward passes.

Against the backend's generic loop they take the input projection out of the loop, keep the activated gates rather than
every intermediate tensor, and compute the gradient of each kernel as one product over all time steps. Results and
gradients agree with Keras' own layers within rounding, masks of any shape included.

All functions here take and return batch-major tensors, run eagerly, in a `tf.function` and under XLA, and share the
rules for masks: a masked step holds the states; its output repeats the output of the step before it (zeros before the
first valid step), or is zero with `zero_output_for_mask`.
"""

import functools
from collections.abc import Callable
from typing import Literal

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_gru import (
    ResetAfterGRUStep,
    ResetBeforeGRUStep,
    SimplifiedGRUStep,
)
from keras_seq.recurrent.kernels.tensorflow_loop import recur
from keras_seq.recurrent.kernels.tensorflow_lstm import LSTMStep
from keras_seq.recurrent.kernels.tensorflow_simple_rnn import SimpleRNNStep

Result = tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]


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
    """
    weights = (
        [recurrent_kernel]
        if peephole_kernel is None
        else [recurrent_kernel, peephole_kernel]
    )
    options = (go_backwards, zero_output_for_mask)
    return _run(
        LSTMStep,
        (("linear_output", linear_output),),
        inputs,
        [h0, c0],
        kernel,
        bias,
        weights,
        mask,
        options,
    )


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
    weights = [recurrent_kernel]
    if simplified:
        step_type = SimplifiedGRUStep
    elif not reset_after:
        step_type = ResetBeforeGRUStep
    else:
        step_type = ResetAfterGRUStep
        bias, recurrent_bias = (
            (None, None) if bias is None else tf.unstack(tf.convert_to_tensor(bias))
        )
        weights.append(
            tf.zeros(recurrent_kernel.shape[1:], inputs.dtype)
            if bias is None
            else recurrent_bias
        )
    return _run(
        step_type,
        (),
        inputs,
        [h0],
        kernel,
        bias,
        weights,
        mask,
        (go_backwards, zero_output_for_mask),
    )


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
    """
    options = (go_backwards, zero_output_for_mask)
    step_options = (("activation", activation),)
    return _run(
        SimpleRNNStep,
        step_options,
        inputs,
        [h0],
        kernel,
        bias,
        [recurrent_kernel],
        mask,
        options,
    )


def _run(
    step_type, step_options, inputs, states, kernel, bias, weights, mask, options
) -> Result:
    inputs = tf.convert_to_tensor(inputs)
    kernel, *weights = (tf.cast(weight, inputs.dtype) for weight in (kernel, *weights))
    bias = None if bias is None else tf.cast(bias, inputs.dtype)
    states = [tf.cast(state, inputs.dtype) for state in states]
    mask = None if mask is None else tf.cast(mask, tf.bool)
    graph = _graph(step_type, step_options, options)
    # Op by op the loop would take many times as long. Inside a graph a function would but hide the static shapes.
    run = graph if tf.executing_eagerly() else graph.python_function
    return run(inputs, states, kernel, bias, weights, mask)


@functools.cache
def _graph(step_type, step_options, options) -> Callable[..., Result]:
    make_step = functools.partial(step_type, **dict(step_options))
    return tf.function(
        functools.partial(_sequence, make_step, options), reduce_retracing=True
    )


def _sequence(
    make_step, options, inputs, states, kernel, bias, weights, mask
) -> Result:
    go_backwards, zero_output_for_mask = options
    sequence = tf.transpose(inputs, [1, 0, 2])
    mask = None if mask is None else tf.transpose(mask)[:, :, None]
    if go_backwards:
        sequence = tf.reverse(sequence, axis=[0])
        mask = None if mask is None else tf.reverse(mask, axis=[0])

    projected = tf.matmul(tf.reshape(sequence, [-1, inputs.shape[2]]), kernel)
    if bias is not None:
        projected = tf.nn.bias_add(projected, bias)
    projected = tf.reshape(projected, [*_shape(sequence)[:2], kernel.shape[1]])
    outputs, states = recur(make_step, projected, states, weights, mask)
    if mask is not None:
        # The loop holds the state, which before the first valid step is the initial one, where the output is zero.
        shown = (
            mask
            if zero_output_for_mask
            else tf.cumsum(tf.cast(mask, tf.int32), axis=0) > 0
        )
        outputs = tf.where(shown, outputs, tf.zeros_like(outputs))
    return outputs[-1], tf.transpose(outputs, [1, 0, 2]), states


def _shape(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    dynamic = tf.shape(tensor)
    return [
        dynamic[axis] if size is None else size
        for axis, size in enumerate(tensor.shape)
    ]
