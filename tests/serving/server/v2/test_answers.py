"""Answers as arrays."""

import numpy as np
import pytest

from keras_seq.serving import Hypothesis, InputError
from keras_seq.serving.server.v2.answers import as_tensor, best_classes, classes_of, of_hypotheses


def test_an_array_is_left_as_it_is():
    array = np.zeros((2, 3))
    assert as_tensor(array) is array


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool"])
def test_rows_are_filled_up_along_every_axis_in_which_they_differ(dtype):
    rows = [np.ones((2, 1, 5), dtype), np.ones((1, 3, 5), dtype)]
    tensor = as_tensor(rows)
    assert tensor.shape == (2, 2, 3, 5)
    assert tensor.dtype == dtype
    for array, row in zip(tensor, rows, strict=True):
        np.testing.assert_array_equal(array[: row.shape[0], : row.shape[1]], row)
    assert tensor.sum() == 10 + 15


def test_strings_are_filled_up_with_empty_ones():
    assert as_tensor(["a", "b"]).tolist() == ["a", "b"]
    assert as_tensor([[], ["a", "b"]]).tolist() == [["", ""], ["a", "b"]]
    assert as_tensor([[], [["a", "b"]]]).tolist() == [[["", ""]], [["a", "b"]]]
    assert as_tensor([[], []]).shape == (2, 0)


def test_hypotheses_become_outputs():
    one = Hypothesis(np.array([7, 2], "int32"), -1.5, True, text="x")
    other = Hypothesis(np.array([7, 8, 9], "int32"), -2.5, False)
    outputs = {name: as_tensor(value).tolist() for name, value in of_hypotheses([[one, other], [other, one]]).items()}
    assert outputs == {
        "text": [["x", ""], ["", "x"]],
        "ids": [[[7, 2, 0], [7, 8, 9]], [[7, 8, 9], [7, 2, 0]]],
        "lengths": [[2, 3], [3, 2]],
        "scores": [[-1.5, -2.5], [-2.5, -1.5]],
        "finished": [[True, False], [False, True]],
    }


def test_classes_are_spelt_as_triton_spells_them():
    scores = np.array([[1, 5, 10, 4]], "float32")
    assert best_classes(scores, 2, "y", None).tolist() == [["10.000000:2", "5.000000:1"]]
    assert best_classes(scores.astype("uint8"), 2, "y", list("abcd")).tolist() == [["10:2:c", "5:1:b"]]
    assert best_classes(scores, 99, "y", None).shape == (1, 4)


def test_of_equal_classes_the_first_comes_first():
    assert best_classes(np.zeros((1, 3)), 2, "y", None).tolist() == [["0.000000:0", "0.000000:1"]]


@pytest.mark.parametrize("value", [np.zeros(3), np.array([[True]]), np.array([["a"]], object), [["a"], ["b"]]])
def test_what_is_no_scores_has_no_classes(value):
    with pytest.raises(InputError, match="Output 'y' has no classes: `classification` is for numbers with an axis"):
        best_classes(value, 1, "y", None)


def test_labels_are_used_where_there_is_one_for_each_class():
    labels = {"y": ["a", "b"]}
    assert classes_of(labels, "y", 2) == ["a", "b"]
    assert classes_of(labels, "y", 1) is classes_of(labels, "z", 2) is None
