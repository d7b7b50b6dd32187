"""The tokenizers in plain Python give what those of training give, token for token."""

import pytest

from keras_seq.serving.text import load_tokenizer
from tests.unicode_torture import INVALID_UTF8, LONE_SURROGATES, TEXTS

pytestmark = pytest.mark.backend("tensorflow")

CORPUS = [text for text in TEXTS.values() if len(text) < 2000]
TEXTS_TO_TRY = [*TEXTS.values(), *(given for given, _ in (*INVALID_UTF8.values(), *LONE_SURROGATES.values()))]
KINDS = {
    "characters": ("CharTokenizer", {"add_start": True, "add_end": True, "max_length": 101}),
    "small characters": ("CharTokenizer", {"lowercase": True}),
    "words": ("WordTokenizer", {"lowercase": True, "add_end": True}),
    "words without marks": ("WordTokenizer", {"punctuation": "remove", "max_length": 3}),
    "whitespace": ("WordTokenizer", {"split": "whitespace", "punctuation": "keep", "lowercase": True}),
    "characters of words": (
        "WordCharacterTokenizer",
        {"num_first": 2, "num_last": 3, "add_end": True, "max_length": 7},
    ),
    "ends of words": ("WordCharacterTokenizer", {"num_first": 1, "num_last": 5, "lowercase": True}),
    "beginnings of words": ("WordCharacterTokenizer", {"num_last": 0, "punctuation": "remove", "add_start": True}),
    "pieces": ("WordPieceTokenizer", {"max_size": 500, "lowercase": True}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_texts_on_which_tokenizers_disagree(kind):
    import keras_seq.text

    name, settings = KINDS[kind]
    # Half of the texts, so that the others have something unknown.
    trained = getattr(keras_seq.text, name).from_lines(CORPUS[::2], **settings)
    twin = load_tokenizer(trained.to_dict())
    ids = trained.encode(TEXTS_TO_TRY)
    assert [row.tolist() for row in twin.encode(TEXTS_TO_TRY)] == ids
    if name != "WordCharacterTokenizer":  # which makes no text of ids
        assert twin.decode(ids) == trained.decode(ids)
    tokens = trained.split(CORPUS).to_list()
    assert [twin.split(text) for text in CORPUS] == [[token.decode() for token in row] for row in tokens]
    assert sum(len(row) > 0 for row in ids) > len(ids) / 2
