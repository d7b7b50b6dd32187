"""Recurrent layers, their cells, and what puts them together."""

import keras  # noqa: F401  before the layers, see keras_seq/_registration.py

from keras_seq.recurrent.bidirectional import Bidirectional
from keras_seq.recurrent.gru import GRU, GRUCell
from keras_seq.recurrent.kernel_choice import KernelChoice, portable_kernels
from keras_seq.recurrent.lstm import LSTM, LSTMCell
from keras_seq.recurrent.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from keras_seq.recurrent.simple_rnn import SimpleRNN, SimpleRNNCell
from keras_seq.recurrent.stacked_rnn import StackedRNN
from keras_seq.recurrent.tfa_weights import load_tfa_peephole_weights

__all__ = [
    "GRU",
    "LSTM",
    "Bidirectional",
    "GRUCell",
    "KernelChoice",
    "LSTMCell",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNN",
    "load_tfa_peephole_weights",
    "portable_kernels",
]
