import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.recurrent.cases import FEATURES, UNITS, numpy, sequences, with_random_weights


def test_the_simplified_gru_has_two_gates_worth_of_weights():
    layer = keras_seq.GRU(UNITS, simplified=True)
    layer.build((None, None, FEATURES))
    shapes = [tuple(weight.shape) for weight in layer.weights]
    assert shapes == [(FEATURES, 2 * UNITS), (UNITS, 2 * UNITS), (2 * UNITS,)]
    assert [weight.name for weight in layer.weights] == ["kernel", "recurrent_kernel", "bias"]


def test_the_simplified_gru_is_a_gru_whose_reset_gate_is_open():
    layer = with_random_weights(keras_seq.GRU(UNITS, simplified=True))
    kernel, recurrent_kernel, bias = (np.split(weight, 2, axis=-1) for weight in layer.get_weights())
    full = keras.layers.GRU(UNITS, reset_after=False)
    full.build((None, None, FEATURES))
    full.set_weights(
        [
            np.concatenate([kernel[0], 0 * kernel[0], kernel[1]], axis=-1),
            np.concatenate([recurrent_kernel[0], 0 * recurrent_kernel[0], recurrent_kernel[1]], axis=-1),
            np.concatenate([bias[0], 0 * bias[0] + 50, bias[1]]),
        ]
    )
    x = sequences()
    np.testing.assert_allclose(numpy(layer(x)), numpy(full(x)), atol=2e-6)


@pytest.mark.parametrize("reset_after", [True, False])
def test_reset_after_means_nothing_to_the_simplified_gru(reset_after):
    layer = with_random_weights(keras_seq.GRU(UNITS, simplified=True, reset_after=reset_after))
    expected = with_random_weights(keras_seq.GRU(UNITS, simplified=True))
    np.testing.assert_array_equal(numpy(layer(sequences())), numpy(expected(sequences())))


def test_the_simplified_gru_drops_the_state_of_each_gate_apart():
    layer = with_random_weights(keras_seq.GRU(UNITS, simplified=True, recurrent_dropout=0.5, seed=4))
    x = sequences()
    layer.cell.get_recurrent_dropout_mask(np.ones((2, UNITS), "float32"))
    assert len(layer.cell._recurrent_dropout_mask) == 2
    layer.cell.reset_recurrent_dropout_mask()
    assert np.abs(numpy(layer(x, training=True)) - numpy(layer(x))).max() > 0.01


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"simplified": True}, "without a reset gate"), ({"reset_after": False}, "reset_after=False")],
)
def test_use_cudnn_is_refused_where_cudnn_has_no_such_cell(arguments, reason):
    with pytest.raises(ValueError, match=rf"`use_cudnn=True` is not possible.*{reason}"):
        keras_seq.GRU(UNITS, use_cudnn=True, **arguments)
    assert keras_seq.GRU(UNITS, **arguments).use_cudnn is False
