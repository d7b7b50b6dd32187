"""Weights that are stored small and are float32 again before anything reads them."""

import numpy as np
import pytest
from onnx import helper

from keras_seq.export.quantization import choice
from keras_seq.export.quantization.integer_weight import IntegerWeight
from tests.export.quantization.graphs import (
    array,
    as_loaded,
    constants,
    decisions,
    make_model,
    operators,
    quantized,
    run,
    value,
)

ROWS, INPUTS, OUTPUTS = 7, 13, 17
W, X = array(INPUTS, OUTPUTS), array(ROWS, INPUTS, seed=2)
IDS = np.array([[0, 3, 12], [5, 5, 1]])


@pytest.fixture(autouse=True)
def small_weights_too(monkeypatch):
    monkeypatch.setattr(choice, "STORED_ELEMENTS", 2)


def product(weight=W):
    return make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [None, INPUTS]}, {"y": 2}, {"w": weight})


def table():
    node = helper.make_node("Gather", ["w", "ids"], ["y"])
    return make_model([node], {"ids": ([None, None], "int64")}, {"y": 3}, {"w": W})


@pytest.mark.parametrize(("bits", "dtype", "steps"), [(8, "int8", ["Cast", "Mul"]), (16, "float16", ["Cast"])])
def test_the_numbers_are_those_stored_and_widened_once_when_the_graph_is_loaded(bits, dtype, steps, tmp_path):
    small = quantized(product(), bits)
    assert operators(small) == [*steps, "MatMul"]
    assert "w" not in constants(small)
    (stored,) = [one for one in constants(small).values() if one.dtype == dtype]
    assert stored.shape == W.shape
    loaded = as_loaded(small, tmp_path)
    assert operators(loaded) == ["MatMul"]
    (whole,) = constants(loaded).values()
    expected = W.astype("float16") if bits == 16 else IntegerWeight.for_storage(W, axis=-2).as_float()
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_allclose(run(small, {"x": X})[0], X @ expected.astype("float32"), rtol=1e-5, atol=1e-5)


def test_the_rows_of_a_table_have_scales_of_their_own():
    small = constants(quantized(table()))
    assert sorted(one.shape for one in small.values()) == [(INPUTS, 1), (INPUTS, OUTPUTS)]
    np.testing.assert_array_equal(
        run(quantized(table()), {"ids": IDS})[0], IntegerWeight.for_storage(W, axis=-1).as_float()[IDS]
    )


SHAPES = {
    "MatMul": (helper.make_node("MatMul", ["x", "w"], ["y"]), [None, 13], 2, (13, 17), (1, 17)),
    "Gemm": (helper.make_node("Gemm", ["x", "w"], ["y"]), [None, 13], 2, (13, 17), (1, 17)),
    "Gemm, transposed": (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), [None, 13], 2, (17, 13), (17, 1)),
    "many products": (helper.make_node("MatMul", ["x", "w"], ["y"]), [5, None, 13], 3, (5, 13, 17), (5, 1, 17)),
    "Conv of one axis": (helper.make_node("Conv", ["x", "w"], ["y"]), [None, 5, None], 3, (17, 5, 3), (17, 1, 1)),
    "Conv of two": (
        helper.make_node("Conv", ["x", "w"], ["y"]),
        [None, 5, None, None],
        4,
        (17, 5, 3, 2),
        (17, 1, 1, 1),
    ),
    "Add": (helper.make_node("Add", ["x", "w"], ["y"]), [None, 13, 17], 3, (13, 17), (13, 1)),
    "GRU": (
        helper.make_node("GRU", ["x", "w", "r"], ["y"], hidden_size=2),
        [None, None, 5],
        4,
        (1, 6, 5),
        (1, 6, 1),
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_scale_is_shared_by_the_weights_that_an_output_sums_over(case):
    node, shape, rank, weight_shape, scales_shape = SHAPES[case]
    given = {"w": array(*weight_shape)} | ({"r": array(1, 6, 2)} if case == "GRU" else {})
    proto = make_model([node], {"x": shape}, {"y": rank}, given)
    small = quantized(proto)
    assert {one.form for one in decisions(proto)} == {"int8 weights"}
    assert constants(small)["w.scale"].shape == scales_shape
    x = array(*[size or 7 for size in shape], seed=3)
    np.testing.assert_allclose(run(small, {"x": x})[0], run(proto, {"x": x})[0], atol=0.2)


def test_of_the_fused_node_of_attention_too():
    node = helper.make_node(
        "Attention", ["x", "w", "b"], ["y"], domain="com.microsoft", num_heads=1, qkv_hidden_sizes=[7, 7, 7]
    )
    proto = make_model([node], {"x": [None, None, 13]}, {"y": 3}, {"w": array(13, 21), "b": array(21)})
    assert constants(quantized(proto))["w.scale"].shape == (1, 21)


def test_numbers_beyond_those_of_16_bits_stay_float():
    weight = W.copy()
    weight[3, 5] = 65505.0
    proto = product(weight)
    (made,) = decisions(proto, 16)
    assert (made.form, made.reason) == ("float", "it has numbers beyond those of 16 bits")
    small = quantized(proto, 16)
    assert operators(small) == ["MatMul"]
    np.testing.assert_array_equal(constants(small)["w"], weight)
    weight[3, 5] = 65504.0
    assert decisions(product(weight), 16)[0].form == "fp16 weights"


def test_readers_at_any_depth_read_the_widened_weight(tmp_path):
    branches = {
        name: helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [f"{name}_p"]), helper.make_node(op, [f"{name}_p"], [name])],
            name,
            [],
            [value(name, [None, None])],
        )
        for name, op in (("then_branch", "Tanh"), ("else_branch", "Neg"))
    }
    node = helper.make_node("If", ["go"], ["y"], **branches)
    proto = make_model([node], {"x": [None, INPUTS], "go": ([], "bool")}, {"y": 2}, {"w": W})
    small = quantized(proto)
    assert operators(small)[:3] == ["Cast", "Mul", "If"]
    whole = IntegerWeight.for_storage(W, axis=-2).as_float()
    for go, function in ((True, np.tanh), (False, np.negative)):
        found = run(small, {"x": X, "go": np.array(go)})[0]
        np.testing.assert_allclose(found, function(X @ whole), rtol=1e-5, atol=1e-5)
    assert not {"Cast", "Mul"} & set(operators(as_loaded(small, tmp_path)))


def test_a_stored_weight_that_is_an_output_too_is_given_as_it_is_used():
    proto = make_model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [None, INPUTS]}, {"y": 2, "w": 2}, {"w": W}
    )
    y, w = run(quantized(proto), {"x": X})
    np.testing.assert_array_equal(w, IntegerWeight.for_storage(W, axis=-2).as_float())
    np.testing.assert_allclose(y, X @ w, rtol=1e-5, atol=1e-5)
