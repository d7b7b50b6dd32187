"""Attention step by step over a cache, and what of the future reaches an output: nothing."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from keras_seq.attention.attention_bias import causal_bias, padding_bias
from tests.keras_seq.attention.multi_head_cases import BATCH, FEATURES, STEPS, VALUE_MASK, made, sequences
from tests.keras_seq.recurrent.cases import numpy

CUTS = {"ones": [1] * STEPS, "whole": [STEPS], "uneven": [2, 5, 1, 3], "uneven-2": [4, 1, 1, 5]}


def self_attention(variant="plain", rotary=False, **kwargs):
    embedding = keras_seq.RotaryEmbedding(base=50.0) if rotary else None
    return made(variant, (FEATURES, FEATURES, FEATURES), rotary=embedding, **kwargs)


def run(layer, x, sizes, mask=None):
    """All outputs of the chunks of a sequence, one behind the other, and the final cache."""
    cache, outputs, start = layer.empty_cache(len(x)), [], 0
    for size in sizes:
        end = start + size
        bias = causal_bias(size, end, past=start)
        if mask is not None:
            bias = bias + padding_bias(mask[:, :end])
        chunk, cache = layer.step(x[:, start:end], cache, bias, positions=np.arange(start, end))
        outputs.append(chunk)
        start = end
    return numpy(ops.concatenate(outputs, axis=1)), cache


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cuts", [pytest.param("uneven", marks=pytest.mark.smoke), *sorted({*CUTS} - {"uneven"})])
@pytest.mark.parametrize(
    ("variant", "rotary"), [("plain", False), ("grouped", True), ("grouped-value_dim-no_bias", False)]
)
def test_steps_over_a_cache_give_what_the_call_gives(variant, rotary, cuts, masked):
    layer, x = self_attention(variant, rotary), sequences()
    mask = VALUE_MASK if masked else None
    received, cache = run(layer, x, CUTS[cuts], mask)
    expected = numpy(layer(x, value_mask=mask, use_causal_mask=True))
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    whole = layer.project_memory(x)
    for tensor, other in zip(cache, whole, strict=True):
        np.testing.assert_allclose(numpy(tensor), numpy(other), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_a_cache_has_the_compute_dtype(dtype):
    """Also where the rotary embedding has been made with another dtype."""
    layer, x = self_attention("grouped", rotary=True, dtype=dtype), sequences()
    outputs, cache = layer.step(x[:, :1], layer.empty_cache(BATCH))
    outputs, cache = layer.step(x[:, 1:2], cache, positions=np.array([1]))
    received = {keras.backend.standardize_dtype(tensor.dtype) for tensor in (outputs, *cache)}
    assert received == {dtype.removeprefix("mixed_")}


def test_a_cache_begins_with_no_steps():
    layer = self_attention("grouped-value_dim-no_bias")
    cache = layer.empty_cache(BATCH)
    assert tuple(cache.keys.shape) == (BATCH, 2, 0, layer.key_dim)
    assert tuple(cache.values.shape) == (BATCH, 2, 0, layer.value_dim)


def test_without_a_bias_a_chunk_sees_all_of_itself():
    layer, x = self_attention(), sequences()
    outputs, _ = layer.step(x, layer.empty_cache(BATCH))
    np.testing.assert_allclose(numpy(outputs), numpy(layer(x)), rtol=1e-5, atol=1e-6)
    one, _ = layer.step(x[:, :1], layer.empty_cache(BATCH))
    np.testing.assert_allclose(numpy(one), numpy(layer(x[:, :1])), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("path", ["call", "scores", "step"])
@pytest.mark.parametrize("rotary", [False, True])
def test_a_token_changes_no_output_before_it(path, rotary, masked):
    """For each token of a sequence, masked ones and those of rows that see nothing included."""
    layer = self_attention("grouped", rotary)
    x = np.tile(sequences(), (STEPS, 1, 1))  # as it is, and once more for each token but the first
    for token in range(1, STEPS):
        x[token * BATCH : (token + 1) * BATCH, token] += sequences(seed=8)[:, token]
    mask = np.tile(VALUE_MASK, (STEPS, 1)) if masked else None
    if path == "step":
        outputs, _ = run(layer, x, CUTS["uneven"], mask)
    else:
        outputs = layer(x, value_mask=mask, use_causal_mask=True, return_attention_scores=path == "scores")
        outputs = numpy(outputs[0] if path == "scores" else outputs)
    before, *others = np.split(outputs, STEPS)
    for token, after in enumerate(others, start=1):
        np.testing.assert_allclose(after[:, :token], before[:, :token], rtol=0, atol=1e-5 * np.abs(before).max())
        assert np.abs(after[:, token] - before[:, token]).max() > 1e-2
