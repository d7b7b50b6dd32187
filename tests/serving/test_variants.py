"""Variants of a graph: other files of the same signature. Here each has weights of its own: they tell who answered."""

import shutil

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, FileSpec, InputError, Manifest, Predictor, Stream
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.variant_spec import VariantSpec


@pytest.fixture
def folder(write_bundle, edit_manifest):
    """A bundle whose graphs have the variant `other`, with the weights of another bundle."""
    path, other = write_bundle("bundle", seed=1), write_bundle("other", seed=2)
    for graph in ("model", "step"):
        shutil.copy(other / f"{graph}.onnx", path / f"{graph}.other.onnx")

    def add(value):
        for graph in ("model", "step"):
            file = f"{graph}.other.onnx"
            value["files"][file] = FileSpec.of(path / file).to_dict()
            value["graphs"][graph]["variants"] = {"other": {"file": file, "nodes": 13, "operators": {"LSTM": 1}}}

    edit_manifest(path, add)
    return path


@pytest.fixture
def feeds(draw):
    words, shapes = draw(np.random.default_rng(5), [3, 7])
    return {"words": words, "shapes": shapes}


def test_the_manifest_reads_and_writes_variants(folder):
    manifest = Bundle.load(folder).manifest
    assert manifest.graphs["model"].variants == {"other": VariantSpec("model.other.onnx", 13, {"LSTM": 1})}
    assert manifest.graphs["model"].files == ("model.onnx", "model.other.onnx")
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.schema_version == 1  # older readers may leave variants alone


def test_a_predictor_runs_the_variant_it_is_asked_for(folder, feeds, tmp_path):
    alone = Predictor(tmp_path / "other").predict(feeds)["tags"]
    usual = Predictor(folder).predict(feeds)["tags"]
    asked = Predictor(folder, variant="other").predict(feeds)["tags"]
    for row, wanted, unlike in zip(asked, alone, usual, strict=True):
        np.testing.assert_array_equal(row, wanted)
        assert np.abs(row - unlike).max() > 0.01


def test_a_stream_runs_the_variant_and_its_snapshots_are_of_it(folder, feeds, tmp_path):
    chunk = {name: rows[:1] for name, rows in feeds.items()}
    asked, usual = Stream(folder, variant="other"), Stream(folder)
    np.testing.assert_array_equal(asked.feed(chunk)["tags"], Stream(tmp_path / "other").feed(chunk)["tags"])
    with pytest.raises(InputError, match="The snapshot is of another bundle"):
        usual.restore(asked.snapshot())
    again = Stream(folder, variant="other")
    again.restore(asked.snapshot())
    np.testing.assert_array_equal(again.feed(chunk)["tags"], asked.feed(chunk)["tags"])


def test_a_variant_that_is_not_there_is_refused_with_those_that_are(folder):
    message = r"model.onnx has no variant 'int4'. It has: 'other'. Variants are written by"
    with pytest.raises(BundleError, match=message):
        Predictor(folder, variant="int4")


def test_the_spec_of_a_variant_differs_in_its_file_alone(folder):
    spec = Bundle.load(folder).graph("step")
    other = spec.of_variant("other")
    assert (other.file, other.nodes, other.operators) == ("step.other.onnx", 13, {"LSTM": 1})
    assert (other.inputs, other.outputs, other.states) == (spec.inputs, spec.outputs, spec.states)
    assert spec.of_variant(None) is spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "gone.onnx"}, r"graphs.model.variants.other.file` must be one of the names in `files`"),
        ({"file": "../out.onnx"}, r"graphs.model.variants.other.file`"),
        ({"nodes": "many"}, r"graphs.model.variants.other.nodes` must be an integer"),
        ({"operators": {"LSTM": "one"}}, r"graphs.model.variants.other.operators.LSTM` must be an integer"),
    ],
)
def test_a_damaged_entry_is_named(folder, edit_manifest, change, message):
    edit_manifest(folder, lambda value: value["graphs"]["model"]["variants"]["other"].update(change))
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


def test_an_altered_variant_is_found(folder):
    (folder / "model.other.onnx").write_bytes(b"something else")
    with pytest.raises(BundleError, match=r"model.other.onnx"):
        Bundle.load(folder)


def test_a_graph_without_variants_says_nothing_of_them(masked_path):
    graph = Bundle.load(masked_path).graph("model")
    assert "variants" not in graph.to_dict()
    assert GraphSpec.from_dict(graph.to_dict()) == graph
