"""Seq2Seq as a layer, and as it is asked after training."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.models import seq2seq_inference
from tests.keras_seq.models.cases import (
    DIM,
    END,
    FEATURES,
    KINDS,
    ROWS,
    SOURCE_IDS,
    START,
    TARGET_IDS,
    TIME,
    UNITS,
    data,
    make,
    numpy,
    one_late,
    with_random_weights,
)


def trained(kind, **kwargs):
    source, target = data(kind)
    return with_random_weights(make(kind, **kwargs), source, target), source, target


def log_softmax(logits):
    logits = logits.astype("float64")
    return (
        logits
        - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - logits.max(-1, keepdims=True)
    )


def steps(model, source, target, num_beams=1):
    """The logits of each step, `(rows, time, vocabulary)`, one token at a time, and what was attended to."""
    decoding = model.start_decoding(source, num_beams)
    state, logits, alignments = decoding.state, [], []
    for t in range(target.shape[1]):
        tokens = keras.ops.convert_to_tensor(np.repeat(one_late(target)[:, t], num_beams), "int32")
        step_logits, state, *scores = decoding.step(tokens, state)
        logits.append(numpy(step_logits))
        alignments += [numpy(score) for score in scores]
    return np.stack(logits, axis=1), alignments


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_after_the_other_gives_what_the_whole_target_gives(kind):
    model, source, target = trained(kind)
    whole = numpy(model((source, one_late(target))))
    assert whole.shape == (ROWS, TIME + 1, TARGET_IDS)
    single, alignments = steps(model, source, target)
    # Steps behind the end are masked in the whole, and mean nothing. The padding's logit is out of reach in a step.
    valid = one_late(target) != 0
    np.testing.assert_allclose(single[..., 1:][valid], whole[..., 1:][valid], atol=2e-5)
    assert (single[..., 0] < -1e8).all()
    assert len(alignments) == (TIME + 1 if model.attends else 0)


@pytest.mark.parametrize("kind", ["bidirectional", "stacked, tied", "one to many"])
def test_the_hypotheses_of_a_source_are_neighbours_and_share_what_they_attend_to(kind):
    model, source, target = trained(kind)
    single, alignments = steps(model, source, target)
    beams, beam_alignments = steps(model, source, target, num_beams=3)
    np.testing.assert_allclose(beams, np.repeat(single, 3, axis=0), atol=2e-5)
    for one, three in zip(alignments, beam_alignments, strict=True):
        assert three.shape == (ROWS * 3, TIME)
        np.testing.assert_allclose(three, np.repeat(one, 3, axis=0), atol=1e-5)
        np.testing.assert_allclose(three.sum(axis=-1), 1, atol=1e-5)
        assert not three[np.repeat(source == 0, 3, axis=0)].any()


def test_a_table_too_large_to_be_multiplied_beforehand_gives_the_same(monkeypatch):
    model, source, target = trained("bidirectional")
    expected, _ = steps(model, source, target)
    monkeypatch.setattr(seq2seq_inference, "LARGEST_TABLE_BYTES", 0)
    np.testing.assert_allclose(steps(model, source, target)[0], expected, atol=2e-5)


@pytest.mark.parametrize("kind", ["plain", "stacked, tied", "features"])
def test_the_score_is_the_sum_of_the_log_probabilities_of_the_tokens(kind):
    model, source, target = trained(kind)
    logits = numpy(model((source, one_late(target))))
    logits[..., 0] = -1e9
    expected = np.take_along_axis(log_softmax(logits), target[..., None], axis=-1)[..., 0] * (target != 0)
    np.testing.assert_allclose(numpy(model.log_prob(source, target, per_token=True)), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(model.log_prob(source, target)), expected.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("strategy", [keras_seq.Greedy(), keras_seq.BeamSearch(num_beams=3), None], ids=str)
def test_what_is_generated_has_the_log_probability_that_it_is_scored_with(strategy):
    model, source, _ = trained("stacked, tied")
    hypotheses = model.generate(source, strategy, max_length=7)
    best = keras.ops.convert_to_numpy(hypotheses.ids[:, 0])
    assert best.shape[1] <= 7
    assert (best > 0).any()
    np.testing.assert_allclose(numpy(model.log_prob(source, best)), numpy(hypotheses.log_probs[:, 0]), rtol=1e-4)
    assert hypotheses.alignments.shape == (*hypotheses.ids.shape, TIME)


@pytest.mark.parametrize("kind", ["bidirectional", "features", "plain"])
def test_padding_behind_a_source_changes_nothing(kind):
    model, source, target = trained(kind)
    longer = np.pad(source, [(0, 0), (0, 2)] + [(0, 0)] * (source.ndim - 2))
    expected = numpy(model.log_prob(source, target))
    np.testing.assert_allclose(numpy(model.log_prob(longer, np.pad(target, ((0, 0), (0, 2))))), expected, atol=2e-5)
    lengths = (source if source.ndim == 2 else source.max(-1)).astype(bool).sum(1)
    for row in range(3):
        alone = source[row : row + 1, : lengths[row]]
        np.testing.assert_allclose(numpy(model.log_prob(alone, target[row : row + 1])), expected[row], atol=2e-5)


def test_encode_gives_the_memory_and_the_states_to_start_from():
    model, source, _ = trained("bidirectional")
    memory, states = model.encode(source)
    assert tuple(memory.values.shape) == (ROWS, TIME, 2 * UNITS)
    assert [tuple(state.shape) for state in states] == [(ROWS, UNITS)]
    assert make("plain").encode(source)[0] is None


def test_states_are_handed_on_where_they_agree_and_vectors_never():
    encoder = keras_seq.GRU(UNITS, return_state=True)
    decoder = keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS))
    arguments = {"target_vocabulary_size": TARGET_IDS, "embedding_dim": DIM}
    model = keras_seq.Seq2Seq(encoder, decoder, source_vocabulary_size=SOURCE_IDS, **arguments)
    source, target = data("plain")
    _, (state,) = model.encode(source)
    expected = encoder(model.source_embedding(source))[1]
    np.testing.assert_allclose(numpy(state), numpy(expected), atol=1e-6)
    assert not model.bridge.projects

    from_vector = keras_seq.Seq2Seq(None, keras_seq.AttentionDecoder(keras_seq.GRUCell(FEATURES)), **arguments)
    from_vector((np.ones((ROWS, FEATURES), "float32"), target))
    assert from_vector.bridge.projects


def test_an_encoder_may_be_a_functional_model():
    inputs = keras.Input((None, DIM))
    masked = keras.layers.Masking()(inputs)
    below = keras_seq.GRU(UNITS, return_sequences=True)(masked)
    encoder = keras.Model(inputs, keras_seq.LSTM(UNITS, return_sequences=True, return_state=True)(below))
    model = keras_seq.Seq2Seq(
        encoder,
        keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS), keras_seq.LuongAttention("dot")),
        source_vocabulary_size=SOURCE_IDS,
        target_vocabulary_size=TARGET_IDS,
        embedding_dim=DIM,
    )
    source, target = data("plain")
    assert tuple(model.log_prob(source, target).shape) == (ROWS,)


@pytest.mark.parametrize("kind", ["bidirectional", "plain", "one to many", "features"])
def test_shapes_and_dtypes_are_known_beforehand(kind):
    model, source, _ = trained(kind)
    specs = [keras.Input(spec.shape[1:], dtype=spec.dtype, name=spec.name) for spec in model.input_specs]
    logits = model(tuple(specs))
    assert tuple(logits.shape) == (None, None, TARGET_IDS)
    assert logits.dtype == "float32"
    assert [spec.name for spec in specs] == ["source", "target"]
    assert model.decoding_specs.shape == (None,) * (source.ndim - 1) + (
        (None,) if model.source_vocabulary_size else source.shape[-1:]
    )


def test_an_exporter_is_told_names_limits_and_vocabularies():
    model = make("bidirectional", max_source_length=23)
    assert model.vocabulary_sizes == {"source": SOURCE_IDS, "target": TARGET_IDS}
    assert model.axis_names == {"target": {1: "target"}}
    assert model.size_limits == {"time": 23}
    assert (model.start_id, model.end_id, model.vocabulary_size) == (START, END, TARGET_IDS)
    assert make("features").vocabulary_sizes == {"target": TARGET_IDS}
    assert make("features").size_limits == {}
    with pytest.raises(ValueError, match=r"How many features the source of model .* is known once it is built"):
        _ = make("features").input_specs


def test_a_tied_output_has_no_kernel_of_its_own():
    model, source, target = trained("stacked, tied")
    assert [weight.path.rpartition("/")[2] for weight in model.output_projection.weights] == ["bias"]
    before = numpy(model.log_prob(source, target))
    model.target_embedding.embeddings.assign(2 * model.target_embedding.embeddings)
    assert (numpy(model.log_prob(source, target)) != before).all()


@pytest.mark.parametrize("kind", ["stacked, tied", "one to many", "features", "sampling, dropout"])
def test_config_and_weights_go_round(kind):
    model, source, target = trained(kind)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert type(copy) is keras_seq.Seq2Seq
    assert copy.get_config() == model.get_config()
    unbuilt = keras_seq.Seq2Seq.from_config(model.get_config())
    unbuilt.build([source.shape, target.shape])
    for other in (copy, unbuilt):
        other.set_weights(model.get_weights())
        np.testing.assert_array_equal(numpy(other.log_prob(source, target)), numpy(model.log_prob(source, target)))


SAVED_MODEL_TEST = """
import sys
import keras_seq
assert "keras" not in sys.modules
import keras, numpy as np
data = np.load(sys.argv[2])
outputs = {}
for number in range(2):
    model = keras.saving.load_model(f"{sys.argv[1]}/{number}.keras")
    outputs[f"{number}"] = model.log_prob(data[f"source_{number}"], data["target"])
    assert model.loss.label_smoothing == 0.1
np.savez(sys.argv[3], **outputs)
"""


def test_a_saved_model_is_read_in_a_fresh_process_by_importing_keras_seq(tmp_path):
    expected, arrays = {}, {}
    for number, kind in enumerate(("stacked, tied", "sampling, dropout")):
        model, source, target = trained(kind)
        model.compile("adam", keras_seq.SequenceCrossentropy(0.1))
        model.save(tmp_path / f"{number}.keras")
        expected[f"{number}"] = numpy(model.log_prob(source, target))
        arrays |= {f"source_{number}": source, "target": target}
    np.savez(tmp_path / "data.npz", **arrays)
    command = [
        sys.executable,
        "-c",
        SAVED_MODEL_TEST,
        *map(str, (tmp_path, tmp_path / "data.npz", tmp_path / "out.npz")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pathlib.Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    received = np.load(tmp_path / "out.npz")
    for name, scores in expected.items():
        np.testing.assert_allclose(received[name], scores, rtol=1e-6)


def test_it_says_what_it_consists_of(capsys):
    model, _, _ = trained("stacked, tied", name="translator", max_source_length=50)
    assert model.describe().splitlines() == [
        'Seq2Seq "translator": ids of 11, at most 50 steps to ids of 13',
        "  source_embedding  11 × 17",
        "  encoder           StackedRNN(GRU(17), GRU(17))",
        "  bridge            hands the encoder's states on as 0.h (17), 1.h (17)",
        "  target_embedding  13 × 17",
        "  decoder           GRUCell(17), GRUCell(17), LuongAttention after the cell and fed to the next step",
        "  output            13 logits of 17 features, tied to target_embedding",
        f"  {model.count_params():,} weights, computed in float32",
    ]
    model.summary()
    printed = capsys.readouterr().out
    for name in ("source_embedding", "target_embedding", "bridge", "output"):
        assert name in printed
    assert "a vector to ids of 13" in make("one to many").describe()
    assert "projects what the encoder gives to 0.h (17), tanh" in trained("bidirectional")[0].describe()
    assert "reads a token of its own with probability 0.25" in make("sampling, dropout").describe()
