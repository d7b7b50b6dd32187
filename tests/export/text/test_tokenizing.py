"""Texts into ids by a graph, against plain Python."""

import random

import numpy as np
import pytest

from keras_seq.export.text.tokenizing import has_graph_form
from tests.export.text.graphs import assert_tokenized, document, expected, tokenizing, tokens_of
from tests.keras_seq.text import oracle
from tests.unicode_torture import TEXTS

pytestmark = pytest.mark.backend("tensorflow")

SHORT = [text for text in TEXTS.values() if len(text) < 5000]
LONG = [text for text in TEXTS.values() if len(text) >= 5000]
SPLITTING = {
    "characters": ("char", {}),
    "signs alone": ("word", {}),
    "signs dropped": ("word", {"punctuation": "remove"}),
    "signs kept": ("word", {"punctuation": "keep"}),
    "white space": ("word", {"split": "whitespace", "punctuation": "keep"}),
}
FRAMES = ({}, {"add_start": True, "add_end": True, "max_length": 7}, {"add_end": True}, {"max_length": 1})


def tokenizer_of(kind, **settings):
    """Half of the tokens of two thirds of the texts: so some are unknown of each script."""
    empty = document(kind, [], **settings)
    known = {}
    for number, text in enumerate(SHORT):
        if number % 3:
            known |= dict.fromkeys(tokens_of(empty, text))
    words = [oracle.lowered(word) if empty["lowercase"] else word for word in known]
    words = [word for word in dict.fromkeys(words) if word not in empty["vocabulary"] and len(word) <= 1000]
    random.Random(3).shuffle(words)
    return empty | {"vocabulary": [*empty["vocabulary"], *words[: len(words) * 3 // 4]]}


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("splitting", SPLITTING)
def test_texts_on_which_tokenizers_disagree(splitting, lowercase):
    kind, settings = SPLITTING[splitting]
    for number, frame in enumerate(FRAMES):
        tokenizer = tokenizer_of(kind, lowercase=lowercase, **settings, **frame)
        run = tokenizing(tokenizer)
        assert_tokenized(tokenizer, run, SHORT)
        if number == 0:
            known = [index for text in SHORT for index in expected(tokenizer, text)[0]]
            assert 0.05 < np.mean(np.equal(known, 3)) < 0.8  # neither all known nor all unknown
            for text in [*LONG, "", " "]:
                assert_tokenized(tokenizer, run, [text])


@pytest.mark.parametrize("kind", ["char", "word"])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("frame", [{}, {"add_end": True}, {"add_start": True, "add_end": True, "max_length": 2}])
def test_texts_without_a_token_are_a_column(kind, lowercase, frame):
    tokenizer = document(kind, ["a"], lowercase=lowercase, **frame)
    assert_tokenized(tokenizer, tokenizing(tokenizer), ["", "", ""])


def test_a_capital_counts_as_its_small_letter_wherever_it_stands():
    tokenizer = document("word", ["the", "\u00fcber", "\u03c3", "i"], lowercase=True)
    run = tokenizing(tokenizer)
    ids, tokens = run(["the The tHE THE", "\u00dcBER \u00fcber \u03a3 \u0130"])
    assert ids.tolist() == [[4, 4, 4, 4], [5, 5, 6, 7]]
    assert tokens.tolist() == [["the", "The", "tHE", "THE"], ["\u00dcBER", "\u00fcber", "\u03a3", "\u0130"]]


def test_vocabulary_that_has_capitals_is_not_matched_by_lowered_texts():
    tokenizer = document("word", ["Cat", "cat"], lowercase=True)
    assert tokenizing(tokenizer)(["Cat cat CAT"])[0].tolist() == [[5, 5, 5]]
    of_letters = document("char", ["A", "a"], lowercase=True)
    assert tokenizing(of_letters)(["Aa"])[0].tolist() == [[5, 5]]


def test_words_as_long_as_the_longest_and_longer():
    tokenizer = document("word", ["a" * 23, "b"], lowercase=True)
    assert_tokenized(tokenizer, tokenizing(tokenizer), ["A" * 22, "A" * 23, "A" * 24, "a" * 23 + "b", "B"])


def test_large_vocabulary_of_long_words_is_walked_in_several_steps():
    rng = random.Random(5)
    alphabet = "abcdefghijklmnopqrstuvwxyz\u4e2d\u6587\U0001f600-'"
    words = list(dict.fromkeys("".join(rng.choices(alphabet, k=rng.randint(1, 61))) for _ in range(997)))
    tokenizer = document("word", words, lowercase=True, split="whitespace", punctuation="keep")
    changed = [word[:i] + rng.choice(alphabet) + word[i + 1 :] for word in words for i in [rng.randrange(len(word))]]
    cut = [word[: rng.randint(1, len(word))] for word in words]
    texts = [" ".join(words).upper(), " ".join(changed), " ".join(cut), " ".join(words[:7])]
    assert_tokenized(tokenizer, tokenizing(tokenizer), texts)


def test_vocabulary_of_special_tokens_alone_knows_nothing():
    for lowercase in (False, True):
        tokenizer = document("word", [], lowercase=lowercase)
        assert_tokenized(tokenizer, tokenizing(tokenizer), ["a b", "<pad>", ""])


def test_rules_that_make_letters_of_signs_hold_for_the_letter_that_becomes_them():
    rules = {"whitespace": [[32, 32]], "punctuation": [[97, 97]], "lower": [[65, 65, 1, 32]]}  # "a" is a sign here
    tokenizer = document("word", ["a", "b"], lowercase=True) | {"rules": rules}
    ids, tokens = tokenizing(tokenizer)(["bAab b"])
    assert (ids.tolist(), tokens.tolist()) == ([[5, 4, 4, 5, 5]], [["b", "A", "a", "b", "b"]])


def test_word_pieces_and_very_long_words_have_no_form():
    assert has_graph_form(document("char", ["a"], lowercase=True))
    assert has_graph_form(document("word", ["w" * 1000], lowercase=True))
    assert has_graph_form(document("word", ["w" * 1001]))
    assert not has_graph_form(document("word", ["w" * 1001], lowercase=True))
    assert not has_graph_form(document("wordpiece", ["a"], prefix="##"))


def test_the_longest_word_that_has_a_form():
    tokenizer = document("word", ["\u00e9" * 1000, "b"], lowercase=True)
    assert_tokenized(tokenizer, tokenizing(tokenizer), ["\u00c9" * 1000, "\u00c9" * 1001 + " B"])
