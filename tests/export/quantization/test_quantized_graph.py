"""What becomes of whole graphs."""

import numpy as np
import onnx
import pytest
from onnx import helper

from keras_seq.export.quantization import choice
from keras_seq.export.quantization.choice import choose_half, choose_product, choose_recurrent, choose_stored
from tests.export.quantization.graphs import array, constants, decisions, make_model, operators, quantized, run

INPUTS, INNER, OUTPUTS, WORDS = 13, 17, 11, 19


NAMES = {(WORDS, INPUTS): "table", (INPUTS, INNER): "first", (INNER, OUTPUTS): "last"}


class Owners:
    """Names a weight after its shape."""

    def of(self, arrays):
        return " + ".join(NAMES[array.shape] for array in arrays)


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    monkeypatch.setattr(choice, "PRODUCT_ELEMENTS", INPUTS * INNER)
    monkeypatch.setattr(choice, "STORED_ELEMENTS", INNER * OUTPUTS)


@pytest.fixture
def proto():
    """A table of 247 numbers, a product of 221 and one of 187."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["a"], name="lookup/Gather"),
        helper.make_node("MatMul", ["a", "first"], ["b"], name="first/MatMul"),
        helper.make_node("Add", ["b", "bias"], ["c"]),
        helper.make_node("MatMul", ["c", "last"], ["y"], name="last/MatMul"),
    ]
    weights = {
        "table": array(WORDS, INPUTS),
        "first": array(INPUTS, INNER, seed=1),
        "bias": array(INNER, seed=2),
        "last": array(INNER, OUTPUTS, seed=3),
    }
    made = make_model(nodes, {"ids": ([None, None], "int64")}, {"y": 3}, weights)
    made.graph.value_info.append(helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [None, None, INNER]))
    return made


IDS = {"ids": np.array([[0, 18, 3], [4, 4, 1]])}


def test_the_float_model_is_left_as_it_was(proto):
    before = proto.SerializeToString()
    for bits in (8, 16):
        quantized(proto, bits, Owners())
    assert proto.SerializeToString() == before


def test_each_weight_takes_the_form_that_suits_it_and_says_why(proto):
    found = decisions(proto, 8, Owners())
    assert [str(one) for one in found] == [
        "table (Gather, 247 weights): int8 weights, looked up, not multiplied",
        "first (MatMul, 221 weights): int8, the product is one of integers",
        "last (MatMul, 187 weights): int8 weights, with fewer than 221 weights a product of floats is as fast",
    ]
    small = quantized(proto, 8, Owners())
    assert sorted(operators(small)) == ["Cast", "Cast", "DynamicQuantizeMatMul", "Gather", "MatMul", "Mul", "Mul"]
    assert not {"table", "first", "last"} & set(constants(small))
    expected = run(proto, IDS)[0]
    assert 0 < np.abs(run(small, IDS)[0] - expected).max() < 0.05 * np.abs(expected).max()
    assert found[0].to_dict() == {
        "layer": "table",
        "operator": "Gather",
        "form": "int8 weights",
        "reason": "looked up, not multiplied",
        "elements": 247,
    }


def test_16_bits_are_half_the_size_of_all_of_them(proto):
    assert {(one.layer, one.form) for one in decisions(proto, 16, Owners())} == {
        ("table", "fp16 weights"),
        ("first", "fp16 weights"),
        ("last", "fp16 weights"),
    }
    small, expected = quantized(proto, 16, Owners()), run(proto, IDS)[0]
    assert 0 < np.abs(run(small, IDS)[0] - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("bits", [8, 16])
def test_a_layer_that_is_not_wanted_is_as_it_was(proto, bits):
    found = {one.layer: one for one in decisions(proto, bits, Owners(), lambda layer: layer == "last")}
    assert {layer for layer, one in found.items() if one.form == "float"} == {"table", "first"}
    assert found["first"].reason == "the outputs depend too much on it"
    small = constants(quantized(proto, bits, Owners(), lambda layer: layer == "last"))
    for name in ("table", "first"):
        np.testing.assert_array_equal(small[name], constants(proto)[name])
    assert "last" not in small
    nothing = quantized(proto, bits, Owners(), lambda layer: False)
    assert operators(nothing) == operators(proto)
    np.testing.assert_array_equal(run(nothing, IDS)[0], run(proto, IDS)[0])


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_too_small_stays(proto, bits, monkeypatch):
    monkeypatch.setattr(choice, "STORED_ELEMENTS", 222)
    monkeypatch.setattr(choice, "PRODUCT_ELEMENTS", 1000)
    found = {one.layer: one for one in decisions(proto, bits, Owners())}
    assert {layer for layer, one in found.items() if one.form == "float"} == {"first", "last"}
    assert "weights are not worth it" in found["last"].reason


def test_the_graph_imports_the_operator_sets_that_it_uses_and_no_others(proto):
    assert {entry.domain for entry in quantized(proto, 8, Owners()).opset_import} == {"", "com.microsoft"}
    assert {entry.domain for entry in quantized(proto, 16, Owners()).opset_import} == {""}
    del proto.opset_import[1]
    small = quantized(proto, 8, Owners())
    assert {(entry.domain, entry.version) for entry in small.opset_import} == {("", 18), ("com.microsoft", 1)}
    assert len(small.graph.value_info) == 0  # the shapes of values that are no longer there
    onnx.checker.check_model(small)


def test_what_the_layers_are_called_that_no_model_names(proto):
    assert [one.layer for one in decisions(proto)] == ["lookup", "first", "last"]
    for node in proto.graph.node:
        node.name = "while/PyFunc_1"
    assert [one.layer for one in decisions(proto)][1] == "decode loop, MatMul 13×17"


def test_rows_and_columns_are_no_weights(proto):
    nodes = [helper.make_node("MatMul", ["x", "column"], ["p"]), helper.make_node("Mul", ["p", "row"], ["y"])]
    given = {"column": array(500, 1), "row": array(1, 1, 600)}
    assert decisions(make_model(nodes, {"x": [None, None, 500]}, {"y": 3}, given)) == []


def test_the_limits_are_the_first_sizes_that_are_quantised(monkeypatch):
    monkeypatch.undo()
    assert [choose_product(n)[0] for n in (1023, 1024, 32_767, 32_768)] == [
        "float",
        "int8 weights",
        "int8 weights",
        "int8",
    ]
    assert [choose_stored(n, "")[0] for n in (1023, 1024)] == ["float", "int8 weights"]
    assert [choose_half(n)[0] for n in (1023, 1024)] == ["float", "fp16 weights"]
    lstm, gru = ("Sigmoid", "Tanh", "Tanh"), ("Sigmoid", "Tanh")
    assert [choose_recurrent("LSTM", n, 10**6, lstm)[0] for n in (63, 64)] == ["int8 weights", "int8"]
    assert [choose_recurrent("GRU", n, 10**6, gru)[0] for n in (511, 512)] == ["int8 weights", "int8"]
    assert [choose_recurrent("RNN", n, 10**6, ("Relu",))[0] for n in (511, 512)] == ["int8 weights", "int8"]
    assert choose_recurrent("LSTM", 64, 10**6, ("HardSigmoid", "Tanh", "Tanh"))[0] == "int8"
