"""Attention layers and decoders that the tests go through, with data of a different prime on each axis."""

import numpy as np

import keras_seq
from tests.keras_seq.attention import oracle
from tests.keras_seq.recurrent.cases import MASK as MEMORY_MASK
from tests.keras_seq.recurrent.cases import assert_all_close, numpy

__all__ = ["MEMORY_MASK", "assert_all_close", "numpy"]

BATCH, STEPS = MEMORY_MASK.shape  # 5 rows: full, padded right, padded left, with gaps, without one valid step
TIME, FEATURES, UNITS, MEMORY_FEATURES, HIDDEN = 3, 2, 11, 13, 17
TARGET_MASK = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 0]], bool)

# name: (makes one, the oracle's scores made from its weights, size of the queries)
ATTENTIONS = {
    "bahdanau": (lambda **kwargs: keras_seq.BahdanauAttention(HIDDEN, **kwargs), oracle.bahdanau, UNITS),
    "bahdanau-bias": (
        lambda **kwargs: keras_seq.BahdanauAttention(HIDDEN, use_bias=True, bias_initializer="ones", **kwargs),
        oracle.bahdanau,
        UNITS,
    ),
    "luong-dot": (keras_seq.LuongAttention, oracle.luong_dot, MEMORY_FEATURES),
    "luong-general": (lambda **kwargs: keras_seq.LuongAttention("general", **kwargs), oracle.luong_general, UNITS),
    "luong-concat": (
        lambda **kwargs: keras_seq.LuongAttention("concat", units=HIDDEN, **kwargs),
        oracle.luong_concat,
        UNITS,
    ),
}
CELLS = {
    "gru": keras_seq.GRUCell,
    "lstm": keras_seq.LSTMCell,
    "peephole_lstm": keras_seq.PeepholeLSTMCell,
    "simple_rnn": keras_seq.SimpleRNNCell,
}
HALF = {"float16": 2e-2, "bfloat16": 6e-2}
"""The dtypes of half the size, and how far their attention may be from float32's."""


def normal(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape, scale=scale).astype("float32")


def values(seed=1):
    return normal(BATCH, STEPS, MEMORY_FEATURES, seed=seed)


def attention_with_random_weights(name, **kwargs):
    make, _, query_features = ATTENTIONS[name]
    layer = make(**kwargs)
    layer.build((None, query_features), (None, None, MEMORY_FEATURES))
    return with_random_weights(layer)


def with_random_weights(layer, seed=2):
    """Gives every weight of a built layer, biases and peepholes too, random values."""
    random = np.random.default_rng(seed)
    layer.set_weights([random.normal(size=weight.shape, scale=0.6) for weight in layer.get_weights()])
    return layer


def decoder(cell="gru", attention="bahdanau", layers=1, cell_arguments=None, **kwargs):
    """A built decoder with random weights; its last cell has the size that `luong-dot` needs."""
    units = [7, ATTENTIONS[attention][2] if attention else UNITS][-layers:]
    cells = [CELLS[cell](size, **(cell_arguments or {})) for size in units]
    made = keras_seq.AttentionDecoder(
        cells if layers > 1 else cells[0], attention and ATTENTIONS[attention][0](), **kwargs
    )
    made.build((None, None, FEATURES), (None, None, MEMORY_FEATURES) if attention else None)
    return with_random_weights(made)


def decoder_arguments(made):
    """What a decoder of `decoder` is called with: inputs, memory and initial states."""
    return {
        "inputs": normal(BATCH, TIME, FEATURES, seed=3),
        "memory_values": values() if made.attention else None,
        "initial_state": [normal(BATCH, size, seed=4 + i) for i, size in enumerate(made.state_sizes.values())],
    }
