import numpy as np
import pytest

from keras_seq.attention.attention_bias import CAUSAL_BIAS, causal_bias, padding_bias
from keras_seq.attention.memory_attention import MASK_BIAS
from tests.keras_seq.recurrent.cases import MASK, numpy


@pytest.mark.parametrize(
    ("queries", "steps", "past"), [(1, 1, 0), (3, 3, 0), (3, 7, 4), (3, 7, 0), (5, 3, 0), (2, 0, 0)]
)
def test_a_query_sees_what_is_past_and_itself(queries, steps, past):
    bias = numpy(causal_bias(queries, steps, past))
    assert bias.shape == (1, 1, queries, steps)
    for query, step in np.ndindex(queries, steps):
        assert bias[0, 0, query, step] == (0 if step <= past + query else CAUSAL_BIAS)


def test_padding_is_hidden_and_all_else_is_not():
    bias = numpy(padding_bias(MASK))
    assert bias.shape == (len(MASK), 1, 1, MASK.shape[1])
    np.testing.assert_array_equal(bias[:, 0, 0], np.where(MASK, 0.0, MASK_BIAS))


def test_the_future_stays_below_padding_in_float32():
    scores = np.array([50.0, -50.0], "float32")
    hidden = np.float32(MASK_BIAS) + scores
    assert hidden.min() > np.float32(CAUSAL_BIAS) + scores.max() + 100
    assert hidden[0] == pytest.approx(hidden[1], abs=128)
