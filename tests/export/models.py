"""Small models that several tests export."""

import keras

import keras_seq
from tests.export.graphs import with_random_weights

VOCABULARY, FEATURES, UNITS, TAGS = 23, 3, 5, 2


def tagger():
    """Ids and floats in, masked; a tag a step and a style of the whole out. Reads forwards only."""
    words = keras.Input((None,), dtype="int32", name="words")
    shapes = keras.Input((None, FEATURES), name="shapes")
    embedded = keras.layers.Embedding(VOCABULARY, FEATURES, mask_zero=True, name="embedding")(words)
    x = keras.layers.Concatenate(name="features")([embedded, keras.layers.Masking(name="masking")(shapes)])
    y, h, _ = keras_seq.LSTM(UNITS, return_sequences=True, return_state=True, name="lstm_1")(x)
    y = keras.layers.GRU(UNITS, return_sequences=True, name="gru_1")(y)
    outputs = [keras.layers.Dense(TAGS, name="tags")(y), keras.layers.Dense(2, name="style")(h)]
    return with_random_weights(keras.Model([words, shapes], outputs, name="tagger"))


def signal_model(*layers, name="model"):
    """A Sequential model over (batch, time, features) of floats."""
    return with_random_weights(keras.Sequential([keras.Input((None, FEATURES), name="signal"), *layers], name=name))


def small():
    return signal_model(keras_seq.LSTM(UNITS, name="lstm"))
