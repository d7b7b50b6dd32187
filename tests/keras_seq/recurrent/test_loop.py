import keras
import numpy as np
import pytest

from keras_seq.recurrent.loop import run_loop
from tests.keras_seq.recurrent.cases import numpy

INPUTS = np.array([[1, 2, 4, 8, 16], [1, 2, 4, 8, 16], [1, 2, 4, 8, 16]], "float32")[:, :, None]
MASK = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]], bool)


def running_sum(inputs, states):
    total = states[0] + inputs
    return total, [total]


@pytest.mark.parametrize("unroll", [True, False])
def test_a_masked_step_holds_the_state_and_repeats_the_output_or_shows_zero(unroll):
    hundred = np.full((3, 1), 100, "float32")
    held = [[101, 101, 105, 113, 113], [0, 0, 104, 104, 120], [0, 0, 0, 0, 0]]
    zeroed = np.where(MASK, held, 0)
    mask = keras.ops.convert_to_tensor(MASK)
    for zero_output_for_mask, expected in ((False, held), (True, zeroed)):
        for return_sequences in (True, False):
            last, outputs, (state,) = run_loop(
                running_sum,
                keras.ops.convert_to_tensor(INPUTS),
                [keras.ops.convert_to_tensor(hundred)],
                mask,
                unroll=unroll,
                return_sequences=return_sequences,
                zero_output_for_mask=zero_output_for_mask,
            )
            np.testing.assert_array_equal(numpy(last)[:, 0], np.array(expected)[:, -1])
            np.testing.assert_array_equal(numpy(state)[:, 0], [113, 120, 100])
            if return_sequences:
                np.testing.assert_array_equal(numpy(outputs)[:, :, 0], expected)


def test_without_a_mask_every_step_counts():
    states = [keras.ops.zeros((3, 1))]
    last, outputs, (state,) = run_loop(running_sum, keras.ops.convert_to_tensor(INPUTS), states)
    np.testing.assert_array_equal(numpy(outputs)[0, :, 0], [1, 3, 7, 15, 31])
    np.testing.assert_array_equal(numpy(last), numpy(state))
