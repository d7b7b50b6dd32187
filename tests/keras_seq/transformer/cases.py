"""Transformer layers that the tests go through, with data of a different size on each axis, primes where they can."""

import numpy as np

import keras_seq
from tests.keras_seq.attention.cases import normal, with_random_weights

BATCH, TIME, STEPS = 5, 7, 11
HEADS, KEY_DIM, FEED_FORWARD_UNITS, MEMORY_FEATURES, NUM_LAYERS = 6, 4, 13, 17, 2
FEATURES = HEADS * KEY_DIM

# One row each: full, padded on the right, on the left, with gaps, and without one valid step.
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)
MEMORY_MASK = np.array(
    [
        [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0],
    ],
    bool,
)
# name: arguments of blocks and stacks, in forms that differ from the defaults
VARIANTS = {
    "post_norm": {},
    "pre_norm-gelu-grouped": {"norm_first": True, "activation": "gelu", "num_key_value_heads": 3},
    "rms-swiglu-multi_query-no_bias": {
        "norm": "rms",
        "norm_first": True,
        "activation": "swiglu",
        "num_key_value_heads": 1,
        "use_bias": False,
    },
    "key_dim": {"key_dim": 2, "norm": "rms", "epsilon": 1e-3},
}


def inputs(time=TIME, seed=0):
    return normal(BATCH, time, FEATURES, seed=seed)


def memory(seed=1, features=MEMORY_FEATURES):
    return normal(BATCH, STEPS, features, seed=seed)


def encoder_block(variant="post_norm", **kwargs):
    block = keras_seq.TransformerEncoderBlock(HEADS, FEED_FORWARD_UNITS, **VARIANTS[variant], **kwargs)
    block.build((None, None, FEATURES))
    return with_random_weights(block)


def decoder_block(variant="post_norm", memory_features=MEMORY_FEATURES, **kwargs):
    """Attends to a memory, unless `memory_features` is `None`."""
    attends = {"cross_attention": memory_features is not None}
    block = keras_seq.TransformerDecoderBlock(HEADS, FEED_FORWARD_UNITS, **VARIANTS[variant], **attends, **kwargs)
    block.build((None, None, FEATURES), memory_features and (None, None, memory_features))
    return with_random_weights(block)


def encoder(variant="post_norm", **kwargs):
    stack = keras_seq.TransformerEncoder(NUM_LAYERS, HEADS, FEED_FORWARD_UNITS, **VARIANTS[variant], **kwargs)
    stack.build((None, None, FEATURES))
    return with_random_weights(stack)


def decoder(variant="post_norm", memory_features=MEMORY_FEATURES, **kwargs):
    """Attends to a memory, unless `memory_features` is `None`."""
    kwargs["cross_attention"] = memory_features is not None
    stack = keras_seq.TransformerDecoder(NUM_LAYERS, HEADS, FEED_FORWARD_UNITS, **VARIANTS[variant], **kwargs)
    stack.build((None, None, FEATURES), memory_features and (None, None, memory_features))
    return with_random_weights(stack)
