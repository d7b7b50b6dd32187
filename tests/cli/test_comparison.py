import numpy as np
import pytest

from keras_seq.cli.candidates import PREDICTOR
from keras_seq.cli.comparison import compare_candidates
from keras_seq.serving import TensorSpec

SOUNDS = TensorSpec("sounds", "float32", ("batch", "time", 5))
PICTURE = TensorSpec("picture", "float32", ("batch", 7))


def _compare(candidates, inputs, batches=(2,), times=(3,)):
    return compare_candidates(candidates, inputs, batches, times, rounds=1, say=lambda line: None)


def test_every_size_is_tried_and_the_largest_difference_is_over_all_outputs():
    def bundle(values):
        return {"a": values["sounds"], "b": values["sounds"][:, -1]}

    def other(values):
        return {"a": values["sounds"], "b": values["sounds"][:, -1] + np.float32(0.5)}

    rows, failed = _compare({PREDICTOR: bundle, "other": other}, [SOUNDS], batches=(2, 5), times=(3, 11))
    assert failed == {}
    assert [(row["batch"], row["time"]) for row in rows[::2]] == [(2, 3), (2, 11), (5, 3), (5, 11)]
    assert [row["max_abs_diff"] for row in rows[::2]] == [0.0] * 4
    assert [row["max_abs_diff"] for row in rows[1::2]] == pytest.approx([0.5] * 4, abs=1e-6)


def test_a_model_without_time_is_tried_at_batch_sizes_alone():
    rows, _ = _compare({PREDICTOR: dict}, [PICTURE], batches=(2, 5), times=(3, 11))
    assert [(row["batch"], row["time"]) for row in rows] == [(2, None), (5, None)]


def test_a_candidate_that_fails_or_gives_another_shape_is_named_with_the_size():
    def fail(values):
        raise RuntimeError("no kernel")

    candidates = {PREDICTOR: dict, "fails": fail, "turned": lambda v: {"sounds": v["sounds"].swapaxes(0, 1)}}
    rows, failed = _compare(candidates, [SOUNDS])
    assert [row["name"] for row in rows] == [PREDICTOR]
    assert failed["fails, batch 2, time 3"] == "not possible: RuntimeError: no kernel"
    assert "should have shape (2, 3, 5). Received: (3, 2, 5)" in failed["turned, batch 2, time 3"]


def test_nan_is_a_difference():
    rows, _ = _compare({PREDICTOR: dict, "nan": lambda v: {"sounds": v["sounds"] * np.nan}}, [SOUNDS])
    assert rows[1]["max_abs_diff"] > 1e30
