import json

import numpy as np
import pytest

from tagging.features import Features, batches_by_length, pad
from tagging.sentence import Sentence

SENTENCES = [
    Sentence(("The", "cat", "saw", "the", "cats"), ("DET", "NOUN", "VERB", "DET", "NOUN")),
    Sentence(("Cat", "saw", "2019", "2020"), ("NOUN", "NOUN", "NUM", "NUM")),
]


def test_words_met_often_enough_are_known_whatever_their_case_and_digits():
    features = Features.fit(SENTENCES, affix=3)
    assert sorted(features.words[2:]) == ["0000", "cat", "saw", "the"]
    ids, _ = features.encode(("THE", "the", "1234", "cats", "dog"))
    assert ids.tolist() == [features.words.index(word) for word in ("the", "the", "0000")] + [1, 1]


def test_a_spelling_is_the_beginning_and_the_end_as_written():
    features = Features.fit(SENTENCES, affix=3)
    _, characters = features.encode(("The", "at", "saw2é"))
    names = [[features.characters[index] for index in row] for row in characters]
    nothing, unknown = "<padding>", "<unknown>"
    assert names == [
        ["T", "h", "e", "T", "h", "e"],
        ["a", "t", nothing, nothing, "a", "t"],
        ["s", "a", "w", "w", "2", unknown],
    ]


def test_no_word_is_ever_encoded_as_padding():
    ids, characters = Features.fit(SENTENCES).encode(("<padding>", "the", "", "\x00"))
    assert (ids > 0).all()
    assert characters.dtype == ids.dtype == np.int32


def test_features_survive_a_trip_through_json():
    features = Features.fit(SENTENCES, affix=5)
    again = Features(**json.loads(json.dumps(features.to_metadata())))
    assert again == features
    for one, other in zip(features.encode(("The", "dog")), again.encode(("The", "dog")), strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_are_decoded_as_they_were_encoded():
    features = Features.fit(SENTENCES)
    labels = ["VERB", "NUM", "DET"]
    assert features.decode(np.eye(4)[features.encode_labels(labels)]) == labels
    assert features.encode_labels(["UNHEARD"]).tolist() == [-1]


def test_vocabularies_depend_on_the_sentences_alone():
    assert Features.fit(SENTENCES) == Features.fit(list(SENTENCES))


def test_rows_of_several_dimensions_are_padded_along_the_first():
    batch = pad([np.ones((2, 3), np.int32), np.ones((5, 3), np.int32)])
    assert batch.shape == (2, 5, 3)
    assert batch.sum(axis=(1, 2)).tolist() == [6, 15]


@pytest.mark.parametrize("budget", [1, 7, 64])
def test_batches_hold_every_row_once_and_no_more_words_than_allowed(budget):
    lengths = np.random.default_rng(3).integers(1, 23, size=101)
    batches = batches_by_length(lengths, np.argsort(lengths), budget)
    assert sorted(index for batch in batches for index in batch) == list(range(101))
    assert all(len(batch) == 1 or len(batch) * max(lengths[batch]) <= budget for batch in batches)
