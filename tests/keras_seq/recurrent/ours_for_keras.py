"""A pytest plugin: puts this library's recurrent layers in the place of Keras', to run Keras' own tests on them."""

import keras.src.layers

import keras_seq.recurrent

NAMES = ("SimpleRNN", "SimpleRNNCell", "GRU", "GRUCell", "LSTM", "LSTMCell", "Bidirectional")

for name in NAMES:
    setattr(keras.src.layers, name, getattr(keras_seq.recurrent, name))
