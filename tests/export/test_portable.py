"""Transformers for runtimes other than ONNX Runtime: standard operators, and the same numbers."""

import json

import keras
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import keras_seq
from keras_seq.export import ExportError, export_model, onnx_graph
from tests.export.graphs import run_keras, run_onnx, with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

VOCABULARY, FEATURES, HEADS = 23, 6, 2


def make_model():
    """Every kind of attention, normalisation and feed-forward network, under a mask."""
    words = keras.Input((None,), dtype="int32", name="words")
    x = keras.layers.Embedding(VOCABULARY, FEATURES, mask_zero=True)(words)
    x = keras_seq.TransformerEncoder(1, HEADS, 11, activation="gelu", position="sinusoidal")(x)
    x = keras_seq.TransformerEncoder(
        1, HEADS, 11, activation="swiglu", position="rotary", key_dim=4, norm="rms", norm_first=True
    )(x)
    x = x + keras.layers.MultiHeadAttention(HEADS, 5)(x, x, use_causal_mask=True)
    x = x + keras_seq.MultiHeadAttention(4, 3, num_key_value_heads=2)(x)
    return with_random_weights(keras.Model([words], keras.layers.LayerNormalization()(x), name="encoder"))


WORDS = np.array([[4, 8, 15, 16, 0], [2, 3, 0, 0, 0], [0, 0, 7, 0, 9]], "int32")


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def report(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("portable") / "encoder"
    return export_model(model, path, formats="onnx", portable=True)


@pytest.fixture(scope="module")
def graph(report):
    return onnx.load(report.path / "model.onnx")


def assert_agree(received, model):
    (expected,) = run_keras(model, {"words": WORDS})
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


def test_bundle_says_that_it_is_portable_and_why_attention_is_plain(report):
    manifest = json.loads((report.path / "bundle.json").read_text(encoding="utf-8"))
    assert manifest["onnx"]["portable"] is True
    assert {row["lowering"] for row in manifest["layers"]} == {"plain"}
    assert {row["reason"] for row in manifest["layers"]} == {"portable=True keeps to standard operators"}
    assert len(manifest["layers"]) == 4
    assert all(result.passed for result in report.parity)


def test_there_is_no_operator_beside_the_standard(graph):
    assert onnx_graph.foreign_operators(graph) == []
    assert [entry.domain for entry in graph.opset_import] == [""]
    onnx.checker.check_model(graph, full_check=True)


def test_onnxruntime_computes_what_keras_does(graph, model):
    assert_agree(run_onnx(graph, {"words": WORDS})[0], model)


def test_reference_evaluator_of_onnx_computes_what_keras_does(graph, model):
    assert_agree(ReferenceEvaluator(graph).run(None, {"words": WORDS})[0], model)


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed shapes", "dynamic shapes"])
def test_openvino_computes_what_keras_does(fixed, report, model):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'keras_seq[dev]'")
    core = openvino.Core()
    graph = core.read_model(report.path / "model.onnx")
    if fixed:
        graph.reshape({"words": WORDS.shape})
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert_agree(compiled({"words": WORDS})[0], model)


def test_by_default_the_operators_are_those_of_onnxruntime(model, tmp_path):
    report = export_model(model, tmp_path / "encoder", formats="onnx")
    operators = report.manifest.graphs["model"].operators
    assert (operators["Attention"], operators["Gelu"]) == (2, 1)
    assert report.manifest.onnx["portable"] is False
    assert sorted(layer.lowering for layer in report.layers) == ["fused", "fused", "plain", "plain"]
    assert len({layer.name for layer in report.layers}) == 4
    assert "fused, projections and attention in one node" in str(report)


def test_operators_that_get_in_all_the_same_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_graph, "foreign_operators", lambda proto: ["com.microsoft.Gelu"])
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ExportError, match=r"operators that are not of the ONNX standard: com\.microsoft\.Gelu"):
        export_model(model, tmp_path / "out", portable=True)
    assert not (tmp_path / "out").exists()
