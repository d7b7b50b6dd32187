"""A graph that browsers could not load is refused by the name of the operator and of its layer."""

import onnx
import pytest
from onnx import TensorProto, helper

from keras_seq.serving import BundleError
from keras_seq.serving.site.operators import LACKING, check_operators, layer_of


@pytest.fixture
def write(tmp_path):
    """Writes a chain of nodes; gives the file."""

    def write_graph(*operators, opsets=(("", 18), ("com.microsoft", 1)), ir_version=8):
        nodes = [
            helper.make_node(operator, [f"v{i}"], [f"v{i + 1}"], domain=domain, name=name)
            for i, (domain, operator, name) in enumerate(operators)
        ]
        ends = [helper.make_tensor_value_info(f"v{i}", TensorProto.FLOAT, (None, 3)) for i in (0, len(nodes))]
        graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
        ids = [helper.make_opsetid(*opset) for opset in opsets]
        onnx.save(helper.make_model(graph, opset_imports=ids, ir_version=ir_version), tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return write_graph


def test_what_is_there_is_let_through(write):
    check_operators(write(("", "Relu", "a/relu"), ("com.microsoft", "Gelu", "b/gelu")), "model")


def test_an_operator_of_a_domain_that_is_not_there_is_named_with_its_layer(write):
    path = write(("", "Relu", "relu"), ("my.own", "Fancy", "tagger_1/reader_1/Fancy__7"))
    with pytest.raises(BundleError, match=r"graph 'step' needs .*: my\.own\.Fancy of layer 'tagger/reader', a domain"):
        check_operators(path, "step")


def test_an_operator_that_is_not_there_is_named(write):
    lacking = sorted(LACKING["com.microsoft"])
    nodes = [("com.microsoft", name, f"part_{i}/x") for i, name in enumerate(lacking)]
    more = len(lacking) - 5
    with pytest.raises(
        BundleError, match=rf"com\.microsoft\.{lacking[0]} of layer 'part', .* and {more} more\. Export"
    ):
        check_operators(write(*nodes), "model")
    with pytest.raises(BundleError, match=r"ai\.onnx\.Crop of a node without a name"):
        check_operators(write(("", "Crop", "")), "model")
    with pytest.raises(BundleError, match=r"ai\.onnx\.Crop of node 'crop'"):
        check_operators(write(("", "Crop", "crop")), "model")


def test_versions_that_are_too_new_are_refused(write):
    with pytest.raises(BundleError, match=r"newer than onnxruntime-web: version 27 of ai\.onnx \(it knows 26\)"):
        check_operators(write(("", "Relu", "relu"), opsets=[("", 27)]), "model")
    with pytest.raises(BundleError, match=r"IR version 14 \(it knows 13\)\. .*min_onnxruntime"):
        check_operators(write(("", "Relu", "relu"), ir_version=14), "model")


def test_layers_are_read_off_the_names_of_nodes():
    assert layer_of("bridge_1/state_1_1/MatMul") == "bridge/state_1"
    assert layer_of("while_cond_16002_while/Less") == "while_cond_16002_while"
