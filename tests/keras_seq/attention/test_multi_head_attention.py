import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from tests.keras_seq.attention.cases import HALF
from tests.keras_seq.attention.multi_head_cases import (
    BATCH,
    FEATURES,
    HEADS,
    KEY_DIM,
    KEY_FEATURES,
    MASK_3D,
    MASKS,
    OUTPUT,
    QUERIES,
    STEPS,
    VALUE_DIM,
    VALUE_FEATURES,
    VALUE_MASK,
    VARIANTS,
    expected,
    inputs,
    made,
    sequences,
)
from tests.keras_seq.gradients import gradients_of
from tests.keras_seq.recurrent.cases import numpy


@pytest.mark.parametrize(
    "masks", [pytest.param(name, marks=[pytest.mark.smoke] if name in ("causal", "all") else []) for name in MASKS]
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_and_scores_are_those_of_the_equations(variant, masks):
    layer, (query, value, key) = made(variant), inputs()
    outputs, scores = layer(query, value, key, return_attention_scores=True, **MASKS[masks])
    expected_outputs, expected_scores = expected(layer, query, value, key, **MASKS[masks])
    np.testing.assert_allclose(numpy(outputs), expected_outputs, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(numpy(scores), expected_scores, rtol=1e-4, atol=1e-6)
    alone = layer(query, value, key, **MASKS[masks])  # may take another kernel
    np.testing.assert_allclose(numpy(alone), expected_outputs, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("masks", ["none", "padding+causal"])
@pytest.mark.parametrize("variant", ["plain", "multi_query"])
def test_without_a_value_a_sequence_attends_to_itself(variant, masks):
    layer, x = made(variant, (FEATURES, FEATURES, FEATURES)), sequences()
    received = layer(x, **MASKS[masks])
    np.testing.assert_allclose(numpy(received), expected(layer, x, x, x, **MASKS[masks])[0], rtol=1e-4, atol=2e-5)
    np.testing.assert_array_equal(numpy(received), numpy(layer(x, x, **MASKS[masks])))


@pytest.mark.parametrize("variant", ["plain", "grouped"])
def test_rotary_positions_turn_queries_and_keys(variant):
    layer = made(variant, (FEATURES, FEATURES, FEATURES), rotary=keras_seq.RotaryEmbedding(base=50.0))
    x = sequences()
    received = layer(x, value_mask=VALUE_MASK, use_causal_mask=True)
    reference, _ = expected(layer, x, x, x, value_mask=VALUE_MASK, use_causal_mask=True, rotary=50.0)
    np.testing.assert_allclose(numpy(received), reference, rtol=1e-4, atol=2e-5)


def test_weights_have_the_documented_names_and_shapes():
    layer = made("grouped", value_dim=VALUE_DIM, output_size=OUTPUT)
    assert {weight.name: tuple(weight.shape) for weight in layer.weights} == {
        "query_kernel": (FEATURES, HEADS, KEY_DIM),
        "query_bias": (HEADS, KEY_DIM),
        "key_kernel": (KEY_FEATURES, 3, KEY_DIM),
        "key_bias": (3, KEY_DIM),
        "value_kernel": (VALUE_FEATURES, 3, VALUE_DIM),
        "value_bias": (3, VALUE_DIM),
        "output_kernel": (HEADS, VALUE_DIM, OUTPUT),
        "output_bias": (OUTPUT,),
    }
    assert len(made("no_bias").weights) == 4


def test_the_key_is_the_value_where_it_is_left_out():
    layer = made(features=(FEATURES, VALUE_FEATURES, VALUE_FEATURES))
    query, value, _ = inputs()
    np.testing.assert_array_equal(numpy(layer(query, value)), numpy(layer(query, value, value)))


@pytest.mark.parametrize("shape", [(BATCH, 1, STEPS), (1, QUERIES, STEPS), (BATCH, 1, QUERIES, STEPS)], ids=str)
def test_an_attention_mask_is_broadcast(shape):
    layer, (query, value, key) = made(), inputs()
    mask = np.random.default_rng(9).uniform(size=shape) < 0.6
    received = layer(query, value, key, attention_mask=mask)
    target = (BATCH, QUERIES, STEPS) if mask.ndim == 3 else (BATCH, HEADS, QUERIES, STEPS)
    reference, _ = expected(layer, query, value, key, attention_mask=np.broadcast_to(mask, target))
    np.testing.assert_allclose(numpy(received), reference, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("masks", ["padding", "padding+causal", "padding+attention_mask", "all"])
def test_gradients_are_numbers_where_rows_see_nothing(masks):
    layer, (query, value, key) = made(), inputs()
    gradients = gradients_of(layer, lambda: layer(query, value, key, **MASKS[masks]))
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    names = [weight.name for weight in layer.trainable_weights]
    large = {name for name, gradient in zip(names, gradients, strict=True) if np.abs(gradient).max() > 0.1}
    assert large == set(names) - {"key_bias"}  # which moves all scores of a query alike, so the softmax undoes it


@pytest.mark.parametrize("number", [1e4, -1e4])
def test_large_inputs_and_masked_rows_give_numbers(number):
    layer, (query, value, key) = made(), inputs()
    received = layer(query, value * number, key, value_mask=VALUE_MASK, use_causal_mask=True)
    assert np.isfinite(numpy(received)).all()


def test_what_a_masked_step_holds_does_not_matter():
    layer, (query, value, key) = made(), inputs()
    valid = VALUE_MASK[:4, :, None]  # the fifth row has no valid step, and attends to all
    changed = [np.where(valid, part[:4], 1e3).astype("float32") for part in (value, key)]
    before = layer(query[:4], value[:4], key[:4], value_mask=VALUE_MASK[:4])
    after = layer(query[:4], *changed, value_mask=VALUE_MASK[:4])
    np.testing.assert_allclose(numpy(after), numpy(before), rtol=1e-5, atol=1e-6)


def test_dropout_drops_scores_in_training_alone_and_scales_what_stays():
    layer, (query, value, key) = made("no_bias", num_heads=1, dropout=0.5), inputs()
    value, key = value[:, :1], key[:, :1]  # one step to attend to, with one head: it stays or goes
    whole = numpy(layer(query, value, key))
    reference, _ = expected(layer, query, value, key)
    np.testing.assert_allclose(whole, reference, rtol=1e-4, atol=2e-5)
    received, scores = layer(query, value, key, return_attention_scores=True, training=True)
    received, stays = numpy(received), numpy(received).any(axis=-1, keepdims=True)
    np.testing.assert_allclose(received, np.where(stays, 2 * whole, 0.0), rtol=1e-5, atol=1e-6)
    assert 0.2 < stays.mean() < 0.8
    assert (numpy(scores) == 1).all()  # as in Keras: those before dropout


def test_the_mask_of_keras_reaches_the_layer_and_that_of_the_query_goes_on():
    layer = made(features=(FEATURES, FEATURES, FEATURES))
    x = np.where(VALUE_MASK[:, :, None], sequences(), 0.0).astype("float32")
    inputs_ = keras.Input((None, FEATURES))
    model = keras.Model(inputs_, layer(keras.layers.Masking()(inputs_)))
    np.testing.assert_allclose(numpy(model(x)), numpy(layer(x, value_mask=VALUE_MASK)), rtol=1e-5, atol=1e-6)
    masked = keras.layers.Masking()(x)
    np.testing.assert_array_equal(numpy(layer(masked)._keras_mask), VALUE_MASK)


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_is_near_float32(dtype):
    layer, (query, value, key) = made(), inputs()
    mixed = made(dtype=f"mixed_{dtype}")
    for masks in ("all", "padding"):
        received = mixed(query, value, key, **MASKS[masks])
        assert keras.backend.standardize_dtype(received.dtype) == dtype
        reference = numpy(layer(query, value, key, **MASKS[masks]))
        scale = np.abs(reference).max()
        np.testing.assert_allclose(numpy(ops.cast(received, "float32")) / scale, reference / scale, atol=HALF[dtype])


def test_a_memory_that_is_projected_once_gives_what_the_call_gives():
    layer, (query, value, key) = made("grouped"), inputs()
    memory = layer.project_memory(value, key)
    assert tuple(memory.keys.shape) == tuple(memory.values.shape) == (BATCH, 3, STEPS, KEY_DIM)
    bias = keras_seq.attention.attention_bias.padding_bias(VALUE_MASK)
    outputs, scores = layer.attend(query, memory, bias, return_attention_scores=True)
    reference = layer(query, value, key, value_mask=VALUE_MASK, return_attention_scores=True)
    np.testing.assert_allclose(numpy(outputs), numpy(reference[0]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(numpy(scores), numpy(reference[1]), rtol=1e-5, atol=1e-6)
    causal = layer.attend(query, memory, bias, causal=True)
    reference = layer(query, value, key, value_mask=VALUE_MASK, use_causal_mask=True)
    np.testing.assert_allclose(numpy(causal), numpy(reference), rtol=1e-5, atol=1e-6)


def test_one_step_to_attend_to_is_the_projected_value():
    layer, (query, value, key) = made(), inputs()
    received = layer(query, value[:, :1], key[:, :1])
    reference, _ = expected(layer, query, value[:, :1], key[:, :1])
    np.testing.assert_allclose(numpy(received), reference, rtol=1e-4, atol=2e-5)


def test_an_attention_mask_of_numbers_is_taken_as_booleans():
    layer, (query, value, key) = made(), inputs()
    received = layer(query, value, key, attention_mask=MASK_3D.astype("int32"))
    np.testing.assert_array_equal(numpy(received), numpy(layer(query, value, key, attention_mask=MASK_3D)))
