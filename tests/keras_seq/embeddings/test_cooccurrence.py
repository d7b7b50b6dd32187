import numpy as np
import pytest

from keras_seq.embeddings import CountedVocabulary, cooccurrence_matrix

WORDS = 13
RANDOM = np.random.default_rng(11)
SENTENCES = [RANDOM.integers(0, WORDS, length).tolist() for length in (17, 1, 0, 5, 29, 2, 7)]
VOCABULARY = CountedVocabulary([f"w{number}" for number in range(WORDS)], np.arange(WORDS, 0, -1))


def counted(sentences, window, weight):
    matrix = np.zeros((WORDS, WORDS))
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in range(max(0, place - window), min(len(sentence), place + window + 1)):
                if other != place:
                    matrix[word, sentence[other]] += weight(abs(other - place))
    return matrix


@pytest.mark.parametrize("window", [1, 3, 40])
@pytest.mark.parametrize("buffer_words", [1, 7, 1000])
def test_counts_are_those_of_a_plain_loop(window, buffer_words):
    matrix = cooccurrence_matrix(SENTENCES, VOCABULARY, window, buffer_words=buffer_words)
    np.testing.assert_allclose(matrix.toarray(), counted(SENTENCES, window, lambda distance: 1 / distance))
    uniform = cooccurrence_matrix(SENTENCES, VOCABULARY, window, weighting="uniform", buffer_words=buffer_words)
    np.testing.assert_allclose(uniform.toarray(), counted(SENTENCES, window, lambda distance: 1))


def test_words_outside_add_no_distance():
    vocabulary = CountedVocabulary(["a", "b"], [1, 1])
    assert cooccurrence_matrix([["a", "?", "b"]], vocabulary).toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("sentences", [[], [[]], [["?", "!"]], [["a"], ["b"]]])
def test_a_corpus_without_pairs_is_refused(sentences):
    with pytest.raises(
        ValueError, match=r"must hold two words of the vocabulary side by side. Received: a corpus that"
    ):
        cooccurrence_matrix(sentences, CountedVocabulary(["a", "b"], [1, 1]))


@pytest.mark.parametrize("setting", [{"window": 0}, {"window": 2.5}, {"buffer_words": -1}])
def test_sizes_that_are_not_positive_are_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. Received: {name}="):
        cooccurrence_matrix(SENTENCES, VOCABULARY, **setting)


def test_an_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match=r"one of 'inverse_distance', 'uniform'. Received: weighting='gauss'"):
        cooccurrence_matrix(SENTENCES, VOCABULARY, weighting="gauss")


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(ValueError, match=r"less than the 13 words"):
        cooccurrence_matrix([[0, 13]], VOCABULARY)
