"""Fused attention with a product of integers, against NumPy and against the fused node of ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from keras_seq.export.quantization import choice
from keras_seq.export.quantization.integer_weight import IntegerWeight
from tests.export.quantization import emulation
from tests.export.quantization.graphs import array, constants, decisions, make_model, operators, quantized, run

BATCH, STEPS, FEATURES, HEADS, KEY, VALUE = 5, 11, 13, 3, 2, 7
HIDDEN = -10000.0
LOWEST = float(np.finfo("float32").min)
X = array(BATCH, STEPS, FEATURES, seed=1)
KERNEL, BIAS = array(FEATURES, HEADS * (2 * KEY + VALUE), seed=2, scale=0.6), array(HEADS * (2 * KEY + VALUE), seed=3)
SCALE = np.repeat(np.array([KEY**-0.5, 1, 1], "float32"), [HEADS * KEY, HEADS * KEY, HEADS * VALUE])

STEP_MASK = np.ones((BATCH, STEPS), "int32")
STEP_MASK[1, 7:] = STEP_MASK[2, :5] = STEP_MASK[3, 1::2] = STEP_MASK[4] = 0  # right, left, gaps, nothing seen
PAIR_MASK = (np.random.default_rng(4).random((BATCH, STEPS, STEPS)) < 0.5).astype("int32")
PAIR_MASK[0, 2] = PAIR_MASK[3] = 0
MASKS = {"none": None, "steps": STEP_MASK, "pairs": PAIR_MASK}


@pytest.fixture(autouse=True)
def small_weights_too(monkeypatch):
    monkeypatch.setattr(choice, "PRODUCT_ELEMENTS", 2)


def model(mask, causal, kernel=KERNEL, filtered=HIDDEN):
    inputs, feeds = {"x": [None, None, FEATURES]}, {"x": X}
    if mask is not None:
        inputs["mask"], feeds["mask"] = ([None] * mask.ndim, "int32"), mask
    node = helper.make_node(
        "Attention",
        ["x", "kernel", "bias", *["mask"] * (mask is not None)],
        ["y"],
        domain="com.microsoft",
        num_heads=HEADS,
        qkv_hidden_sizes=[HEADS * KEY, HEADS * KEY, HEADS * VALUE],
        unidirectional=int(causal),
        mask_filter_value=filtered,
    )
    return make_model([node], inputs, {"y": 3}, {"kernel": kernel, "bias": BIAS}), feeds


def numpy_attention(mask, causal):
    qkv = emulation.product(X, KERNEL * SCALE, BIAS * SCALE)
    parts = np.split(qkv, [HEADS * KEY, 2 * HEADS * KEY], axis=2)
    q, k, v = (part.reshape(BATCH, STEPS, HEADS, -1).transpose(0, 2, 1, 3) for part in parts)
    scores = q @ k.transpose(0, 1, 3, 2)
    if mask is not None:
        seen = mask[:, None] if mask.ndim == 3 else mask[:, None, None]
        scores = scores + np.where(seen, 0, np.float32(HIDDEN))
    if causal:
        scores = np.where(np.tril(np.ones((STEPS, STEPS), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    context = weights / weights.sum(-1, keepdims=True) @ v
    return context.transpose(0, 2, 1, 3).reshape(BATCH, STEPS, -1)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_it_computes_what_the_integers_say(name, causal):
    proto, feeds = model(MASKS[name], causal)
    small = quantized(proto)
    found = operators(small)
    assert "Attention" not in found
    assert found.count("DynamicQuantizeMatMul") == 1
    assert "kernel" not in constants(small)
    np.testing.assert_allclose(run(small, feeds)[0], numpy_attention(MASKS[name], causal), atol=1e-5)


@pytest.mark.parametrize("filtered", [HIDDEN, LOWEST])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_it_is_the_fused_node_with_the_numbers_that_the_integers_stand_for(name, causal, filtered):
    """Where a row sees nothing, scores stand beside -10,000, which leaves them three digits behind the point."""
    proto, feeds = model(MASKS[name], causal, filtered=filtered)
    whole = IntegerWeight.for_products(KERNEL * SCALE).as_float() / SCALE
    fused, _ = model(MASKS[name], causal, whole, filtered)
    integers, scale, zero = emulation.quantize_activations(X)
    rounded = {"x": (integers - zero).astype("float32") * scale}
    found, expected = run(quantized(proto), feeds)[0], run(fused, feeds | rounded)[0]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.median(np.abs(found - expected)) < 1e-5


def test_sizes_other_than_those_it_was_made_with():
    small = quantized(model(STEP_MASK, True)[0])
    whole = run(small, {"x": X, "mask": STEP_MASK})[0]
    one = run(small, {"x": X[:1, :1], "mask": STEP_MASK[:1, :1]})[0]
    assert one.shape == (1, 1, HEADS * VALUE)
    np.testing.assert_allclose(one[0, 0], whole[0, 0], atol=0.1)  # alone it has another scale


def test_what_reads_more_than_a_mask_is_stored():
    node = helper.make_node(
        "Attention",
        ["x", "kernel", "bias", "", "past"],
        ["y", "present"],
        domain="com.microsoft",
        num_heads=1,
        qkv_hidden_sizes=[29, 29, 29],
    )
    inputs = {"x": [None, None, FEATURES], "past": [2, None, 1, None, 29]}
    weights = {"kernel": array(FEATURES, 87), "bias": array(87)}
    (made,) = decisions(make_model([node], inputs, {"y": 3, "present": 5}, weights))
    assert made.reason == "what it reads beside its input is not known here"
