"""Decoding over a cache, beside models that read everything again at each step."""

import keras
import numpy as np
import pytest

from keras_seq import BeamSearch, Greedy, Sampling, generate
from tests.keras_seq.models.transformer_cases import (
    BATCH,
    END,
    KINDS,
    START,
    TARGET_IDS,
    ids,
    language_model,
    numpy,
    plain_beam_search,
    sequences,
    sources,
    transformer,
    uncached,
    whole_logits,
    with_random_weights,
)

MAX_LENGTH, ALPHA = 6, 0.7


def prompts():
    """Of mixed lengths, one of them empty."""
    return ids(TARGET_IDS, (2, 0, 4), 4, seed=3)


def strategy_of(beams):
    return Greedy(max_length=MAX_LENGTH) if beams == 1 else BeamSearch(num_beams=beams, max_length=MAX_LENGTH)


@pytest.mark.parametrize(("kind", "beams"), [("paper", 1), ("modern", 3), ("learned", 4), ("paper", 4)])
def test_a_transformer_finds_what_a_plain_search_finds(kind, beams):
    model, source = with_random_weights(transformer(kind)), sources()
    found = model.generate(source, strategy_of(beams))
    for row in range(BATCH):
        expected = plain_beam_search(model, beams, MAX_LENGTH, ALPHA if beams > 1 else 0, source=source[row])
        assert sequences(found, row) == [tokens for _, tokens in expected]
        np.testing.assert_allclose(numpy(found.scores)[row], [score for score, _ in expected], rtol=1e-4)
        scored = model.log_prob(np.repeat(source[row : row + 1], beams, axis=0), found.ids[row])
        np.testing.assert_allclose(numpy(scored), numpy(found.log_probs)[row], rtol=1e-4)


@pytest.mark.parametrize(("kind", "beams"), [("modern", 1), ("paper", 3), ("learned", 3), ("modern", 4)])
def test_a_language_model_finds_what_a_plain_search_finds(kind, beams):
    model, prompt = with_random_weights(language_model(kind)), prompts()
    found = model.generate(prompt, strategy_of(beams))
    for row in range(BATCH):
        given = [token for token in prompt[row].tolist() if token]
        expected = plain_beam_search(model, beams, MAX_LENGTH, ALPHA if beams > 1 else 0, prompt=given)
        assert sequences(found, row) == [tokens for _, tokens in expected]
        np.testing.assert_allclose(numpy(found.scores)[row], [score for score, _ in expected], rtol=1e-4)


def test_sampling_draws_what_it_would_draw_without_a_cache():
    strategy = Sampling(max_length=4, num_samples=3, temperature=0.9, top_k=7, seed=5)
    beams, settings = strategy.rows_per_source, {"start_id": START, "end_id": END}
    model, source = with_random_weights(transformer()), sources()
    lm, prompt = with_random_weights(language_model()), prompts()
    for found, plain in (
        (model.generate(source, strategy), uncached(model, beams, source=source)),
        (lm.generate(prompt, strategy), uncached(lm, beams, prompts=prompt)),
    ):
        expected = generate(plain, strategy, **settings)
        assert [sequences(found, row) for row in range(BATCH)] == [sequences(expected, row) for row in range(BATCH)]
        np.testing.assert_allclose(numpy(found.log_probs), numpy(expected.log_probs), rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "max_length"),
    [
        ("paper", MAX_LENGTH),
        pytest.param("modern", MAX_LENGTH, marks=pytest.mark.smoke),
        ("learned", MAX_LENGTH),
        ("modern", None),
        ("paper", None),
    ],
)
def test_hypotheses_that_change_places_keep_their_own_past(kind, max_length):
    beams = 3
    model = with_random_weights(language_model(kind))
    prompt = prompts()
    decoding = model.start_decoding(prompt, beams, max_length)
    random = np.random.default_rng(4)
    state, tokens = decoding.state, np.repeat(keras.ops.convert_to_numpy(decoding.first_tokens), beams)
    written = [[token for token in row if token] for row in prompt.tolist() for _ in range(beams)]
    for _ in range(4):
        logits, state = decoding.step(keras.ops.convert_to_tensor(tokens, "int32"), state)
        np.testing.assert_allclose(numpy(logits)[:, 1:], whole_logits(model, written)[:, 1:], atol=1e-4)
        parents = random.integers(0, beams, BATCH * beams) + np.repeat(np.arange(BATCH), beams) * beams
        state = decoding.reorder(state, keras.ops.convert_to_tensor(parents, "int32"))
        tokens = random.integers(3, TARGET_IDS, BATCH * beams)
        written = [[*written[parent], int(token)] for parent, token in zip(parents, tokens, strict=True)]


def test_one_cache_serves_all_hypotheses_of_a_source():
    model = with_random_weights(transformer("modern"))
    decoding = model.start_decoding(sources(), 4)
    state = decoding.state
    for steps in (1, 2):
        _, state = decoding.step(keras.ops.ones((4 * BATCH,), "int32"), state)
        shapes = {tuple(tensor.shape) for pair in state.cache for tensor in pair}
        assert shapes == {(BATCH, 2, 4 * steps, 2)}  # of 2 heads, 2 features each
        assert tuple(state.bias.shape) == (4 * BATCH, 4 * steps)
    moved = decoding.reorder(state, keras.ops.zeros((4 * BATCH,), "int32"))
    assert moved.cache is state.cache


def test_a_single_hypothesis_needs_no_bias():
    assert with_random_weights(transformer()).start_decoding(sources()).state.bias == ()


def test_without_a_prompt_a_language_model_writes_from_the_start():
    model = with_random_weights(language_model())
    strategy = BeamSearch(num_beams=3, max_length=MAX_LENGTH)
    found = model.generate(strategy=strategy)
    expected = plain_beam_search(model, 3, MAX_LENGTH, ALPHA)
    assert sequences(found, 0) == [tokens for _, tokens in expected]
    np.testing.assert_allclose(numpy(model.log_prob(found.ids[0])), numpy(found.log_probs)[0], rtol=1e-4)
    for prompt in (np.zeros((1, 0), "int32"), np.zeros((1, 3), "int32")):
        assert sequences(model.generate(prompt, strategy), 0) == sequences(found, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_behind_sources_and_prompts_changes_nothing(kind):
    strategy = BeamSearch(num_beams=3, max_length=4)
    model, source = with_random_weights(transformer(kind)), sources()
    lm, prompt = with_random_weights(language_model(kind)), prompts()
    for writer, given in ((model, source), (lm, prompt)):
        found = writer.generate(np.pad(given, ((0, 0), (0, 2))), strategy)
        for row in range(BATCH):
            alone = writer.generate(given[row : row + 1, : np.count_nonzero(given[row])], strategy)
            assert sequences(found, row) == sequences(alone, 0)
            np.testing.assert_allclose(numpy(found.scores)[row], numpy(alone.scores)[0], rtol=1e-4)


@pytest.mark.backend("tensorflow")
def test_decoding_runs_in_a_graph_of_any_batch_and_length():
    import tensorflow as tf

    model, source = with_random_weights(transformer("modern", num_decoder_layers=1)), sources()
    lm, prompt = with_random_weights(language_model("paper", num_layers=1)), prompts()
    strategy = BeamSearch(num_beams=3, max_length=5)
    for writer, given, shape in ((model, source, (None, None)), (lm, prompt, (None, None)), (lm, prompt, prompt.shape)):
        spec = tf.TensorSpec(shape, "int32")
        traced = tf.function(lambda x, writer=writer: writer.generate(x, strategy).ids, input_signature=[spec])
        np.testing.assert_array_equal(traced(given), writer.generate(given, strategy).ids)
