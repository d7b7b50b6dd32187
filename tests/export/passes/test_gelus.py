"""GELU as one node: which forms are found, and which are not."""

import math

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from keras_seq.export.passes.optimise import optimise
from tests.export.graphs import random_array, run_onnx

FORMS = {
    "exact": "a = Mul(x, root)  e = Erf(a)  b = Add(e, one)  h = Mul(x, half)  y = Mul(h, b)",
    "exact, half last": "a = Mul(root, x)  e = Erf(a)  b = Add(one, e)  p = Mul(b, x)  y = Mul(half, p)",
    "mirrored": "n = Neg(x)  a = Mul(n, root)  e = Erf(a)  b = Sub(one, e)  h = Mul(half, x)  y = Mul(h, b)",
    "tanh": "c = Pow(x, three)  t = Mul(c, small)  s = Add(x, t)  r = Mul(s, rate)  e = Tanh(r)  b = Add(e, one)"
    "  h = Mul(half, x)  y = Mul(h, b)",
}
CONSTANTS = {
    "half": 0.5,
    "one": 1.0,
    "root": math.sqrt(0.5),
    "three": 3.0,
    "small": 0.044715,
    "rate": math.sqrt(2 / math.pi),
}
OTHERS = {
    "another factor": FORMS["exact"].replace("Mul(x, half)", "Mul(x, one)"),
    "another rate": FORMS["exact"].replace("Mul(x, root)", "Mul(x, half)"),
    "another argument": FORMS["exact"].replace("h = Mul(x, half)", "n = Neg(x)  h = Mul(n, half)"),
    "not mirrored": FORMS["mirrored"].replace("Mul(n, root)", "Mul(x, root)"),
    "another power": FORMS["tanh"].replace("Pow(x, three)", "Pow(x, one)"),
}


def model_of(form, outputs="float[n] y"):
    constants = ", ".join(
        f"float {name} = {{{value!r}}}" for name, value in CONSTANTS.items() if f"{name})" in form or f"({name}" in form
    )
    return parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 18]> gelu (float[n] x) => ({outputs}) <{constants}> {{ {form} }}'
    )


def exact(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_one_node_with_the_same_values(name):
    proto = model_of(FORMS[name])
    x = 3 * random_array(101)
    (before,) = run_onnx(proto, {"x": x})
    optimise(proto)
    (node,) = proto.graph.node
    assert (node.op_type, node.domain) == ("FastGelu" if name == "tanh" else "Gelu", "com.microsoft")
    assert {entry.domain for entry in proto.opset_import} == {"", "com.microsoft"}
    (after,) = run_onnx(proto, {"x": x})
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after, exact(x.astype("float64")), atol=5e-4 if name == "tanh" else 1e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_almost_a_gelu_stays(name):
    proto = model_of(OTHERS[name])
    x = 3 * random_array(101)
    (before,) = run_onnx(proto, {"x": x})
    optimise(proto)
    assert not {"Gelu", "FastGelu"} & {node.op_type for node in proto.graph.node}
    np.testing.assert_allclose(run_onnx(proto, {"x": x})[0], before, rtol=1e-6, atol=1e-6)


def test_a_term_that_somebody_else_reads_stays():
    proto = model_of(FORMS["exact"], outputs="float[n] y, float[n] e")
    optimise(proto)
    assert "Erf" in {node.op_type for node in proto.graph.node}


def test_several_in_one_graph_are_all_found():
    proto = model_of(
        FORMS["exact"] + "  a2 = Mul(y, root)  e2 = Erf(a2)  b2 = Add(e2, one)  h2 = Mul(y, half)  z = Mul(h2, b2)",
        outputs="float[n] z",
    )
    optimise(proto)
    assert [node.op_type for node in proto.graph.node] == ["Gelu", "Gelu"]
    assert len(proto.opset_import) == 2


@pytest.mark.parametrize("name", FORMS)
def test_portable_graphs_keep_standard_operators_that_onnxruntime_fuses(name, tmp_path):
    proto = model_of(FORMS[name])
    optimise(proto, portable=True)
    assert {node.domain for node in proto.graph.node} == {""}
    x = 3 * random_array(101)
    np.testing.assert_allclose(
        run_onnx(proto, {"x": x})[0], exact(x.astype("float64")), atol=5e-4 if name == "tanh" else 1e-6
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fused = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert fused == ["Gelu"] or name == "tanh"
