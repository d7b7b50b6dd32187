import numpy as np
import pytest
from keras import ops

from keras_seq.decoding import gather_rows, run_steps


def doubling(step, carried):
    """Doubles a number in each row, and lengthens a history, until one is above 50."""
    number, history = carried
    number = number * 2
    history = ops.concatenate([history, number], axis=1)
    return (number, history), {"step": step, "number": number}, ops.max(number) <= 50


def start():
    return ops.array([[1.0], [3.0]]), ops.zeros((2, 0))


RECORDS = {"step": ("int32", 0), "number": ("float32", 2)}


@pytest.mark.smoke
def test_stops_when_done_and_keeps_the_history():
    steps, (number, history), records = run_steps(doubling, start(), 9, RECORDS)
    assert int(steps) == 5
    assert ops.convert_to_numpy(number).tolist() == [[32.0], [96.0]]
    assert ops.convert_to_numpy(history).tolist() == [[2, 4, 8, 16, 32], [6, 12, 24, 48, 96]]
    assert ops.convert_to_numpy(records["step"]).tolist() == [0, 1, 2, 3, 4]
    assert tuple(records["number"].shape) == (5, 2, 1)


def test_stops_at_the_limit():
    steps, _, records = run_steps(doubling, start(), 2, RECORDS)
    assert int(steps) == 2
    assert tuple(records["number"].shape) == (2, 2, 1)


@pytest.mark.backend("tensorflow")
def test_runs_in_a_graph_with_a_limit_that_is_a_tensor():
    import tensorflow as tf

    run = tf.function(lambda limit: run_steps(doubling, start(), limit, RECORDS))
    for limit, steps in ((1, 1), (3, 3), (99, 5)):
        found, (_, history), _ = run(tf.constant(limit))
        assert (int(found), history.shape[1]) == (steps, steps)


def test_gathers_rows():
    table = np.arange(15, dtype="float32").reshape(5, 3)
    gathered = gather_rows(ops.convert_to_tensor(table), ops.array([[4, 0], [2, 2]]))
    assert np.array_equal(ops.convert_to_numpy(gathered), table[[[4, 0], [2, 2]]])
