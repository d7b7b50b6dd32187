import pytest

from keras_seq.text import CharTokenizer
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.keras_seq.text import oracle
from tests.unicode_torture import INVALID_UTF8, LONE_SURROGATES, TEXTS

SHORT = {name: text for name, text in TEXTS.items() if len(text) < 2000}


@pytest.fixture(scope="module")
def tokenizer():
    return CharTokenizer.from_lines(TEXTS.values())


def test_every_code_point_is_a_token(tokenizer):
    for row, text in zip(tokenizer.split(list(SHORT.values())).to_list(), SHORT.values(), strict=True):
        assert [token.decode() for token in row] == list(text)


def test_nothing_is_lost(tokenizer):
    texts = list(TEXTS.values())
    ids = tokenizer.encode(texts)
    assert tokenizer.decode(ids) == texts
    assert [[tokenizer.vocabulary.index(character) for character in text] for text in ("a\0b", "\U0010ffff")] == (
        tokenizer.encode(["a\0b", "\U0010ffff"])
    )


def test_capitals_become_small_letters_one_for_one():
    tokenizer = CharTokenizer.from_lines(SHORT.values(), lowercase=True)
    assert tokenizer.decode(tokenizer.encode(list(SHORT.values()))) == [oracle.lowered(text) for text in SHORT.values()]
    assert tokenizer.decode(tokenizer.encode("\u0130\u03a3 STRA\u1e9eE")) == "i\u03c3 stra\u00dfe"


def test_most_frequent_characters_come_first():
    assert CharTokenizer.from_lines(["ccb", "cba\n"], max_size=7).vocabulary[4:] == ("c", "b", "\n")
    assert CharTokenizer.from_lines(["ccb", "cba\n"], min_count=2).vocabulary[4:] == ("c", "b")


def test_characters_without_an_id_are_unknown():
    tokenizer = CharTokenizer([*SPECIAL_TOKENS, "b", "d"])
    assert tokenizer.encode("abcde\0\U0010ffff") == [3, 4, 3, 5, 3, 3, 3]
    assert CharTokenizer(SPECIAL_TOKENS).encode("ab") == [3, 3]
    assert tokenizer.decode([4, 3, 5]) == "b<unk>d"


@pytest.mark.parametrize(("given", "expected"), INVALID_UTF8.values(), ids=INVALID_UTF8)
def test_bytes_that_are_no_utf8_are_replaced(tokenizer, given, expected):
    assert given.decode("utf-8", "replace") == expected
    assert tokenizer.split([given]).to_list() == [[character.encode() for character in expected]]


@pytest.mark.parametrize(("given", "expected"), LONE_SURROGATES.values(), ids=LONE_SURROGATES)
def test_each_surrogate_is_replaced(tokenizer, given, expected):
    assert tokenizer.encode([given, "a"]) == tokenizer.encode([expected, "a"])


def test_a_token_of_two_characters_is_refused():
    with pytest.raises(ValueError, match=r"must be one character. Received: 'ab' at 5"):
        CharTokenizer([*SPECIAL_TOKENS, "a", "ab"])
