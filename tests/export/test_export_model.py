"""The whole pipeline: what it writes, what it refuses, and that it leaves the model and the disk as they were."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

import keras_seq
from keras_seq.export import ExportError, ParityError, Tolerance, export_model
from keras_seq.export.lowering import native_cell
from keras_seq.serving import Bundle, BundleError, Predictor
from tests.export.graphs import run_onnx
from tests.export.models import FEATURES, TAGS, UNITS, VOCABULARY, signal_model, small, tagger

pytestmark = pytest.mark.backend("tensorflow")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(20)
    return tagger()


@pytest.fixture(scope="module")
def report(model, tmp_path_factory):
    """Of the tagger with everything that can be written."""
    path = tmp_path_factory.mktemp("whole") / "tagger"
    return export_model(model, path, streaming=True, metadata={"labels": ["O", "B"], "task": "Ätzend"})


def rows(*lengths):
    rng = np.random.default_rng(0)
    return [
        {
            "words": rng.integers(1, VOCABULARY, n).astype("int32"),
            "shapes": rng.normal(size=(n, FEATURES)).astype("float32"),
        }
        for n in lengths
    ]


def test_bundle_holds_all_that_was_asked_for_and_nothing_else(report):
    assert sorted(entry.name for entry in report.path.iterdir()) == [
        "bundle.json",
        "model.onnx",
        "saved_model",
        "step.onnx",
    ]
    assert [entry.name for entry in report.path.parent.iterdir()] == ["tagger"]


def test_manifest_describes_model_graphs_and_layers(model, report):
    manifest = json.loads((report.path / "bundle.json").read_text(encoding="utf-8"))
    assert manifest["schema_version"] == 1
    assert manifest["name"] == "tagger"
    assert manifest["model"] == {
        "class": "Functional",
        "parameters": model.count_params(),
        "dtype_policy": "float32",
    }
    assert manifest["onnx"] == {"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17", "portable": False}
    assert manifest["metadata"] == {"labels": ["O", "B"], "task": "Ätzend"}
    assert manifest["saved_model"] == {"path": "saved_model", "signatures": ["serving_default", "step"]}
    assert {"python", "keras", "keras_seq", "tensorflow", "tf2onnx", "onnx", "onnxruntime", "numpy"} <= set(
        manifest["versions"]
    )
    assert manifest["layers"] == [
        {"name": "lstm_1", "class": "LSTM", "lowering": "native", "operators": {"LSTM": 1}, "reason": "one node"},
        {"name": "gru_1", "class": "GRU", "lowering": "native", "operators": {"GRU": 1}, "reason": "one node"},
    ]
    graph = manifest["graphs"]["model"]
    assert graph["file"] == "model.onnx"
    assert graph["states"] == []
    assert graph["inputs"] == [
        {"name": "words", "dtype": "int32", "shape": ["batch", "time"], "pad_value": 0, "maximum": VOCABULARY - 1},
        {"name": "shapes", "dtype": "float32", "shape": ["batch", "time", FEATURES], "pad_value": 0.0, "maximum": None},
    ]
    assert [(o["name"], o["dtype"], o["shape"]) for o in graph["outputs"]] == [
        ("tags", "float32", ["batch", "time", TAGS]),
        ("style", "float32", ["batch", 2]),
    ]


@pytest.mark.parametrize("name", ["model", "step"])
def test_node_counts_in_the_manifest_are_those_of_the_graph(report, name):
    graph = onnx.load(report.path / f"{name}.onnx").graph
    entry = report.manifest.graphs[name]
    assert entry.nodes == len(graph.node) == sum(entry.operators.values())
    assert (entry.operators["LSTM"], entry.operators["GRU"]) == (1, 1)


def test_every_form_was_compared_on_every_output(report):
    pairs = {(row["reference"], row["candidate"], row["output"]) for row in report.manifest.parity}
    candidates = [
        ("keras", "model.onnx"),
        ("keras", "saved_model:serving_default"),
        ("keras", "step.onnx"),
        ("keras", "saved_model:step"),
        ("step.onnx at once", "step.onnx in chunks"),
        ("saved_model:step at once", "saved_model:step in chunks"),
    ]
    assert pairs == {(*pair, output) for pair in candidates for output in ("tags", "style")}
    for row in report.manifest.parity:
        assert row["passed"], row
        assert row["max_abs_diff"] <= (1e-6 if "chunks" in row["candidate"] else 1e-5)
        assert row["cases"] >= 4
        if "chunks" in row["candidate"]:
            assert (row["atol"], row["rtol"]) == (1e-6, 1e-6)


def test_files_are_listed_with_sizes_and_digests(report):
    Bundle.load(report.path)  # compares both
    listed = set(report.manifest.files)
    there = {file.relative_to(report.path).as_posix() for file in report.path.rglob("*") if file.is_file()}
    assert listed == there - {"bundle.json"}


def test_report_prints_what_matters(report):
    text = str(report)
    for part in (
        "tagger",
        "model.onnx",
        "step.onnx",
        "nodes",
        "lstm_1.h, lstm_1.c, gru_1.h",
        "serving_default, step",
    ):
        assert part in text
    assert "layer lstm_1 (LSTM): native, one node" in text
    assert "model.onnx against keras, output 'tags'" in text


def test_ragged_rows_are_the_same_as_alone_and_as_in_keras(model, report):
    given = rows(7, 2, 5)
    with Predictor(report.path) as predictor:
        together = predictor.predict({name: [row[name] for row in given] for name in ("words", "shapes")})
        for i, row in enumerate(given):
            alone = predictor.predict({name: value[None] for name, value in row.items()})
            expected = model([value[None] for value in row.values()], training=False)
            for name, value in zip(("tags", "style"), expected, strict=True):
                np.testing.assert_allclose(together[name][i], alone[name][0], rtol=1e-6, atol=1e-6)
                np.testing.assert_allclose(alone[name], value, rtol=1e-5, atol=1e-6)


def test_bundle_runs_where_neither_keras_nor_tensorflow_is(report):
    program = f"""
import sys

class Missing:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("keras", "tensorflow", "onnx", "tf2onnx"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from keras_seq.serving import Predictor, Stream
predictor = Predictor({str(report.path)!r})
shapes = [[[0.5] * {FEATURES}] * 3, [[0.5] * {FEATURES}] * 2]
whole = predictor.predict({{"words": [[1, 2, 3], [4, 5]], "shapes": shapes}})
stream = Stream({str(report.path)!r})
for word in (1, 2, 3):
    stream.feed({{"words": [[word]], "shapes": [[[0.5] * {FEATURES}]]}})
difference = abs(stream.result()["tags"][0] - whole["tags"][0]).max()
assert difference < 1e-6, difference
print([part.shape for part in whole["tags"]], "keras_seq.export" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"[(3, {TAGS}), (2, {TAGS})] False"


def test_one_format_can_be_asked_for_by_name(tmp_path):
    report = export_model(signal_model(keras_seq.GRU(UNITS)), tmp_path / "bundle", formats="saved_model")
    assert (report.manifest.graphs, report.manifest.onnx) == ({}, None)
    assert not list(report.path.glob("*.onnx"))
    assert {row["candidate"] for row in report.manifest.parity} == {"saved_model:serving_default"}


def test_progress_is_told_stage_by_stage(tmp_path):
    lines = []
    export_model(signal_model(keras_seq.GRU(UNITS)), tmp_path / "bundle", formats="onnx", progress=lines.append)
    assert lines == ["running the Keras model", "writing model.onnx", "comparing with the Keras model"]


# What goes wrong on the way.


@pytest.fixture
def wrong_weights(monkeypatch):
    """Biases that are off by a little in every ONNX graph, and right in Keras."""
    monkeypatch.setattr(native_cell, "_bias", lambda cell, gates, right=native_cell._bias: right(cell, gates) + 0.01)


def test_wrong_graph_is_found_and_removed(tmp_path, wrong_weights):
    with pytest.raises(ParityError, match="2 of 4 comparisons with the Keras model differ") as raised:
        export_model(tagger(), tmp_path / "bundle")
    failed = {(result.candidate, result.output) for result in raised.value.results if not result.passed}
    assert failed == {("model.onnx", "tags"), ("model.onnx", "style")}
    assert "model.onnx against keras, output 'tags'" in str(raised.value)
    assert "saved_model" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_tolerance_is_the_callers_to_choose(tmp_path, wrong_weights):
    report = export_model(small(), tmp_path / "bundle", formats="onnx", tolerance=Tolerance(atol=1.0, rtol=0.5))
    assert {(row["atol"], row["rtol"]) for row in report.manifest.parity} == {(1.0, 0.5)}


def test_without_verification_nothing_is_compared(tmp_path, wrong_weights):
    report = export_model(small(), tmp_path / "bundle", formats="onnx", verify=False)
    assert report.parity == ()


def test_failed_export_keeps_the_bundle_that_was_there(tmp_path, wrong_weights):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("old")
    with pytest.raises(ParityError):
        export_model(small(), tmp_path / "bundle", formats="onnx", overwrite=True)
    assert [file.name for file in tmp_path.rglob("*")] == ["bundle", "bundle.json"]
    assert (tmp_path / "bundle" / "bundle.json").read_text() == "old"


def test_full_disk_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ExportError, match=r"cannot be written to .*bundle: No space left on device"):
        export_model(small(), tmp_path / "bundle", formats="onnx")
    assert not list(tmp_path.iterdir())


STAGES = ["running the Keras model", "writing step.onnx", "writing saved_model", "comparing with the Keras model"]


@pytest.mark.parametrize("stage", STAGES)
def test_interrupt_at_any_stage_leaves_nothing_and_the_model_as_it_was(tmp_path, stage):
    model = small()
    before = state_of(model)

    def interrupt(line):
        if line == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_model(model, tmp_path / "bundle", streaming=True, progress=interrupt)
    assert not list(tmp_path.iterdir())
    assert_same_state(model, before)


# The model.


def state_of(model):
    """Everything that an export might change, layer by layer."""
    layers = {}
    for layer in model._flatten_layers():
        layers[layer.path] = {
            "policy": layer.dtype_policy.name,
            "calls": sorted(name for name in vars(layer) if name == "call"),
            **{name: getattr(layer, name, None) for name in ("use_cudnn", "stateful", "return_state", "built")},
        }
    return layers, {variable.path: np.array(variable) for variable in model.variables}


def assert_same_state(model, before):
    layers, variables = state_of(model)
    assert layers == before[0]
    assert variables.keys() == before[1].keys()
    for path, value in variables.items():
        np.testing.assert_array_equal(value, before[1][path], err_msg=path)


def bfloat16_model():
    x = keras.Input(batch_shape=(7, None, FEATURES), name="signal")
    y = keras.layers.LSTM(UNITS, stateful=True, return_sequences=True, dtype="mixed_bfloat16")(x)
    y = keras_seq.Bidirectional(keras_seq.GRU(UNITS, return_sequences=True, use_cudnn="auto"))(y)
    model = keras.Model(x, keras.layers.Dense(2)(y), name="model")
    model(np.ones((7, 3, FEATURES), "float32"))  # so that the states are not zero
    return model


def test_model_is_as_it_was_and_still_trains(tmp_path):
    model = bfloat16_model()
    before = state_of(model)
    assert any(np.any(value) for path, value in before[1].items() if "state" in path)
    export_model(model, tmp_path / "bundle")
    assert_same_state(model, before)
    model.compile("sgd", "mse")
    model.fit(np.ones((7, 3, FEATURES), "float32"), np.ones((7, 3, 2), "float32"), batch_size=7, verbose=0)


def test_model_is_as_it_was_after_a_failure(tmp_path, wrong_weights):
    model = bfloat16_model()
    before = state_of(model)
    with pytest.raises(ParityError):
        export_model(model, tmp_path / "bundle", formats="onnx")
    assert_same_state(model, before)


def test_altered_file_is_refused(tmp_path):
    report = export_model(small(), tmp_path / "bundle", formats="onnx", verify=False)
    file = report.path / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        Bundle.load(report.path)


def test_graph_is_read_by_its_names(tmp_path):
    model = small()
    report = export_model(model, tmp_path / "bundle", formats="onnx", verify=False)
    graph = onnx.load(report.path / "model.onnx")
    x = np.random.default_rng(0).normal(size=(7, 11, FEATURES)).astype("float32")
    np.testing.assert_allclose(run_onnx(graph, {"signal": x})[0], model(x), rtol=1e-5, atol=1e-6)
