"""What `export_model` refuses before anything is written, and what it leaves as a loop when told to."""

import keras
import numpy as np
import onnx
import pytest

import keras_seq
from keras_seq.export import ExportError, export_model
from tests.export.graphs import recurrent_nodes
from tests.export.models import FEATURES, UNITS, signal_model, small

pytestmark = pytest.mark.backend("tensorflow")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": "tflite"}, r"`formats` must be one or more of \['onnx', 'saved_model'\]\. Received: \['tflite'\]"),
        ({"formats": ["onnx", "tflite"]}, r"Received: \['onnx', 'tflite'\]"),
        ({"formats": []}, r"Received: \[\]"),
        ({"min_onnxruntime": "1.13"}, r"opset 18, which onnxruntime knows since 1\.14.*min_onnxruntime='1\.13'"),
        ({"min_onnxruntime": "new"}, r"`min_onnxruntime` must be a version such as '1\.17'\. Received: 'new'"),
        ({"metadata": {"model": np.zeros(2)}}, r"`metadata` cannot be written to bundle\.json: Object of type ndarray"),
        ({"metadata": {"score": float("nan")}}, r"`metadata` cannot be written to bundle\.json: Out of range float"),
        ({"dynamic_dims": {"nothing": {1: "x"}}}, r"`dynamic_dims` names inputs \['nothing'\]"),
    ],
)
def test_wrong_option_is_refused_and_nothing_is_written(tmp_path, options, message):
    with pytest.raises(ExportError, match=message):
        export_model(small(), tmp_path / "bundle", **options)
    assert not list(tmp_path.iterdir())


def test_model_that_was_never_built_is_refused(tmp_path):
    with pytest.raises(ExportError, match="model 'empty' was never built"):
        export_model(keras.Sequential([keras_seq.LSTM(2)], name="empty"), tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_other_backends_are_told_how_to_go_on(tmp_path, monkeypatch):
    model = small()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match=r"runs on 'jax'.*model\.save.*KERAS_BACKEND=tensorflow"):
        export_model(model, tmp_path / "bundle")


def test_output_without_a_batch_is_refused_by_name(tmp_path):
    x = keras.Input((None, FEATURES), name="signal")
    y = keras_seq.GRU(UNITS)(x)
    model = keras.Model(x, {"mean": keras.ops.mean(y, axis=0), "all": y})
    with pytest.raises(
        ExportError, match=r"output 'mean' has shape .* the first axis of every output must be the batch"
    ):
        export_model(model, tmp_path / "bundle", formats="onnx")
    assert not list(tmp_path.iterdir())


class OwnCell(keras.layers.Layer):
    """A leaky integrator."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

    def call(self, inputs, states):
        h = 0.5 * states[0] + keras.ops.matmul(inputs, self.kernel)
        return h, [h]


NOT_NATIVE = {
    "own cell": (lambda: keras.layers.RNN(OwnCell(UNITS), name="mine"), "its cell OwnCell has no lowering rule"),
    "activation": (lambda: keras_seq.LSTM(UNITS, activation="gelu", name="mine"), "its activation 'gelu' is none of"),
    "one direction of two": (
        lambda: keras_seq.Bidirectional(keras_seq.GRU(UNITS, activation="silu"), name="mine"),
        "of 'forward_.*': its activation 'silu' is none of",
    ),
}


@pytest.mark.parametrize("case", NOT_NATIVE)
def test_layer_without_a_native_form_is_refused_by_name_with_the_reason(tmp_path, case):
    make, reason = NOT_NATIVE[case]
    message = rf"(?s)layer 'mine' \(\w+\): {reason}.*pass allow_loop=True"
    with pytest.raises(ExportError, match=message):
        export_model(signal_model(make()), tmp_path / "bundle", formats="onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", NOT_NATIVE)
def test_loop_is_kept_when_allowed_and_said_so(tmp_path, case):
    make, _ = NOT_NATIVE[case]
    report = export_model(signal_model(make()), tmp_path / "bundle", formats="onnx", allow_loop=True)
    (note,) = report.layers
    assert (note.name, note.lowering, note.operators) == ("mine", "loop", {})
    counts = recurrent_nodes(onnx.load(report.path / "model.onnx"))
    assert counts.get("Loop", 0) + counts.get("Scan", 0) >= 1


def test_image_recurrence_is_refused_too(tmp_path):
    x = keras.Input((None, 7, 7, 2), name="frames")
    model = keras.Model(x, keras.layers.ConvLSTM2D(3, 3, name="images")(x))
    with pytest.raises(ExportError, match=r"layer 'images' \(ConvLSTM2D\): its cell ConvLSTMCell has no lowering"):
        export_model(model, tmp_path / "bundle", formats="onnx")


class OwnLoop(keras.layers.Layer):
    def call(self, x):
        return keras.ops.fori_loop(0, keras.ops.shape(x)[1], lambda i, y: y * 0.5 + x[:, i], x[:, 0])


def test_loop_that_no_layer_announces_is_found_in_the_graph(tmp_path):
    with pytest.raises(ExportError, match=r"model\.onnx would hold loops that no lowering rule knows of: .*allow_loop"):
        export_model(signal_model(OwnLoop()), tmp_path / "bundle", formats="onnx")
    assert not list(tmp_path.iterdir())
