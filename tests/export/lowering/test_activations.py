"""Each activation that ONNX knows computes the formula of the Keras function it stands for."""

import keras
import numpy as np
import pytest

from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.activations import native_activation
from keras_seq.export.lowering.native_cell import NativeCell
from keras_seq.export.lowering.recurrent_node import RecurrentNode
from tests.export.lowering.nodes import run_emitted

pytestmark = pytest.mark.backend("tensorflow")

X = np.linspace(-4, 4, 23, dtype="float32")

FORMULAS = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
}


def run_activation(activation):
    """The activation on ONNX Runtime: an RNN of one unit that passes its input on, a row for each value."""
    weights = {key: np.array(value, "float32") for key, value in {"W": [[1]], "R": [[0]], "B": [0, 0]}.items()}
    node = RecurrentNode((NativeCell("RNN", "rnn", 1, weights, (activation,)),))

    def emit(writer, names):
        return node._write(writer, names[0], "", [""])[:1]

    return run_emitted(emit, [X.reshape(1, -1, 1)])[0].ravel()


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    received = run_activation(native_activation(keras.activations.get(name)))
    np.testing.assert_allclose(received, FORMULAS[name](X.astype("float64")), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_is_that_of_keras(name):
    received = keras.ops.convert_to_numpy(keras.activations.get(name)(X))
    np.testing.assert_allclose(received, FORMULAS[name](X.astype("float64")), rtol=1e-6, atol=1e-6)


def test_none_is_the_identity():
    np.testing.assert_array_equal(run_activation(native_activation(None)), X)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu"])
def test_functions_of_keras_ops_are_known_too(name):
    assert native_activation(getattr(keras.ops, name)) == native_activation(keras.activations.get(name))


@pytest.mark.parametrize("name", ["gelu", "silu", "softmax", "selu", "mish"])
def test_what_onnx_does_not_know_is_refused_by_name(name):
    with pytest.raises(NotNativeError, match=f"its activation '{name}' is none of those.*sigmoid.*tanh"):
        native_activation(keras.activations.get(name))


def test_own_function_is_refused_by_name():
    def twice(x):
        return 2 * x

    with pytest.raises(NotNativeError, match="its activation 'twice' is none of those"):
        native_activation(twice)


def test_only_functions_that_reach_one_can_pin_a_gate_open():
    pinning = {name for name in FORMULAS if native_activation(keras.activations.get(name)).saturates_at_one}
    assert pinning == {"tanh", "sigmoid", "hard_sigmoid"}
    for name in pinning:
        assert FORMULAS[name](100.0) == 1.0
