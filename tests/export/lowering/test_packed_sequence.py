"""The nodes that pack a masked batch and put the results back, against loops over rows in NumPy."""

import numpy as np
import pytest

from keras_seq.export.lowering.packed_sequence import _write_pack, _write_unpack
from tests.export.graphs import BATCH, FEATURES, MASK, TIME, UNITS, random_array
from tests.export.lowering.nodes import run_emitted

pytestmark = pytest.mark.backend("tensorflow")


def packed_outputs(directions):
    """What a recurrent node returns, (time, directions, batch, units): anything at valid steps, zeros behind them."""
    outputs = random_array(TIME, directions, BATCH, UNITS)
    behind = np.arange(TIME)[:, None] >= MASK.sum(axis=1)
    return np.where(behind[:, None, :, None], np.float32(0), outputs)


def unpacked_by_hand(outputs, backwards, hold, previous=None):
    """(batch, time, directions, units), row by row and step by step."""
    result = np.zeros((BATCH, TIME, len(backwards), UNITS), "float32")
    for direction, back in enumerate(backwards):
        for row in range(BATCH):
            places = np.flatnonzero(MASK[row])
            last = np.zeros(UNITS) if previous is None else previous[row]
            for step in reversed(range(TIME)) if back else range(TIME):
                if MASK[row, step]:
                    value = last = outputs[list(places).index(step), direction, row]
                else:
                    value = last if hold else np.zeros(UNITS)
                result[row, step, direction] = value
    return result


def run_unpack(outputs, backwards, hold, *previous):
    def emit(writer, names):
        return _write_unpack(writer, names, backwards, UNITS, hold)

    return run_emitted(emit, [outputs, MASK, *previous])[0]


def test_packing_moves_valid_steps_to_the_front_in_their_order():
    sequences = random_array(BATCH, TIME, FEATURES)
    steps, lengths = run_emitted(_write_pack, [sequences, MASK])
    np.testing.assert_array_equal(lengths, [5, 3, 3, 2, 1, 1, 0])
    assert lengths.dtype == np.int32
    assert steps.shape == (TIME, BATCH, FEATURES)
    for row in range(BATCH):
        np.testing.assert_array_equal(steps[: lengths[row], row], sequences[row, MASK[row]])


def test_packing_keeps_the_order_of_long_sequences():
    mask = np.random.default_rng(0).random((2, 1009)) < 0.5
    sequences = random_array(2, 1009, 1)
    steps, lengths = run_emitted(_write_pack, [sequences, mask])
    for row in range(2):
        np.testing.assert_array_equal(steps[: lengths[row], row], sequences[row, mask[row]])


@pytest.mark.parametrize("hold", [True, False], ids=["hold", "zeros"])
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_unpacking_one_direction(backwards, hold):
    outputs = packed_outputs(1)
    expected = unpacked_by_hand(outputs, (backwards,), hold)[:, :, 0]
    np.testing.assert_array_equal(run_unpack(outputs, (backwards,), hold), expected)


@pytest.mark.parametrize("hold", [True, False], ids=["hold", "zeros"])
def test_unpacking_two_directions(hold):
    outputs = packed_outputs(2)
    expected = unpacked_by_hand(outputs, (False, True), hold)
    np.testing.assert_array_equal(run_unpack(outputs, (False, True), hold), expected)


def test_steps_before_the_first_valid_one_repeat_what_the_chunk_before_ended_with():
    outputs, previous = packed_outputs(1), random_array(BATCH, UNITS, seed=3)
    expected = unpacked_by_hand(outputs, (False,), True, previous)[:, :, 0]
    np.testing.assert_array_equal(run_unpack(outputs, (False,), True, previous), expected)
