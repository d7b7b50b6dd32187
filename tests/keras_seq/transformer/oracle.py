"""Transformer blocks once more, in NumPy and float64, from the equations and the weights of ours."""

import math

import numpy as np

from tests.keras_seq.attention import multi_head_oracle


def norm(layer, x, epsilon):
    """Layer normalisation (Ba et al. 2016, equation 4), or by the root mean square (Zhang & Sennrich 2019)."""
    scale, *bias = layer.get_weights()
    if type(layer).__name__ == "LayerNormalization":
        x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon) * scale + sum(bias)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": np.vectorize(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    "silu": lambda x: x / (1 + np.exp(-x)),
}


def dense(layer, x):
    kernel, *bias = layer.get_weights()
    return x @ kernel.astype("float64") + sum(bias)


def feed_forward(layer, x, activation):
    if activation == "swiglu":
        hidden = ACTIVATIONS["silu"](dense(layer.expand, x)) * dense(layer.gate, x)
    else:
        hidden = ACTIVATIONS[activation](dense(layer.expand, x))
    return dense(layer.contract, hidden)


def attention(layer, x, memory, mask, causal, rotary=None):
    shape = (len(x), layer.num_heads, x.shape[1], memory.shape[1])
    visible = multi_head_oracle.visible_steps(shape, mask, causal=causal)
    weights = multi_head_oracle.weights_of(layer)
    return multi_head_oracle.multi_head_attention(weights, x, memory, memory, visible, rotary)[0]


def block(sublayers, x, norm_first, epsilon):
    """All sublayers, each a pair of its norm and its function, with the residual path around it."""
    x = x.astype("float64")
    for layer, function in sublayers:
        x = x + function(norm(layer, x, epsilon)) if norm_first else norm(layer, x + function(x), epsilon)
    return x


def encoder_block(ours, x, mask=None, rotary=None, activation="relu", norm_first=False, epsilon=1e-5):
    sublayers = [
        (ours.attention_norm, lambda x: attention(ours.attention, x, x, mask, False, rotary)),
        (ours.feed_forward_norm, lambda x: feed_forward(ours.feed_forward, x, activation)),
    ]
    return block(sublayers, x, norm_first, epsilon)


def decoder_block(
    ours, x, memory=None, mask=None, memory_mask=None, rotary=None, activation="relu", norm_first=False, epsilon=1e-5
):
    sublayers = [(ours.self_attention_norm, lambda x: attention(ours.self_attention, x, x, mask, True, rotary))]
    if memory is not None:
        looks = (ours.cross_attention_norm, lambda x: attention(ours.cross_attention, x, memory, memory_mask, False))
        sublayers.append(looks)
    sublayers.append((ours.feed_forward_norm, lambda x: feed_forward(ours.feed_forward, x, activation)))
    return block(sublayers, x, norm_first, epsilon)
