"""The characters of words: which ids, in which shape, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seq.text import WordCharacterTokenizer, WordTokenizer
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.keras_seq.text import oracle
from tests.unicode_torture import INVALID_UTF8, LONE_SURROGATES, TEXTS

LINES = ["The cat sat on the mat.", "A dog, a cat!", "", "Straße \U0001f600 cat"]
in_models = pytest.mark.backend("tensorflow")


@pytest.mark.smoke
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("punctuation", ["split", "remove", "keep"])
@pytest.mark.parametrize("sizes", [(1, 0), (2, 3), (5, 1)])
def test_ids_are_those_of_the_first_and_last_characters_of_pythons_words(sizes, punctuation, lowercase):
    settings = {"lowercase": lowercase, "punctuation": punctuation}
    tokenizer = WordCharacterTokenizer.from_lines(LINES, num_first=sizes[0], num_last=sizes[1], **settings)
    texts = [oracle.lowered(text) if lowercase else text for text in TEXTS.values()]
    expected = [
        [oracle.spelling(word, tokenizer.vocabulary, *sizes) for word in oracle.words(text, punctuation)]
        for text in texts
    ]
    assert tokenizer.encode(list(TEXTS.values())) == expected


def test_words_are_those_of_a_word_tokenizer_with_the_same_settings():
    given = [*TEXTS.values(), *(text for text, _ in (*INVALID_UTF8.values(), *LONE_SURROGATES.values()))]
    for settings in ({}, {"punctuation": "remove"}, {"split": "whitespace"}, {"lowercase": True}):
        spelling = WordCharacterTokenizer(SPECIAL_TOKENS, **settings)
        words = WordTokenizer(SPECIAL_TOKENS, **{"lowercase": False, **settings})
        assert spelling.split(given).to_list() == words.split(given).to_list()
        assert list(map(len, spelling.encode(given))) == list(map(len, words.encode(given)))


def test_the_vocabulary_is_the_characters_of_words_the_most_frequent_first():
    tokenizer = WordCharacterTokenizer.from_lines(["a bad  cab", "\tba!"], max_size=8)
    assert tokenizer.vocabulary == (*SPECIAL_TOKENS, "a", "b", "!", "c")
    assert WordCharacterTokenizer.from_lines(["Aa b"], lowercase=True, min_count=2).vocabulary[4:] == ("a",)


def test_start_and_end_are_words_of_one_character_and_stay_when_a_text_is_cut():
    tokenizer = WordCharacterTokenizer(
        [*SPECIAL_TOKENS, "a", "b"], num_first=2, num_last=3, add_start=True, add_end=True, max_length=4
    )
    start, end, word = [1, 0, 0, 0, 1], [2, 0, 0, 0, 2], [5, 4, 0, 5, 4]
    assert tokenizer.encode(["ba", "ba " * 7, ""]) == [[start, word, end], [start, word, word, end], [start, end]]
    assert tokenizer.encode("ba", add_start=False, add_end=False) == [word]
    assert tokenizer(["ba", ""]).numpy().tolist() == [[start, word, end], [start, end, [0] * 5]]


def test_a_batch_is_padded_with_steps_of_zeros_and_has_one_at_least():
    tokenizer = WordCharacterTokenizer([*SPECIAL_TOKENS, "a"], num_first=1, num_last=2)
    assert tokenizer(["a ab", ""]).numpy().tolist() == [[[4, 0, 4], [4, 4, 3]], [[0, 0, 0], [0, 0, 0]]]
    assert tokenizer(["", ""]).numpy().tolist() == [[[0, 0, 0]]] * 2
    assert tokenizer("").numpy().tolist() == [[0, 0, 0]]
    assert tokenizer(tf.constant([], tf.string)).shape == (0, 1, 3)
    assert tokenizer.encode(["", "a"]) == [[], [[4, 0, 4]]]
    assert tokenizer.compute_mask(["a ab", "", "a"]).numpy().tolist() == [[True, True], [False, False], [True, False]]


def test_ragged_ids_are_not_padded():
    tokenizer = WordCharacterTokenizer([*SPECIAL_TOKENS, "a"], num_first=1, num_last=1, ragged=True)
    assert tokenizer(["a b", ""]).to_list() == [[[4, 4], [3, 3]], []]
    assert tokenizer.compute_mask(["a"]) is None


def test_no_text_can_forge_a_special_token():
    tokenizer = WordCharacterTokenizer(SPECIAL_TOKENS, split="whitespace", num_first=3, num_last=1)
    assert tokenizer.encode("<pad> \0 <end>") == [[3, 3, 3, 3], [3, 3, 3, 3]]


def test_tf_data_maps_texts_to_ids():
    tokenizer = WordCharacterTokenizer.from_lines(LINES, num_first=3, num_last=2)
    batches = tf.data.Dataset.from_tensor_slices(LINES).batch(3).map(tokenizer)
    assert batches.element_spec.shape.as_list() == [None, None, 5]
    for batch, lines in zip(batches, (LINES[:3], LINES[3:]), strict=True):
        np.testing.assert_array_equal(batch, tokenizer(lines))


@in_models
def test_a_model_takes_strings():
    tokenizer = WordCharacterTokenizer.from_lines(LINES, num_first=2, num_last=1)
    texts = keras.Input((), dtype="string")
    ids = tokenizer(texts)
    assert ids.shape == (None, None, 3)
    model = keras.Model(texts, keras.layers.Embedding(tokenizer.vocabulary_size, 5)(ids))
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    given = tf.constant(LINES)
    np.testing.assert_array_equal(again(given), model(given))
    assert model(given).shape == (4, 7, 3, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_first": 0}, r"`num_first` must be a whole number of at least 1. Received: num_first=0"),
        ({"num_last": -1}, r"`num_last` must be a whole number of at least 0. Received: num_last=-1"),
        ({"num_first": True}, r"`num_first` must be a whole number"),
        ({"split": "lines"}, r"`split` must be one of \['words', 'whitespace'\]. Received: split='lines'"),
        ({"split": "whitespace", "punctuation": "remove"}, r"goes with .* alone. Received: punctuation='remove'"),
        ({"vocabulary": [*SPECIAL_TOKENS, "a", "bc"]}, r"WordCharacterTokenizer must be one character. .*'bc' at 5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        WordCharacterTokenizer(**{"vocabulary": SPECIAL_TOKENS, **settings})


@pytest.mark.parametrize("write", ["decode", "to_text"])
def test_no_text_can_be_made_of_the_ends_of_words(write):
    tokenizer = WordCharacterTokenizer(SPECIAL_TOKENS, num_first=3, num_last=2, name="spelling")
    with pytest.raises(
        TypeError, match=r"WordCharacterTokenizer 'spelling' cannot write .* the first 3 and the last 2"
    ):
        getattr(tokenizer, write)([[3, 3, 3, 3, 3]])
