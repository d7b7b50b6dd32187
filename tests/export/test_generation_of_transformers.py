"""Transformers' decode loops in the graph: the cache inside, what it may hold, and what a host may ask."""

import numpy as np
import onnx
import pytest

from keras_seq import BeamSearch, Greedy, Sampling
from keras_seq.export import ExportError, Tolerance, export_model
from keras_seq.models import Transformer, TransformerLM
from keras_seq.serving import Generator, InputError
from tests.export.graphs import with_random_weights

SOURCES, TARGETS, SIZES = 23, 19, {"features": 12, "feed_forward_units": 17}


def transformer(**kwargs):
    layers = {"num_encoder_layers": 1, "num_decoder_layers": 2, "num_heads": 3}
    ids = {"source_vocabulary_size": SOURCES, "target_vocabulary_size": TARGETS}
    made = Transformer(**{**ids, **SIZES, **layers, **kwargs})
    made.build()
    return with_random_weights(made)


def language_model(**kwargs):
    made = TransformerLM(**{"vocabulary_size": TARGETS, **SIZES, "num_heads": 3, "num_layers": 2, **kwargs})
    made.build()
    return with_random_weights(made)


def loop_of(path):
    graph = onnx.load(path / "generate.onnx").graph
    (loop,) = [node for node in graph.node if node.op_type == "Loop"]
    return loop.attribute[0].g


def compared(report):
    return {(result.candidate, result.output) for result in report.parity}


@pytest.fixture(scope="module")
def beam_bundle(tmp_path_factory):
    """A transformer in every format, exported with a beam search."""
    path = tmp_path_factory.mktemp("transformer") / "bundle"
    made = transformer(max_source_length=13)
    return made, path, export_model(made, path, generate=BeamSearch(num_beams=4, max_length=9))


@pytest.fixture(scope="module")
def prompted_bundle(tmp_path_factory):
    """A language model with learned positions, exported with a beam search."""
    path = tmp_path_factory.mktemp("language") / "bundle"
    made = language_model(position="learned", max_length=17)
    strategy = BeamSearch(num_beams=3, num_hypotheses=2, max_length=7)
    return made, path, export_model(made, path, formats="onnx", generate=strategy)


def test_all_forms_of_a_bundle_generate_alike(beam_bundle):
    _, _, report = beam_bundle
    for candidate in ("generate.onnx", "saved_model:generate"):
        assert {output for name, output in compared(report) if name == candidate} == {
            "ids",
            "lengths",
            "scores",
            "log_probs",
            "finished",
        }
    assert {option.name for option in report.manifest.graphs["generate"].options} == {"max_length", "alpha"}
    assert report.manifest.graphs["generate"].limits == {"time": 13}
    assert report.manifest.graphs["model"].limits == {"time": 13}


def test_keys_and_values_are_never_reordered_and_the_source_is_read_once(beam_bundle):
    _, path, _ = beam_bundle
    body = loop_of(path)
    carried = {value.name for value in body.input}
    grown = [node for node in body.node if node.op_type in ("Concat", "MultiHeadAttention") and carried & {*node.input}]
    # Keys and values of two blocks, as they came; beside them what each hypothesis may see, of the step before.
    assert len(grown) == 2 * 2 + 1
    # Looked up in a step: the token, its position, what the hypotheses go on from (twice), the chosen tokens.
    assert sum(node.op_type == "Gather" for node in body.node) == 5
    assert not {"Sin", "Cos", "Range", "Shape", "Tile"} & {node.op_type for node in body.node}


@pytest.mark.parametrize(
    ("make", "strategy"),
    [
        (lambda: transformer(position="rotary", norm="rms", num_key_value_heads=1), Greedy(max_length=9)),
        (language_model, Sampling(max_length=9, num_samples=3, top_k=5, seed=3)),
    ],
    ids=["transformer", "language model"],
)
def test_other_strategies_and_models_generate_as_keras_does(make, strategy, tmp_path):
    # Over the battery's 257 steps rounding adds up to 2.2e-5 on processors with AVX2 alone.
    settings = {"generate": strategy, "tolerance": Tolerance(atol=5e-5)}
    report = export_model(make(), tmp_path / "bundle", formats="onnx", **settings)
    assert ("generate.onnx", "ids") in compared(report)
    assert not {"Sin", "Cos", "Range"} & {node.op_type for node in loop_of(tmp_path / "bundle").node}


def test_attention_over_the_pool_is_one_node_where_the_runtime_computes_it_right(tmp_path):
    strategy = BeamSearch(num_beams=4, num_hypotheses=1, max_length=9)
    export_model(transformer(), tmp_path / "bundle", formats="onnx", generate=strategy, min_onnxruntime="1.22")
    body = loop_of(tmp_path / "bundle")
    assert sum(node.op_type == "MultiHeadAttention" for node in body.node) == 2 * 2  # to itself and to the source
    assert "Softmax" not in {node.op_type for node in body.node}
    # A loop written by hand has 34 nodes beside the 22 of each block; the early stop needs 10 more.
    assert len(body.node) <= 34 + 2 * 22 + 10


def test_prompts_of_any_length_are_gone_on_with(prompted_bundle):
    made, path, _ = prompted_bundle
    rows = [[5, 3, 7, 4, 8], [6], [0], [9, 3]]
    padded = np.array([row + [0] * (5 - len(row)) for row in rows], "int32")
    expected = made.generate(padded, BeamSearch(num_beams=3, max_length=7))
    with Generator(path) as generator:
        found = generator.generate(rows)
        for row, hypotheses in enumerate(found):
            assert len(hypotheses) == 2
            for index, hypothesis in enumerate(hypotheses):
                length = int(expected.lengths[row, index])
                assert hypothesis.ids.tolist() == np.asarray(expected.ids)[row, index, :length].tolist()
                assert hypothesis.score == pytest.approx(float(expected.scores[row, index]), abs=1e-4)
        shorter = generator.generate(rows, max_length=3)
        assert max(len(hypothesis.ids) for hypotheses in shorter for hypothesis in hypotheses) <= 3


def test_a_bundle_refuses_what_it_has_no_positions_for(prompted_bundle):
    _, path, report = prompted_bundle
    assert report.manifest.graphs["generate"].limits == {"time": 17 - 7}
    with Generator(path) as generator:
        with pytest.raises(InputError, match=r"'time' is 11 long, and the model takes 10 at most"):
            generator.generate([[3] * 11])
        with pytest.raises(InputError, match=r"max_length.*7"):
            generator.generate([[3]], max_length=8)
        with pytest.raises(InputError, match=r"row 1 has length zero"):
            generator.generate([[3], []])


@pytest.mark.parametrize("make", [transformer, language_model])
def test_more_tokens_than_there_are_positions_cannot_be_exported(make, tmp_path):
    limits = {"max_source_length": 7, "max_target_length": 9} if make is transformer else {"max_length": 10}
    made = make(position="learned", **limits)
    message = r"`generate` asks for more than the model has positions for: Model .* can generate 9 tokens at most.*=11"
    with pytest.raises(ExportError, match=message):
        export_model(made, tmp_path / "bundle", generate=Greedy(max_length=11))
    assert not (tmp_path / "bundle").exists()
