import numpy as np
import pytest

from keras_seq.embeddings import CountedVocabulary

SENTENCES = [["b", "a", "c"], ["a", "b", "d"], ["a"]]


def test_words_are_sorted_by_count_and_then_by_spelling():
    vocabulary = CountedVocabulary.from_sentences(SENTENCES)
    assert vocabulary.words == ("a", "b", "c", "d")
    assert vocabulary.counts.tolist() == [3, 2, 1, 1]
    assert [vocabulary.index[word] for word in vocabulary.words] == [0, 1, 2, 3]


def test_rare_words_and_words_beyond_the_size_are_left_out():
    assert CountedVocabulary.from_sentences(SENTENCES, min_count=2).words == ("a", "b")
    assert CountedVocabulary.from_sentences(SENTENCES, max_size=3).words == ("a", "b", "c")


def test_words_outside_are_left_out_and_ids_are_taken_as_they_are():
    vocabulary = CountedVocabulary.from_sentences(SENTENCES, min_count=2)
    sentences = [["c", "b", "a"], [1, 0, 1], np.array([0], "uint8"), []]
    assert [ids.tolist() for ids in vocabulary.encode(sentences)] == [[1, 0], [1, 0, 1], [0], []]


def test_a_word_may_have_no_count_beside_two_that_have():
    assert CountedVocabulary(["<pad>", "x", "y"], [0, 3, 2]).counts.tolist() == [0, 3, 2]


@pytest.mark.parametrize("sentences", [[], [[], []], iter([])])
def test_an_empty_corpus_is_refused(sentences):
    with pytest.raises(ValueError, match=r"`sentences` must hold words\. Received: an empty corpus"):
        CountedVocabulary.from_sentences(sentences)


def test_a_vocabulary_of_one_word_is_refused():
    with pytest.raises(
        ValueError, match=r"At least two words must occur 3 times or more.*4 distinct words, of which 1"
    ):
        CountedVocabulary.from_sentences(SENTENCES, min_count=3)
    with pytest.raises(ValueError, match=r"at least two words that occur.*Received: 1 of them"):
        CountedVocabulary(["x", "y"], [5, 0])


def test_a_word_twice_is_refused():
    with pytest.raises(ValueError, match=r"each word once. Received: 'x' more than once"):
        CountedVocabulary(["x", "y", "x"], [3, 2, 1])


@pytest.mark.parametrize("counts", [[1, -1], [1, 0.5], [1, np.nan]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match=r"`counts` must be integers that are not negative"):
        CountedVocabulary(["x", "y"], counts)


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"each of the 2 words. Received: counts of shape \(3,\)"):
        CountedVocabulary(["x", "y"], [1, 2, 3])


@pytest.mark.parametrize("wrong", [-1, 4])
def test_ids_outside_are_refused_with_the_sentence(wrong):
    vocabulary = CountedVocabulary.from_sentences(SENTENCES)
    with pytest.raises(ValueError, match=rf"less than the 4 words.*Received: {wrong} in sentence 1"):
        list(vocabulary.encode([[0, 1], [2, wrong, 3]]))


def test_a_sentence_that_is_a_string_is_refused():
    with pytest.raises(TypeError, match=r"must be lists of words, and not strings"):
        CountedVocabulary.from_sentences(["a b c"])
    with pytest.raises(TypeError, match=r"not a string. Received: 'a b' as sentence 1"):
        list(CountedVocabulary.from_sentences(SENTENCES).encode([["a"], "a b"]))


def test_a_sentence_of_other_things_is_refused():
    with pytest.raises(TypeError, match=r"a list of words or of ids. Received: dtype float64"):
        list(CountedVocabulary.from_sentences(SENTENCES).encode([[0.5]]))


@pytest.mark.parametrize("setting", [{"min_count": 0}, {"max_size": 0}, {"min_count": 1.5}])
def test_settings_that_are_not_positive_are_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. Received: {name}="):
        CountedVocabulary.from_sentences(SENTENCES, **setting)
