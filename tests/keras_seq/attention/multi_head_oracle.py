"""Multi-head attention once more, in NumPy and float64, one head of one query at a time, from the equations."""

import numpy as np


def visible_steps(shape, value_mask=None, attention_mask=None, causal=False):
    """How much each query sees of each step before the softmax, `(batch, heads, queries, steps)`: 1, or else 0.

    A query that sees nothing sees half of everything; where the future is hidden, of everything up to itself.
    """
    queries, steps = shape[2:]
    allowed = np.tri(queries, steps, dtype=bool) if causal else np.ones((queries, steps), bool)
    allowed = np.broadcast_to(allowed, shape)
    seen = allowed.copy()
    if value_mask is not None:
        seen &= value_mask[:, None, None, :]
    if attention_mask is not None:
        seen &= attention_mask[:, None] if attention_mask.ndim == 3 else attention_mask
    return np.where(seen.any(axis=-1, keepdims=True), seen, 0.5 * allowed)


def rotated(vector, position, base=10000.0):
    """Su et al. 2021, equation 34, by complex numbers; feature i is the real part to the imaginary part i + d/2."""
    half = len(vector) // 2
    pairs = vector[:half] + 1j * vector[half:]
    pairs = pairs * np.exp(1j * position * base ** (-np.arange(half) / half))
    return np.concatenate([pairs.real, pairs.imag])


def multi_head_attention(weights, query, value, key, visible, rotary=None):
    """All heads of all queries.

    Args:
        weights: by our names; the biases may be left out.
        query: `(batch, queries, features)`.
        value: `(batch, steps, value_features)`.
        key: `(batch, steps, key_features)`.
        visible: of `visible_steps`; a query that sees half of some steps attends to them evenly.
        rotary: the base of rotary positions, which are those in the sequences; `None` without.

    Returns:
        The outputs `(batch, queries, output)` and the scores `(batch, heads, queries, steps)`.
    """
    weights = {name: np.asarray(array, "float64") for name, array in weights.items()}
    heads, _, output = weights["output_kernel"].shape
    group = heads // weights["key_kernel"].shape[1]
    (batch, queries), steps = query.shape[:2], value.shape[1]
    outputs, scores = np.zeros((batch, queries, output)), np.zeros((batch, heads, queries, steps))

    def project(name, vector, head, position=None):
        result = vector @ weights[f"{name}_kernel"][:, head]
        if f"{name}_bias" in weights:
            result = result + weights[f"{name}_bias"][head]
        return result if rotary is None or position is None else rotated(result, position, rotary)

    for row, head, t in np.ndindex(batch, heads, queries):
        q = project("query", query[row, t], head, t)
        at = np.flatnonzero(visible[row, head, t])
        e = np.array([q @ project("key", key[row, s], head // group, s) for s in at]) / np.sqrt(len(q))
        e = e if visible[row, head, t].max() == 1 else np.zeros(len(at))
        alpha = np.exp(e - e.max()) / np.exp(e - e.max()).sum()
        scores[row, head, t, at] = alpha
        context = sum(a * project("value", value[row, s], head // group) for a, s in zip(alpha, at, strict=True))
        outputs[row, t] += context @ weights["output_kernel"][head]
    return outputs + weights.get("output_bias", 0.0), scores


def weights_of(layer):
    """The weights of a layer of ours by their names."""
    return {weight.name: np.asarray(array) for weight, array in zip(layer.weights, layer.get_weights(), strict=True)}
