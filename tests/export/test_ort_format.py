"""Graphs in ONNX Runtime's own format. What the `.onnx` files compute is the oracle."""

import re

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export import ExportError, export_model
from keras_seq.export.ort_format import write_ort
from keras_seq.serving import Bundle, Predictor, Stream
from tests.export.models import tagger
from tests.export.ort_bundles import COLUMNS, GRAPH, ROWS, WRITERS, small_weights, with_ort, write_float_graph
from tests.serving import conftest as toy


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {name: with_ort(write(folder / name)) for name, write in WRITERS.items()}


def test_whole_sequences_are_answered_as_by_the_onnx_file(bundles):
    rng = np.random.default_rng(3)
    inputs = {"words": [rng.integers(1, toy.VOCABULARY, n) for n in (2, 7, 5)]}
    inputs["shapes"] = [rng.normal(size=(n, toy.FEATURES)) for n in (2, 7, 5)]
    with Predictor(bundles["masked"], variant="ort") as small, Predictor(bundles["masked"]) as usual:
        for a, b in zip(small.predict(inputs)["tags"], usual.predict(inputs)["tags"], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_streams_are_answered_as_by_the_onnx_file_with_states_that_keep_their_size_and_such_that_grow(bundles):
    rng = np.random.default_rng(4)
    for name in ("masked", "looker"):
        with Stream(bundles[name], variant="ort") as small, Stream(bundles[name]) as usual:
            for _ in range(3):
                inputs = {
                    spec.name: rng.integers(1, 7, (2, 3))
                    if spec.dtype == "int32"
                    else rng.normal(size=(2, 3, spec.shape[-1])).astype(spec.dtype)
                    for spec in usual.inputs
                }
                found, expected = small.feed(inputs), usual.feed(inputs)
                for output, value in expected.items():
                    np.testing.assert_allclose(found[output], value, atol=1e-6)


def test_options_may_be_given_or_left_out(bundles):
    with (
        Predictor(bundles["dates"], graph="generate", variant="ort") as small,
        Predictor(bundles["dates"], graph="generate") as usual,
    ):
        source = np.array([[4, 8, 15], [16, 23, 4]]) % 11 + 1
        answers = [[p.predict(source, options)["ids"] for p in (small, usual)] for options in ({}, {"max_length": 2})]
    for found, expected in answers:
        np.testing.assert_array_equal(found, expected)
    assert answers[0][0].shape != answers[1][0].shape


def test_strings_go_in_and_come_out(bundles):
    run = {
        file: onnxruntime.InferenceSession(str(bundles["pos"] / file)).run(
            None, {"text": np.array(["The dog barks", "a"], object)}
        )
        for file in ("model.onnx", "model.ort")
    }
    strings = [value.tolist() for value in run["model.ort"] if value.dtype == object]
    assert strings
    assert strings == [value.tolist() for value in run["model.onnx"] if value.dtype == object]


@pytest.mark.parametrize("kind", ["int8", "uint8", "float16"])
def test_weights_that_are_stored_small_stay_small(tmp_path, kind):
    write_float_graph(tmp_path, *small_weights(kind))
    entry = write_ort(tmp_path, {"model": GRAPH})["model"].variants["ort"]
    assert entry.operators["Cast"] == 1
    saved = ROWS * COLUMNS * (4 - np.dtype(kind).itemsize)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "folded.ort")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), options)  # what it would be
    size = (tmp_path / "model.ort").stat().st_size
    assert (tmp_path / "folded.ort").stat().st_size - size > 0.8 * saved
    sessions = [onnxruntime.InferenceSession(str(tmp_path / f"model.{form}")) for form in ("onnx", "ort")]
    assert [tensor.name for tensor in sessions[1].get_inputs()] == ["x"]
    assert sessions[1].get_overridable_initializers() == []
    x = np.random.default_rng(8).normal(size=(2, 7, 3)).astype("float32")
    expected, found = (session.run(None, {"x": x})[0] for session in sessions)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)  # sums of 67 and 71 products of up to 100


def test_weights_that_a_loop_reads_are_widened_once_and_for_all(tmp_path):
    write_float_graph(tmp_path, *small_weights("int8", in_loop=True))
    entry = write_ort(tmp_path, {"model": GRAPH})["model"].variants["ort"]
    assert "Cast" not in entry.operators
    assert entry.operators["Loop"] == 1


def test_an_export_writes_verifies_and_lists_them(tmp_path):
    report = export_model(tagger(), tmp_path / "out", formats="onnx", streaming=True, ort_format=True)
    manifest = Bundle.load(tmp_path / "out").manifest
    assert {name: graph.variants["ort"].file for name, graph in manifest.graphs.items()} == {
        "model": "model.ort",
        "step": "step.ort",
    }
    assert {"model.ort", "step.ort", "required_operators.config"} <= set(manifest.files)
    nodes = manifest.graphs["step"].variants["ort"].nodes
    assert re.search(rf"^  step\.ort +\d+\.\d\d MB, {nodes} nodes$", str(report), re.MULTILINE)
    compared = {(row.candidate, row.reference) for row in report.parity}
    assert {("model.ort", "keras"), ("step.ort", "keras"), ("step.ort in chunks", "step.ort at once")} <= compared
    assert manifest.graphs["model"].variants["ort"].operators["LSTM"] == 1


def test_bad_arguments_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ExportError, match=r"with ort_format=True `formats` needs 'onnx'. Received: \('saved_model',\)"):
        export_model(tagger(), tmp_path / "out", formats="saved_model", ort_format=True)
    with pytest.raises(ExportError, match=r"`ort_format` must be True or False\. Received: 'yes'"):
        export_model(tagger(), tmp_path / "out", ort_format="yes")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_the_format_cannot_hold_is_named(tmp_path):
    none = helper.make_node(
        "Optional", [], ["nothing"], type=helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    )  # its attribute is a type
    has = helper.make_node("OptionalHasElement", ["nothing"], ["has"])
    nodes = [none, has, helper.make_node("Cast", ["has"], ["as_float"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("MatMul", ["x", "w"], ["b"]), helper.make_node("Add", ["b", "as_float"], ["y"])]
    weights = numpy_helper.from_array(np.ones((3, 5), "float32"), "w")
    write_float_graph(tmp_path, nodes, [weights])
    with pytest.raises(ExportError, match=r"model\.onnx cannot be written in ONNX Runtime's own format by onnxruntime"):
        write_ort(tmp_path, {"model": GRAPH})


def test_a_runtime_that_does_not_write_the_format_is_refused(tmp_path, monkeypatch):
    write_float_graph(tmp_path, *small_weights("int8"))
    add = onnxruntime.SessionOptions.add_session_config_entry

    def forgetful(self, key, value):
        add(self, key, "ONNX" if key == "session.save_model_format" else value)

    monkeypatch.setattr(onnxruntime.SessionOptions, "add_session_config_entry", forgetful)
    with pytest.raises(
        ExportError, match=r"does not write ONNX Runtime's own format: of model\.onnx it made something"
    ):
        write_ort(tmp_path, {"model": GRAPH})
