"""The generic loop over time: Keras' own, made to agree on every backend."""

from collections.abc import Callable
from typing import Any

from keras import ops
from keras.src import backend

from keras_seq.recurrent.cell import Tensor


def run_loop(
    step: Callable[[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]],
    inputs: Tensor,
    states: list[Tensor],
    mask: Tensor | None = None,
    *,
    unroll: bool = False,
    return_sequences: bool = True,
    zero_output_for_mask: bool = False,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Runs `step` over the time axis, with Keras' rules for masked steps as its TensorFlow backend has them.

    A masked step leaves the states as they are. Its output repeats the output of the step before (zeros before the
    first valid step), or is zero with `zero_output_for_mask`.

    Args:
        step: a function of the inputs of one step, `(batch, features)`, and the list of states; returns the output and
            the new states. The output has the shape of the first state.
        inputs: `(batch, time, features)`.
        states: the states before the first step, each `(batch, units)`.
        mask: `None` or booleans `(batch, time)`.
        unroll: whether to write the steps one after the other instead of a loop; needs a static time dimension.
        return_sequences: whether all outputs are needed; otherwise they may be the last alone.
        zero_output_for_mask: whether the outputs at masked steps are zero.

    Returns:
        The output of the last step `(batch, units)`, the outputs `(batch, time, units)`, and the final states.
    """
    options: dict[str, Any] = {
        "mask": mask,
        "unroll": unroll,
        "input_length": inputs.shape[1],
        "zero_output_for_mask": zero_output_for_mask,
        "return_all_outputs": return_sequences,
    }
    if mask is None or backend.backend() != "jax":
        last_output, outputs, states = backend.rnn(step, inputs, states, **options)
        return last_output, outputs, list(states)

    # Under JAX Keras' loop repeats the first *state* at a masked step, which is the initial state before the first
    # valid step where the others give zeros. So the previous output is carried as a state of its own, in the first
    # place.
    def step_keeping_output(inputs_t: Tensor, carried: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        output, new_states = step(inputs_t, list(carried[1:]))
        return output, [output, *new_states]

    carried = [ops.zeros_like(states[0]), *states]
    last_output, outputs, carried = backend.rnn(step_keeping_output, inputs, carried, **options)
    if unroll and zero_output_for_mask:  # which Keras' unrolled JAX loop leaves out
        outputs = ops.where(mask[:, -outputs.shape[1] :, None], outputs, ops.zeros_like(outputs))
        last_output = outputs[:, -1]
    return last_output, outputs, list(carried[1:])
