"""Decode loops with quantised weights: integers inside the loop, tried on sources with a metric of their own."""

import numpy as np
import onnx
import pytest

import keras_seq
from keras_seq import BeamSearch, Greedy
from keras_seq.export.passes.scopes import graphs
from keras_seq.models import LanguageModel, Transformer, TransformerLM
from keras_seq.serving import Generator, Predictor
from keras_seq.text import WordTokenizer
from tests.export.graphs import with_random_weights
from tests.export.quantization.bundles import export, quantise_small_weights

pytestmark = pytest.mark.backend("tensorflow")

SOURCES, TARGETS, UNITS = 23, 19, 7
SIZES = {"features": 12, "feed_forward_units": 17, "num_heads": 3}
TEXTS = np.array(["the cat sat on a mat", "a dog", "on the mat sat a cat"])
WORDS = WordTokenizer.from_lines(TEXTS)


@pytest.fixture(autouse=True, scope="module")
def small_weights_too():
    yield from quantise_small_weights()


def loop_products(path):
    """Products in loops: of integers, and of floats by constants of more than one row and column."""
    graph = onnx.load(path).graph
    bodies = [node.attribute[0].g for node in graph.node if node.op_type == "Loop"]
    nodes = [node for body in bodies for scope in graphs(body) for node in scope.node]
    weights = {tensor.name for tensor in graph.initializer if np.prod(tensor.dims) > max(tensor.dims, default=1)}
    by_weights = [n for n in nodes if n.op_type in ("MatMul", "Gemm") and weights & set(n.input)]
    return sum(node.op_type == "DynamicQuantizeMatMul" for node in nodes), len(by_weights)


def check_loop(path, at_least):
    integers, floats = loop_products(path / "generate.int8.onnx")
    assert floats == 0
    assert (0, integers) == loop_products(path / "generate.onnx")
    assert integers >= at_least


def seq2seq():
    decoder = keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS), keras_seq.BahdanauAttention(13))
    encoder = keras_seq.GRU(UNITS, return_sequences=True, return_state=True)
    made = keras_seq.Seq2Seq(
        encoder, decoder, source_vocabulary_size=SOURCES, target_vocabulary_size=TARGETS, embedding_dim=5
    )
    made.build([(None, None), (None, None)])
    return with_random_weights(made)


def first_right(targets, found):
    """How often the best hypothesis begins with what is wanted."""
    return float(np.mean([row[0, 0] == target for row, target in zip(found["ids"], targets, strict=True)]))


def best(answer):
    return [ids[0, : lengths[0]].tolist() for ids, lengths in zip(answer["ids"], answer["lengths"], strict=True)]


def test_a_beam_search_with_data_and_a_metric_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    source = rng.integers(1, SOURCES, (7, 5)).astype("int32")
    target = rng.integers(1, TARGETS, (7, 3)).astype("int32")
    report = export(
        seq2seq(),
        tmp_path / "out",
        generate=BeamSearch(num_beams=4, max_length=13),
        validation_data={"model": ([source, target], target), "generate": (source, target[:, 0])},
        metric={"generate": first_right},
    )
    check_loop(tmp_path / "out", at_least=2)
    assert "Scan" in report.manifest.graphs["generate"].variants["int8"].operators  # the encoder
    assert report.quantization.unknown == ("what the task of graph 'model' loses: no `metric` was given for it",)
    with (
        Predictor(tmp_path / "out", graph="generate", variant="int8") as quantised,
        Predictor(tmp_path / "out", graph="generate") as usual,
    ):
        a, b = (one.predict(source) for one in (quantised, usual))
    (row,) = [row for row in report.quantization.accuracies if row.graph == "generate"]
    same = np.mean([x == y for x, y in zip(best(a), best(b), strict=True)])
    assert (row.output, row.rows, row.agreement) == ("ids", 7, pytest.approx(same))
    (score,) = report.quantization.scores
    assert (score.graph, score.before, score.after) == ("generate", *(first_right(target[:, 0], one) for one in (b, a)))
    assert np.abs(a["scores"][:, 0] - b["scores"][:, 0]).max() == pytest.approx(row.max_abs_diff, rel=1e-4)


def test_a_transformer_generates_from_the_sources_that_its_model_is_tried_on(tmp_path):
    model = Transformer(
        source_vocabulary_size=SOURCES,
        target_vocabulary_size=TARGETS,
        num_encoder_layers=1,
        num_decoder_layers=1,
        **SIZES,
    )
    model.build()
    rng = np.random.default_rng(0)
    x = [rng.integers(1, SOURCES, (5, 7)).astype("int32"), rng.integers(1, TARGETS, (5, 3)).astype("int32")]
    report = export(
        with_random_weights(model),
        tmp_path / "out",
        generate=BeamSearch(num_beams=3, max_length=7),
        validation_data=(x, x[1]),
    )
    check_loop(tmp_path / "out", at_least=6)
    assert "Attention" not in report.manifest.graphs["model"].variants["int8"].operators
    assert [(row.graph, row.rows) for row in report.quantization.accuracies] == [("model", 5), ("generate", 5)]


def language_model():
    model = LanguageModel(tokenizer=WORDS, features=5, units=UNITS)
    model.build((None, None))
    return with_random_weights(model)


def transformer_language_model():
    model = TransformerLM(tokenizer=WORDS, num_layers=1, position="learned", max_length=17, **SIZES)
    model.build()
    return with_random_weights(model)


@pytest.mark.parametrize("make", [language_model, transformer_language_model])
def test_language_models_write_on_from_texts(make, tmp_path):
    report = export(make(), tmp_path / "out", generate=Greedy(max_length=5), validation_data=TEXTS)
    check_loop(tmp_path / "out", at_least=2)
    assert report.quantization.measured_on == "validation data, 3 rows"
    assert {row.graph for row in report.quantization.accuracies} == {"model", "generate"}
    for graph in ("model", "generate"):
        session = onnx.load(tmp_path / "out" / f"{graph}.int8.onnx").graph
        assert "text" in " ".join(value.name for value in session.input)
    with Generator(tmp_path / "out", variant="int8") as quantised:
        assert len(quantised.generate_text(["the cat", "a"])) == 2
