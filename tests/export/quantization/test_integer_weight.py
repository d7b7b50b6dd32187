"""Weights as 8-bit integers. NumPy's integers, which are never clipped, say what a product of them is."""

import numpy as np
import pytest
from onnx import helper

from keras_seq.export.quantization.instruction_set import instruction_set
from keras_seq.export.quantization.integer_weight import IntegerWeight
from tests.export.quantization.emulation import integer_sums, quantize_activations
from tests.export.quantization.graphs import array, make_model, run

ROWS = (1, 2, 7, 33)
INPUTS = (2, 13, 64, 521, 1030)
OUTPUTS = (1, 3, 37)
CLIPPING = ("AVX2 without VNNI", "AVX-512 without VNNI")


def pair_sums(values):
    """The largest sum of two neighbours of one sign, rows 2 k and 2 k + 1, in each column."""
    rows = np.pad(values.astype(int), ((0, len(values) % 2), (0, 0))).reshape(-1, 2, values.shape[1])
    return np.maximum(np.maximum(rows, 0).sum(1), np.maximum(-rows, 0).sum(1)).max(0)


def worst_weights(inputs, outputs):
    """Columns of all that is hard: pairs of equal signs as large as any, pairs of two signs, single ones, zeros."""
    weight = array(inputs, outputs, seed=inputs * outputs)
    weight[:, ::3] = np.sign(weight[:, ::3])
    weight[:, 1::6] = np.abs(weight[:, 1::6])
    weight[0::2, 2::5] = 1e-3
    return weight


def multiply(x, values, scales):
    node = helper.make_node("DynamicQuantizeMatMul", ["x", "w", "s", "z"], ["y"], domain="com.microsoft")
    given = {"w": values, "s": scales, "z": np.zeros(scales.shape, "int8")}
    return run(make_model([node], {"x": [None, len(values)]}, {"y": 2}, given), {"x": x})[0]


@pytest.mark.parametrize("inputs", [1, 2, 3, 17, 64])
def test_the_integers_stand_for_the_weight_within_half_a_scale(inputs):
    weight = worst_weights(inputs, 37)
    found = IntegerWeight.for_products(weight)
    assert found.values.dtype == "int8"
    assert found.scales.dtype == "float32"
    assert found.scales.shape == (1, 37)
    assert np.all(np.abs(found.as_float() - weight) <= 0.5001 * found.scales)


@pytest.mark.parametrize("inputs", [1, 2, 5, 97, 98])
def test_two_neighbours_of_one_sign_never_add_up_to_more_than_a_byte_by_a_byte_leaves_room_for(inputs):
    for seed in range(20):
        weight = array(inputs, 41, seed=seed)
        weight[:, :20] = np.abs(weight[:, :20])
        weight[:, 20:30] = -1 - np.abs(weight[:, 20:30]) / 1000
        assert pair_sums(IntegerWeight.for_products(weight).values).max() <= 128


def test_a_column_without_large_neighbours_keeps_all_its_bits():
    weight = np.array([[1, 1, 0.4, -1], [-1, 0, 0.4, -0.2], [0.5, 0.1, 0, 0]], "float32")
    found = IntegerWeight.for_products(weight)
    assert np.abs(found.values).max(0).tolist() == [127, 127, 64, 106]  # 0.4 and 0.4, 1 and 0.2 meet
    np.testing.assert_allclose(found.scales[0], np.array([1, 1, 0.8, 1.2]) / 127, rtol=1e-6)


def test_both_halves_of_the_largest_pair_are_rounded_up_and_still_fit():
    weight = np.full((2, 1), 0.5, "float32")
    assert IntegerWeight.for_products(weight).values.tolist() == [[64], [64]]  # 63.5 each, and 255 * 128 < 2 ** 15


def test_a_column_of_zeros_is_zeros_and_warns_of_nothing():
    found = IntegerWeight.for_products(np.zeros((5, 3), "float32"))
    assert not found.values.any()
    assert np.all(found.scales > 0)
    assert not found.as_float().any()


def test_numbers_as_small_and_as_large_as_floats_get_keep_their_proportions():
    weight = np.array([[1e-17, 3e37], [-4e-18, -1.2e37]], "float32")
    found = IntegerWeight.for_products(weight)
    assert found.values.tolist() == [[127, 127], [-51, -51]]


@pytest.mark.parametrize(
    ("axis", "shape"), [(-1, (5, 7, 1)), (-2, (5, 1, 11)), (0, (1, 7, 11)), ((1, 2), (5, 1, 1)), ((0, 2), (1, 7, 1))]
)
def test_stored_weights_share_scales_along_the_axes_named(axis, shape):
    weight = array(5, 7, 11)
    found = IntegerWeight.for_storage(weight, axis)
    assert found.scales.shape == shape
    np.testing.assert_allclose(found.scales, np.abs(weight).max(axis=axis, keepdims=True) / 127, rtol=1e-6)
    assert np.abs(found.values).max(axis=axis).min() == 127
    assert np.all(np.abs(found.as_float() - weight) <= 0.5001 * found.scales)


def extreme_activations(rows, inputs):
    """Most of them become 255 or 0, pair by pair, so that sums of two products are as large as they get."""
    rng = np.random.default_rng(rows * inputs)
    x = rng.choice(np.array([2.0, 2.0, -1e-7], "float32"), size=(rows, inputs))
    x[:, : inputs // 4] = rng.normal(size=(rows, inputs // 4))
    x[-1, :] = 2.0
    return x.astype("float32")


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_products_are_the_sums_of_integers_to_the_last_bit_on_every_processor(inputs, outputs):
    weight = IntegerWeight.for_products(worst_weights(inputs, outputs))
    for rows in ROWS:
        for x in (extreme_activations(rows, inputs), np.abs(array(rows, inputs)), array(rows, inputs)):
            sums, scale = integer_sums(x, weight.values)
            expected = sums.astype("float32") * (scale * weight.scales[0])
            np.testing.assert_array_equal(multiply(x, weight.values, weight.scales[0]), expected)


def test_activations_are_made_integers_as_onnx_says():
    x = extreme_activations(7, 13)
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
    outputs = {"q": (2, "uint8"), "s": 0, "z": (0, "uint8")}
    found = run(make_model([node], {"x": [None, 13]}, outputs, {}), {"x": x})
    for one, expected in zip(found, quantize_activations(x), strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.skipif(
    instruction_set() not in CLIPPING, reason=f"{instruction_set()} adds in 32 bits: nothing is clipped here"
)
def test_plain_8_bit_weights_would_be_clipped_here():
    """Without the rule of pairs this processor gives a wrong sum, so the tests above are not idle."""
    weight = np.abs(worst_weights(64, 37))
    plain = IntegerWeight.for_storage(weight, axis=0)
    for rows in ROWS:
        x = np.full((rows, 64), 2.0, "float32")
        sums, scale = integer_sums(x, plain.values)
        received = multiply(x, plain.values, plain.scales[0])
        assert np.mean(received < 0.99 * sums * (scale * plain.scales[0])) > 0.5
