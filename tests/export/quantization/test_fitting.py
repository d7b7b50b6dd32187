"""Layers return to float32 until the metric is content, the most sensitive first, or the export refuses."""

import keras
import numpy as np
import onnx
import pytest

from keras_seq.export import ExportError, export_model
from keras_seq.export.quantization import choice
from keras_seq.export.quantization.decision import FLOAT
from keras_seq.export.quantization.sensitivity import sensitivities
from keras_seq.export.quantization.subject import Subject
from keras_seq.export.quantization.validation_set import ValidationSet
from keras_seq.export.quantization.weight_owners import WeightOwners
from keras_seq.serving import Bundle
from tests.export.quantization.fragile import CLASSES, ROWS, TIME, fragile_data, fragile_model

pytestmark = pytest.mark.backend("tensorflow")


@pytest.fixture(scope="module")
def fragile():
    model = fragile_model()
    return model, fragile_data(model)


def export(fragile, path, **settings):
    model, data = fragile
    given = {"quantize": "int8", "validation_data": data, "metric": "accuracy", "max_metric_drop": 0.0}
    return export_model(model, path, formats="onnx", verify=False, **(given | settings))


@pytest.fixture(scope="module")
def fitted(fragile, tmp_path_factory):
    lines = []
    report = export(fragile, tmp_path_factory.mktemp("fitted") / "out", streaming=True, progress=lines.append)
    return report, lines


def forms(decisions):
    return {one.layer.split("/")[0]: one.form for one in decisions}


def test_the_layer_that_ruins_the_task_stays_in_float32_and_no_other_does(fragile, fitted):
    report, lines = fitted
    assert np.mean(fragile[1][2]) > 0.4
    assert report.quantization.kept_float == ("fragile",)
    assert forms(report.quantization.decisions["model"]) == {
        "fragile": FLOAT,
        "lstm": "int8 weights",
        "tags": FLOAT,  # too small
    }
    (score, in_steps) = report.quantization.scores
    assert (score.before, score.after, score.drop) == (1.0, 1.0, 0.0)
    assert (score.graph, in_steps.graph) == ("model", "step")
    assert "quantising to int8, 1 layers in float32" in lines
    reasons = {one.layer: one.reason for one in report.quantization.decisions["model"]}
    assert reasons["fragile"] == "the outputs depend too much on it"


def test_the_stream_follows_the_same_choice(fitted):
    report, _ = fitted
    assert forms(report.quantization.decisions["step"]) == forms(report.quantization.decisions["model"])
    for graph in ("model", "step"):
        tensors = onnx.load(report.path / f"{graph}.int8.onnx").graph.initializer
        whole = [
            tensor
            for tensor in tensors
            if tensor.data_type == onnx.TensorProto.FLOAT and 10_000 in onnx.numpy_helper.to_array(tensor)
        ]
        assert [list(tensor.dims) for tensor in whole] == [[37, 41]]


def test_the_ranking_names_what_each_layer_does_alone(fitted):
    report, _ = fitted
    first, second = report.quantization.sensitivities
    assert (first.layer, second.layer.split("/")[0]) == ("fragile", "lstm")
    assert first.elements == 37 * 41
    assert first.agreement < 0.6 < 0.9 < second.agreement
    assert first.relative_diff > 10 * second.relative_diff > 0
    assert str(first).startswith("fragile: outputs move by")


def test_a_sensitivity_is_that_of_the_layer_quantised_alone(fragile, fitted):
    """The same numbers from the graph with that one layer quantised, run by hand."""
    model, (x, *_) = fragile
    report, _ = fitted
    spec = report.manifest.graphs["model"]
    proto = onnx.load(report.path / "model.onnx")
    subject = Subject("model", proto, spec, ValidationSet.of(x, spec.inputs), None, WeightOwners(model))
    alone = subject.quantized(8, lambda layer: layer == "fragile")
    assert forms(alone.decisions) == {"fragile": "int8 weights", "lstm": FLOAT, "tags": FLOAT}
    assert alone.score is None
    (row,) = [one for one in sensitivities(subject, 8, lambda line: None) if one.layer == "fragile"]
    assert row.max_abs_diff == alone.accuracies[0].max_abs_diff
    np.testing.assert_allclose(subject.expected[0]["tags"], model(x).numpy(), atol=1e-5)


def test_where_nothing_helps_the_table_is_shown_and_nothing_is_written(fragile, tmp_path):
    model, (x, *_) = fragile
    exact = {}

    def same(targets, outputs):  # to the bit, as only the float32 graph gives it
        return float(np.array_equal(outputs, exact.setdefault("outputs", outputs)))

    with pytest.raises(ExportError) as caught:
        export((model, (x, x[..., 0])), tmp_path / "out", metric=same, max_metric_drop=0.25)
    message = str(caught.value)
    assert message.startswith(
        "quantised to int8 the model loses more than max_metric_drop=25.00% whatever stays in float32:\n"
        "  model: same 1.0000 in float32, 0.0000 quantised, drop +100.00%, with 0 layers in float32\n"
        "  model: same 1.0000 in float32, 0.0000 quantised, drop +100.00%, with 1 layers in float32\n"
        "Layers by what quantising them alone does:\n  fragile: outputs move by"
    )
    assert message.endswith("Allow a larger max_metric_drop, try quantize='fp16', or export without `quantize`.")
    assert list(tmp_path.iterdir()) == []


def test_a_larger_drop_may_be_allowed(fragile, tmp_path):
    report = export(fragile, tmp_path / "out", max_metric_drop=1.0)
    assert report.quantization.kept_float == ()
    assert report.quantization.scores[0].drop > 0.2


def test_a_model_without_weights_worth_it_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(2)])
    with pytest.raises(ExportError, match="has no weights worth quantising to int8: each of its layers is too small"):
        export_model(model, tmp_path / "out", formats="onnx", verify=False, quantize="int8")
    assert list(tmp_path.iterdir()) == []


def test_a_generator_of_batches_serves_the_model_and_its_stream(fragile, tmp_path):
    model, (x, y, weights) = fragile
    batches = ((x[i : i + 11], y[i : i + 11], weights[i : i + 11]) for i in range(0, ROWS, 11))
    report = export((model, batches), tmp_path / "out", streaming=True, max_metric_drop=1.0)
    assert [(row.graph, row.rows) for row in report.quantization.accuracies] == [("model", ROWS), ("step", ROWS)]
    assert report.quantization.measured_on == f"validation data, {ROWS} rows"
    assert Bundle.load(tmp_path / "out").manifest.quantization["int8"]["metrics"][0]["metric"] == "accuracy"


def test_padding_has_no_weight_in_a_metric_of_keras(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "STORED_ELEMENTS", 1)
    words = keras.Input((None,), dtype="int32", name="words")
    x = keras.layers.Embedding(23, 5, mask_zero=True)(words)
    model = keras.Model(words, keras.layers.Dense(CLASSES, name="tags")(x))
    ids = np.random.default_rng(0).integers(1, 23, (5, TIME))
    ids[:, 1:] = 0
    targets = model(ids).numpy().argmax(-1)
    targets[:, 1:] = (targets[:, 1:] + 1) % CLASSES  # wrong wherever there is padding
    settings = {"quantize": "fp16", "max_metric_drop": 1.0}
    report = export((model, (ids, targets)), tmp_path / "out", **settings)
    assert report.quantization.scores[0].before == 1.0
