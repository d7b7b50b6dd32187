"""Tokenizers in plain Python: what a token is, ids, text again."""

import numpy as np
import pytest

from keras_seq.serving import InputError
from keras_seq.serving.text import load_tokenizer
from tests.serving.toy_text import RULES, WORDS, document
from tests.unicode_torture import INVALID_UTF8, LONE_SURROGATES, TEXTS

TORTURE = [text for text in TEXTS.values() if len(text) < 20_000]


def tokenizer(kind="word", **changes):
    return load_tokenizer(document(kind, **changes))


def within(character, name):
    return any(first <= ord(character) <= last for first, last in RULES[name])


def words_by_hand(text, marks):
    """One character after the other; `marks` is "split", "remove" or "keep"."""
    words, word = [], ""
    for character in [*text, " "]:
        mark = marks != "keep" and within(character, "punctuation")
        if not mark and not within(character, "whitespace"):
            word += character
            continue
        words += [word] if word else []
        words += [character] if mark and marks == "split" else []
        word = ""
    return words


@pytest.mark.parametrize("marks", ["split", "remove", "keep"])
def test_words_are_what_stands_between_spaces_and_marks(marks):
    words = tokenizer(punctuation=marks)
    for text in TORTURE:
        assert words.split(text) == words_by_hand(text, marks)


def test_whitespace_alone_may_separate():
    words = tokenizer(split="whitespace", punctuation="keep")
    assert words.split(" it's\u3000a dog!\0no. ") == ["it's", "a", "dog!", "no."]
    assert words.encode("<unk> <pad> the <end> <start>").tolist() == [3, 3, 4, 3, 3]


@pytest.mark.parametrize("lowercase", [False, True])
def test_characters_are_code_points(lowercase):
    characters = tokenizer("char", lowercase=lowercase)
    for text in TORTURE:
        assert len(characters.encode(text)) == len(text)
        expected = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else "i" if c == "\u0130" else c for c in text)
        assert "".join(characters.split(text)) == (expected if lowercase else text)
    assert characters.encode("bA \n\U0001f600?").tolist() == [5, 4 if lowercase else 3, 6, 7, 8, 3]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("unaffordable", ["un", "##afford", "##able"]),
        ("abc abcb", ["abc", "abc", "##b"]),  # the longest first
        ("abb", ["a", "##b", "##b"]),
        ("cab", ["cab"]),
        ("unaffordabl", ["unaffordabl"]),  # a word is covered, or unknown as a whole
        ("un!able", ["un", "!", "able"]),  # "able" alone would need a piece that begins a word
        ("##b #", ["#", "#", "b", "#"]),
        ("a" + "b" * 11, ["a", *["##b"] * 11]),
        ("a" + "b" * 12, ["a" + "b" * 12]),  # too long
        ("<unk>", ["<", "unk", ">"]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_longest_pieces(text, pieces):
    words = tokenizer("wordpiece")
    assert words.split(text) == pieces
    known = {piece: i for i, piece in enumerate(words.vocabulary)}
    assert words.encode(text).tolist() == [known.get(piece, 3) for piece in pieces]


def test_pieces_may_stand_between_whitespace_alone():
    assert tokenizer("wordpiece", split="whitespace").split("un abc!") == ["un", "abc!"]


def test_ids_are_places_in_the_vocabulary():
    words = tokenizer(lowercase=True)
    assert words.vocabulary == tuple(WORDS)
    assert (words.vocabulary_size, words.pad_id, words.start_id, words.end_id, words.unknown_id) == (11, 0, 1, 2, 3)
    rows = words.encode(["The DOG barks!", "", "Zebra"])
    assert [row.tolist() for row in rows] == [[4, 5, 6, 9], [], [3]]
    assert all(row.dtype == np.int32 for row in rows)


@pytest.mark.parametrize(
    ("settings", "call", "ids"),
    [
        ({}, {}, [4, 5, 6]),
        ({"add_start": True}, {}, [1, 4, 5, 6]),
        ({"add_end": True}, {}, [4, 5, 6, 2]),
        ({"add_start": True, "add_end": True}, {}, [1, 4, 5, 6, 2]),
        ({"add_start": True, "add_end": True}, {"add_end": False}, [1, 4, 5, 6]),
        ({}, {"add_start": True}, [1, 4, 5, 6]),
        ({"max_length": 2}, {}, [4, 5]),
        ({"max_length": 3}, {}, [4, 5, 6]),
        ({"max_length": 3, "add_end": True}, {}, [4, 5, 2]),  # the end stays
        ({"max_length": 3, "add_start": True, "add_end": True}, {}, [1, 4, 2]),
        ({"max_length": 1, "add_end": True}, {}, [2]),
        ({"max_length": 2, "add_start": True}, {}, [1, 4]),
    ],
)
def test_start_end_and_length_are_as_asked_for(settings, call, ids):
    words = tokenizer(**settings)
    assert words.encode("the dog barks", **call).tolist() == ids
    [tokens] = words.tokens(["the dog barks"], **call)
    assert [WORDS.index(token) for token in tokens] == ids


def test_tokens_stand_as_they_are_in_the_text():
    words = tokenizer(lowercase=True, add_end=True)
    assert words.tokens(["The Zebra!", ""]) == [["The", "Zebra", "!", "<end>"], ["<end>"]]
    pieces = tokenizer("wordpiece", lowercase=True)
    assert pieces.tokens(["Un UnAffordABLE Cab AB! aBc"]) == [
        ["Un", "Un", "##Afford", "##ABLE", "Cab", "A", "##B", "!", "aBc"]
    ]
    assert tokenizer("char", lowercase=True).tokens(["Ab\u0130"]) == [["A", "b", "\u0130"]]
    for text in TORTURE:
        for kind in ("char", "word", "wordchar", "wordpiece"):
            lowered = tokenizer(kind, lowercase=True)
            [found] = lowered.tokens([text])
            assert [token.translate(lowered.rules.lower_table()) for token in found] == lowered.split(text)


@pytest.mark.parametrize(("num_first", "num_last"), [(3, 2), (1, 0), (2, 7)])
def test_characters_of_words_are_the_first_and_the_last_ones(num_first, num_last):
    spelling = tokenizer("wordchar", num_first=num_first, num_last=num_last)
    known = {token: i for i, token in enumerate(spelling.vocabulary)}
    for text in TORTURE:
        words = words_by_hand(text, "split")
        expected = np.zeros((len(words), num_first + num_last), int)
        for row, word in zip(expected, words, strict=True):
            for place, character in enumerate(word):
                if place < num_first:
                    row[place] = known.get(character, 3)
                if len(word) - place <= num_last:
                    row[place - len(word)] = known.get(character, 3)
        found = spelling.encode(text)
        assert (found.shape, found.dtype) == (expected.shape, np.int32)
        np.testing.assert_array_equal(found, expected)
        assert spelling.tokens([text]) == [words]


def test_start_and_end_count_as_words_of_one_character():
    spelling = tokenizer("wordchar", num_first=1, num_last=2, add_start=True, add_end=True, max_length=3)
    a, b = (4, 5)
    assert spelling.encode(["ab ab", ""])[0].tolist() == [[1, 0, 1], [a, a, b], [2, 0, 2]]
    assert spelling.encode("").tolist() == [[1, 0, 1], [2, 0, 2]]
    assert spelling.encode("ab", add_start=False, add_end=False).tolist() == [[a, a, b]]
    assert spelling.tokens(["Ab ab"]) == [["<start>", "Ab", "<end>"]]
    assert spelling.encode("", add_start=False, add_end=False).shape == (0, 3)


@pytest.mark.parametrize("write", ["decode", "pieces"])
def test_no_text_can_be_made_of_the_ends_of_words(write):
    with pytest.raises(InputError, match=r"cannot write ids as text: of each word it keeps the first 3 and the last 2"):
        getattr(tokenizer("wordchar"), write)([[4, 0, 0, 0, 4]])


def test_bytes_are_utf_8_and_what_is_none_becomes_the_replacement_character():
    characters = tokenizer("char")
    for data, text in INVALID_UTF8.values():
        assert characters.split(data) == list(text)
    for given, text in LONE_SURROGATES.values():
        assert characters.split(given) == list(text)
    assert [row.tolist() for row in characters.encode([b"ab", "b"])] == [[4, 5], [5]]


def test_ids_become_text_again():
    words = tokenizer()
    assert words.decode([1, 4, 5, 3, 9, 2, 6, 0]) == "the dog <unk> !"
    assert words.decode(np.array([[4, 0, 5], [2, 4, 4]])) == ["the dog", ""]
    assert words.decode([[4], [], np.array([7, 8])]) == ["the", "", "it rains"]
    assert words.decode([]) == ""
    assert tokenizer("char").decode([4, 6, 5, 7, 3]) == "a b\n<unk>"
    assert tokenizer("wordpiece").decode([4, 6, 5, 11, 10, 8, 3]) == "unaffordable ! abcb <unk>"


def test_pieces_come_one_by_one_and_join_to_the_text():
    words = tokenizer()
    assert list(words.pieces([1, 4, 0, 5, 2, 6])) == ["", "the", "", " dog", "", ""]
    assert list(words.pieces([4, 5], begun=True)) == [" the", " dog"]
    read = []
    pieces = words.pieces(read.append(token) or token for token in [4, 5])
    assert (next(pieces), read) == ("the", [4])


@pytest.mark.parametrize("ids", [[4, 11], [-1], [4.0], ["the"], [None]])
def test_other_ids_are_refused(ids):
    with pytest.raises(InputError, match=r"Ids must be integers from 0 to 10, as the vocabulary has 11 tokens. Recei"):
        tokenizer().decode(ids)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "Texts must come as a list of at least one string. Received: an empty list"),
        (["the", 5], "Text 1 must be a string. Received: int 5. Ids go into predict"),
        ([None], "Text 0 must be a string. Received: NoneType None"),
        ([["the", "dog"]], r"Text 0 must be a string. Received: list \['the', 'dog'\]"),
        (7, "Texts must come as a list of strings. Received: int 7"),
        (None, "Texts must come as a list of strings. Received: NoneType"),
        (np.array([["the"]]), "Texts must come as a list of strings. Received: ndarray"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts, message):
    with pytest.raises(InputError, match=message):
        tokenizer().encode(texts)


def test_arrays_of_strings_are_lists_of_texts():
    words = tokenizer()
    for texts in (np.array(["the dog", "it"]), np.array(["the dog", "it"], object), ("the dog", "it")):
        assert [row.tolist() for row in words.encode(texts)] == [[4, 5], [7]]


def test_a_text_alone_is_no_list_for_tokens():
    with pytest.raises(InputError, match=r"Texts must come as a list. Received: 'the dog'. Put it into a list: \[text"):
        tokenizer().tokens("the dog")


def test_a_word_that_is_too_long_is_unknown_even_if_the_vocabulary_has_it():
    words = tokenizer("wordpiece", max_word_length=2)
    assert words.encode("abc un").tolist() == [3, 4]


def test_the_prefix_alone_goes_on_with_no_word():
    words = tokenizer(
        "wordpiece", vocabulary=["<pad>", "<start>", "<end>", "<unk>", "a", "##", "##b"], split="whitespace"
    )
    assert words.encode("a ## ab").tolist() == [4, 5, 4, 6]
    assert words.decode([4, 5, 4, 6]) == "a ## ab"
