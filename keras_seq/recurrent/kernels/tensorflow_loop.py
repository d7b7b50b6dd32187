"""The loop over time that the TensorFlow kernels share, forward and backward, with masks."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

Tensors = list[tf.Tensor]


class Run(NamedTuple):
    """The forward pass over a sequence of `time` steps.

    The arrays are handed to the backward pass as they are: to stack them would copy every tensor, once there and once
    back.

    Attributes:
        final_states: the states after the last step, each `(batch, units)`.
        histories: each state before the first step and after each step, `1 + time` tensors `(batch, units)`.
        kept: each tensor that `Step.forward` keeps, `time` tensors `(batch, units)`.
    """

    final_states: list[tf.Tensor]
    histories: list[tf.TensorArray]
    kept: list[tf.TensorArray]

    def states_before(self, index: int) -> tf.Tensor:
        """One state before each step, `(time, batch, units)`."""
        return self.histories[index].stack()[:-1]

    def states_after(self, index: int) -> tf.Tensor:
        """One state after each step, `(time, batch, units)`."""
        return self.histories[index].stack()[1:]


class Step(Protocol):
    """The arithmetic of one cell, one time step forward and one backward; every tensor is `(batch, ...)`.

    Both run inside a loop over time, so both hold what has to be there and no more: products with whole sequences (the
    input projection, the gradients of the weights) are done outside.

    Attributes:
        num_kept: how many tensors `forward` keeps for `backward`, besides the states.
        num_inside: how many gradients inside a step `backward` gives.
        num_sums: how many products `backward` gives to be summed over all steps.
    """

    num_kept: int
    num_inside: int
    num_sums: int

    @staticmethod
    def arrange(
        batch: tf.Tensor, *weights: tf.Tensor | None
    ) -> tuple[list[tuple[tf.Tensor, tf.Tensor | None]], Tensors]:
        """From weights in Keras' layout: kernel and bias of each input projection, and the constructor's arguments.

        `batch` is the number of sequences.
        """

    def forward(self, projected: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """From the projected inputs of a step and the states before it: the states after it, and what to keep."""

    def backward(
        self, kept: Tensors, states: Tensors, new_states: Tensors, d_states: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        """From the gradients of the states after a step: those inside it, those of the states before it, and products.

        All of them are linear in `d_states`, so that a masked step, where those are zero, adds nothing.
        """

    def gradients(self, run: Run, inside: Tensors, sums: Tensors) -> tuple[Tensors, Tensors]:
        """From the gradients inside all steps and the sums: those of the projected inputs and of the step's weights."""


def recur(
    make_step: Callable[..., Step], projected: Tensors, states: Tensors, weights: Tensors, mask: tf.Tensor | None
) -> tuple[tf.Tensor, Tensors]:
    """Runs a cell over a sequence, with its hand-written backward pass for a gradient.

    Args:
        make_step: from weights, a cell.
        projected: the projected inputs, each `(time, batch, gates * units)`.
        states: the initial states, each `(batch, units)`.
        weights: what `make_step` takes.
        mask: `None` or booleans `(time, batch, 1)`; a masked step holds every state.

    Returns:
        The first state after each step, `(time, batch, units)`, and the final states.
    """
    arguments = [projected, states, weights]

    @tf.custom_gradient
    def recurrence(*flat_arguments):
        projected, states, weights = tf.nest.pack_sequence_as(arguments, flat_arguments)
        step = make_step(*weights)
        run = run_forward(step, projected, states, mask)

        def gradient(d_outputs, *d_final_states):
            inside, d_states, sums = run_backward(step, run, d_outputs, list(d_final_states), mask)
            d_projected, d_weights = step.gradients(run, inside, sums)
            return [*d_projected, *d_states, *d_weights]

        return [run.states_after(0), *run.final_states], gradient

    outputs, *final_states = recurrence(*tf.nest.flatten(arguments))
    return outputs, final_states


def weight_gradient(inputs: tf.Tensor, d_outputs: tf.Tensor) -> tf.Tensor:
    """The gradient of `kernel` in `inputs @ kernel`, over whole sequences `(time, batch, ...)`, as one product."""
    inputs, d_outputs = (tf.reshape(x, [-1, x.shape[-1]]) for x in (inputs, d_outputs))
    return tf.matmul(inputs, d_outputs, transpose_a=True)


def run_forward(step: Step, projected: Tensors, states: Tensors, mask: tf.Tensor | None) -> Run:
    """Runs a cell over a sequence; the arguments are those of `recur`."""
    time = _length(projected[0])

    def body(t, states, histories, kept):
        new_states, kept_t = step.forward([sequence[t] for sequence in projected], states)
        if mask is not None:
            new_states = [tf.where(mask[t], new, old) for new, old in zip(new_states, states, strict=True)]
        return t + 1, new_states, _write(histories, t + 1, new_states), _write(kept, t, kept_t)

    histories = [_array(state, time + 1).write(0, state) for state in states]
    kept = [_array(states[0], time) for _ in range(step.num_kept)]
    return Run(*_while(time, body, states, histories, kept))


def run_backward(
    step: Step, run: Run, d_outputs: tf.Tensor, d_states: Tensors, mask: tf.Tensor | None
) -> tuple[Tensors, Tensors, Tensors]:
    """Runs a cell backward over the sequence of `run`.

    Args:
        step: the cell.
        run: what `run_forward` gave.
        d_outputs: gradients of the first state after each step, `(time, batch, units)`.
        d_states: gradients of the final states, each `(batch, units)`.
        mask: what `run_forward` had.

    Returns:
        The gradients inside the steps, as `Step.backward` gives them, each `(time, batch, ...)`, zero at masked steps;
        the gradients of the initial states; and the sums of the products over the steps.
    """
    time = _length(d_outputs)

    def body(step_number, d_states, inside, sums):
        t = time - 1 - step_number
        d_states = [d_states[0] + d_outputs[t], *d_states[1:]]
        if mask is not None:
            d_all, d_states = d_states, [tf.where(mask[t], d, tf.zeros_like(d)) for d in d_states]
            d_held = [d - d_valid for d, d_valid in zip(d_all, d_states, strict=True)]
        kept, states, new_states = _read(run.kept, t), _read(run.histories, t), _read(run.histories, t + 1)
        inside_t, d_states, products = step.backward(kept, states, new_states, d_states)
        if mask is not None:
            d_states = [d + held for d, held in zip(d_states, d_held, strict=True)]
        sums = [total + tf.cast(product, total.dtype) for total, product in zip(sums, products, strict=True)]
        return step_number + 1, d_states, _write(inside, t, inside_t), sums

    inside = [tf.TensorArray(d_outputs.dtype, size=time) for _ in range(step.num_inside)]
    # Not in half precision, where a long sum would lose its last terms.
    wide = tf.float32 if d_outputs.dtype.size < 4 else d_outputs.dtype
    sums = [tf.zeros_like(d_outputs[0], dtype=wide) for _ in range(step.num_sums)]
    d_states, inside, sums = _while(time, body, d_states, inside, sums)
    return [array.stack() for array in inside], d_states, [tf.cast(total, d_outputs.dtype) for total in sums]


def _length(sequence: tf.Tensor) -> int | tf.Tensor:
    # XLA wants the sizes of arrays and loops to be constants, so the static length is taken where there is one.
    return sequence.shape[0] if sequence.shape[0] is not None else tf.shape(sequence)[0]


def _array(element: tf.Tensor, size: int | tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(element.dtype, size=size, element_shape=element.shape, clear_after_read=False)


def _read(arrays: list[tf.TensorArray], index: tf.Tensor) -> Tensors:
    return [array.read(index) for array in arrays]


def _write(arrays: list[tf.TensorArray], index: tf.Tensor, values: Tensors) -> list[tf.TensorArray]:
    return [array.write(index, value) for array, value in zip(arrays, values, strict=True)]


def _while(time: int | tf.Tensor, body: Callable, *variables: list) -> tuple:
    step_number = tf.constant(0)
    _, *results = tf.while_loop(
        lambda step_number, *_: step_number < time,
        body,
        (step_number, *variables),
        maximum_iterations=time,
        parallel_iterations=1,
    )
    return tuple(results)
