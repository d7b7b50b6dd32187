"""The recurrent language model against NumPy, enumeration and itself cut into pieces."""

import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from keras_seq import BeamSearch, Greedy, LanguageModel, Sampling
from tests.keras_seq.models.transformer_cases import TARGET_IDS, ids, numpy, one_late, with_random_weights

SIZES = {"features": 5, "units": 7}
KINDS = {
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm", "num_layers": 2},
    "peephole_lstm": {"cell": "peephole_lstm"},
    "simple_rnn": {"cell": "simple_rnn", "num_layers": 3},
    "tied": {"cell": "gru", "tie_output": True},
    "tied, no projection": {"cell": "lstm", "tie_output": True, "units": 5},
}


def model_of(kind="gru", **kwargs):
    model = LanguageModel(**{"vocabulary_size": TARGET_IDS, **SIZES, **KINDS[kind], **kwargs})
    return with_random_weights(model, scale=0.9)


def log_softmax(logits):
    """Without padding, which is no token, in float64."""
    logits = numpy(logits).astype("float64")
    logits[..., 0] = -1e9
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def whole(tensor):
    return numpy(tensor).astype("int32")


@pytest.mark.smoke
def test_logits_are_those_of_the_equations():
    model = model_of("tied")
    table, kernel, recurrent, bias, projection, output_bias = (numpy(weight) for weight in model.weights)
    tokens, hidden, expected = [1, 4, 9, 3, 7], np.zeros(7), []
    for token in tokens:
        (xz, xr, xc) = np.split(table[token] @ kernel + bias[0], 3)
        (hz, hr, hc) = np.split(hidden @ recurrent + bias[1], 3)
        update, reset = 1 / (1 + np.exp(-xz - hz)), 1 / (1 + np.exp(-xr - hr))
        hidden = update * hidden + (1 - update) * np.tanh(xc + reset * hc)
        expected.append(hidden @ projection @ table.T + output_bias)
    np.testing.assert_allclose(numpy(model(np.array([tokens])))[0], expected, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_logit_depends_on_what_comes_later_or_on_padding(kind):
    model, inputs = model_of(kind), ids(TARGET_IDS, [5, 5, 5], 5)
    other = inputs.copy()
    other[:, 3:] = [[4, 0], [11, 6], [0, 0]]
    np.testing.assert_allclose(numpy(model(inputs))[:, :3], numpy(model(other))[:, :3], atol=1e-6)
    # Training leaves the mask out; before the padding that changes nothing.
    np.testing.assert_allclose(numpy(model(other, training=True))[:, :3], numpy(model(other))[:, :3], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_probabilities_of_all_sentences_of_a_length_sum_to_one(kind):
    model = model_of(kind, vocabulary_size=5)
    every = np.array(list(itertools.product(range(1, 5), repeat=3)), "int32")
    assert np.exp(numpy(model.log_prob(every)).astype("float64")).sum() == pytest.approx(1.0, rel=1e-4)


def test_log_prob_is_the_sum_over_the_steps_with_the_end_and_without_the_padding():
    model = model_of("lstm")
    sentences = ids(TARGET_IDS, [4, 2, 3], 5, end=True)
    logs = log_softmax(model(one_late(sentences)))
    expected = [
        sum(logs[row, t, token] for t, token in enumerate(sentence) if token) for row, sentence in enumerate(sentences)
    ]
    np.testing.assert_allclose(numpy(model.log_prob(sentences)), expected, rtol=1e-4)
    per_token = numpy(model.log_prob(sentences, per_token=True))
    assert (per_token[sentences == 0] == 0).all()
    np.testing.assert_allclose(per_token.sum(axis=1), expected, rtol=1e-4)


def beam_search_by_whole_calls(model, prompt, beams, length):
    """Every step calls the whole model on whole sequences: no state, no cell, no table."""
    open_ones, ended = [((), 0.0)], []
    for _ in range(length):
        rows = np.array([[1, *prompt, *tokens] for tokens, _ in open_ones], "int32")
        logs = log_softmax(model(rows))[:, -1]
        candidates = [
            ((*tokens, token), value + logs[row, token])
            for row, (tokens, value) in enumerate(open_ones)
            for token in range(1, logs.shape[1])
        ]
        best = sorted(candidates + ended, key=lambda pair: -pair[1])[:beams]
        ended = [pair for pair in best if pair[0][-1] == 2]
        open_ones = [pair for pair in best if pair[0][-1] != 2]
        if not open_ones:
            break
    return sorted(open_ones + ended, key=lambda pair: -pair[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beams", [1, 3])
def test_generation_is_a_search_through_whole_calls(kind, beams):
    model = model_of(kind)
    prompts = np.array([[5, 9, 3], [4, 0, 0], [0, 0, 0]], "int32")
    strategy = BeamSearch(num_beams=beams, alpha=0.0, max_length=4, num_hypotheses=1)
    found = model.generate(prompts, strategy if beams > 1 else Greedy(max_length=4))
    for row, prompt in enumerate(prompts):
        (expected, value), *_ = beam_search_by_whole_calls(model, prompt[prompt > 0].tolist(), beams, 4)
        length = int(found.lengths[row, 0])
        assert tuple(numpy(found.ids)[row, 0, :length]) == expected
        assert float(found.log_probs[row, 0]) == pytest.approx(value, rel=1e-4)


def test_samples_come_as_often_as_they_are_likely():
    model, prompt = model_of("gru", vocabulary_size=7), [5, 3]
    found = model.generate([prompt], Sampling(num_samples=4001, max_length=1, seed=11))
    counts = np.bincount(whole(found.ids)[0, :, 0], minlength=7)
    expected = 4001 * np.exp(log_softmax(model(np.array([[1, *prompt]])))[0, -1])
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 1e-9).all()


@pytest.mark.parametrize("strategy", [Sampling(max_length=13, seed=3), Greedy(max_length=9)])
def test_a_stream_gives_the_tokens_of_generate_one_by_one(strategy):
    model = model_of("lstm")
    for prompt in ([4, 7], None):
        whole = model.generate(None if prompt is None else [prompt], strategy)
        streamed = model.stream(prompt, strategy)
        assert list(streamed) == numpy(whole.ids)[0, 0, : int(whole.lengths[0, 0])].tolist()


def test_windows_and_a_carried_state_give_the_loss_of_the_whole_text():
    """At a learning rate of zero, so that all windows are read by the same weights."""
    text = ids(TARGET_IDS, [23], 23)[0]
    model = model_of("lstm", stateful=True)
    model.compile(keras.optimizers.SGD(0.0), keras_seq.SequenceCrossentropy(), metrics=[keras_seq.Perplexity()])
    windows = keras_seq.text_windows(text, batch_size=2, steps=5)
    history = model.fit(windows, epochs=2, verbose=0, validation_data=windows).history
    streams = np.stack([text[:12], np.pad(text[12:], (0, 1))])
    logits = numpy(model(one_late(streams))).astype("float64")  # padding has a probability here, as in the loss
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = np.exp(-np.take_along_axis(logs, streams[..., None], axis=-1)[streams > 0].mean())
    assert history["perplexity"] == pytest.approx([expected] * 2, rel=1e-4)
    assert history["val_perplexity"] == pytest.approx([expected] * 2, rel=1e-4)


def test_without_a_carried_state_the_windows_are_read_apart():
    text = ids(TARGET_IDS, [23], 23)[0]
    windows = keras_seq.text_windows(text, batch_size=2, steps=5)
    perplexities = []
    for stateful in (True, False):
        model = model_of("lstm", stateful=stateful)
        model.compile(loss=keras_seq.SequenceCrossentropy(), metrics=[keras_seq.Perplexity()])
        perplexities.append(model.evaluate(windows, verbose=0, return_dict=True)["perplexity"])
    assert abs(perplexities[0] - perplexities[1]) > 1e-2


def test_no_gradient_goes_back_into_the_window_before():
    model = model_of("simple_rnn", num_layers=1, stateful=True, vocabulary_size=11)
    model.compile(keras.optimizers.SGD(1.0), keras_seq.SequenceCrossentropy())
    before = numpy(model.embedding.embeddings).copy()
    first, second = np.array([[1, 4, 5]], "int32"), np.array([[6, 7, 8]], "int32")
    model.build((1, None))
    model.train_on_batch(first, np.zeros_like(first))  # no loss: only the state moves on
    np.testing.assert_array_equal(numpy(model.embedding.embeddings), before)
    model.train_on_batch(second, np.array([[7, 8, 9]], "int32"))
    moved = np.abs(numpy(model.embedding.embeddings) - before).sum(axis=1) > 0
    assert moved.tolist() == [index in (6, 7, 8) for index in range(11)]


def test_fit_learns_to_count_over_the_borders_of_windows():
    text = np.tile(np.arange(3, 3 + 6), 60)
    model = LanguageModel(vocabulary_size=9, cell="gru", features=5, units=17, stateful=True, dropout=0.1)
    model.compile(keras.optimizers.Adam(0.02), keras_seq.SequenceCrossentropy(), metrics=[keras_seq.BitsPerCharacter()])
    bits = model.fit(keras_seq.text_windows(text, 3, 20), epochs=12, verbose=0).history["bits_per_character"]
    assert bits[-1] < 0.5 < bits[0]
    assert numpy(model.generate([[4, 5]], Greedy(max_length=5)).ids)[0, 0].tolist() == [6, 7, 8, 3, 4]


@pytest.mark.parametrize("kind", ["lstm", "tied"])
def test_config_and_weights_make_the_same_model_again(tmp_path, kind):
    model, inputs = model_of(kind, dropout=0.3, stateful=True), ids(TARGET_IDS, [5, 3], 5)
    model.compile(keras.optimizers.SGD(0.0), keras_seq.SequenceCrossentropy())
    parameters = model.count_params()
    model.fit(inputs, inputs, batch_size=2, verbose=0)  # with states that are carried, but not saved
    assert model.count_params() == parameters
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again(inputs)), numpy(model(inputs)))
    assert again.get_config() == model.get_config()


@pytest.mark.backend("tensorflow")
def test_a_saved_model_brings_its_tokenizer_into_a_fresh_process(tmp_path):
    tokenizer = keras_seq.WordTokenizer.from_lines(["the apple and pear salad", "a pear"])
    model = with_random_weights(LanguageModel(tokenizer=tokenizer, **SIZES))
    assert model.vocabulary_size == tokenizer.vocabulary_size
    sentences = ["the apple and pear salad", "a pair"]
    expected = numpy(model.log_prob(sentences))
    ends = [tokenizer.encode(sentence, add_end=True) for sentence in sentences]
    np.testing.assert_allclose(expected[0], numpy(model.log_prob(np.array([ends[0]])))[0], rtol=1e-5)
    model.save(tmp_path / "model.keras")
    program = (
        "import sys, keras, keras_seq\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        f"print(*model.log_prob({sentences!r}).numpy())\n"
        "print(repr(''.join(model.stream('the apple', keras_seq.Sampling(max_length=7, seed=5)))))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "model.keras"], capture_output=True, text=True, check=True
    )
    log_probs, text = result.stdout.splitlines()
    np.testing.assert_allclose([float(value) for value in log_probs.split()], expected, rtol=1e-5)
    assert text == repr("".join(model.stream("the apple", Sampling(max_length=7, seed=5))))


@pytest.mark.backend("tensorflow")
def test_texts_go_in_and_come_out():
    tokenizer = keras_seq.CharTokenizer.from_lines(["abcde"])
    model = with_random_weights(LanguageModel(tokenizer=tokenizer, **SIZES))
    found = model.generate(["ab", ""], Sampling(max_length=5, seed=2))
    same = model.generate(np.array([tokenizer.encode("ab"), [0, 0]]), Sampling(max_length=5, seed=2))
    np.testing.assert_array_equal(numpy(found.ids), numpy(same.ids))
    assert tokenizer.unknown_id in model.default_strategy().banned_ids
    pieces = list(model.stream("ab", Sampling(max_length=5, seed=2)))
    assert "".join(pieces) == tokenizer.decode(whole(found.ids)[0, 0].tolist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": None}, "`vocabulary_size` must be given where there is no `tokenizer`"),
        ({"units": 0}, "`units` must be a positive integer. Received: units=0"),
        ({"cell": "mlp"}, "`cell` must be one of simple_rnn, gru, lstm, peephole_lstm.*Received: cell='mlp'"),
        ({"end_id": 13}, "`end_id` must be from 1 to 12"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and less than 1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(**{"vocabulary_size": TARGET_IDS, **SIZES, **arguments})


@pytest.mark.backend("tensorflow")
def test_a_tokenizer_of_another_vocabulary_is_refused():
    tokenizer = keras_seq.CharTokenizer.from_lines(["abcde"])
    with pytest.raises(
        ValueError, match=r"must be that of the tokenizer, 9, or left out. Received: vocabulary_size=11"
    ):
        LanguageModel(vocabulary_size=11, tokenizer=tokenizer)
    with pytest.raises(ValueError, match=r"must be those of the tokenizer, 1 and 2. Received: start_id=3, end_id=2"):
        LanguageModel(tokenizer=tokenizer, start_id=3)


@pytest.mark.backend("tensorflow")
def test_texts_that_the_model_cannot_read_are_refused():
    with pytest.raises(ValueError, match=r"has no tokenizer, so `prompt` must be ids.*Received: 'abc'"):
        model_of().generate("abc")
    tokenizer = keras_seq.WordTokenizer.from_lines(["the apple"])
    model = with_random_weights(LanguageModel(tokenizer=tokenizer, **SIZES))
    with pytest.raises(ValueError, match=r"`prompt` has nothing that the model knows.*Received: 'une pomme'"):
        model.generate(["the apple", "une pomme"])


def test_streams_of_several_texts_are_refused():
    with pytest.raises(ValueError, match=r"gives one text away as it comes. Received: a strategy that gives 3"):
        model_of().stream([4], Sampling(num_samples=3))
    with pytest.raises(ValueError, match="the tokens of a beam search are settled at its end"):
        model_of().stream([4], BeamSearch(num_beams=2, num_hypotheses=1))


def test_batches_that_cannot_go_on_with_one_another_are_refused():
    model, inputs = model_of(stateful=True), ids(TARGET_IDS, [5, 5, 5], 5)
    model.compile(loss=keras_seq.SequenceCrossentropy())
    with pytest.raises(ValueError, match=r"cannot be shuffled. Received: shuffle=True"):
        model.fit(inputs, inputs, shuffle=True)
    model.evaluate(inputs, inputs, batch_size=3, verbose=0)
    with pytest.raises(ValueError, match=r"must have the same rows. Expected: 3. Received: 2"):
        model.evaluate(inputs, inputs, batch_size=2, verbose=0)


def test_the_description_names_the_parts():
    text = model_of("tied").describe()
    assert "rnn               StackedRNN(GRU(7)), projected to 5" in text
    assert "13 logits, tied to the embeddings" in text
    assert ops.shape(model_of("tied").embedding.embeddings) == (13, 5)
