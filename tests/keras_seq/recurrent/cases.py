"""The layers and their variants that the tests go through, with data of a different prime on each axis."""

import contextlib
import functools

import keras
import numpy as np

import keras_seq
from tests.keras_seq.recurrent import oracle

BATCH, TIME, FEATURES, UNITS = 5, 7, 3, 11

# One row each: full, padded on the right, on the left, with gaps, and without one valid step.
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)

# name: (layer, its arguments, the oracle's step made from its weights)
VARIANTS = {
    "simple_rnn": (keras_seq.SimpleRNN, {}, oracle.simple_rnn),
    "simple_rnn-relu": (
        keras_seq.SimpleRNN,
        {"activation": "relu"},
        functools.partial(oracle.simple_rnn, activation=oracle.relu),
    ),
    "simple_rnn-sigmoid-no_bias": (
        keras_seq.SimpleRNN,
        {"activation": "sigmoid", "use_bias": False},
        functools.partial(oracle.simple_rnn, activation=oracle.sigmoid),
    ),
    "gru": (keras_seq.GRU, {}, oracle.gru_reset_after),
    "gru-no_bias": (keras_seq.GRU, {"use_bias": False}, oracle.gru_reset_after),
    "gru-relu": (
        keras_seq.GRU,
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        functools.partial(oracle.gru_reset_after, activation=oracle.relu, sigma=oracle.hard_sigmoid),
    ),
    "gru-reset_before": (keras_seq.GRU, {"reset_after": False}, oracle.gru_reset_before),
    "gru-simplified": (keras_seq.GRU, {"simplified": True}, oracle.gru_simplified),
    "gru-simplified-no_bias": (keras_seq.GRU, {"simplified": True, "use_bias": False}, oracle.gru_simplified),
    "lstm": (keras_seq.LSTM, {}, oracle.lstm),
    "lstm-no_bias": (keras_seq.LSTM, {"use_bias": False}, oracle.lstm),
    "lstm-linear_output": (
        keras_seq.LSTM,
        {"output_activation": None},
        functools.partial(oracle.lstm, output_activation=oracle.linear),
    ),
    "lstm-sigmoid_output": (
        keras_seq.LSTM,
        {"output_activation": "sigmoid"},
        functools.partial(oracle.lstm, output_activation=oracle.sigmoid),
    ),
    "lstm-relu": (
        keras_seq.LSTM,
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        functools.partial(
            oracle.lstm, activation=oracle.relu, sigma=oracle.hard_sigmoid, output_activation=oracle.relu
        ),
    ),
    "peephole_lstm": (keras_seq.PeepholeLSTM, {}, oracle.peephole_lstm),
    "peephole_lstm-no_bias": (keras_seq.PeepholeLSTM, {"use_bias": False}, oracle.peephole_lstm),
    "peephole_lstm-linear_output": (
        keras_seq.PeepholeLSTM,
        {"output_activation": None},
        functools.partial(oracle.peephole_lstm, output_activation=oracle.linear),
    ),
}

KERNELS = {"fastest": contextlib.nullcontext, "portable": keras_seq.portable_kernels}
if keras.backend.backend() != "tensorflow":
    del KERNELS["portable"]  # without a GPU the other backends have the one kernel only


def sequences(seed=0, batch=BATCH, time=TIME, features=FEATURES):
    return np.random.default_rng(seed).normal(size=(batch, time, features)).astype("float32")


def states(layer, seed=1, batch=BATCH):
    random = np.random.default_rng(seed)
    return [random.normal(size=(batch, size)).astype("float32") for size in layer.state_size]


def with_random_weights(layer, seed=2, features=FEATURES):
    """Builds a layer and gives every weight, biases and peepholes too, random values."""
    random = np.random.default_rng(seed)
    layer.build((None, None, features))
    layer.set_weights([random.normal(size=weight.shape, scale=0.6) for weight in layer.get_weights()])
    return layer


def numpy(result):
    """Tensors, or a list of them, as NumPy arrays in float64."""
    if isinstance(result, (list, tuple)):
        return [numpy(tensor) for tensor in result]
    return keras.ops.convert_to_numpy(keras.ops.cast(result, "float32")).astype("float64")


def assert_all_close(received, expected, atol=2e-6):
    for tensor, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(tensor, other, rtol=1e-5, atol=atol)
