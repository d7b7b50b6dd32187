"""The recurrent layers once more, in NumPy and float64, written from the equations."""

from collections.abc import Callable, Sequence

import numpy as np

Step = Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]
"""Takes the inputs of one time step and the states, gives the new states; the first of them is the output."""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def linear(x):
    return x


def hard_sigmoid(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def _with_bias(weights, shape):
    weights = [np.asarray(weight, "float64") for weight in weights]
    return weights if len(weights) > 2 else [*weights, np.zeros(shape)]


def simple_rnn(weights: Sequence[np.ndarray], activation=np.tanh) -> Step:
    w, u, b = _with_bias(weights, 1)
    return lambda x, states: [activation(x @ w + states[0] @ u + b)]


def gru_reset_after(weights: Sequence[np.ndarray], activation=np.tanh, sigma=sigmoid) -> Step:
    w, u, b = _with_bias(weights, (2, 1))
    units = u.shape[0]
    w_z, w_r, w_h = w[:, :units], w[:, units : 2 * units], w[:, 2 * units :]
    u_z, u_r, u_h = u[:, :units], u[:, units : 2 * units], u[:, 2 * units :]
    b = np.broadcast_to(b, (2, 3 * units)).reshape(2, 3, units)

    def step(x, states):
        h = states[0]
        z = sigma(x @ w_z + b[0, 0] + h @ u_z + b[1, 0])
        r = sigma(x @ w_r + b[0, 1] + h @ u_r + b[1, 1])
        candidate = activation(x @ w_h + b[0, 2] + r * (h @ u_h + b[1, 2]))
        return [z * h + (1 - z) * candidate]

    return step


def gru_reset_before(weights: Sequence[np.ndarray], activation=np.tanh, sigma=sigmoid) -> Step:
    w, u, b = _with_bias(weights, 1)
    units = u.shape[0]
    b_z, b_r, b_h = np.broadcast_to(b, 3 * units).reshape(3, units)

    def step(x, states):
        h = states[0]
        z = sigma(x @ w[:, :units] + h @ u[:, :units] + b_z)
        r = sigma(x @ w[:, units : 2 * units] + h @ u[:, units : 2 * units] + b_r)
        candidate = activation(x @ w[:, 2 * units :] + (r * h) @ u[:, 2 * units :] + b_h)
        return [z * h + (1 - z) * candidate]

    return step


def gru_simplified(weights: Sequence[np.ndarray]) -> Step:
    """As the course has it, with Γu = 1 - z."""
    w, u, b = _with_bias(weights, 1)
    units = u.shape[0]
    b_z, b_h = np.broadcast_to(b, 2 * units).reshape(2, units)

    def step(x, states):
        c = states[0]
        gamma_u = 1 - sigmoid(x @ w[:, :units] + c @ u[:, :units] + b_z)
        candidate = np.tanh(x @ w[:, units:] + c @ u[:, units:] + b_h)
        return [gamma_u * candidate + (1 - gamma_u) * c]

    return step


def lstm(weights: Sequence[np.ndarray], activation=np.tanh, sigma=sigmoid, output_activation=np.tanh) -> Step:
    w, u, b = _with_bias(weights, 1)
    return _lstm(w, u, b, np.zeros((3, u.shape[0])), activation, sigma, output_activation)


def peephole_lstm(weights: Sequence[np.ndarray], output_activation=np.tanh) -> Step:
    *weights, peepholes = weights
    w, u, b = _with_bias(weights, 1)
    return _lstm(w, u, b, np.asarray(peepholes, "float64"), np.tanh, sigmoid, output_activation)


def _lstm(w, u, b, peepholes, activation, sigma, output_activation) -> Step:
    units = u.shape[0]
    b = np.broadcast_to(b, 4 * units)
    columns = {gate: slice(index * units, (index + 1) * units) for index, gate in enumerate("ifco")}
    p_i, p_f, p_o = peepholes

    def step(x, states):
        h, c = states
        z = {gate: x @ w[:, at] + h @ u[:, at] + b[at] for gate, at in columns.items()}
        gamma_u = sigma(z["i"] + p_i * c)
        gamma_f = sigma(z["f"] + p_f * c)
        c = gamma_u * activation(z["c"]) + gamma_f * c
        gamma_o = sigma(z["o"] + p_o * c)
        return [gamma_o * output_activation(c), c]

    return step


def run(step: Step, x, states, mask=None, go_backwards=False, zero_output_for_mask=False):
    """Runs each row alone over its valid steps alone, and puts the outputs back where they belong.

    Returns:
        The outputs `(batch, time, units)`, in the order of reading, and the list of final states.
    """
    batch, time = x.shape[:2]
    mask = np.ones((batch, time), bool) if mask is None else mask
    outputs = np.zeros((batch, time, states[0].shape[-1]))
    finals = []
    for row in range(batch):
        state = [np.asarray(state[row : row + 1], "float64") for state in states]
        last = np.zeros(states[0].shape[-1])
        for position, t in enumerate(reversed(range(time)) if go_backwards else range(time)):
            if mask[row, t]:
                state = step(x[row : row + 1, t].astype("float64"), state)
                last = state[0][0]
            if mask[row, t] or not zero_output_for_mask:
                outputs[row, position] = last
        finals.append(state)
    return outputs, [np.concatenate(rows) for rows in zip(*finals, strict=True)]
