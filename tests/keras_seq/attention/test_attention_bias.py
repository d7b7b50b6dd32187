import numpy as np
import pytest
from keras import ops

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
        assert bias[0, 0, query, step] == (0 if step <= past + query else np.float32(CAUSAL_BIAS))


def test_padding_is_hidden_and_all_else_is_not():
    bias = numpy(padding_bias(MASK))
    assert bias.shape == (len(MASK), 1, 1, MASK.shape[1])
    np.testing.assert_array_equal(bias[:, 0, 0], np.where(MASK, 0.0, np.float32(MASK_BIAS)))


def test_scores_are_lost_beside_a_bias_and_sums_stay_finite():
    scores = np.array([1e6, -1e6], "float32")
    np.testing.assert_array_equal(np.float32(MASK_BIAS) + scores, np.float32(MASK_BIAS))
    assert CAUSAL_BIAS < MASK_BIAS < -1e29
    # both at once, as where the future is padding too
    assert np.isfinite(numpy(ops.cast(MASK_BIAS + CAUSAL_BIAS, "bfloat16")))
