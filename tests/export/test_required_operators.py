"""`required_operators.config`, read by the reader that ONNX Runtime's build has.

The nodes of the optimised graphs are had from ONNX Runtime as ONNX here, and the versions of the operators from ONNX.
"""

import logging
import sys
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.tools.reduced_build_config_parser import parse_config

from keras_seq.export.ort_format import write_ort
from keras_seq.export.passes.scopes import graphs as scopes
from keras_seq.serving import Bundle
from tests.export.ort_bundles import GRAPH, WRITERS, with_ort, write_float_graph
from tests.serving import conftest as toy

CPP_TYPES = {"float": "float", "int32": "int32_t", "int64": "int64_t", "bool": "bool", "string": "std::string"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {name: with_ort(write(folder / name)) for name, write in WRITERS.items()}


def optimised(path, scratch):
    """The graph as ONNX Runtime has it behind the extended optimisations, as ONNX."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(scratch / "optimised.onnx")
    onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    return onnx.load(scratch / "optimised.onnx")


def nodes_of(proto):
    return [node for scope in scopes(proto.graph) for node in scope.node]


def types_of(proto):
    """C++ type of each value, as ONNX infers it."""
    found = {}
    for scope in scopes(onnx.shape_inference.infer_shapes(proto).graph):
        for value in (*scope.input, *scope.output, *scope.value_info):
            found[value.name] = value.type.tensor_type.elem_type
        for tensor in scope.initializer:
            found[tensor.name] = tensor.data_type
    # Behind operators of ONNX Runtime's own ONNX knows no more; ONNX Runtime tells what it gives.
    shown = onnx.ModelProto.FromString(proto.SerializeToString())
    given = {value.name for value in shown.graph.output}
    names = [name for node in shown.graph.node for name in node.output if name and name not in given]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    for output in onnxruntime.InferenceSession(shown.SerializeToString()).get_outputs():
        kind = output.type.removeprefix("tensor(").removesuffix(")")
        found[output.name] = TensorProto.DataType.Value(kind.upper())
    return {name: CPP_TYPES[TensorProto.DataType.Name(kind).lower()] for name, kind in found.items() if kind}


@pytest.mark.parametrize("name", WRITERS)
def test_entries_and_required_operators_name_the_nodes_of_the_optimised_graphs_and_no_others(bundles, name, tmp_path):
    folder = bundles[name]
    protos = []
    for graph in Bundle.load(folder).manifest.graphs.values():
        proto = optimised(folder / graph.file, tmp_path)
        counts = Counter(node.op_type for node in nodes_of(proto))
        entry = graph.variants["ort"]
        assert (entry.operators, entry.nodes) == (counts, counts.total())
        protos.append(proto)

    required, filter_ = parse_config(str(folder / "required_operators.config"), enable_type_reduction=True)
    expected: dict = {}
    for proto in protos:
        opsets = {entry.domain: entry.version for entry in proto.opset_import}
        for node in nodes_of(proto):
            domain = "" if node.domain == "ai.onnx" else node.domain
            if domain == "com.microsoft":
                since = 1
            else:
                since = onnx.defs.get_schema(node.op_type, opsets[node.domain], domain).since_version
            expected.setdefault(domain or "ai.onnx", {}).setdefault(since, set()).add(node.op_type)
    assert required == expected

    cpp = "\n".join(filter_.get_cpp_entries())
    checked = 0
    for proto in protos:
        types = types_of(proto)
        for node in nodes_of(proto):
            if node.op_type == "Cast":
                for side, value in (("Input", node.input[0]), ("Output", node.output[0])):
                    lines = [line for line in cpp.splitlines() if f"Cast, {side}, 0" in line]
                    assert len(lines) == 1, cpp
                    assert types[value] in lines[0]
                    checked += 1
            if node.op_type in ("Gather", "MatMul", "ReduceSum", "Where"):
                value = node.input[1 if node.op_type == "Where" else 0]
                assert filter_.is_typed_registration_needed("ai.onnx", node.op_type, types[value]), node
                checked += 1
    assert checked
    assert not filter_.is_typed_registration_needed("ai.onnx", "MatMul", "double") or "MatMul" not in cpp


def test_types_and_contrib_operators_are_told(bundles, tmp_path):
    texts = (bundles["pos"] / "required_operators.config").read_text()
    assert '"std::string"' in texts
    assert "ai.onnx.ml;" in texts
    product = helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft", alpha=0.5)
    weights = np.random.default_rng(5).normal(size=(3, 5)).astype("float32")
    write_float_graph(tmp_path, [product], [numpy_helper.from_array(weights, "w")], contrib=True)
    write_ort(tmp_path, {"model": GRAPH})
    assert "com.microsoft;1;FusedMatMul" in (tmp_path / "required_operators.config").read_text()


def test_nothing_of_this_machine_is_in_required_operators(bundles):
    text = (bundles["masked"] / "required_operators.config").read_text()
    assert text.startswith("# Generated from model/s:\n# - model.ort\n# - step.ort\nai.onnx;")
    assert "/" not in text.splitlines()[1]


def test_the_process_is_left_as_it_was(tmp_path):
    folder = toy._write_bundle(tmp_path / "toy")
    graphs = Bundle.load(folder).manifest.graphs
    for name in [name for name in sys.modules if name.startswith("onnxruntime.tools")]:
        del sys.modules[name]
    root = logging.getLogger()
    handlers, path, disabled = list(root.handlers), list(sys.path), root.manager.disable
    write_ort(folder, graphs)
    assert (root.handlers, sys.path, root.manager.disable) == (handlers, path, disabled)
