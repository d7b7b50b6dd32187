import numpy as np
import pytest

from tagging.features import batches_by_length, pad
from tagging.sentence import Sentence
from tagging.vocabularies import features_of, learn_tokenizers

SENTENCES = [
    Sentence(("The", "cat", "saw", "the", "cats"), ("DET", "NOUN", "VERB", "DET", "NOUN")),
    Sentence(("Cat", "saw", "2019", "2020"), ("NOUN", "NOUN", "NUM", "NUM")),
]
TOKENIZERS = learn_tokenizers(SENTENCES, affix=3)
FEATURES = features_of(TOKENIZERS, SENTENCES)


def test_words_met_often_enough_are_known_whatever_their_case_and_digits():
    vocabulary = FEATURES.words.vocabulary
    assert sorted(vocabulary[4:]) == ["0000", "cat", "saw", "the"]
    ids = FEATURES.encode(("THE", "the", "1234", "cats", "dog")).words
    assert ids.tolist() == [vocabulary.index(word) for word in ("the", "the", "0000")] + [3, 3]


def test_a_spelling_is_the_beginning_and_the_end_as_written():
    characters = FEATURES.encode(("The", "at", "saw2é")).characters
    names = [[FEATURES.characters.vocabulary[index] for index in row] for row in characters]
    assert names == [
        ["T", "h", "e", "T", "h", "e"],
        ["a", "t", "<pad>", "<pad>", "a", "t"],
        ["s", "a", "w", "w", "2", "<unk>"],
    ]


def test_words_of_a_corpus_are_cut_as_a_plain_text_is():
    words = ("isn't", "x_1", "'a b'", "cat")
    encoded = FEATURES.encode(words)
    assert encoded.starts.tolist() == [0, 3, 4, 8]
    assert encoded.counts.tolist() == [3, 1, 4, 1]
    (plain, spelt) = (TOKENIZERS[name].encode(" ".join(words)) for name in ("words", "characters"))
    assert encoded.words.tolist() == plain
    assert encoded.characters.tolist() == spelt


def test_no_word_is_ever_encoded_as_padding():
    encoded = FEATURES.encode(("<pad>", "the", "", " ", "\x00"))
    assert encoded.counts.tolist() == [3, 1, 1, 1, 1]
    assert (encoded.words > 0).all()
    assert (encoded.characters[:, 0] > 0).all()
    assert encoded.characters.dtype == encoded.words.dtype == np.int32


def test_labels_are_decoded_as_they_were_encoded():
    labels = ["VERB", "NUM", "DET"]
    encoded = FEATURES.encode(("isn't", "cat", "a-b"))
    ids = FEATURES.encode_labels(labels, encoded)
    assert ids.tolist() == [FEATURES.labels.index(label) for label in ["VERB"] * 3 + ["NUM"] + ["DET"] * 3]
    probabilities = np.eye(4)[ids]
    probabilities[[1, 5, 6]] = 1  # what is said of the other pieces does not count
    assert FEATURES.decode(probabilities, encoded) == labels
    assert FEATURES.encode_labels(["UNHEARD"], FEATURES.encode(("it's",))).tolist() == [-1] * 3


def test_vocabularies_depend_on_the_sentences_alone():
    again = learn_tokenizers(list(SENTENCES), affix=3)
    assert {name: one.to_dict() for name, one in again.items()} == {n: one.to_dict() for n, one in TOKENIZERS.items()}


def test_an_underscore_is_a_letter_and_nothing_else_is_changed():
    words = TOKENIZERS["words"]
    marks = "".join(chr(point) for point in range(33, 127) if not chr(point).isalnum())
    assert words.split([marks]).to_list() == [[mark.encode() for mark in marks]]
    assert words.split(["a_b _ A1\u0661\u0130"]).to_list() == [[b"a_b", b"_", "a0\u0661i".encode()]]


def test_rows_of_several_dimensions_are_padded_along_the_first():
    batch = pad([np.ones((2, 3), np.int32), np.ones((5, 3), np.int32)])
    assert batch.shape == (2, 5, 3)
    assert batch.sum(axis=(1, 2)).tolist() == [6, 15]


@pytest.mark.parametrize("budget", [1, 7, 64])
def test_batches_hold_every_row_once_and_no_more_than_allowed(budget):
    lengths = np.random.default_rng(3).integers(1, 23, size=101)
    batches = batches_by_length(lengths, np.argsort(lengths), budget)
    assert sorted(index for batch in batches for index in batch) == list(range(101))
    assert all(len(batch) == 1 or len(batch) * max(lengths[batch]) <= budget for batch in batches)
