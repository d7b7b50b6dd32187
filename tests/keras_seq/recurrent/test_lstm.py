import keras
import pytest

import keras_seq
from tests.keras_seq.recurrent.cases import UNITS


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_output_activation_follows_the_activation_unless_given(activation):
    layer = keras_seq.LSTM(UNITS, activation)
    assert layer.output_activation is keras.activations.get(activation)
    assert layer.get_config()["output_activation"] == "auto"


def test_the_output_activation_is_kept_in_the_config():
    for given, kept in ((None, "linear"), ("relu", "relu"), ("tanh", "auto")):
        layer = keras_seq.LSTM(UNITS, output_activation=given)
        assert layer.get_config()["output_activation"] == kept
        copy = keras_seq.LSTM.from_config(layer.get_config())
        assert copy.output_activation is layer.output_activation


def test_the_forget_gate_starts_open():
    layer = keras_seq.LSTM(UNITS)
    layer.build((None, None, 3))
    assert layer.get_weights()[2].tolist() == UNITS * [0] + UNITS * [1] + 2 * UNITS * [0]


def test_an_unknown_use_cudnn_is_refused():
    with pytest.raises(ValueError, match=r'`use_cudnn` must be "auto", True or False. Received: use_cudnn=\'yes\''):
        keras_seq.LSTM(UNITS, use_cudnn="yes")


def test_cudnn_is_refused_for_another_output_activation():
    with pytest.raises(ValueError, match=r"`use_cudnn=True` is not possible.*output_activation"):
        keras_seq.LSTM(UNITS, output_activation=None, use_cudnn=True)
    layer = keras_seq.LSTM(UNITS, output_activation=None)
    layer.use_cudnn = "auto"  # as keras.layers.Bidirectional does
    assert layer.use_cudnn is False


@pytest.mark.parametrize("use_cudnn", [True, False, "auto"])
def test_use_cudnn_is_kept_in_the_config(use_cudnn):
    layer = keras_seq.LSTM(UNITS, use_cudnn=use_cudnn)
    assert keras_seq.LSTM.from_config(layer.get_config()).use_cudnn == use_cudnn
