"""Tokenizers of the translator: the ids of its own words, wherever both cut alike."""

import pytest

from translation.texts import Texts
from translation.tokenizers import tokenizers

pytestmark = pytest.mark.backend("tensorflow")

PAIRS = [
    ("Don't go, it's a well-known trap!", "Geh nicht, es ist eine bekannte Falle!"),
    ("She said: “No.”", "Sie sagte: „Nein.“"),
    ("Is Tom\u2019s dog here?", "Ist Toms Hund hier?"),
]


def test_sources_are_cut_as_in_training():
    texts = Texts.fit(PAIRS, min_count=1)
    tokenizer = tokenizers(texts)["source"]
    lines = [source for source, _ in PAIRS] + ["DON'T (go)!", "a unicorn-dog, here"]
    assert tokenizer.encode(lines) == [texts.encode_source(line).tolist() for line in lines]


def test_targets_are_spelt_in_their_own_letters():
    texts = Texts.fit(PAIRS, min_count=1)
    ids = texts.encode_target("Ist Toms Hund hier?")
    assert tokenizers(texts)["target"].decode(ids) == "ist Toms Hund hier ?"
