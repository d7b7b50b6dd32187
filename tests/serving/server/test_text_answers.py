"""Scores as probabilities, and tokens beside their labels."""

import json

import numpy as np
import pytest

from keras_seq.serving import ServingError
from keras_seq.serving.server.text_answers import classified, probabilities, spelt, tagged

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(scale=3, size=(5, 7)).astype("float32")
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)


def test_logits_go_through_a_softmax():
    np.testing.assert_allclose(probabilities(LOGITS, 7), SOFTMAX, atol=1e-6)
    np.testing.assert_allclose(probabilities(LOGITS + 1000, 7), SOFTMAX, atol=1e-4)


def test_probabilities_stay_what_they_are():
    np.testing.assert_array_equal(probabilities(SOFTMAX, 7), SOFTMAX.astype("float64"))
    half = SOFTMAX.astype("float16")
    np.testing.assert_array_equal(probabilities(half, 7), half.astype("float64"))


def test_scores_that_miss_a_sum_of_one_in_a_single_row_are_logits():
    scores = SOFTMAX.copy()
    scores[3] *= 1.1
    assert not np.allclose(probabilities(scores, 7)[0], SOFTMAX[0], atol=1e-3)


def test_a_single_score_is_the_probability_of_the_second_class():
    np.testing.assert_allclose(probabilities(np.array([[0.3], [1.0]]), 2), [[0.7, 0.3], [0, 1]])
    assert probabilities(np.array([1.5]), 2) is None


def test_indices_of_labels_say_nothing_of_probabilities():
    assert probabilities(np.array([1, 0, 4]), 5) is None
    answer = {"tags": [np.array([1, 0])], "tags.labels": [["B", "A"]], "tokens": [["x", "y"]]}
    [result] = tagged(["x y"], answer, "tags", ["A", "B"], ["words"])
    assert result["tokens"][0] == {"text": "x", "label": "B", "probability": None}
    [result] = classified(["x"], {"kind": [np.array(1)], "kind.labels": ["B"]}, "kind", ["A", "B"])
    assert result == {"text": "x", "label": "B", "probability": None, "probabilities": None}


def test_tokens_are_those_of_an_input_that_has_as_many_as_there_are_labels():
    answer = {
        "tags": [SOFTMAX[:2]],
        "tags.labels": [["A", "B"]],
        "letters.tokens": [["x", " ", "y"]],
        "words.tokens": [["x", "y"]],
    }
    [result] = tagged(["x y"], answer, "tags", list("ABCDEFG"), ["letters", "words"])
    assert [token["text"] for token in result["tokens"]] == ["x", "y"]


def test_labels_that_are_nobodys_are_refused():
    answer = {"tags": [SOFTMAX[:3]], "tags.labels": [["A", "B", "C"]], "tokens": [["x", "y"]]}
    with pytest.raises(ServingError, match="Output 'tags' has 3 labels for a text of another number of tokens"):
        list(tagged(["x y"], answer, "tags", list("ABCDEFG"), ["words"]))


def test_what_is_no_number_is_null():
    answer = {"mood": [np.array([np.nan, 1, np.inf])], "mood.labels": ["B"]}
    body = json.loads(spelt({"seconds": 0.5}, classified(["x"], answer, "mood", ["A", "B", "C"])))
    assert body["seconds"] == 0.5
    assert [one["probability"] for one in body["results"][0]["probabilities"]] == [None] * 3
