"""Whole bundles with quantised graphs: what is in them, that hosts run them, and what is refused."""

import itertools
from collections import Counter

import numpy as np
import onnx
import pytest

from keras_seq.export import ExportError, verify_bundle
from keras_seq.export.passes.scopes import graphs
from keras_seq.export.quantize import Quantization
from keras_seq.serving import Bundle, Manifest, Predictor, Stream
from tests.export.models import FEATURES, TAGS, VOCABULARY, small, tagger
from tests.export.quantization.bundles import export, quantise_small_weights

pytestmark = pytest.mark.backend("tensorflow")


@pytest.fixture(autouse=True, scope="module")
def small_weights_too():
    yield from quantise_small_weights()


def inputs(rows=5, time=11, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "words": rng.integers(1, VOCABULARY, (rows, time)).astype("int32"),
        "shapes": rng.normal(size=(rows, time, FEATURES)).astype("float32"),
    }


def tags_right(targets, outputs):
    return float(np.mean(targets["tags"] == outputs["tags"].argmax(-1)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The tagger in every format, with a stream and a metric, and the report."""
    model, path = tagger(), tmp_path_factory.mktemp("int8") / "out"
    x = inputs(37, seed=1)
    targets = {"tags": model(list(x.values()))[0].numpy().argmax(-1), "style": np.zeros(37)}
    report = export(
        model,
        path,
        formats=("onnx", "saved_model"),
        verify=True,
        streaming=True,
        ort_format=True,
        validation_data=(x, targets),
        metric=tags_right,
    )
    return path, report


def test_each_graph_has_a_variant_beside_it(bundle):
    path, _ = bundle
    manifest = Bundle.load(path).manifest
    for name in ("model", "step"):
        variants = manifest.graphs[name].variants
        assert {key: value.file for key, value in variants.items()} == {
            "ort": f"{name}.ort",
            "int8": f"{name}.int8.onnx",
            "int8.ort": f"{name}.int8.ort",
        }
        assert {value.file for value in variants.values()} <= set(manifest.files)
        operators = variants["int8"].operators
        assert (operators["DynamicQuantizeLSTM"], operators["Scan"]) == (1, 1)
        nodes = [n for scope in graphs(onnx.load(path / f"{name}.int8.onnx").graph) for n in scope.node]
        assert Counter(node.op_type for node in nodes) == operators
        assert variants["int8"].nodes == len(nodes)
    assert "DynamicQuantizeLSTM" not in manifest.graphs["model"].operators


def test_the_manifest_keeps_what_was_found(bundle):
    path, report = bundle
    manifest = Bundle.load(path).manifest
    assert manifest == report.manifest == Manifest.from_json(manifest.to_json())
    found = manifest.quantization["int8"]
    assert found == report.quantization.to_dict()
    assert found["measured_on"] == "validation data, 37 rows"
    assert found["unknown"] == []
    assert {(row["graph"], row["output"]) for row in found["accuracy"]} == {
        (graph, output) for graph in ("model", "step") for output in ("tags", "style")
    }
    for graph, sizes in found["sizes"].items():
        assert sizes["float"] == (path / f"{graph}.onnx").stat().st_size == manifest.files[f"{graph}.onnx"].bytes
        assert sizes["quantized"] == manifest.files[f"{graph}.int8.onnx"].bytes
    layers = {row["layer"].split("/")[0]: row["form"] for row in found["layers"]["model"]}
    assert layers == {
        "embedding": "int8 weights",
        "lstm_1": "int8",
        "gru_1": "int8",
        "tags": "int8",
        "style": "int8",
    }
    assert {row["layer"].split("/")[0] for row in found["sensitivity"]} == set(layers)
    (score, _) = found["metrics"]
    assert (score["metric"], score["before"]) == ("tags_right", 1.0)


def test_the_metric_and_the_differences_are_those_of_the_files(bundle):
    """Run once more by a `Predictor`, in the batches that the validation set makes."""
    path, report = bundle
    x = inputs(37, seed=1)
    with Predictor(path) as usual, Predictor(path, variant="int8") as quantised:
        pairs = [
            [one.predict({name: value[start : start + 32] for name, value in x.items()}) for one in (usual, quantised)]
            for start in (0, 32)
        ]
    a, b = (np.concatenate([pair[side]["tags"] for pair in pairs]) for side in (0, 1))
    (row,) = [r for r in report.quantization.accuracies if (r.graph, r.output) == ("model", "tags")]
    same = np.mean(a.argmax(-1) == b.argmax(-1))
    assert row.agreement == pytest.approx(same)
    assert row.max_abs_diff == pytest.approx(np.abs(a - b).max(), rel=1e-4)
    assert row.mean_abs_diff == pytest.approx(np.abs(a - b).mean(), rel=1e-4)
    score = report.quantization.scores[0]
    assert score.after == pytest.approx(same)
    assert score.drop == pytest.approx(1 - same)
    assert 0 < row.max_abs_diff < 0.5


def test_a_stream_cut_anywhere_stays_as_close_as_the_whole(bundle):
    """All steps of a call share one scale of activations, so an int8 answer depends a little on the cuts: by no more
    than it is off the float32 one's. In float32 the cuts change nothing."""
    path, _ = bundle
    x = inputs(2, 13)
    with Predictor(path) as usual:
        whole = usual.predict(x)["tags"]
    worst = 0
    for cuts in ([0, 13], [0, 1, 13], [0, 5, 6, 13], list(range(14))):
        with Stream(path, variant="int8") as stream:
            parts = [
                stream.feed({name: value[:, start:stop] for name, value in x.items()})["tags"]
                for start, stop in itertools.pairwise(cuts)
            ]
        worst = max(worst, np.abs(np.concatenate(parts, axis=1) - whole).max())
    assert 1e-4 < worst < 0.15 * np.abs(whole).max()


def test_rows_of_several_lengths_are_answered_as_far_as_they_go(bundle):
    path, _ = bundle
    x = inputs(3, 11)
    ragged = {name: [value[0, :11], value[1, :2], value[2, :7]] for name, value in x.items()}
    with Predictor(path) as usual, Predictor(path, variant="int8") as quantised:
        wanted, found = (one.predict(ragged)["tags"] for one in (usual, quantised))
    assert [row.shape for row in found] == [(11, TAGS), (2, TAGS), (7, TAGS)]
    for a, b in zip(wanted, found, strict=True):
        assert np.abs(a - b).max() < 0.5


def test_in_onnx_runtimes_own_format_it_is_the_same(bundle):
    path, _ = bundle
    with Predictor(path, variant="int8") as one, Predictor(path, variant="int8.ort") as other:
        a, b = (p.predict(inputs())["tags"] for p in (one, other))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_bundle_with_variants_is_verified_as_ever(bundle):
    path, report = bundle
    assert all(row.passed for row in verify_bundle(path))
    assert {row.reference for row in report.parity if row.candidate == "model.onnx"} == {"keras"}


def test_the_report_tells_it_all(bundle):
    text = str(bundle[1])
    for line in (
        "int8, tried on validation data, 37 rows",
        "of the size",
        "model: tags_right 1.0000 in float32",
        "of answers the same, largest difference",
        "LSTM, 220 weights): int8, one DynamicQuantizeLSTM",
        "outputs move by",
    ):
        assert line in text


def test_16_bits_for_any_runtime(tmp_path):
    report = export(small(), tmp_path / "out", quantize="fp16", portable=True)
    graph = onnx.load(tmp_path / "out" / "model.fp16.onnx").graph
    assert {node.domain for node in graph.node} == {""}
    assert {tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 3} == {onnx.TensorProto.FLOAT16}
    assert report.quantization.unknown == (
        "what real inputs would lose: without `validation_data` the graphs were tried on random ones, which say how "
        "far numbers move and nothing of the task",
    )
    assert report.quantization.measured_on == "random inputs, 22 rows"
    with Predictor(tmp_path / "out", variant="fp16") as half, Predictor(tmp_path / "out") as usual:
        x = np.random.default_rng(0).normal(size=(3, 7, FEATURES)).astype("float32")
        a, b = (next(iter(one.predict(x).values())) for one in (half, usual))
    assert 0 < np.abs(a - b).max() < 2e-3


def test_the_numbers_of_a_model_whose_data_have_no_targets(tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 7, FEATURES)).astype("float32")
    report = export(small(), tmp_path / "out", validation_data=x)
    assert report.quantization.unknown == ("what the task of graph 'model' loses: no `metric` was given for it",)
    with pytest.raises(ExportError, match=r"the metric of graph 'model' needs targets, and `validation_data` has none"):
        export(small(), tmp_path / "other", validation_data=x, metric="accuracy")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("argument", ["validation_data", "metric"])
def test_what_is_given_for_a_graph_that_is_not_there_is_refused(tmp_path, argument):
    x = np.zeros((2, 3, FEATURES), "float32")
    given = {"validation_data": (x, x), argument: {"model": (x, x), "generate": (x, x)}}
    message = rf"`{argument}` is given for 'generate', and the bundle has the graphs 'model'\. Give `streaming` or"
    with pytest.raises(ExportError, match=message):
        export(small(), tmp_path / "out", **given)
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_the_target_lacks_is_named_with_its_layer(tmp_path):
    message = (
        r"quantize='int8' makes of layer 'lstm/?.*' \(LSTM\) an operator of ONNX Runtime's own \(one "
        r"DynamicQuantizeLSTM\), which portable=True leaves out; so it does of 1 nodes of model\.onnx"
    )
    with pytest.raises(ExportError, match=message):
        export(small(), tmp_path / "out", portable=True)
    assert list(tmp_path.iterdir()) == []


X = np.zeros((2, 3, FEATURES), "float32")
REFUSED = {
    "quantize": ({"quantize": "int4"}, r"`quantize` must be 'int8', 'fp16' or None\. Received: 'int4'"),
    "a list": ({"quantize": ["int8"]}, r"`quantize` must be .* Received: \['int8'\]"),
    "formats": ({"formats": "saved_model"}, r"quantize='int8' is of the ONNX graphs, so `formats` needs 'onnx'"),
    "data alone": (
        {"quantize": None, "validation_data": X},
        r"are what quantised graphs are tried on\. Give quantize=",
    ),
    "a metric alone": ({"metric": "accuracy"}, r"`metric` needs `validation_data` with targets"),
    "a metric and no quantize": ({"quantize": None, "metric": "accuracy"}, r"are what quantised graphs are tried on"),
    "a drop below 0": ({"max_metric_drop": -0.1}, r"`max_metric_drop` must be a number from 0 on.*Received: -0\.1"),
    "a drop that is no number": ({"max_metric_drop": float("nan")}, r"`max_metric_drop` must be .*Received: nan"),
    "a drop in words": ({"max_metric_drop": "1 %"}, r"`max_metric_drop` must be .*Received: '1 %'"),
    "True for a drop": ({"max_metric_drop": True}, r"`max_metric_drop` must be .*Received: True"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused_before_anything_is_done(case, tmp_path):
    settings, message = REFUSED[case]
    lines = []
    with pytest.raises(ExportError, match=message):
        export(small(), tmp_path / "out", progress=lines.append, **settings)
    assert lines == []
    assert list(tmp_path.iterdir()) == []


def test_data_by_graph_serve_the_stream_with_what_the_model_has():
    asked = Quantization("int8", {"model": 1, "generate": 2}, "accuracy", 0.0)
    assert [asked.of_graph(name, asked.validation_data) for name in ("model", "step", "generate")] == [1, 1, 2]
    assert [asked.of_graph(name, asked.metric) for name in ("model", "step", "generate")] == ["accuracy"] * 2 + [None]
    assert asked.of_graph("step", {"words": 1}) == {"words": 1}  # inputs, by name
