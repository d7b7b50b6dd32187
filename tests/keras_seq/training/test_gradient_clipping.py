"""Clipping is the optimizer's work; these tests show that it reaches our layers' weights as it does Keras' own."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.training import GradientError, GradientMonitor

BATCH, TIME, FEATURES, UNITS = 5, 67, 2, 7
CLIPPING = [{"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5}]


def exploding_model(layer_class, optimizer):
    """A linear recurrence that grows by a half at each step, so that its gradient grows by 1.5^67 = 6e11."""
    keras.utils.set_random_seed(11)
    layer = layer_class(UNITS, activation="linear", recurrent_initializer=keras.initializers.Identity(1.5))
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer, keras.layers.Dense(1)])
    model.compile(optimizer, loss="mae")
    return model


def data():
    random = np.random.default_rng(3)
    return random.normal(size=(BATCH, TIME, FEATURES)).astype("float32"), np.zeros((BATCH, 1), "float32")


def test_without_clipping_the_gradient_explodes_and_the_monitor_tells():
    model = exploding_model(keras_seq.SimpleRNN, keras.optimizers.SGD(1.0))
    with pytest.raises(GradientError, match="clipnorm"):
        model.fit(*data(), epochs=5, verbose=0, callbacks=[GradientMonitor()])


@pytest.mark.smoke
@pytest.mark.parametrize("clipping", CLIPPING, ids=lambda clipping: next(iter(clipping)))
def test_clipped_weights_stay_finite_and_move_no_further_than_asked(clipping):
    model = exploding_model(keras_seq.SimpleRNN, keras.optimizers.SGD(1.0, **clipping))
    before = model.get_weights()
    history = model.fit(*data(), epochs=1, verbose=0, callbacks=[GradientMonitor()]).history
    assert history["gradient_norm"][0] > 1e10
    moves = [after - start for after, start in zip(model.get_weights(), before, strict=True)]
    limit = next(iter(clipping.values())) * (1 + 1e-5)
    if "clipnorm" in clipping:
        assert max(np.linalg.norm(move) for move in moves) <= limit
    elif "clipvalue" in clipping:
        assert max(np.abs(move).max() for move in moves) <= limit
    else:
        assert np.linalg.norm(np.concatenate([move.ravel() for move in moves])) <= limit
    history = model.fit(*data(), epochs=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("clipping", CLIPPING, ids=lambda clipping: next(iter(clipping)))
@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_clipped_training_agrees_with_the_keras_layer(name, clipping):
    random = np.random.default_rng(19)
    x, y = random.normal(size=(BATCH, 13, FEATURES)).astype("float32"), 5 * np.ones((BATCH, 1), "float32")
    trained = []
    for module in (keras_seq, keras.layers):
        keras.utils.set_random_seed(23)
        model = keras.Sequential([keras.Input((13, FEATURES)), getattr(module, name)(UNITS), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1, **clipping), loss="mse")
        model.fit(x, y, epochs=3, verbose=0)
        trained.append(model.get_weights())
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
