import keras
import numpy as np
import pytest

import keras_seq
from language_modelling.judging import (
    Fit,
    fit_of_model,
    fit_of_ngrams,
    held_out_rows,
    negative_bits,
    ngram_scorer,
    sentence_log_probs,
)
from language_modelling.models import metric
from language_modelling.ngrams import NgramModel
from language_modelling.streams import one_stream
from language_modelling.texts import Part

pytestmark = pytest.mark.backend("tensorflow")
TEXTS = ["abba", "cab", "bac", "acca"]


@pytest.fixture(scope="module")
def tokenizer():
    return keras_seq.CharTokenizer.from_lines(TEXTS)


def test_the_fit_of_a_model_that_counts_is_the_mean_over_its_tokens(tokenizer):
    ids = one_stream(tokenizer, TEXTS)
    model = NgramModel(2, ids, tokenizer.vocabulary_size)
    fit = fit_of_ngrams(model, ids, Part(TEXTS, 29))
    nats = -ngram_scorer(model, tokenizer)(TEXTS).sum()
    assert fit.bits_per_character == pytest.approx(nats / np.log(2) / 29)
    assert fit.perplexity == pytest.approx(np.exp(nats / len(ids)))
    assert Fit.of(np.log(16), 2, 2) == Fit(2, 4)


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_fit_of_a_network_is_that_of_its_logits(tokenizer, level):
    """One stream whose only window holds one text."""
    keras.utils.set_random_seed(3)
    model = keras_seq.LanguageModel(tokenizer=tokenizer, features=3, units=5, stateful=True)
    model.compile("sgd", keras_seq.SequenceCrossentropy(), metrics=[metric(level, 11 / 5)])
    ids = one_stream(tokenizer, TEXTS[:1])
    fit = fit_of_model(model, ids, Part(TEXTS[:1], 11), batch_size=1, steps=7)
    logits = np.asarray(model(np.array([[1, *ids[:-1]]])))[0].astype("float64")
    nats = sum(np.log(np.exp(row).sum()) - row[token] for row, token in zip(logits, ids, strict=True))
    assert fit.bits_per_character == pytest.approx(nats / np.log(2) / 11, rel=1e-5)
    assert fit.perplexity == pytest.approx(np.exp(nats / 5), rel=1e-5)


def test_sentences_keep_their_order_whatever_their_length(tokenizer):
    model = keras_seq.LanguageModel(tokenizer=tokenizer, features=3, units=5)
    sentences = ["abba", "c", "bac", "cc"]
    found = sentence_log_probs(model, sentences, batch_size=3)
    alone = [float(model.log_prob([sentence])[0]) for sentence in sentences]
    np.testing.assert_allclose(found, alone, rtol=1e-5)


def test_rows_for_an_exported_model_begin_anew_and_shift_the_text_by_one():
    ids = np.random.default_rng(1).integers(4, 11, 1009).astype("int32")
    before, after = held_out_rows(ids, vocabulary_size=11)
    np.testing.assert_array_equal(after, ids[: 3 * 256].reshape(3, 256))
    np.testing.assert_array_equal(before[:, 1:], after[:, :-1])
    assert (before[:, 0] == 1).all()
    assert held_out_rows(ids[:5], vocabulary_size=11)[1].shape == (1, 5)
    assert held_out_rows(ids, vocabulary_size=50_000)[1].shape == (1, 256)  # as many logits as memory has room for


def test_negative_bits_of_a_distribution_that_is_known():
    probabilities = np.array([[[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]])
    ids = np.array([[1, 0]])  # 2 bits and 3
    assert negative_bits(2.0)(ids, np.log(probabilities) + 7) == pytest.approx(-2.5 / 2)
