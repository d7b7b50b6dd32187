import numpy as np
import pytest

import keras_seq
from tests.keras_seq.recurrent import oracle
from tests.keras_seq.recurrent.cases import BATCH, FEATURES, UNITS, numpy, sequences

NAMES = [
    "kernel",
    "recurrent_kernel",
    "bias",
    *(f"{gate}_gate_peephole_weights" for gate in ("input", "forget", "output")),
]


def old_weights(use_bias=True):
    """In the order of `tfa.rnn.PeepholeLSTMCell.get_weights()`."""
    random = np.random.default_rng(5)
    shapes = [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS,), (UNITS,), (UNITS,)]
    if not use_bias:
        del shapes[2]
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def tfa_step(weights):
    """The step of tfa 0.23, `_compute_carry_and_output`, gate by gate."""
    kernel, recurrent_kernel, *bias, p_input, p_forget, p_output = (np.asarray(w, "float64") for w in weights)

    def step(x, states):
        h, c = states
        z_i, z_f, z_c, z_o = np.split(x @ kernel + h @ recurrent_kernel + (bias[0] if bias else 0), 4, axis=-1)
        i = oracle.sigmoid(z_i + p_input * c)
        f = oracle.sigmoid(z_f + p_forget * c)
        c = f * c + i * np.tanh(z_c)
        o = oracle.sigmoid(z_o + p_output * c)
        return [o * np.tanh(c), c]

    return step


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
def test_old_weights_give_the_old_outputs(by_name, use_bias):
    weights = old_weights(use_bias)
    layer = keras_seq.PeepholeLSTM(UNITS, return_sequences=True, use_bias=use_bias)
    layer.build((None, None, FEATURES))
    names = [name for name in NAMES if use_bias or name != "bias"]
    keras_seq.load_tfa_peephole_weights(layer, dict(zip(names, weights, strict=True)) if by_name else weights)
    x = sequences()
    expected, _ = oracle.run(tfa_step(weights), x, [np.zeros((BATCH, UNITS))] * 2)
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=2e-6)


def test_a_cell_alone_is_enough():
    cell = keras_seq.PeepholeLSTMCell(UNITS)
    cell.build((None, FEATURES))
    weights = old_weights()
    keras_seq.load_tfa_peephole_weights(cell, weights)
    np.testing.assert_array_equal(numpy(cell.peephole_kernel.value), np.stack(weights[3:]))


def test_what_does_not_fit_is_refused_with_the_name_of_the_weight():
    layer = keras_seq.PeepholeLSTM(UNITS)
    with pytest.raises(ValueError, match="has no weights yet"):
        keras_seq.load_tfa_peephole_weights(layer, old_weights())
    layer.build((None, None, FEATURES))
    with pytest.raises(ValueError, match=r"must hold 6 arrays: kernel, .*Received: 5 arrays"):
        keras_seq.load_tfa_peephole_weights(layer, old_weights(use_bias=False))
    with pytest.raises(ValueError, match=r"must have the keys \['bias', .*Received: \['kernel'\]"):
        keras_seq.load_tfa_peephole_weights(layer, {"kernel": old_weights()[0]})
    wrong = old_weights()
    wrong[4] = wrong[4][:-1]
    with pytest.raises(
        ValueError, match=r"forget_gate_peephole_weights must have the shape \(11,\). Received: \(10,\)"
    ):
        keras_seq.load_tfa_peephole_weights(layer, wrong)
    with pytest.raises(TypeError, match="`layer` must be a PeepholeLSTM"):
        keras_seq.load_tfa_peephole_weights(keras_seq.LSTM(UNITS), old_weights())
