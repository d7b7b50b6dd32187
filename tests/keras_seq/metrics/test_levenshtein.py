import functools

import numpy as np
import pytest

from keras_seq.metrics import edit_distance


def distance_by_definition(left, right):
    """The recursion over all ways to take a token off the front."""

    @functools.cache
    def distance(i, j):
        if i == len(left) or j == len(right):
            return len(left) - i + len(right) - j
        return min(distance(i + 1, j) + 1, distance(i, j + 1) + 1, distance(i + 1, j + 1) + int(left[i] != right[j]))

    return distance(0, 0)


def test_the_distance_is_that_of_the_definition():
    random = np.random.default_rng(3)
    rows = [random.integers(-2, 3, random.integers(0, 11)) for _ in range(2 * 97)]
    expected = [distance_by_definition(rows[i], rows[i + 1]) for i in range(0, len(rows), 2)]
    np.testing.assert_array_equal(edit_distance(rows[::2], rows[1::2]), expected)
    tokens = [[f"token{id_}" for id_ in row] for row in rows]
    np.testing.assert_array_equal(edit_distance(tokens[::2], tokens[1::2]), expected)


def test_tokens_of_equal_hashes_are_told_apart():
    assert edit_distance([[-1, -1]], [[-2, -1]]).tolist() == [1]


def test_texts_are_compared_by_characters_and_lists_by_tokens():
    assert edit_distance(["ein Hund", ["ein", "Hund"]], ["kein Huhn", ["kein", "Huhn"]]).tolist() == [3, 2]


def test_distances_can_be_divided_by_the_longer_or_by_the_reference():
    hypotheses, references = ["abcdefg", "", "ab"], ["abc", "", "abcd"]
    np.testing.assert_allclose(edit_distance(hypotheses, references, normalize="longer"), [4 / 7, 0, 2 / 4])
    np.testing.assert_allclose(edit_distance(["abcdefg"], ["abc"], normalize="reference"), [4 / 3])


@pytest.mark.parametrize(
    ("hypotheses", "references", "settings", "error", "message"),
    [
        (["a"], ["a", "b"], {}, ValueError, r"Received: 1 hypothesis and 2 references"),
        ([], [], {}, ValueError, r"Received: 0 hypotheses"),
        (["a"], "a", {}, TypeError, r"`references` must be a list"),
        (["x", "a b"], ["x", ["a", "b"]], {}, TypeError, r"Received at 1: 'a b' and \['a', 'b'\]"),
        (["a"], ["a"], {"normalize": True}, ValueError, r'must be None, "longer" or "reference".*normalize=True'),
        (["a", "b"], ["a", ""], {"normalize": "reference"}, ValueError, r"empty reference\. Received one at 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(hypotheses, references, settings, error, message):
    with pytest.raises(error, match=message):
        edit_distance(hypotheses, references, **settings)
