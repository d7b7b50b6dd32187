"""Names, dimensions and versions of a converted graph, tried on graphs made by hand."""

import logging
import os

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export import onnx_graph
from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.markers import Markers
from tests.export.graphs import random_array, run_onnx

pytestmark = pytest.mark.backend("tensorflow")


def graph_of(nodes, inputs, outputs, initializers=()):
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["unk__1", "unk__2"])

    graph = helper.make_graph(nodes, "converted", [*map(value, inputs)], [*map(value, outputs)], initializers)
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=domains, ir_version=13)


def finished(proto, inputs, outputs):
    dims = ("batch", 3)
    return onnx_graph.finish(proto, "tagger", [(n, dims) for n in inputs], [(n, dims) for n in outputs])


def test_inputs_and_outputs_get_their_names_and_dimensions():
    proto = graph_of([helper.make_node("Relu", ["input_0:0"], ["Identity:0"])], ["input_0:0"], ["Identity:0"])
    finished(proto, ["signal"], ["tags"])
    (given,), (made,) = proto.graph.input, proto.graph.output
    assert (given.name, made.name) == ("signal", "tags")
    assert [d.dim_param or d.dim_value for d in made.type.tensor_type.shape.dim] == ["batch", 3]
    assert (proto.graph.name, proto.ir_version, proto.producer_name) == ("tagger", 8, "keras_seq")
    assert [entry.domain for entry in proto.opset_import] == [""]


def test_identities_are_bypassed_inside_and_at_outputs():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Neg", ["b"], ["c"]),
        helper.make_node("Identity", ["c"], ["y"]),
    ]
    proto = finished(graph_of(nodes, ["x"], ["y"]), ["x"], ["y"])
    assert onnx_graph.operators(proto) == {"Relu": 1, "Neg": 1}
    x = random_array(2, 3)
    np.testing.assert_array_equal(run_onnx(proto, {"x": x})[0], -np.maximum(x, 0))


def test_identity_stays_where_an_output_is_an_input_a_constant_or_another_output():
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Identity", ["one"], ["constant"]),
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Identity", ["y"], ["again"]),
    ]
    one = numpy_helper.from_array(np.ones((2, 3), "float32"), "one")
    names = ["same", "constant", "y", "again"]
    proto = finished(graph_of(nodes, ["x"], names, [one]), ["x"], names)
    x = random_array(2, 3)
    expected = [x, np.ones((2, 3)), np.maximum(x, 0), np.maximum(x, 0)]
    for received, value in zip(run_onnx(proto, {"x": x}), expected, strict=True):
        np.testing.assert_array_equal(received, value)


def test_tensor_inside_that_has_a_wanted_name_makes_way():
    nodes = [helper.make_node("Relu", ["x"], ["tags"]), helper.make_node("Neg", ["tags"], ["y"])]
    proto = finished(graph_of(nodes, ["x"], ["y"]), ["x"], ["tags"])
    x = random_array(2, 3)
    np.testing.assert_array_equal(run_onnx(proto, {"x": x})[0], -np.maximum(x, 0))


def test_input_and_output_may_trade_names():
    nodes = [helper.make_node("Relu", ["a"], ["b"])]
    proto = finished(graph_of(nodes, ["a"], ["b"]), ["b"], ["a"])
    assert [value.name for value in (*proto.graph.input, *proto.graph.output)] == ["b", "a"]


def test_operators_and_loops_are_counted_in_subgraphs_too():
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Neg", ["s"], ["t"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["n", "", "x"], ["y"], name="steps", body=body)
    proto = graph_of([loop], ["x"], ["y"], [numpy_helper.from_array(np.int64(3), "n")])
    assert onnx_graph.operators(proto) == {"Loop": 1, "Identity": 1, "Neg": 1}
    assert onnx_graph.loops(proto) == ["steps"]


@pytest.mark.parametrize("version", ["1.14", "1.17", "1.17.3", "1.31.1", "2.0"])
def test_runtimes_that_know_the_opset(version):
    onnx_graph.check_runtime_version(version)


@pytest.mark.parametrize("version", ["1.13", "1.9.0", "0.99"])
def test_runtimes_that_are_too_old(version):
    with pytest.raises(ExportError, match=rf"opset 18, which onnxruntime knows since 1\.14\..*'{version}'"):
        onnx_graph.check_runtime_version(version)


@pytest.mark.parametrize("version", ["", "latest", "1.x"])
def test_what_is_no_version(version):
    with pytest.raises(
        ExportError, match=rf"`min_onnxruntime` must be a version such as '1\.17'\. Received: '{version}'"
    ):
        onnx_graph.check_runtime_version(version)


def converted(function, *shapes):
    specs = [tf.TensorSpec(shape, tf.float32, name=f"input_{i}") for i, shape in enumerate(shapes)]
    return onnx_graph.convert(function, specs, Markers())


def test_operation_without_an_onnx_form_is_named():
    with pytest.raises(ExportError, match="operations of the model have no ONNX form: Igamma"):
        converted(lambda x: [tf.math.igamma(x, x)], (None, 3))


def test_conversion_leaves_logging_as_it_was(caplog):
    before = list(logging.getLogger("tf2onnx").handlers), logging.getLogger("tf2onnx").propagate
    converted(lambda x: [tf.identity(x + 1.0)], (None, 3))
    assert (list(logging.getLogger("tf2onnx").handlers), logging.getLogger("tf2onnx").propagate) == before


def run_converted(function, *arrays):
    proto = converted(function, *[(None, *array.shape[1:]) for array in arrays])
    names = [value.name for value in proto.graph.input]
    return proto, run_onnx(proto, dict(zip(names, arrays, strict=True)))[0]


def test_choice_does_not_let_a_nan_through_from_the_branch_not_taken():
    x = np.array([[1.0, np.nan, 3.0]], "float32")
    proto, result = run_converted(lambda x: [tf.where(tf.math.is_nan(x), tf.zeros_like(x), x)], x)
    assert "Where" in onnx_graph.operators(proto)
    np.testing.assert_array_equal(result, [[1, 0, 3]])


@pytest.mark.parametrize("axes", [[1], [2], [1, 2], [-1]])
def test_reversal_is_one_node(axes):
    x = random_array(2, 3, 5)
    proto, result = run_converted(lambda x: [tf.reverse(x, axes)], x)
    assert onnx_graph.operators(proto) == {"Slice": 1}
    np.testing.assert_array_equal(result, np.flip(x, axes))


def test_complement_of_the_error_function():
    x = random_array(2, 7)
    _, result = run_converted(lambda x: [tf.math.erfc(x)], x)
    np.testing.assert_allclose(result, tf.math.erfc(x), rtol=1e-5, atol=1e-6)
    assert onnx.defs.has("Erf")


@pytest.mark.parametrize("fails", [False, True])
def test_the_graph_is_copied_only_if_the_converter_fails_to_simplify_it(fails, monkeypatch):
    from tf2onnx.optimizer import MergeDuplicatedNodesOptimizer, copy

    monkeypatch.delenv("TF2ONNX_CATCH_ERRORS", raising=False)  # which these tests have set: see conftest.py
    copies, deepcopy = [], copy.deepcopy
    monkeypatch.setattr(copy, "deepcopy", lambda value, *rest: copies.append(type(value)) or deepcopy(value, *rest))
    if fails:
        monkeypatch.setattr(MergeDuplicatedNodesOptimizer, "_optimize", lambda self, graph: graph.no_such_thing)
    specs = [tf.TensorSpec([None, 3], tf.float32, name="input_0")]
    proto = onnx_graph.convert(lambda x: [tf.nn.relu(x) - x], specs, Markers())
    x = random_array(2, 3)
    np.testing.assert_allclose(run_onnx(proto, {"input_0": x})[0], np.maximum(x, 0) - x)
    assert any(kind.__module__ == "tf2onnx.graph" for kind in copies) == fails
    assert "TF2ONNX_CATCH_ERRORS" not in os.environ
