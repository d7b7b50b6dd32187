"""Rows of different lengths: each row's answer is the one it gets alone, whether padded or run in groups."""

import numpy as np
import pytest

from keras_seq.serving import GraphSpec, InputError, TensorSpec
from keras_seq.serving.ragged import read_rows, run_together

ATOL = 1e-6


@pytest.mark.parametrize("predictor_name", ["masked", "unmasked"])
@pytest.mark.parametrize("seed", range(12))
def test_random_ragged_batches_agree_with_numpy_and_with_each_row_alone(predictor_name, seed, request, oracle, draw):
    predictor = request.getfixturevalue(predictor_name)
    rng = np.random.default_rng(seed)
    # Few different lengths, so that groups of several rows come about.
    words, shapes = draw(rng, rng.choice([1, 2, 5, 17], size=rng.integers(1, 14)))
    answer = predictor.predict({"words": words, "shapes": shapes})
    assert isinstance(answer["tags"], list)
    assert answer["sentence"].shape == (len(words), 7)
    for row, (w, s) in enumerate(zip(words, shapes, strict=True)):
        expected = oracle(w, s)
        assert answer["tags"][row].shape == expected["tags"].shape
        np.testing.assert_allclose(answer["tags"][row], expected["tags"], atol=ATOL)
        np.testing.assert_allclose(answer["sentence"][row], expected["sentence"], atol=ATOL)
        alone = predictor.predict({"words": w[np.newaxis], "shapes": s[np.newaxis]})
        np.testing.assert_allclose(answer["tags"][row], alone["tags"][0], atol=ATOL)
        np.testing.assert_allclose(answer["sentence"][row], alone["sentence"][0], atol=ATOL)


def _calls(predictor, inputs):
    """Shapes of `words` in each run of the graph that `inputs` take."""
    shapes = []

    def run(feeds):
        shapes.append(feeds["words"].shape)
        return predictor._session.run(feeds)

    run_together([read_rows(inputs, predictor._session.spec)], run)
    return shapes


def test_masked_rows_are_padded_into_one_run(masked, draw):
    words, shapes = draw(np.random.default_rng(0), [2, 5, 3, 2])
    assert _calls(masked, {"words": words, "shapes": shapes}) == [(4, 5)]


def test_unmasked_rows_run_once_a_length(unmasked, draw):
    words, shapes = draw(np.random.default_rng(0), [2, 5, 3, 2])
    assert sorted(_calls(unmasked, {"words": words, "shapes": shapes})) == [(1, 3), (1, 5), (2, 2)]


def test_two_row_dimensions_group_by_the_one_that_cannot_be_padded():
    """Sources must not be padded, targets may be: a NumPy "graph" that fails on sources of several lengths."""
    graph = GraphSpec(
        "none.onnx",
        inputs=[
            TensorSpec("source", "float32", ("batch", "source_time")),
            TensorSpec("target", "float32", ("batch", "time", 2), pad_value=-1.0),
            TensorSpec("weight", "float32", ("batch", 1)),
        ],
        outputs=[
            TensorSpec("pairs", "float32", ("batch", "source_time", "time")),
            TensorSpec("total", "float32", ("batch", 1)),
        ],
    )
    calls = []

    def run(feeds):
        calls.append((feeds["source"].shape, feeds["target"].shape))
        pairs = feeds["source"][:, :, np.newaxis] * feeds["target"].sum(-1)[:, np.newaxis]
        return {"pairs": pairs, "total": feeds["weight"] * feeds["source"].sum(1, keepdims=True)}

    rng = np.random.default_rng(5)
    sources = [rng.normal(size=n).astype("float32") for n in (2, 3, 2, 2)]
    targets = [rng.normal(size=(n, 2)).astype("float32") for n in (2, 5, 4, 1)]
    weight = np.arange(4.0).reshape(4, 1)
    [answer] = run_together([read_rows({"source": sources, "target": targets, "weight": weight}, graph)], run)
    assert calls == [((3, 2), (3, 4, 2)), ((1, 3), (1, 5, 2))]
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        np.testing.assert_allclose(answer["pairs"][row], np.outer(source, target.sum(-1)), rtol=1e-6)
        np.testing.assert_allclose(answer["total"][row], weight[row] * source.sum(), rtol=1e-5, atol=1e-6)


def test_nested_lists_and_arrays_mix(masked, oracle):
    shapes = np.random.default_rng(3).normal(size=(2, 2, 3))
    answer = masked.predict({"words": [[4, 8], [15, 16]], "shapes": shapes})
    assert isinstance(answer["tags"], list)
    for row, words in enumerate([[4, 8], [15, 16]]):
        np.testing.assert_allclose(answer["tags"][row], oracle(words, shapes[row])["tags"], atol=ATOL)


def _rows(*lengths):
    return [np.ones((n, 3)) for n in lengths]


@pytest.mark.parametrize(
    ("words", "shapes", "message"),
    [
        ([], [], "'words': the batch is empty. Expected: int32 .* Received: a list of 0 rows"),
        ([[1], []], _rows(1, 1), "'words': row 1 has length zero.* 2 rows. Leave empty rows out"),
        (
            [1, 2],
            _rows(1, 1),
            r"'words': row 0 has 0 dimensions, not 1.* for a batch of one, a list with one row in it",
        ),
        ([[1], [[1]]], _rows(1, 1), r"'words': row 1 has 2 dimensions, not 1"),
        (
            [[1], [1, 2]],
            _rows(1, 1),
            "Row 1 must have one length along 'time' in every input: 'words' has 2, 'shapes' has 1",
        ),
        ([[1], [2]], _rows(1), "same number of rows: 'words' has 2, 'shapes' has 1"),
        ([[1, 2]], [np.ones((2, 5))], "'shapes': axis 2 has size 5, not 3"),
        (
            [[1], [2, 1, 99]],
            _rows(1, 3),
            r"'words': ids run from 0 to 22, and the one at \(1, 2\) is 99.* 2 rows of 1 to 3",
        ),
        ([[1], [2, -1]], _rows(1, 2), r"the one at \(1, 1\) is -1"),
        ([[1], [2, 1]], [[[1, 2, 3]], [[1, 2, 3], [1, 2, np.nan]]], r"'shapes': the value at \(1, 1, 2\) is nan"),
        ([[1], [2.0, 1]], _rows(1, 2), "'words': float64 is not cast to int32"),
        ([[1], ["the", "cat"]], _rows(1, 2), r"'words': strings .* Received: row 1: <U3 \(2,\)"),
        ([[[1], [1, 2]]], _rows(1), r"'words': cannot be made an array"),
    ],
)
def test_bad_rows_are_named(masked, words, shapes, message):
    with pytest.raises(InputError, match=message):
        masked.predict({"words": words, "shapes": shapes})
