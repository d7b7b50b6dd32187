import random

import pytest

from keras_seq.text import WordPieceTokenizer
from keras_seq.text.piece_vocabulary import learn_pieces
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.keras_seq.text import oracle
from tests.unicode_torture import TEXTS

CORPUS = [text for text in TEXTS.values() if len(text) < 2000]
WORDS = {"low": 5, "lower": 3, "lowest": 2, "newer": 7, "newest": 6, "wide": 2, "widest": 1}


@pytest.fixture(scope="module")
def trained():
    return WordPieceTokenizer.from_lines(CORPUS, max_size=500, max_characters=200)


def test_pieces_are_the_longest_match(trained):
    texts, known = list(TEXTS.values()), set(trained.vocabulary[3:])
    expected = []
    for text in texts:
        covers = [(word, oracle.pieces(word, known)) for word in oracle.words(oracle.lowered(text))]
        expected.append([piece for word, cover in covers for piece in cover or [word]])
    split = [[token.decode() for token in row] for row in trained.split(texts).to_list()]
    assert split == expected
    ids = {token: index for index, token in enumerate(trained.vocabulary)}
    # Characters that are no piece by themselves make unknown words; none of those is spelled like a piece here.
    assert trained.encode(texts) == [[ids.get(token, 3) for token in row] for row in expected]


@pytest.mark.parametrize("prefix", ["##", "@", "ab"])
def test_pieces_are_the_longest_match_where_words_look_like_pieces(prefix):
    draw = random.Random(7)
    for _ in range(11):
        spelled = {"".join(draw.choices("ab#@\u00e9", k=draw.randint(1, 3))) for _ in range(13)}
        spelled |= {prefix + piece for piece in spelled if draw.random() < 0.6} | {prefix}
        vocabulary = [*SPECIAL_TOKENS, *sorted(spelled)]
        tokenizer = WordPieceTokenizer(vocabulary, split="whitespace", prefix=prefix, lowercase=False)
        words = ["".join(draw.choices("ab#@\u00e9", k=draw.randint(1, 8))) for _ in range(101)]
        covers = [oracle.pieces(word, spelled, prefix) or ["<unk>"] for word in words]
        assert tokenizer.encode(words) == [[vocabulary.index(piece) for piece in cover] for cover in covers]


def test_the_tokenizers_library_has_the_same_pieces(trained):
    tokenizers = pytest.importorskip("tokenizers", reason="an oracle that is not installed: pip install tokenizers")
    model = tokenizers.models.WordPiece(
        {token: index for index, token in enumerate(trained.vocabulary)},
        unk_token="<unk>",
        max_input_chars_per_word=100,
    )
    theirs = tokenizers.Tokenizer(model)
    words = sorted({word for text in CORPUS for word in oracle.words(oracle.lowered(text))} - {""})
    assert len(words) > 200
    assert trained.encode(words) == [theirs.encode(word).ids for word in words]


def test_a_word_that_is_too_long_is_unknown_by_its_characters():
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "a", "##a", "\u00e9", "##\u00e9", "x", "##x"], max_word_length=5)
    assert tokenizer.encode("aaaaa aaaaaa") == [4, 5, 5, 5, 5, 3]
    assert tokenizer.encode("\u00e9" * 5 + " " + "\u00e9" * 6) == [6, 7, 7, 7, 7, 3]
    assert tokenizer.split(["aaaaaa a"]).to_list() == [[b"aaaaaa", b"a"]]


def test_no_text_can_forge_a_special_token():
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "a", "##b"], split="whitespace")
    assert tokenizer.encode("<pad> <start>b <end> ab <unk>") == [3, 3, 3, 4, 5, 3]


def test_pieces_are_glued_to_the_word_before():
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "un", "##do", "##", "."])
    assert tokenizer.decode([1, 4, 5, 7, 5, 6, 4, 2, 4]) == "undo .do ## un"
    assert tokenizer.decode([5, 4]) == "do un"
    assert tokenizer.to_text([[5, 4, 0], [1, 4, 5]]).numpy().tolist() == [b"do un", b"undo"]


def test_learnt_pieces_have_every_character_and_the_frequent_words():
    vocabulary = learn_pieces(WORDS, max_size=40)
    characters = sorted(set("".join(WORDS)))
    assert vocabulary[: 4 + len(characters)] == [*SPECIAL_TOKENS, *characters]
    assert {f"##{character}" for character in characters} <= set(vocabulary)
    assert {"low", "newer", "newest"} <= set(vocabulary)
    assert len(vocabulary) == len(set(vocabulary)) <= 40
    assert learn_pieces(dict(reversed(WORDS.items())), max_size=40) == vocabulary


@pytest.mark.parametrize("max_size", [30, 31, 37, 43, 1000])
def test_a_learnt_vocabulary_is_never_too_large(max_size):
    vocabulary = learn_pieces(WORDS, max_size)
    assert len(vocabulary) <= max_size
    for word in WORDS:
        assert oracle.pieces(word, set(vocabulary)) is not None


def test_words_are_counted_as_the_tokenizer_cuts_them():
    tokenizer = WordPieceTokenizer.from_lines(["AB, ab! cd", "ab"], min_count=2, max_size=20, prefix="_")
    assert tokenizer.vocabulary == (*SPECIAL_TOKENS, "a", "b", "ab", "_a", "_b")


@pytest.mark.parametrize(
    ("counts", "max_size", "message"),
    [
        ({}, 100, "must hold words to learn pieces of.* Received: 0 different words"),
        ({"x" * 51: 3}, 100, "none longer than 50 characters.* Received: 1 different words"),
        (WORDS, 23, "must have room for .* which makes 24. Received: max_size=23. Raise it, or lower `max_characters`"),
    ],
)
def test_what_cannot_be_learnt_from_says_why(counts, max_size, message):
    with pytest.raises(ValueError, match=message):
        learn_pieces(counts, max_size)


def test_settings_that_make_no_sense_are_refused():
    for prefix in ("", None):
        with pytest.raises(ValueError, match=r"`prefix` must be a string that is not empty"):
            WordPieceTokenizer(SPECIAL_TOKENS, prefix=prefix)
    with pytest.raises(ValueError, match=r"`max_word_length` must be a whole number of at least 1. Received: .*=0"):
        WordPieceTokenizer(SPECIAL_TOKENS, max_word_length=0)
    with pytest.raises(ValueError, match=r"`split` must be one of"):
        WordPieceTokenizer(SPECIAL_TOKENS, split="characters")
    with pytest.raises(ValueError, match=r"`max_size` must be a whole number of at least 5. Received: max_size=None"):
        WordPieceTokenizer.from_lines(["a"], max_size=None)
