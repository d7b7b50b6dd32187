"""The loop over time that the TensorFlow kernels share, forward and backward, with masks."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf


class Run(NamedTuple):
    """The forward pass over a sequence of `time` steps.

    Attributes:
        states: for each state a sequence `(1 + time, batch, units)` that starts with the initial one.
        kept: for each tensor that `Step.forward` keeps a sequence `(time, batch, ...)`.
    """

    states: list[tf.Tensor]
    kept: list[tf.Tensor]


class Step(Protocol):
    """The arithmetic of one cell, one time step forward and one backward; every tensor is `(batch, ...)`.

    Both run inside a loop over time, so both hold what has to be there and no more: products with whole sequences (the
    input projection, the gradients of the weights) are done outside.

    Attributes:
        num_kept: how many tensors `forward` keeps for `backward`, besides the states.
        num_gradients: how many gradients `backward` gives.
    """

    num_kept: int
    num_gradients: int

    def forward(
        self, projected: tf.Tensor, states: list[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """From the projected inputs of a step and the states before it: the states after it, and what to keep."""

    def backward(
        self,
        kept: list[tf.Tensor],
        states: list[tf.Tensor],
        new_states: list[tf.Tensor],
        d_states: list[tf.Tensor],
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """From the gradients of the states after a step: those inside it, and those of the states before it."""

    def gradients(
        self, run: Run, inner: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """From the gradients inside all steps: those of the projected inputs, and those of the weights of the step."""


def recur(
    make_step: Callable[..., Step],
    projected: tf.Tensor,
    states: list[tf.Tensor],
    weights: list[tf.Tensor],
    mask: tf.Tensor | None,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Runs a cell over a sequence, with its hand-written backward pass for a gradient.

    Args:
        make_step: from weights, a cell.
        projected: the projected inputs, `(time, batch, gates * units)`.
        states: the initial states, each `(batch, units)`.
        weights: what `make_step` takes.
        mask: `None` or booleans `(time, batch, 1)`; a masked step holds every state.

    Returns:
        The first state after each step, `(time, batch, units)`, and the final states.
    """

    @tf.custom_gradient
    def recurrence(projected, *states_and_weights):
        states, weights = (
            states_and_weights[: len(states_)],
            states_and_weights[len(states_) :],
        )
        step = make_step(*weights)
        run = run_forward(step, projected, list(states), mask)

        def gradient(d_outputs, *d_states):
            inner, d_states = run_backward(step, run, d_outputs, list(d_states), mask)
            d_projected, d_weights = step.gradients(run, inner)
            return d_projected, *d_states, *d_weights

        return (run.states[0][1:], *[sequence[-1] for sequence in run.states]), gradient

    states_ = states
    outputs, *final_states = recurrence(projected, *states, *weights)
    return outputs, final_states


def weight_gradient(inputs: tf.Tensor, d_outputs: tf.Tensor) -> tf.Tensor:
    """The gradient of `kernel` in `inputs @ kernel`, over whole sequences `(time, batch, ...)`, as one product."""
    inputs, d_outputs = (tf.reshape(x, [-1, x.shape[-1]]) for x in (inputs, d_outputs))
    return tf.matmul(inputs, d_outputs, transpose_a=True)


def run_forward(
    step: Step, projected: tf.Tensor, states: list[tf.Tensor], mask: tf.Tensor | None
) -> Run:
    """Runs a cell over a sequence; a masked step holds every state.

    Args:
        step: the cell.
        projected: `(time, batch, gates * units)`.
        states: the initial states, each `(batch, units)`.
        mask: `None` or booleans `(time, batch, 1)`.
    """
    time = _length(projected)
    inputs = _unstack([projected] if mask is None else [projected, mask])

    def body(t, states, histories, keeps):
        projected_t, *mask_t = [array.read(t) for array in inputs]
        new_states, kept = step.forward(projected_t, states)
        if mask_t:
            new_states = [
                tf.where(mask_t[0], new, old)
                for new, old in zip(new_states, states, strict=True)
            ]
        histories = [
            array.write(t + 1, new)
            for array, new in zip(histories, new_states, strict=True)
        ]
        keeps = [
            array.write(t, kept_t) for array, kept_t in zip(keeps, kept, strict=True)
        ]
        return t + 1, new_states, histories, keeps

    dtype = projected.dtype
    histories = [
        tf.TensorArray(dtype, size=time + 1, element_shape=state.shape).write(0, state)
        for state in states
    ]
    keeps = [tf.TensorArray(dtype, size=time) for _ in range(step.num_kept)]
    _, _, histories, keeps = _while(
        time, body, (tf.constant(0), list(states), histories, keeps)
    )
    return Run(
        [array.stack() for array in histories], [array.stack() for array in keeps]
    )


def run_backward(
    step: Step,
    run: Run,
    d_outputs: tf.Tensor,
    d_states: list[tf.Tensor],
    mask: tf.Tensor | None,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Runs a cell backward over the sequence of `run`.

    Args:
        step: the cell.
        run: what `run_forward` gave.
        d_outputs: gradients of the first state after each step, `(time, batch, units)`.
        d_states: gradients of the final states, each `(batch, units)`.
        mask: what `run_forward` had.

    Returns:
        The gradients inside the steps, as `Step.backward` gives them, each `(time, batch, ...)` and zero at masked steps;
        and the gradients of the initial states.
    """
    time = _length(d_outputs)
    inputs = _unstack([d_outputs] if mask is None else [d_outputs, mask])
    states, kept = _unstack(run.states), _unstack(run.kept)

    def body(step_number, d_states, gradients):
        t = time - 1 - step_number
        d_output_t, *mask_t = [array.read(t) for array in inputs]
        d_states = [d_states[0] + d_output_t, *d_states[1:]]
        held = []
        if mask_t:
            held = [tf.where(mask_t[0], tf.zeros_like(d), d) for d in d_states]
            d_states = [tf.where(mask_t[0], d, tf.zeros_like(d)) for d in d_states]
        d_gates, d_states = step.backward(
            [array.read(t) for array in kept],
            [array.read(t) for array in states],
            [array.read(t + 1) for array in states],
            d_states,
        )
        if mask_t:
            d_states = [d + d_held for d, d_held in zip(d_states, held, strict=True)]
        gradients = [
            array.write(t, d) for array, d in zip(gradients, d_gates, strict=True)
        ]
        return step_number + 1, d_states, gradients

    gradients = [
        tf.TensorArray(d_outputs.dtype, size=time) for _ in range(step.num_gradients)
    ]
    _, d_states, gradients = _while(
        time, body, (tf.constant(0), list(d_states), gradients)
    )
    return [array.stack() for array in gradients], d_states


def _length(sequence: tf.Tensor) -> int | tf.Tensor:
    # XLA wants the sizes of arrays and loops to be constants, so the static length is taken where there is one.
    return sequence.shape[0] if sequence.shape[0] is not None else tf.shape(sequence)[0]


def _unstack(sequences: list[tf.Tensor]) -> list[tf.TensorArray]:
    # In the backward pass a state is read twice, as the one before a step and as the one after another.
    return [
        tf.TensorArray(s.dtype, size=_length(s), clear_after_read=False).unstack(s)
        for s in sequences
    ]


def _while(time: int | tf.Tensor, body, variables):
    return tf.while_loop(
        lambda step_number, *_: step_number < time,
        body,
        variables,
        maximum_iterations=time,
        parallel_iterations=1,
    )
