"""What lies around the loop over time in the TensorFlow kernels: layouts, input projection, masks, eager calls."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_seq.recurrent.kernels.tensorflow_loop import Step, recur

Result = tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]
"""The last output `(batch, units)`, the outputs `(batch, time, units)` and the final states, each `(batch, units)`."""


class Options(NamedTuple):
    """What a kernel is told besides its tensors.

    Attributes:
        go_backwards: whether to run from the last step to the first; the outputs come in the order of running.
        zero_output_for_mask: whether the outputs at masked steps are zero, rather than the output before them.
        step_options: keyword arguments of the step, as pairs.
    """

    go_backwards: bool
    zero_output_for_mask: bool
    step_options: tuple[tuple[str, bool | str], ...] = ()


def run_sequence(
    step_type: type[Step],
    options: Options,
    inputs: tf.Tensor,
    states: list[tf.Tensor],
    weights: list[tf.Tensor | None],
    mask: tf.Tensor | None,
) -> Result:
    """Runs a cell over a batch of sequences.

    Args:
        step_type: the cell.
        options: see `Options`.
        inputs: `(batch, time, features)`.
        states: the initial states, each `(batch, units)`.
        weights: what `step_type.arrange` takes, in Keras' layout. They and the states are cast to the inputs' dtype.
        mask: booleans `(batch, time)` or `None`.
    """
    inputs = tf.convert_to_tensor(inputs)
    states = [tf.cast(state, inputs.dtype) for state in states]
    weights = [None if weight is None else tf.cast(weight, inputs.dtype) for weight in weights]
    mask = None if mask is None else tf.cast(mask, tf.bool)
    if not tf.executing_eagerly():
        return _run(step_type, options, inputs, states, weights, mask)
    # Op by op the loop would take many times as long: a graph, one for all lengths and batch sizes.
    shapes = tuple(None if weight is None else tuple(weight.shape) for weight in weights)
    graph = _graph(
        step_type, options, inputs.dtype, inputs.shape[2], states[0].shape[1], len(states), shapes, mask is not None
    )
    return graph(inputs, states, weights, mask)


@functools.lru_cache(maxsize=256)
def _graph(
    step_type: type[Step],
    options: Options,
    dtype: tf.DType,
    features: int,
    units: int,
    num_states: int,
    weight_shapes: tuple[tuple[int, ...] | None, ...],
    masked: bool,
) -> Callable[..., Result]:
    return tf.function(functools.partial(_run, step_type, options)).get_concrete_function(
        tf.TensorSpec([None, None, features], dtype),
        [tf.TensorSpec([None, units], dtype) for _ in range(num_states)],
        [None if shape is None else tf.TensorSpec(shape, dtype) for shape in weight_shapes],
        tf.TensorSpec([None, None], tf.bool) if masked else None,
    )


def _run(step_type, options, inputs, states, weights, mask) -> Result:
    inputs = tf.transpose(inputs, [1, 0, 2])
    mask = None if mask is None else tf.transpose(mask)[:, :, None]
    if options.go_backwards:
        inputs = tf.reverse(inputs, axis=[0])
        mask = None if mask is None else tf.reverse(mask, axis=[0])

    projections, step_weights = step_type.arrange(tf.shape(inputs)[1], *weights)
    projected = [_project(inputs, kernel, bias) for kernel, bias in projections]
    make_step = functools.partial(step_type, **dict(options.step_options))
    outputs, states = recur(make_step, projected, states, step_weights, mask)

    if mask is not None:
        # The loop holds the state, which before the first valid step is the initial one; the output there is zero.
        shown = mask if options.zero_output_for_mask else tf.cumsum(tf.cast(mask, tf.int32), axis=0) > 0
        outputs = tf.where(shown, outputs, tf.zeros_like(outputs))
    return outputs[-1], tf.transpose(outputs, [1, 0, 2]), states


def _project(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    # A product of two matrices: with a tensor of higher rank TensorFlow's CPU kernel has been seen to return garbage.
    projected = tf.matmul(tf.reshape(inputs, [-1, inputs.shape[2]]), kernel)
    if bias is not None:
        projected = tf.nn.bias_add(projected, bias)
    time, batch, _ = (known or size for known, size in zip(inputs.shape, tf.unstack(tf.shape(inputs)), strict=True))
    return tf.reshape(projected, [time, batch, kernel.shape[1]])
