import re

import numpy as np
import pytest

import keras_seq
from keras_seq.attention import KeyValues
from tests.keras_seq.attention.multi_head_cases import (
    BATCH,
    FEATURES,
    HEADS,
    KEY_DIM,
    QUERIES,
    STEPS,
    VALUE_MASK,
    inputs,
    made,
    sequences,
)


@pytest.mark.parametrize("name", ["num_heads", "key_dim", "value_dim", "num_key_value_heads", "output_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3"])
def test_sizes_are_positive_integers(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be a positive integer\. Received: {name}={value!r}"):
        keras_seq.MultiHeadAttention(**{"num_heads": HEADS, "key_dim": KEY_DIM, name: value})


def test_heads_of_keys_divide_those_of_queries():
    message = r"`num_key_value_heads` must divide `num_heads`.*Received: num_key_value_heads=4, num_heads=6"
    with pytest.raises(ValueError, match=message):
        keras_seq.MultiHeadAttention(HEADS, KEY_DIM, num_key_value_heads=4)


def test_rotary_positions_need_pairs_of_features():
    with pytest.raises(ValueError, match=r"`key_dim` must be even with `rotary`.*Received: key_dim=5"):
        keras_seq.MultiHeadAttention(HEADS, 5, rotary=keras_seq.RotaryEmbedding())


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_is_a_fraction(dropout):
    with pytest.raises(ValueError, match=rf"`dropout` must be from 0 to less than 1\. Received: dropout={dropout}"):
        keras_seq.MultiHeadAttention(HEADS, KEY_DIM, dropout=dropout)


@pytest.mark.parametrize(
    "shape",
    [
        (BATCH, STEPS),
        (BATCH, STEPS, QUERIES),
        (3, QUERIES, STEPS),
        (BATCH, 3, QUERIES, STEPS),
        (STEPS,),
        (1, BATCH, HEADS, QUERIES, STEPS),
    ],
    ids=str,
)
def test_an_attention_mask_of_another_shape_is_refused(shape):
    expected = f"(queries, steps), (batch, queries, steps) or (batch, heads, queries, steps), here {(QUERIES, STEPS)}"
    message = f"`attention_mask` of layer 'mine' must have the shape {expected}"
    with pytest.raises(ValueError, match=rf"{re.escape(message)}.*Received: shape {re.escape(str(shape))}"):
        made(name="mine")(*inputs(), attention_mask=np.ones(shape, bool))


@pytest.mark.parametrize("name", ["value_mask", "key_mask"])
@pytest.mark.parametrize("shape", [(BATCH, QUERIES), (3, STEPS), (STEPS,), (BATCH, QUERIES, STEPS)], ids=str)
def test_a_padding_mask_of_another_shape_is_refused(name, shape):
    message = rf"`{name}` of layer 'mine' must have the shape \(batch, steps\), here \(5, 11\)\. Received: shape"
    with pytest.raises(ValueError, match=f"{message} {re.escape(str(shape))}"):
        made(name="mine")(*inputs(), **{name: np.ones(shape, bool)})


def self_attention(variant="grouped", **kwargs):
    return made(variant, (FEATURES, FEATURES, FEATURES), **kwargs)


@pytest.mark.parametrize("wrong", ["heads", "key_dim", "rank"])
def test_a_cache_of_another_layer_is_refused(wrong):
    layer, x = self_attention(name="mine"), sequences()
    cache = {
        "heads": lambda: self_attention("multi_query").empty_cache(BATCH),
        "key_dim": lambda: self_attention(key_dim=5).empty_cache(BATCH),
        "rank": lambda: KeyValues(*(tensor[0] for tensor in layer.empty_cache(BATCH))),
    }[wrong]()
    message = r"The keys that layer 'mine' attends to must have the shape \(batch, 3, steps, 4\)\. Received: shape"
    with pytest.raises(ValueError, match=f"{message}.*start from its `empty_cache`"):
        layer.step(x[:, :1], cache)


def test_a_cache_of_another_batch_is_refused():
    layer, x = self_attention(name="mine"), sequences()
    message = r"The cache of layer 'mine' must be of the batch of its inputs, 5 sequences\. Received: keys of 2"
    with pytest.raises(ValueError, match=message):
        layer.step(x[:, :1], layer.empty_cache(2))


def test_a_memory_of_another_layer_is_refused():
    layer, (query, value, key) = made(name="mine"), inputs()
    memory = made("multi_query").project_memory(value, key)
    with pytest.raises(ValueError, match=r"layer 'mine' attends to must have the shape \(batch, 6, steps, 4\)"):
        layer.attend(query, memory)


def test_a_mask_that_broadcasts_is_no_padding_mask():
    with pytest.raises(ValueError, match="`value_mask` of layer 'mine'"):
        made(name="mine")(*inputs(), value_mask=VALUE_MASK[:1])
