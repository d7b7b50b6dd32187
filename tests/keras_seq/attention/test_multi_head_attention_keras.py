"""Beside the layers of Keras, with weights that go both ways."""

import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.attention.multi_head_cases import (
    FEATURES,
    HEADS,
    KEY_DIM,
    KEY_FEATURES,
    MASK_3D,
    MASK_4D,
    QUERIES,
    STEPS,
    VALUE_DIM,
    VALUE_FEATURES,
    VALUE_MASK,
    inputs,
    sequences,
)
from tests.keras_seq.gradients import gradients_of
from tests.keras_seq.recurrent.cases import numpy

SHAPES = ((None, QUERIES, FEATURES), (None, STEPS, VALUE_FEATURES), (None, STEPS, KEY_FEATURES))
# Rows that see nothing are left out under the causal mask: there Keras looks into the future.
MASKS = {
    "none": {},
    "padding": {"value_mask": VALUE_MASK},
    "causal": {"use_causal_mask": True},
    "attention_mask": {"attention_mask": MASK_3D},
    "attention_mask_of_heads": {"attention_mask": MASK_4D},
    "padding+attention_mask": {"value_mask": VALUE_MASK, "attention_mask": MASK_3D},
    "padding+causal": {"value_mask": VALUE_MASK | (np.arange(STEPS) == 0), "use_causal_mask": True},
}


def pair(**kwargs):
    """Keras' layer with random weights, and ours with the same ones."""
    shared = {"num_heads": HEADS, "key_dim": KEY_DIM, **kwargs}
    stock = keras.layers.MultiHeadAttention(**shared)
    stock.build(*SHAPES)
    random = np.random.default_rng(4)
    stock.set_weights([random.normal(size=weight.shape, scale=0.5) for weight in stock.get_weights()])
    ours = keras_seq.MultiHeadAttention(**shared)
    ours.build(*SHAPES)
    ours.set_weights(stock.get_weights())
    return stock, ours


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"use_bias": False},
        # Under JAX Keras' own layer fails where keys and values differ in size.
        pytest.param({"value_dim": VALUE_DIM}, marks=pytest.mark.backend("tensorflow", "torch")),
    ],
    ids=str,
)
def test_outputs_and_scores_are_those_of_keras(kwargs, masks):
    stock, ours = pair(**kwargs)
    outputs, scores = ours(*inputs(), return_attention_scores=True, **MASKS[masks])
    np.testing.assert_allclose(numpy(outputs), numpy(stock(*inputs(), **MASKS[masks])), rtol=1e-4, atol=2e-5)
    _, reference = stock(*inputs(), return_attention_scores=True, **MASKS[masks])
    # Asked for scores, and then alone, Keras gives a query that sees nothing zeros: there is nothing to compare.
    sees = numpy(reference).any(axis=-1, keepdims=True)
    np.testing.assert_allclose(numpy(scores) * sees, numpy(reference), rtol=1e-4, atol=1e-6)


def test_weights_go_back_to_keras():
    stock, ours = pair()
    random = np.random.default_rng(5)
    ours.set_weights([random.normal(size=weight.shape) for weight in ours.get_weights()])
    stock.set_weights(ours.get_weights())
    np.testing.assert_allclose(numpy(ours(*inputs())), numpy(stock(*inputs())), rtol=1e-4, atol=1e-4)
    names = [(weight.name, tuple(weight.shape)) for weight in stock.weights]
    assert [(weight.name.split("_")[1], tuple(weight.shape)) for weight in ours.weights] == names


def test_gradients_are_those_of_keras():
    stock, ours = pair()
    rows = [part[:4] for part in inputs()]  # the fifth row sees nothing: an even look has no gradient of its own
    expected, received = (
        gradients_of(layer, lambda layer=layer: layer(*rows, value_mask=VALUE_MASK[:4])) for layer in (stock, ours)
    )
    for gradient, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("key_value_heads", [1, 2, 3])
def test_grouped_heads_are_those_of_keras(key_value_heads):
    stock = keras.layers.GroupQueryAttention(KEY_DIM, HEADS, key_value_heads)
    x = sequences()
    stock(x, x)
    random = np.random.default_rng(6)
    stock.set_weights([random.normal(size=weight.shape, scale=0.5) for weight in stock.get_weights()])
    ours = keras_seq.MultiHeadAttention(HEADS, KEY_DIM, num_key_value_heads=key_value_heads)
    ours.build(x.shape)
    ours.set_weights(stock.get_weights())
    for masks in ({}, {"use_causal_mask": True}):
        reference = stock(x, x, return_attention_scores=True, **masks)
        received = ours(x, return_attention_scores=True, **masks)
        for tensor, other in zip(received, reference, strict=True):
            np.testing.assert_allclose(numpy(tensor), numpy(other), rtol=1e-4, atol=2e-5)


def test_a_query_whose_past_is_padding_does_not_look_into_the_future_as_keras_does():
    stock, ours = pair()
    query, value, key = inputs()
    mask = np.ones((5, STEPS), bool)
    mask[:, 0] = False
    reference, received = (
        numpy(layer(query, value, key, value_mask=mask, use_causal_mask=True)) for layer in (stock, ours)
    )
    np.testing.assert_allclose(received[:, 1:], reference[:, 1:], rtol=1e-4, atol=2e-5)
    alone, together = ours(query, value[:, :1], key[:, :1]), stock(query, value, key * 0)
    np.testing.assert_allclose(received[:, 0], numpy(alone)[:, 0], rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(reference[:, 0], numpy(together)[:, 0], rtol=1e-4, atol=2e-5)
