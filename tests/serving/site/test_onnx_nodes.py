"""What is read of an ONNX file is what the `onnx` package reads."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_seq.serving import BundleError
from keras_seq.serving.site.onnx_nodes import OnnxFile


def value(name, shape=()):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model_with_everything():
    """Two levels of subgraphs, an operator of another domain, a function of the file's own, weights, long names."""
    inner = helper.make_graph([helper.make_node("Relu", ["x"], ["r"], name="deep/relu")], "inner", [], [value("r")])
    branch = helper.make_node("If", ["yes"], ["q"], name="outer/if", then_branch=inner, else_branch=inner)
    outer = helper.make_graph([branch], "outer", [], [value("q")])
    nodes = [
        helper.make_node("If", ["yes"], ["y"], name="top/if" * 50, then_branch=outer, else_branch=outer),
        helper.make_node("Gelu", ["y"], ["g"], domain="com.microsoft"),
        helper.make_node("Own", ["g"], ["z"], domain="here"),
    ]
    weights = numpy_helper.from_array(np.arange(7 * 11, dtype="float32").reshape(7, 11), "weights")
    graph = helper.make_graph(
        nodes, "all", [value("x"), helper.make_tensor_value_info("yes", TensorProto.BOOL, ())], [value("z")], [weights]
    )
    own = helper.make_function(
        "here", "Own", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"], name="body")], [helper.make_opsetid("", 18)]
    )
    opsets = [
        helper.make_opsetid("", 18),
        helper.make_opsetid("com.microsoft", 1),
        helper.make_opsetid("here", 1),
        helper.make_opsetid("ai.onnx.ml", 300),
    ]
    return helper.make_model(graph, opset_imports=opsets, functions=[own], ir_version=9)


def walk(nodes):
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from walk(attribute.g.node)
        yield node.name, node.op_type, node.domain


def test_nodes_of_all_depths_are_those_that_onnx_reads(tmp_path):
    model = model_with_everything()
    onnx.save(model, tmp_path / "model.onnx")
    file = OnnxFile.read(tmp_path / "model.onnx")
    expected = [*walk(model.graph.node), *walk(model.functions[0].node)]
    assert sorted((node.name, node.operator, node.domain) for node in file.nodes) == sorted(
        node for node in expected if node[1] != "Own"
    )
    assert len(file.nodes) == 9
    assert (file.ir_version, file.opsets) == (9, {"": 18, "com.microsoft": 1, "here": 1, "ai.onnx.ml": 300})


def test_the_long_name_of_the_standard_domain_is_the_short_one(tmp_path):
    model = model_with_everything()
    model.opset_import[0].domain = model.graph.node[0].domain = "ai.onnx"
    onnx.save(model, tmp_path / "model.onnx")
    file = OnnxFile.read(tmp_path / "model.onnx")
    assert file.opsets[""] == 18
    assert {node.domain for node in file.nodes} == {"", "com.microsoft"}


def test_what_is_no_onnx_file_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    whole = model_with_everything().SerializeToString()
    for content in (b"", b"<!doctype html>" * 9, whole[: len(whole) // 2], b"\xff" * 99, bytes([0x08, 9])):
        path.write_bytes(content)
        with pytest.raises(BundleError, match=r"model\.onnx is no ONNX file"):
            OnnxFile.read(path)
