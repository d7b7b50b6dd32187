"""A model with one layer that 8 bits ruin, by construction, and data on which all others can be quantised."""

import keras
import numpy as np

import keras_seq
from tests.export.graphs import with_random_weights

FEATURES, WIDTH, UNITS, CLASSES = 37, 41, 23, 7
ROWS, TIME = 29, 3


def fragile_model() -> keras.Model:
    """Of each output of the layer `fragile` one weight is 10,000, and its input is 0: the small ones decide."""
    inputs = keras.Input((None, FEATURES), name="signal")
    x = keras.layers.Dense(WIDTH, activation="tanh", name="fragile")(inputs)
    x = keras_seq.LSTM(UNITS, return_sequences=True, name="lstm")(x)
    outputs = keras.layers.Dense(CLASSES, activation="softmax", name="tags")(x)
    model = with_random_weights(keras.Model(inputs, outputs, name="fragile_model"))
    kernel, bias = model.get_layer("fragile").get_weights()
    kernel[0] = 10_000
    model.get_layer("fragile").set_weights([kernel, bias])
    return model


def fragile_data(model: keras.Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, the classes that the model gives, and weights: of the steps at which the choice is not close."""
    x = np.random.default_rng(1).normal(size=(ROWS, TIME, FEATURES)).astype("float32")
    x[..., 0] = 0
    probabilities = model(x).numpy()
    ordered = np.sort(np.log(probabilities), axis=-1)
    weights = (ordered[..., -1] - ordered[..., -2] > 0.5).astype("float32")
    return x, probabilities.argmax(-1), weights
