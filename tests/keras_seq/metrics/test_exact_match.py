import numpy as np
import pytest

from keras_seq.metrics import sequence_accuracy


def test_only_sequences_that_are_right_to_the_end_count():
    assert sequence_accuracy([[1, 2], [1, 2], [1], [], [2, 1]], [[1, 2], [1, 2, 3], [1, 2], [], [1, 2]]) == 2 / 5


def test_arrays_and_tokens_and_texts_are_compared_alike():
    hypotheses = [np.array([3, 5, 7]), ("a", "b"), "ab"]
    assert sequence_accuracy(hypotheses, [[3, 5, 7], ["a", "b"], "ab"]) == 1


def test_a_text_may_have_several_references():
    assert sequence_accuracy(["ab", "ab", "ab"], [["b", "ab"], ("a", "b"), "ab"]) == 2 / 3


@pytest.mark.parametrize(
    ("hypotheses", "references", "error", "message"),
    [
        ([[1]], [[1], [2]], ValueError, r"Received: 1 hypothesis and 2 references"),
        ([], [], ValueError, r"Received: 0 hypotheses"),
        ("ab", ["ab"], TypeError, r"`hypotheses` must be a list"),
    ],
)
def test_what_cannot_be_compared_is_refused(hypotheses, references, error, message):
    with pytest.raises(error, match=message):
        sequence_accuracy(hypotheses, references)
