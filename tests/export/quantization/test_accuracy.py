"""How far outputs move: planted differences are found, to the number."""

import json

import numpy as np
import pytest

from keras_seq.export.quantization.accuracy import accuracies
from keras_seq.export.quantization.validation_set import Batch
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.tensor_spec import TensorSpec

TIME, CLASSES = 5, 3
WORDS = TensorSpec("words", "int32", ("batch", "time"), 0, 22)
SHAPES = TensorSpec("shapes", "float32", ("batch", "time", 2), 0.0)
TAGS = TensorSpec("tags", "float32", ("batch", "time", CLASSES))
STYLE = TensorSpec("style", "float32", ("batch", CLASSES))


def compare(expected, received, output=TAGS, inputs=None, specs=(WORDS,), decoding=None):
    """The one row of accuracies of one output, or None of inputs, over batches of arrays."""
    if inputs is None:
        inputs = [{"words": np.ones((len(one), TIME), "int32")} for one in expected]
    spec = GraphSpec("model.onnx", specs, [output], decoding=decoding)
    named = [[{output.name: one} for one in side] for side in (expected, received)]
    (row,) = accuracies("model", spec, [Batch(one) for one in inputs], *named)
    return row


def scores(rows=7, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, TIME, CLASSES)).astype("float32")


def test_the_same_is_the_same():
    a, b = scores(7), scores(2, seed=1)
    row = compare([a, b], [a.copy(), b.copy()])
    assert (row.rows, row.agreement, row.max_abs_diff, row.mean_abs_diff, row.relative_diff) == (9, 1, 0, 0, 0)
    assert row.mean_abs == pytest.approx(np.abs(np.concatenate([a, b]).astype("float64")).mean())


def test_a_planted_difference_is_found_in_whichever_batch_it_is():
    a, b = scores(7), scores(2, seed=1)
    moved = b.copy()
    moved[1, 3] = [8, 9, 7]
    b[1, 3] = [8, 7, 7.5]
    row = compare([a, b], [a, moved])
    assert row.agreement == pytest.approx(1 - 1 / (9 * TIME))
    assert row.max_abs_diff == 2
    assert row.mean_abs_diff == pytest.approx((0 + 2 + 0.5) / (9 * TIME * CLASSES))
    assert row.relative_diff == pytest.approx(row.mean_abs_diff / row.mean_abs)
    assert str(row).startswith("model, output 'tags', 9 rows: 97.78% of answers the same, largest difference 2.00e+00")


def test_steps_that_are_padding_in_every_input_do_not_count():
    a = scores(2)
    b = a.copy()
    words, shapes = np.ones((2, TIME), "int32"), np.ones((2, TIME, 2), "float32")
    words[0, 3:] = 0
    shapes[0, 4:] = 0
    shapes[0, 1] = 0
    given = {"inputs": [{"words": words, "shapes": shapes}], "specs": (WORDS, SHAPES)}
    b[0, 4] += [100, 0, -100]  # padding in both
    assert compare([a], [b], **given).max_abs_diff == 0
    assert compare([a], [b], **given).agreement == 1
    b[0, 3] -= 2  # padding in one
    b[0, 1] -= 1
    row = compare([a], [b], **given)
    assert row.max_abs_diff == pytest.approx(2, rel=1e-6)
    assert row.mean_abs_diff == pytest.approx((2 + 1) * CLASSES / (9 * CLASSES), rel=1e-6)


def test_an_output_of_whole_sequences_counts_all_rows():
    a = scores(7)[:, 0]
    b = a.copy()
    b[6] = -a[6]
    words = np.ones((7, TIME), "int32")
    words[6] = 0
    row = compare([a], [b], output=STYLE, inputs=[{"words": words}])
    assert row.agreement == pytest.approx(6 / 7)


def test_probabilities_are_the_same_while_they_stay_on_their_side_of_a_half():
    output = TensorSpec("score", "float32", ("batch", 1))
    a = np.array([[0.1], [0.4], [0.6], [0.9], [0.5]], "float32")
    b = np.array([[0.4], [0.6], [0.9], [0.6], [0.5]], "float32")
    assert compare([a], [b], output=output).agreement == pytest.approx(4 / 5)


def test_one_batch_beyond_probabilities_makes_numbers_of_all():
    output = TensorSpec("score", "float32", ("batch", 1))
    a, b = np.array([[0.1], [0.4]], "float32"), np.array([[3.0]], "float32")
    assert compare([a, b], [a, b], output=output).agreement is None


@pytest.mark.parametrize(
    "output", [TensorSpec("n", "float32", ("batch",)), TensorSpec("n", "float32", ("batch", "time"))]
)
def test_numbers_decide_nothing(output):
    a = np.random.default_rng(0).random((7, TIME)[: len(output.shape)]).astype("float32")
    row = compare([a], [a + 0.5], output=output)
    assert row.agreement is None
    assert row.max_abs_diff == pytest.approx(0.5)
    assert "answers" not in str(row)


def test_what_is_beyond_numbers_in_both_alike_is_the_same_and_elsewhere_as_far_as_json_can_say():
    a = scores(2)
    a[0, 0] = [-np.inf, np.inf, np.nan]
    row = compare([a], [a.copy()])
    assert (row.max_abs_diff, row.mean_abs_diff) == (0, 0)
    assert np.isfinite(row.mean_abs)
    b = a.copy()
    b[1, 1, 0], b[0, 0, 0] = np.nan, np.inf
    row = compare([a], [b])
    assert row.max_abs_diff == np.finfo("float32").max
    json.dumps([row.max_abs_diff, row.mean_abs_diff, row.relative_diff], allow_nan=False)


def test_hypotheses_are_compared_as_far_as_they_go_the_best_of_each_source_alone():
    def result(ids, lengths, best):
        rows = len(ids)
        return {
            "ids": np.stack([np.array(ids), np.full((rows, 4), 9)], axis=1),
            "lengths": np.stack([np.array(lengths), np.full(rows, 4)], axis=1),
            "scores": np.stack([np.array(best, "float32"), np.full(rows, -9, "float32")], axis=1),
        }

    expected = [result([[5, 6, 2, 0], [5, 6, 7, 2], [3, 2, 0, 0]], [3, 4, 2], [-1, -2, -3])]
    received = [
        result([[5, 6, 2, 8], [5, 6, 2, 0], [3, 3, 0, 0]], [3, 3, 2], [-1, -2.5, -3.25])
    ]  # behind an end: anything
    spec = GraphSpec(
        "generate.onnx", [WORDS], [TensorSpec("ids", "int32", ("batch", 2, "target"))], decoding={"strategy": "x"}
    )
    (row,) = accuracies("generate", spec, [Batch({"words": np.ones((3, 2), "int32")})], expected, received)
    assert (row.output, row.rows, row.agreement) == ("ids", 3, pytest.approx(1 / 3))
    assert (row.max_abs_diff, row.mean_abs_diff, row.mean_abs) == (0.5, 0.25, 2)


def test_a_row_for_each_output():
    spec = GraphSpec("model.onnx", [WORDS], [TAGS, STYLE])
    a = {"tags": scores(3), "style": scores(3)[:, 0]}
    b = a | {"style": a["style"] + 1}
    found = accuracies("model", spec, [Batch({"words": np.ones((3, TIME), "int32")})], [a], [b])
    assert [(row.output, round(row.max_abs_diff, 5)) for row in found] == [("tags", 0), ("style", 1)]
