"""Attention and its decoders once more, in NumPy and float64, row by row and step by step, from the equations."""

from collections.abc import Callable

import numpy as np

Scores = Callable[[np.ndarray, np.ndarray], float]
"""Takes a query and one of the values, gives e."""


def bahdanau(weights) -> Scores:
    query_kernel, memory_kernel, v, *bias = (np.asarray(weight, "float64") for weight in weights)
    return lambda s, a: v @ np.tanh(s @ query_kernel + a @ memory_kernel + sum(bias))


def luong_dot(weights) -> Scores:
    assert not weights
    return lambda s, a: s @ a


def luong_general(weights) -> Scores:
    (memory_kernel,) = (np.asarray(weight, "float64") for weight in weights)
    return lambda s, a: s @ (a @ memory_kernel)


def luong_concat(weights) -> Scores:
    """As in the paper, over the concatenation of both."""
    query_kernel, memory_kernel, v = (np.asarray(weight, "float64") for weight in weights)
    return lambda s, a: v @ np.tanh(np.concatenate([s, a]) @ np.concatenate([query_kernel, memory_kernel]))


def attend(scores: Scores, query, values, valid):
    """One query `(features,)` over `(steps, features)`: the context and alpha, over the valid steps alone."""
    context, alpha = np.zeros(values.shape[-1]), np.zeros(len(values))
    steps = np.flatnonzero(valid)
    if len(steps):
        e = np.array([scores(query.astype("float64"), values[step].astype("float64")) for step in steps])
        alpha[steps] = np.exp(e - e.max()) / np.exp(e - e.max()).sum()
        context = alpha @ values
    return context, alpha


def attend_all(scores: Scores, query, values, mask):
    """Queries `(batch, queries, features)` over `(batch, steps, features)`: all contexts and all alphas."""
    results = [
        [attend(scores, one, row_values, valid) for one in row]
        for row, row_values, valid in zip(query, values, mask, strict=True)
    ]
    return tuple(np.array([[one[index] for one in row] for row in results]) for index in range(2))


def decode(cell, scores, inputs, values, memory_mask, mask, states, after=None, input_feeding=True):
    """A decoder, each row alone over its valid steps.

    Args:
        cell: a step of `tests.keras_seq.recurrent.oracle`.
        scores: of the attention.
        inputs: `(batch, time, features)`.
        values: `(batch, steps, features)`, with `memory_mask`.
        mask: of the inputs.
        states: the initial states.
        after: `None` to attend before the cell, or the kernel W_c.
        input_feeding: whether W_c's result goes into the next step.

    Returns:
        Outputs `(batch, time, size)`, alphas `(batch, time, steps)`, and the final states.
    """
    size = states[0].shape[-1] if after is None else after.shape[-1]
    outputs, alphas = np.zeros((*inputs.shape[:2], size)), np.zeros((*inputs.shape[:2], values.shape[1]))
    finals = []
    for row, sequence in enumerate(inputs):
        state = [np.asarray(one[row], "float64") for one in states]
        output, alpha = np.zeros(size), np.zeros(values.shape[1])
        for t, x in enumerate(sequence):
            if mask[row, t]:
                if after is None:
                    context, alpha = attend(scores, state[0], values[row], memory_mask[row])
                    state = cell(np.concatenate([x, context]), state)
                    output = state[0]
                else:
                    state = cell(np.concatenate([x, output]) if input_feeding else x, state)
                    context, alpha = attend(scores, state[0], values[row], memory_mask[row])
                    output = np.tanh(np.concatenate([state[0], context]) @ after)
            outputs[row, t], alphas[row, t] = output, alpha
        finals.append(state)
    return outputs, alphas, [np.stack(rows) for rows in zip(*finals, strict=True)]
