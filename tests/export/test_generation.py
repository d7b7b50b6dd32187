"""The decode loop in the graph, against the Keras model's own."""

import keras
import numpy as np
import onnx
import pytest

import keras_seq
from keras_seq import BeamSearch, Greedy, Sampling, Seq2Seq
from keras_seq.export import ExportError, ParityError, explain, export_model, generation, verify_bundle
from keras_seq.export.generation_parity import CLOSE_CALL, decided_rows
from keras_seq.serving import Bundle, InputError, Predictor
from tests.export.graphs import with_random_weights

SOURCES, TARGETS, UNITS, EMBEDDING, LIMIT = 23, 19, 7, 5, 31
STANDARD_OPERATORS = {schema.name for schema in onnx.defs.get_all_schemas()}


def encoder(layer, **kwargs):
    return layer(UNITS, return_sequences=True, return_state=True, **kwargs)


def model(encoder_layer, decoder, **kwargs):
    settings = {"source_vocabulary_size": SOURCES, "target_vocabulary_size": TARGETS, "embedding_dim": EMBEDDING}
    made = Seq2Seq(encoder_layer, decoder, **{**settings, **kwargs})
    made.build([(None, None), (None, None)] if made.source_vocabulary_size else [(None, 11), (None, None)])
    return with_random_weights(made)


def attending(**kwargs):
    decoder = keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS), keras_seq.BahdanauAttention(13))
    return model(encoder(keras_seq.GRU), decoder, max_source_length=LIMIT, name="attending", **kwargs)


def stacked_after():
    cells = [keras_seq.LSTMCell(UNITS), keras_seq.PeepholeLSTMCell(UNITS)]
    attention = keras_seq.LuongAttention("general")
    decoder = keras_seq.AttentionDecoder(cells, attention, attend="after", attention_units=EMBEDDING)
    both = keras_seq.Bidirectional(encoder(keras_seq.LSTM))
    return model(both, decoder, tie_output=True)


def without_attention():
    stack = keras_seq.StackedRNN((UNITS, 2), "gru", return_state=True)
    return model(
        stack, keras_seq.AttentionDecoder([keras_seq.GRUCell(UNITS, simplified=True), keras_seq.SimpleRNNCell(3)])
    )


def from_a_vector():
    return model(None, keras_seq.AttentionDecoder(keras_seq.LSTMCell(UNITS)), source_vocabulary_size=None)


def graph_of(path, name="generate"):
    return onnx.load(path / f"{name}.onnx")


@pytest.fixture(scope="module")
def beam_bundle(tmp_path_factory):
    """A model with attention, exported with a beam search, and the report."""
    keras.utils.set_random_seed(7)
    made, path = attending(), tmp_path_factory.mktemp("beam") / "bundle"
    report = export_model(made, path, generate=BeamSearch(num_beams=4, num_hypotheses=2, max_length=13))
    return made, path, report


@pytest.mark.parametrize(
    ("make", "strategy", "native"),
    [
        (attending, Greedy(max_length=11), {"GRU": 1}),
        (attending, Sampling(max_length=11, top_k=5, top_p=0.9, temperature=0.8, num_samples=3, seed=5), {"GRU": 1}),
        (stacked_after, BeamSearch(num_beams=3, max_length=11, length_term="gnmt"), {"LSTM": 1}),
        (without_attention, BeamSearch(num_beams=5, num_hypotheses=1, max_length=11, min_length=3), {"GRU": 2}),
        (from_a_vector, Sampling(max_length=11, banned_ids=[4]), {}),
        (from_a_vector, BeamSearch(num_beams=2, max_length=11, banned_ids=[4]), {}),
    ],
)
def test_every_kind_of_model_generates_as_keras_does(make, strategy, native, tmp_path):
    made = make()
    report = export_model(made, tmp_path / "bundle", formats="onnx", generate=strategy)
    compared = {result.output for result in report.parity if result.candidate == "generate.onnx"}
    assert {"ids", "lengths", "scores", "finished"} <= compared
    assert ("alignments" in compared) == (made.decoder.attention is not None)
    graph = report.manifest.graphs["generate"]
    assert graph.operators.get("Loop") == 1
    assert {name: graph.operators[name] for name in ("GRU", "LSTM", "RNN") if name in graph.operators} == native
    assert set(graph.operators) <= STANDARD_OPERATORS
    assert {entry.domain for entry in graph_of(tmp_path / "bundle").opset_import} == {""}


def test_all_forms_of_a_bundle_generate_alike(beam_bundle):
    _, _, report = beam_bundle
    by_candidate = {}
    for result in report.parity:
        by_candidate.setdefault(result.candidate, set()).add(result.output)
    generated = {"ids", "lengths", "scores", "log_probs", "finished", "alignments"}
    assert by_candidate["generate.onnx"] == by_candidate["saved_model:generate"] == generated
    assert {"model.onnx", "saved_model:serving_default"} <= set(by_candidate)
    assert report.manifest.saved_model["signatures"] == ["serving_default", "generate"]


def test_the_manifest_says_what_a_caller_must_know(beam_bundle):
    made, path, report = beam_bundle
    graph = Bundle.load(path).graph("generate")
    assert [spec.name for spec in graph.inputs] == ["source"]
    assert (graph.inputs[0].pad_value, graph.inputs[0].maximum) == (0, SOURCES - 1)
    assert {option.name: option.default for option in graph.options} == {"max_length": 13, "alpha": 0.7}
    assert graph.limits == {"time": LIMIT}
    assert {"strategy": "BeamSearch", "num_beams": 4, "start_id": 1, "end_id": 2}.items() <= graph.decoding.items()
    assert f"{graph.decoding['loop_nodes']} nodes a step" in str(report)
    (row,) = [row for row in explain(made).layers if row.layer_class == "AttentionDecoder"]
    assert (row.kernel, row.lowering) == ("loop", "decode_loop")


def test_the_body_of_the_loop_is_lean(beam_bundle, tmp_path):
    _, path, report = beam_bundle
    greedy = export_model(attending(), tmp_path / "greedy", formats="onnx", generate=Greedy(max_length=11))
    # A hand-written loop without scores, alignments and early stop has 34 and 49.
    assert greedy.manifest.graphs["generate"].decoding["loop_nodes"] <= 40
    assert report.manifest.graphs["generate"].decoding["loop_nodes"] <= 68
    for graph in (graph_of(path), graph_of(tmp_path / "greedy")):
        (loop,) = [node for node in graph.graph.node if node.op_type == "Loop"]
        body = loop.attribute[0].g
        carried = {value.name for value in body.input} & {value.name for value in body.output}
        assert carried == set()  # no weight is a state of the loop
        weights = [tensor for tensor in graph.graph.initializer if np.prod(tensor.dims) > 64]
        products = [node for node in body.node if node.op_type == "MatMul"]
        outer = {tensor.name for tensor in weights}
        assert len([node for node in products if set(node.input) & outer]) >= 2


def test_options_given_at_run_time_do_what_they_do_in_keras(beam_bundle):
    made, path, _ = beam_bundle
    source = np.random.default_rng(3).integers(1, SOURCES, (5, 7)).astype("int32")
    with Predictor(path, graph="generate") as predictor:
        for settings in ({}, {"max_length": 3}, {"alpha": 0.0}, {"alpha": 2.0, "max_length": 29}):
            answer = predictor.predict(source, options=settings)
            strategy = BeamSearch(num_beams=4, num_hypotheses=2, **{"max_length": 13, **settings})
            expected, margins = generate_with_margins(made, source, strategy)
            assert_same(answer, expected, margins)


def generate_with_margins(made, source, strategy):
    decoding = made.start_decoding(source, strategy.rows_per_source)
    ids = {"start_id": made.start_id, "end_id": made.end_id}
    found, margins = keras_seq.generate(decoding, strategy, **ids, with_margins=True)
    return {name: np.asarray(value) for name, value in found._asdict().items() if value is not None}, np.asarray(
        margins
    )


def assert_same(answer, expected, margins):
    rows = margins > CLOSE_CALL
    assert rows.mean() > 0.5
    answer, expected = decided_rows(answer, rows), decided_rows(expected, rows)
    for name in ("ids", "lengths", "finished"):
        assert np.array_equal(answer[name], expected[name]), name
    for name in ("scores", "log_probs", "alignments"):
        np.testing.assert_allclose(answer[name], expected[name], atol=1e-4, rtol=1e-4, err_msg=name)


def test_rows_of_different_lengths_are_answered_as_alone(beam_bundle):
    _, path, _ = beam_bundle
    rng = np.random.default_rng(4)
    rows = [rng.integers(1, SOURCES, length).tolist() for length in (1, 5, 2, 13, 3)]
    with Predictor(path, graph="generate") as predictor:
        together = predictor.predict(rows)
        for index, row in enumerate(rows):
            alone = predictor.predict([row])
            assert np.array_equal(together["lengths"][index], alone["lengths"][0])
            longest = int(alone["lengths"][0].max())
            assert np.array_equal(together["ids"][index][:, :longest], alone["ids"][0][:, :longest])
            assert together["alignments"][index].shape[-1] == len(row)
            np.testing.assert_allclose(together["scores"][index], alone["scores"][0], atol=1e-5)


def test_the_verification_can_be_repeated(beam_bundle):
    made, path, _ = beam_bundle
    results = verify_bundle(path, made)
    assert all(result.passed for result in results)
    assert {"generate.onnx", "saved_model:generate"} <= {result.candidate for result in results}


def test_a_graph_that_generates_something_else_is_caught(tmp_path, monkeypatch):
    write = generation.Generation._function

    def worse(self, trace):
        changed = self.strategy.replace(banned_ids=(5,))
        return write(type(self)(self.model, changed, self.inputs, self.options, self.structure), trace)

    monkeypatch.setattr(generation.Generation, "_function", worse)
    with pytest.raises(ParityError, match=r"generate.onnx against keras, output 'scores'.*DIFFERS"):
        export_model(attending(), tmp_path / "bundle", formats="onnx", generate=Greedy(max_length=11))
    assert not (tmp_path / "bundle").exists()


def test_sources_that_are_too_long_or_unknown_are_refused(beam_bundle):
    _, path, _ = beam_bundle
    with Predictor(path, graph="generate") as predictor:
        with pytest.raises(InputError, match=rf"'source'.*{LIMIT}.*|{LIMIT + 1}"):
            predictor.predict(np.ones((1, LIMIT + 1), "int32"))
        with pytest.raises(InputError, match=rf"ids run from 0 to {SOURCES - 1}"):
            predictor.predict([[SOURCES]])
        with pytest.raises(InputError, match=r"alpha"):
            predictor.predict([[3]], options={"alpha": -1.0})


def test_a_model_that_cannot_generate_is_refused(tmp_path):
    plain = keras.Sequential([keras.Input((None, 3)), keras_seq.GRU(5)], name="plain")
    with pytest.raises(ExportError, match=r"`generate` needs a model that can generate.*'plain'.*start_decoding"):
        export_model(plain, tmp_path / "bundle", generate=Greedy())


def test_something_that_is_no_strategy_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"`generate` must be a strategy.*Received: 'beam'"):
        export_model(attending(), tmp_path / "bundle", generate="beam")


def test_more_beams_than_tokens_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`num_beams` must not be above the number of tokens.*num_beams=20"):
        export_model(attending(), tmp_path / "bundle", generate=BeamSearch(num_beams=20))
    assert not (tmp_path / "bundle").exists()


def test_a_model_that_decides_nothing_cannot_be_verified(tmp_path):
    made = attending()
    made.set_weights([np.zeros_like(weight) for weight in made.get_weights()])
    with pytest.raises(ExportError, match=r"by less than 0.0001 in log-probability.*Train it first"):
        export_model(made, tmp_path / "bundle", formats="onnx", generate=Greedy(max_length=5))
