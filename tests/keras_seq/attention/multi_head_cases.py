"""Multi-head attention that the tests go through, with data of a different size on each axis, primes where they can."""

import numpy as np

import keras_seq
from tests.keras_seq.attention import multi_head_oracle as oracle
from tests.keras_seq.attention.cases import normal

BATCH, QUERIES, STEPS = 5, 7, 11
FEATURES, VALUE_FEATURES, KEY_FEATURES = 13, 17, 19
HEADS, KEY_DIM, VALUE_DIM, OUTPUT = 6, 4, 23, 29  # 6 can be grouped in three ways; rotary positions turn pairs

# One row each: full, padded on the right, on the left, with gaps, and without one valid step.
VALUE_MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)
_random = np.random.default_rng(7)
MASK_3D = _random.uniform(size=(BATCH, QUERIES, STEPS)) < 0.6
MASK_3D[1, 2] = False  # a query that sees nothing
MASK_4D = _random.uniform(size=(BATCH, HEADS, QUERIES, STEPS)) < 0.6
MASK_4D[0, 3, 1] = False  # one that sees nothing with one of its heads

# name: arguments of the call
MASKS = {
    "none": {},
    "padding": {"value_mask": VALUE_MASK},
    "attention_mask": {"attention_mask": MASK_3D},
    "attention_mask_of_heads": {"attention_mask": MASK_4D},
    "causal": {"use_causal_mask": True},
    "padding+causal": {"value_mask": VALUE_MASK, "use_causal_mask": True},
    "padding+attention_mask": {"value_mask": VALUE_MASK, "attention_mask": MASK_3D},
    "all": {"value_mask": VALUE_MASK, "attention_mask": MASK_4D, "use_causal_mask": True},
}
# name: arguments of the layer
VARIANTS = {
    "plain": {},
    "no_bias": {"use_bias": False},
    "grouped": {"num_key_value_heads": 3},
    "multi_query": {"num_key_value_heads": 1},
    "value_dim": {"value_dim": VALUE_DIM, "output_size": OUTPUT},
    "grouped-value_dim-no_bias": {"num_key_value_heads": 2, "value_dim": VALUE_DIM, "use_bias": False},
}


def made(variant="plain", features=(FEATURES, VALUE_FEATURES, KEY_FEATURES), **kwargs):
    """A built layer with random weights, biases too."""
    arguments = {"num_heads": HEADS, "key_dim": KEY_DIM, **VARIANTS[variant], **kwargs}
    layer = keras_seq.MultiHeadAttention(**arguments)
    layer.build(*((None, None, size) for size in features))
    random = np.random.default_rng(2)
    layer.set_weights([random.normal(size=weight.shape, scale=0.5) for weight in layer.get_weights()])
    return layer


def inputs(seed=0):
    """Query, value and key."""
    sizes = ((QUERIES, FEATURES), (STEPS, VALUE_FEATURES), (STEPS, KEY_FEATURES))
    return [normal(BATCH, *size, seed=seed + index) for index, size in enumerate(sizes)]


def sequences(time=STEPS, seed=3):
    """What attends to itself."""
    return normal(BATCH, time, FEATURES, seed=seed)


def expected(layer, query, value, key, value_mask=None, attention_mask=None, use_causal_mask=False, rotary=None):
    """Outputs and scores of the oracle, for a call with these arguments."""
    shape = (len(query), layer.num_heads, query.shape[1], value.shape[1])
    visible = oracle.visible_steps(shape, value_mask, attention_mask, use_causal_mask)
    return oracle.multi_head_attention(oracle.weights_of(layer), query, value, key, visible, rotary)
