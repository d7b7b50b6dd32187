from collections import Counter

import numpy as np
import pytest

from keras_seq.text.vocabulary import (
    SPECIAL_TOKENS,
    batches_of_lines,
    by_count,
    check_vocabulary,
    count_tokens,
    most_frequent,
)


def test_a_vocabulary_may_be_any_sequence_of_strings():
    expected = (*SPECIAL_TOKENS, "a")
    for vocabulary in (list(expected), expected, np.array(expected), iter(expected)):
        assert check_vocabulary(vocabulary) == expected
    assert type(check_vocabulary(np.array(expected))[4]) is str


@pytest.mark.parametrize(
    ("vocabulary", "error", "message"),
    [
        (["a", "b"], ValueError, r"must start with .*'<pad>', '<start>', '<end>', '<unk>'.* Received: \['a', 'b'\]"),
        ([], ValueError, r"must start with the special tokens .* Received: \[\]. Put them in front"),
        (["<unk>", "<pad>", "<start>", "<end>"], ValueError, "must start with the special tokens"),
        ([*SPECIAL_TOKENS, "a", "b", "a"], ValueError, "each token once. Received: 'a' at 4 and 6"),
        ([*SPECIAL_TOKENS, "<end>"], ValueError, "each token once. Received: '<end>' at 2 and 4"),
        ([*SPECIAL_TOKENS, "a", ""], ValueError, "must not have an empty token. Received: '' at 5"),
        ([*SPECIAL_TOKENS, "\ud800"], ValueError, "must hold Unicode text. Received: .* at 4, with a surrogate"),
        ([*SPECIAL_TOKENS, b"a"], TypeError, "must hold strings. Received: b'a' .* at 4"),
        ([*SPECIAL_TOKENS, 7], TypeError, "must hold strings. Received: 7 .* at 4"),
        ("abc", TypeError, "must be a sequence of strings. Received: 'abc'"),
        (None, TypeError, "must be a sequence of strings. Received: None"),
    ],
)
def test_a_vocabulary_that_is_none_says_why(vocabulary, error, message):
    with pytest.raises(error, match=message):
        check_vocabulary(vocabulary)


def test_ties_stand_in_the_order_of_their_code_points():
    counts = Counter({token.encode(): 3 for token in ("z", "\u00e4", "\uffff", "\U00010000", "a")})
    counts[b"m"] = 5
    in_order = ["m", "a", "z", "\u00e4", "\uffff", "\U00010000"]  # UTF-16 would have the last two the other way round
    assert [token.decode() for token, _ in by_count(counts)] == in_order
    assert most_frequent(counts) == (*SPECIAL_TOKENS, *in_order)


def test_a_vocabulary_is_bounded_by_size_and_count():
    counts = Counter({b"a": 3, b"b": 2, b"c": 1, b"<unk>": 11})
    assert most_frequent(counts, max_size=5) == (*SPECIAL_TOKENS, "a")
    assert most_frequent(counts, min_count=2) == (*SPECIAL_TOKENS, "a", "b")
    with pytest.raises(ValueError, match=r"must hold tokens .* Received: 4 different tokens, none of them 7 times"):
        most_frequent(counts, min_count=7)


def test_counting_forgets_the_rarest_tokens_and_no_frequent_one():
    seen = []

    def batches():
        for batch in range(50):
            seen.append(batch)
            yield [b"often", b"often", *(b"once %d" % (11 * batch + number) for number in range(11))]

    counts = count_tokens(batches(), max_distinct=23)
    assert len(seen) == 50
    assert counts[b"often"] == 100
    assert len(counts) <= 23 + 11
    assert max(count for token, count in counts.items() if token != b"often") == 1


def test_lines_are_read_some_at_a_time():
    def lines():
        for number in range(10):
            taken.append(number)
            yield "x" * 7

    taken = []
    batches = batches_of_lines(lines(), max_lines=3)
    assert len(next(batches)) == 3
    assert taken == [0, 1, 2]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [len(batch) for batch in batches_of_lines(lines(), max_characters=14)] == [2] * 5
    assert list(batches_of_lines([])) == []
