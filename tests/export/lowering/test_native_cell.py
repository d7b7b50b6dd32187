"""Weights in ONNX's layout. Each Keras gate is filled with a number of its own, so that its place can be read off."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.activations import native_activation
from keras_seq.export.lowering.native_cell import native_cell

pytestmark = pytest.mark.backend("tensorflow")

FEATURES, UNITS = 3, 5


def built(cell, weights):
    cell.build((None, FEATURES))
    assert {weight.name: weight.shape for weight in cell.weights} == {k: v.shape for k, v in weights.items()}
    for weight in cell.weights:
        weight.assign(weights[weight.name])
    return cell


def gates(rows, *numbers):
    """(rows, gates * UNITS): the columns of a gate are all its number, and the rows count in thousandths."""
    columns = np.repeat(np.array(numbers, "float32"), UNITS)
    return columns + np.arange(rows, dtype="float32")[:, None] / 1000


def expected_gates(rows, *numbers):
    return gates(rows, *numbers).T


def vector(*numbers):
    return gates(1, *numbers)[0]


def assert_weights(native, expected):
    assert native.weights.keys() == expected.keys()
    for name, value in expected.items():
        assert native.weights[name].dtype == np.float32
        np.testing.assert_array_equal(native.weights[name], value, err_msg=name)


@pytest.mark.parametrize(
    "cell_class", [keras.layers.SimpleRNNCell, keras_seq.SimpleRNNCell], ids=["keras", "keras_seq"]
)
def test_simple_rnn(cell_class):
    recurrent = np.arange(UNITS * UNITS, dtype="float32").reshape(UNITS, UNITS)
    weights = {"kernel": gates(FEATURES, 1), "recurrent_kernel": recurrent, "bias": vector(3)}
    native = native_cell(built(cell_class(UNITS, activation="relu"), weights), "rnn")
    assert (native.operator, native.name, native.units, native.state_names) == ("RNN", "rnn", UNITS, ("h",))
    assert native.activations == (native_activation(keras.activations.relu),)
    assert_weights(native, {"W": expected_gates(FEATURES, 1), "R": recurrent.T, "B": vector(3, 0)})


@pytest.mark.parametrize("cell_class", [keras.layers.LSTMCell, keras_seq.LSTMCell], ids=["keras", "keras_seq"])
def test_lstm_gates_i_f_c_o_become_i_o_f_c(cell_class):
    weights = {
        "kernel": gates(FEATURES, 1, 2, 3, 4),
        "recurrent_kernel": gates(UNITS, 5, 6, 7, 8),
        "bias": vector(9, 10, 11, 12),
    }
    native = native_cell(built(cell_class(UNITS), weights), "lstm")
    assert (native.operator, native.state_names) == ("LSTM", ("h", "c"))
    assert [activation.name for activation in native.activations] == ["Sigmoid", "Tanh", "Tanh"]
    expected = {
        "W": expected_gates(FEATURES, 1, 4, 2, 3),
        "R": expected_gates(UNITS, 5, 8, 6, 7),
        "B": vector(9, 12, 10, 11, 0, 0, 0, 0),
    }
    assert_weights(native, expected)


def test_peepholes_i_f_o_become_i_o_f():
    cell = keras_seq.PeepholeLSTMCell(UNITS, use_bias=False)
    weights = {
        "kernel": gates(FEATURES, 1, 2, 3, 4),
        "recurrent_kernel": gates(UNITS, 5, 6, 7, 8),
        "peephole_kernel": np.repeat(np.array([[9], [10], [11]], "float32"), UNITS, axis=1),
    }
    native = native_cell(built(cell, weights), "lstm")
    expected = {
        "W": expected_gates(FEATURES, 1, 4, 2, 3),
        "R": expected_gates(UNITS, 5, 8, 6, 7),
        "B": np.zeros(8 * UNITS),
        "P": vector(9, 11, 10),
    }
    assert_weights(native, expected)


def test_output_activation_is_the_third():
    cell = keras_seq.LSTMCell(UNITS, activation="relu", output_activation=None)
    cell.build((None, FEATURES))
    assert [activation.name for activation in native_cell(cell, "lstm").activations] == ["Sigmoid", "Relu", "Affine"]


@pytest.mark.parametrize("cell_class", [keras.layers.GRUCell, keras_seq.GRUCell], ids=["keras", "keras_seq"])
def test_gru_gates_stay_z_r_h_and_the_two_biases_stay_apart(cell_class):
    weights = {
        "kernel": gates(FEATURES, 1, 2, 3),
        "recurrent_kernel": gates(UNITS, 4, 5, 6),
        "bias": np.stack([vector(7, 8, 9), vector(10, 11, 12)]),
    }
    native = native_cell(built(cell_class(UNITS), weights), "gru")
    assert (native.operator, native.state_names, native.linear_before_reset) == ("GRU", ("h",), True)
    assert [activation.name for activation in native.activations] == ["Sigmoid", "Tanh"]
    expected = {
        "W": expected_gates(FEATURES, 1, 2, 3),
        "R": expected_gates(UNITS, 4, 5, 6),
        "B": vector(7, 8, 9, 10, 11, 12),
    }
    assert_weights(native, expected)


@pytest.mark.parametrize("cell_class", [keras.layers.GRUCell, keras_seq.GRUCell], ids=["keras", "keras_seq"])
def test_gru_with_the_reset_before_the_product_has_one_bias(cell_class):
    weights = {
        "kernel": gates(FEATURES, 1, 2, 3),
        "recurrent_kernel": gates(UNITS, 4, 5, 6),
        "bias": vector(7, 8, 9),
    }
    native = native_cell(built(cell_class(UNITS, reset_after=False), weights), "gru")
    assert not native.linear_before_reset
    np.testing.assert_array_equal(native.weights["B"], vector(7, 8, 9, 0, 0, 0))


def test_missing_reset_gate_is_pinned_open():
    weights = {"kernel": gates(FEATURES, 1, 2), "recurrent_kernel": gates(UNITS, 3, 4), "bias": vector(5, 6)}
    native = native_cell(built(keras_seq.GRUCell(UNITS, simplified=True), weights), "gru")
    w_z, w_r, w_h = np.split(native.weights["W"], 3)
    r_z, r_r, r_h = np.split(native.weights["R"], 3)
    np.testing.assert_array_equal(np.vstack([w_z, w_h]), expected_gates(FEATURES, 1, 2))
    np.testing.assert_array_equal(np.vstack([r_z, r_h]), expected_gates(UNITS, 3, 4))
    assert not w_r.any()
    assert not r_r.any()
    b_z, b_r, b_h, *recurrent = np.split(native.weights["B"], 6)
    np.testing.assert_array_equal(np.concatenate([b_z, b_h]), vector(5, 6))
    np.testing.assert_array_equal(1 / (1 + np.exp(-b_r)), np.ones(UNITS))
    assert not np.any(recurrent)


def test_simplified_gru_is_refused_where_the_gate_cannot_be_pinned():
    cell = keras_seq.GRUCell(UNITS, simplified=True, recurrent_activation="softplus")
    cell.build((None, FEATURES))
    with pytest.raises(NotNativeError, match=r"no relevance gate.*pinned open only under.*which Softplus does not"):
        native_cell(cell, "gru")


def test_weights_are_float32_whatever_the_policy():
    cell = keras_seq.LSTMCell(UNITS, dtype="bfloat16", recurrent_initializer="glorot_uniform")
    cell.build((None, FEATURES))
    assert {weight.dtype for weight in native_cell(cell, "lstm").weights.values()} == {np.dtype("float32")}


def test_subclass_of_a_known_cell_is_refused_because_it_may_compute_anything():
    class Own(keras.layers.LSTMCell):
        pass

    cell = Own(UNITS)
    cell.build((None, FEATURES))
    with pytest.raises(NotNativeError, match=r"its cell Own has no lowering rule \(there is one for GRUCell, LSTMCell"):
        native_cell(cell, "lstm")


def test_two_cells_share_a_node_only_if_it_has_one_form_for_both():
    def native(cell):
        cell.build((None, FEATURES))
        return native_cell(cell, "cell")

    lstm = native(keras_seq.LSTMCell(UNITS))
    assert lstm.pairs_with(native(keras.layers.LSTMCell(UNITS, activation="relu")))
    assert not lstm.pairs_with(native(keras_seq.LSTMCell(UNITS + 2)))
    assert not lstm.pairs_with(native(keras_seq.PeepholeLSTMCell(UNITS)))
    gru = native(keras_seq.GRUCell(UNITS))
    assert not lstm.pairs_with(gru)
    assert not gru.pairs_with(native(keras_seq.GRUCell(UNITS, reset_after=False)))
