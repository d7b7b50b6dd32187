"""What ONNX Runtime's operators of 8-bit integers compute, in NumPy: integers by integers, without clipping."""

import numpy as np

from keras_seq.export.quantization.integer_weight import IntegerWeight

_FUNCTIONS = {
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Softplus": lambda x: np.log1p(np.exp(x)),
}


def quantize_activations(x):
    """`DynamicQuantizeLinear`: integers from 0 to 255, their scale and their zero point, one of each for all of `x`."""
    x = np.asarray(x, "float32")
    low, high = np.float32(min(0, x.min())), np.float32(max(0, x.max()))
    scale = (high - low) / np.float32(255) or np.float32(1)
    zero = np.clip(np.rint(-low / scale), 0, 255)
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype("int64"), scale, int(zero)


def integer_sums(x, values):
    """The sums of `DynamicQuantizeMatMul` before they are scaled, and the scale of the activations."""
    integers, scale, zero = quantize_activations(x)
    return (integers - zero) @ values.astype("int64"), scale


def product(x, weight, bias=0):
    """`DynamicQuantizeMatMul` of activations (..., inputs) and a float weight (inputs, outputs)."""
    weight = IntegerWeight.for_products(weight)
    sums, scale = integer_sums(x, weight.values)
    return (sums * (scale * weight.scales[0]) + bias).astype("float32")


def recurrence(operator, x, w, r, b, lengths, initial, activations, *, backwards=False, resets_after=True):
    """One direction of `GRU` or `RNN` as the `Scan` computes it: x is quantised once, the state at every step.

    Args:
        operator: `"GRU"` or `"RNN"`.
        x: (time, batch, features).
        w: (gates * units, features).
        r: (gates * units, units).
        b: (2 * gates * units,).
        lengths: (batch,).
        initial: (batch, units).
        activations: Names, as ONNX has them.
        backwards: Whether time runs backwards, from each row's last step.
        resets_after: Whether the reset gate stands behind the product (`linear_before_reset`).

    Returns:
        Outputs (time, batch, units) and the final state (batch, units).
    """
    units, half = r.shape[1], len(b) // 2
    xs, h = product(x, w.T, b[:half]), initial
    f, *g = [_FUNCTIONS[name] for name in activations]
    outputs = np.zeros((*x.shape[:2], units), "float32")
    for t in reversed(range(len(x))) if backwards else range(len(x)):
        if operator == "RNN":
            after = f(xs[t] + product(h, r.T, b[half:]))
        else:
            after = _gru_step(xs[t], h, r, b[half:], f, g[0], resets_after)
        inside = (t < lengths)[:, None]
        h = np.where(inside, after, h).astype("float32")
        outputs[t] = np.where(inside, h, 0)
    return outputs, h


def _gru_step(x, h, r, b, f, g, resets_after):
    units = h.shape[1]
    if resets_after:
        own = product(h, r.T, b)
        zr, own = own[:, : 2 * units], own[:, 2 * units :]
    else:
        zr = product(h, r[: 2 * units].T, b[: 2 * units])
    z, reset = np.split(f(x[:, : 2 * units] + zr), 2, axis=1)
    own = reset * own if resets_after else product(reset * h, r[2 * units :].T, b[2 * units :])
    return z * h + (1 - z) * g(x[:, 2 * units :] + own)


def lstm(x, w, r, b, lengths, initial_h, initial_c, peepholes=None):
    """One direction of `DynamicQuantizeLSTM`, forwards: w and r (4 * units, inputs), gates i o f c."""
    half, units = len(b) // 2, r.shape[1]
    xs, h, c = product(x, w.T, b[:half] + b[half:]), initial_h, initial_c
    sigmoid = _FUNCTIONS["Sigmoid"]
    p_i, p_o, p_f = np.split(np.zeros(3 * units, "float32") if peepholes is None else peepholes, 3)
    outputs = np.zeros((*x.shape[:2], units), "float32")
    for t in range(len(x)):
        inside = (t < lengths)[:, None]
        read = np.where((t <= lengths)[:, None], h, 0)  # of rows that ended before, zeros; they count for the scale
        i, o, f, candidate = np.split(xs[t] + product(read, r.T), 4, axis=1)
        after = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(candidate)
        h = np.where(inside, sigmoid(o + p_o * after) * np.tanh(after), h).astype("float32")
        c = np.where(inside, after, c).astype("float32")
        outputs[t] = np.where(inside, h, 0)
    return outputs, h, c
