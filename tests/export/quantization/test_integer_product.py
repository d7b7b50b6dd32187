"""Products of integers in the place of `MatMul` and `Gemm`, against NumPy's integers."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from keras_seq.export.passes.scopes import graphs
from keras_seq.export.quantization import choice
from tests.export.quantization import emulation
from tests.export.quantization.graphs import array, constants, decisions, make_model, operators, quantized, run, value

ROWS, INPUTS, OUTPUTS = 7, 13, 17
W, BIAS, X = array(INPUTS, OUTPUTS), array(OUTPUTS, seed=1), array(ROWS, INPUTS, seed=2)
MATMUL = helper.make_node("MatMul", ["x", "w"], ["p"])
PRODUCT = "DynamicQuantizeMatMul"


@pytest.fixture(autouse=True)
def small_weights_too(monkeypatch):
    monkeypatch.setattr(choice, "PRODUCT_ELEMENTS", 2)
    monkeypatch.setattr(choice, "STORED_ELEMENTS", 2)


def add(*inputs, output="y"):
    return helper.make_node("Add", list(inputs), [output])


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(ROWS, INPUTS), (3, 5, INPUTS), (2, 3, 5, INPUTS), (INPUTS,), (1, 1, INPUTS)])
@pytest.mark.parametrize("order", ["pb", "bp"])
def test_a_product_and_its_bias_are_one_node_for_inputs_of_any_rank(shape, order):
    x = array(*shape, seed=3)
    names = {"p": "p", "b": "b"}
    proto = make_model(
        [MATMUL, add(*(names[c] for c in order))], {"x": [None] * x.ndim}, {"y": x.ndim}, {"w": W, "b": BIAS}
    )
    small = quantized(proto)
    assert operators(small) == [PRODUCT]
    (found,) = run(small, {"x": x})
    assert found.shape == (*shape[:-1], OUTPUTS)
    close(found, emulation.product(x, W, BIAS))


GEMMS = {
    "bias": ({}, ["x", "w", "b"], BIAS, [PRODUCT]),
    "transposed": ({"transB": 1}, ["x", "w", "b"], BIAS, [PRODUCT]),
    "no bias": ({}, ["x", "w"], None, [PRODUCT]),
    "empty bias": ({}, ["x", "w", ""], None, [PRODUCT]),
    "scalar": ({}, ["x", "w", "b"], np.float32(0.7), [PRODUCT, "Add"]),
    "one number": ({"transB": 1}, ["x", "w", "b"], np.array([0.7], "float32"), [PRODUCT, "Add"]),
    "a row": ({}, ["x", "w", "b"], BIAS[None], [PRODUCT, "Add"]),
    "a column": ({}, ["x", "w", "b"], array(ROWS, 1, seed=4), [PRODUCT, "Add"]),
}


@pytest.mark.parametrize("case", GEMMS)
def test_gemm(case):
    attributes, inputs, bias, expected = GEMMS[case]
    weights = {"w": W.T.copy() if attributes else W, **({} if bias is None else {"b": bias})}
    proto = make_model(
        [helper.make_node("Gemm", inputs, ["y"], **attributes)], {"x": [None, INPUTS]}, {"y": 2}, weights
    )
    small = quantized(proto)
    assert operators(small) == expected
    close(run(small, {"x": X})[0], emulation.product(X, W, 0 if bias is None else bias))


def test_a_bias_that_a_gemm_is_given_when_it_runs_is_added():
    proto = make_model(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], {"x": [None, INPUTS], "b": [OUTPUTS]}, {"y": 2}, {"w": W}
    )
    close(run(quantized(proto), {"x": X, "b": BIAS})[0], emulation.product(X, W, BIAS))


@pytest.mark.parametrize("attributes", [{"alpha": 0.5}, {"beta": 2.0}, {"transA": 1}])
def test_a_gemm_with_factors_stays_one(attributes):
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], **attributes)
    x = X.T.copy() if "transA" in attributes else X
    proto = make_model([node], {"x": [None, None]}, {"y": 2}, {"w": W, "b": BIAS})
    assert [one.form for one in decisions(proto)] == ["int8 weights"]
    np.testing.assert_allclose(run(quantized(proto), {"x": x})[0], run(proto, {"x": x})[0], atol=0.2)


BIASES = {
    "read twice": ([MATMUL, add("p", "b"), add("y", "b", output="y2")], {"y": 2, "y2": 2}, [PRODUCT, "Add"]),
    "product read twice": (
        [MATMUL, add("p", "b"), add("p", "y", output="y2")],
        {"y": 2, "y2": 2},
        [PRODUCT, "Add", "Add"],
    ),
    "product an output": ([MATMUL, add("p", "b")], {"y": 2, "p": 2}, [PRODUCT, "Add"]),
    "product added to itself": ([MATMUL, add("p", "p")], {"y": 2}, [PRODUCT, "Add"]),
    "another thing added": ([MATMUL, add("p", "x1")], {"y": 2}, [PRODUCT, "Add"]),
    "a sum of both": ([MATMUL, add("p", "p", output="q"), add("q", "b")], {"y": 2}, [PRODUCT, "Add", "Add"]),
}


@pytest.mark.parametrize("case", BIASES)
def test_a_bias_is_taken_in_where_nothing_else_needs_the_product(case):
    nodes, outputs, expected = BIASES[case]
    proto = make_model(nodes, {"x": [None, INPUTS], "x1": [None, 1]}, outputs, {"w": W, "b": BIAS})
    small = quantized(proto)
    assert operators(small) == expected
    p, b, x1 = emulation.product(X, W), BIAS, X[:, :1]
    sums = {
        "read twice": [p + b, p + 2 * b],
        "product read twice": [p + b, 2 * p + b],
        "product an output": [p + b, p],
        "product added to itself": [2 * p],
        "another thing added": [p + x1],
        "a sum of both": [2 * p + b],
    }
    for found, wanted in zip(run(small, {"x": X, "x1": x1}), sums[case], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_two_products_share_the_integers_of_one_weight():
    other = helper.make_node("MatMul", ["y1", "w"], ["y2"])
    nodes = [MATMUL, helper.make_node("Slice", ["p", "from", "to", "axis"], ["y1"]), other]
    limits = {"from": np.array([0]), "to": np.array([INPUTS]), "axis": np.array([1])}
    small = quantized(make_model(nodes, {"x": [None, INPUTS]}, {"y2": 2}, {"w": W, **limits}))
    assert sum(one.dtype == np.int8 and one.ndim == 2 for one in constants(small).values()) == 1
    close(run(small, {"x": X})[0], emulation.product(emulation.product(X, W)[:, :INPUTS], W))


def test_a_square_weight_that_is_read_both_ways_has_integers_of_each():
    square = array(INPUTS, INPUTS, seed=6)
    nodes = [helper.make_node("Gemm", ["x", "w"], ["p"], transB=1), helper.make_node("Gemm", ["p", "w"], ["y"])]
    small = quantized(make_model(nodes, {"x": [None, INPUTS]}, {"y": 2}, {"w": square}))
    close(run(small, {"x": X})[0], emulation.product(emulation.product(X, square.T), square))


def test_a_weight_that_is_an_output_too_is_given_as_it_was():
    proto = make_model([MATMUL], {"x": [None, INPUTS]}, {"p": 2, "w": 2}, {"w": W})
    p, w = run(quantized(proto), {"x": X})
    close(p, emulation.product(X, W))
    np.testing.assert_array_equal(w, W)


def test_a_weight_that_a_caller_may_replace_stays():
    proto = make_model([MATMUL], {"x": [None, INPUTS], "w": [INPUTS, OUTPUTS]}, {"p": 2}, {"w": W})
    assert decisions(proto) == []
    np.testing.assert_allclose(run(quantized(proto), {"x": X, "w": 2 * W})[0], X @ (2 * W), rtol=1e-5, atol=1e-5)


def test_a_weight_that_stands_on_the_left_is_stored():
    left = helper.make_node("MatMul", ["w", "x"], ["y"])
    proto = make_model([left], {"x": [OUTPUTS, None]}, {"y": 2}, {"w": W})
    (made,) = decisions(proto)
    assert (made.form, made.reason) == ("int8 weights", "MatMul is one of floats")
    np.testing.assert_allclose(run(quantized(proto), {"x": W.T})[0], W @ W.T, atol=0.5)


def body(name, inputs, outputs, x, bias=True):
    """A graph within a graph that multiplies `x` by the weight outside."""
    nodes = [helper.make_node("MatMul", [x, "w"], [f"{name}_p"]), add(f"{name}_p", "b", output=f"{name}_q")]
    nodes.append(helper.make_node("Tanh", [f"{name}_q"], [outputs[-1].name]))
    return helper.make_graph(nodes, name, inputs, outputs)


def matrix(name):
    return value(name, [None, None])


def in_if():
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["else"])], "else_branch", [], [matrix("else")])
    branches = {"then_branch": body("then_branch", [], [matrix("then")], "x"), "else_branch": other}
    return helper.make_node("If", ["go"], ["y"], **branches), {"go": ([], "bool")}, {"go": np.array(True)}


def in_loop():
    steps = [value("i", [], "int64"), value("on", [], "bool"), matrix("state")]
    inner = body("loop", steps, [value("on_too", [], "bool"), matrix("after")], "state")
    inner.node.append(helper.make_node("Identity", ["on"], ["on_too"]))
    return (
        helper.make_node("Loop", ["count", "", "x"], ["y"], body=inner),
        {"count": ([], "int64")},
        {"count": np.array(3)},
    )


def in_scan():
    inner = body("scan", [matrix("state")], [matrix("after")], "state")
    inner.input.append(value("t", []))
    return (
        helper.make_node("Scan", ["x", "ts"], ["y"], body=inner, num_scan_inputs=1),
        {"ts": [None]},
        {"ts": np.zeros(3, "float32")},
    )


@pytest.mark.parametrize(("make", "times"), [(in_if, 1), (in_loop, 3), (in_scan, 3)])
def test_products_within_bodies_and_branches(make, times):
    square, bias = array(INPUTS, INPUTS, seed=8, scale=0.5), array(INPUTS, seed=9)
    node, inputs, feeds = make()
    proto = make_model([node], {"x": [None, INPUTS], **inputs}, {"y": 2}, {"w": square, "b": bias})
    small = quantized(proto)
    (inner,) = [scope for scope in graphs(small.graph) if any(n.op_type == PRODUCT for n in scope.node)]
    assert inner is not small.graph
    assert "MatMul" not in operators(small)
    assert "w" not in constants(small)
    expected = X
    for _ in range(times):
        expected = np.tanh(emulation.product(expected, square, bias))
    np.testing.assert_allclose(run(small, {"x": X, **feeds})[0], expected, atol=1e-5)


def test_a_bias_is_not_taken_in_from_outside_of_the_body_that_adds_it():
    branches = {
        name: helper.make_graph([add("p", other, output=name)], name, [], [matrix(name)])
        for name, other in (("then_branch", "b"), ("else_branch", "b2"))
    }
    nodes = [MATMUL, helper.make_node("If", ["go"], ["y"], **branches)]
    given = {"w": W, "b": BIAS, "b2": -BIAS}
    proto = make_model(nodes, {"x": [None, INPUTS], "go": ([], "bool")}, {"y": 2}, given)
    small = quantized(proto)
    assert operators(small)[:2] == [PRODUCT, "If"]
    for go, bias in ((True, BIAS), (False, -BIAS)):
        close(run(small, {"x": X, "go": np.array(go)})[0], emulation.product(X, W, bias))


def test_only_float32_weights_with_two_axes_become_products_of_integers():
    doubles, cubes = array(2, INPUTS, OUTPUTS, seed=4), W.astype("float64")
    nodes = [
        helper.make_node("Cast", ["x"], ["x64"], to=TensorProto.DOUBLE),
        helper.make_node("MatMul", ["x64", "w64"], ["y64"]),
        helper.make_node("MatMul", ["x", "cube"], ["y3"]),
    ]
    proto = make_model(nodes, {"x": [None, INPUTS]}, {"y64": (2, "float64"), "y3": 3}, {"w64": cubes, "cube": doubles})
    small = quantized(proto)
    assert [one.form for one in decisions(proto)] == ["int8 weights"]
    found = run(small, {"x": X})
    np.testing.assert_array_equal(found[0], run(proto, {"x": X})[0])
    np.testing.assert_allclose(found[1], X @ doubles, atol=0.2)
    onnx.checker.check_model(small, full_check=True)
