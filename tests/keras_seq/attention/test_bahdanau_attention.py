import numpy as np
import pytest

import keras_seq
from tests.keras_seq.attention.cases import HIDDEN, MEMORY_FEATURES, UNITS, attention_with_random_weights, numpy, values


def test_weights_have_the_documented_names_and_shapes():
    layer = attention_with_random_weights("bahdanau-bias")
    shapes = {weight.name: tuple(weight.shape) for weight in layer.weights}
    assert shapes == {
        "query_kernel": (UNITS, HIDDEN),
        "memory_kernel": (MEMORY_FEATURES, HIDDEN),
        "score_kernel": (HIDDEN,),
        "bias": (HIDDEN,),
    }


def test_the_bias_is_part_of_the_keys():
    layer = attention_with_random_weights("bahdanau-bias")
    _, kernel, _, bias = layer.get_weights()
    received = numpy(layer.prepare(values()).keys)
    np.testing.assert_allclose(received, (values() @ kernel + bias)[:, None], atol=1e-5)


@pytest.mark.parametrize("units", [0, -1, 2.5, None])
def test_units_must_be_a_positive_integer(units):
    with pytest.raises(ValueError, match=r"`units` must be a positive integer\. Received: units="):
        keras_seq.BahdanauAttention(units)


def test_weights_of_one_shape_start_with_numbers_of_their_own():
    layer = keras_seq.BahdanauAttention(5)
    layer.build((None, 5), (None, None, 5))
    assert not np.allclose(layer.query_kernel.numpy(), layer.memory_kernel.numpy())
