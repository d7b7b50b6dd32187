"""Positions in chunks: they go on from the steps before, one count for each layer that knows them."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import find_states
from tests.export.graphs import random_array, with_random_weights
from tests.export.step_graph import BATCH, CUTS, TIME, Step, random_cuts

pytestmark = pytest.mark.backend("tensorflow")

FEATURES = 3


@pytest.mark.parametrize("onnx", [True, False], ids=["onnx", "tensorflow"])
def test_positions_go_on_from_chunk_to_chunk(onnx):
    signal = keras.Input((None, FEATURES), name="signal")
    sines = keras_seq.SinusoidalPositionalEncoding(name="sines")
    table = keras_seq.LearnedPositionalEncoding(TIME, name="table")
    model = with_random_weights(keras.Model(signal, table(sines(signal))))
    step = Step(model, onnx)
    assert {state.name: state.shape for state in step.states} == {"sines.position": (1,), "table.position": (1,)}
    inputs = {"signal": random_array(BATCH, TIME, FEATURES)}
    expected = model(inputs["signal"])
    assert np.ptp(expected - inputs["signal"], axis=1).min() > 1  # no two chunks could do with the same positions
    for label, bounds in CUTS.items():
        np.testing.assert_allclose(step.run(inputs, bounds)[0], expected, rtol=1e-6, atol=1e-6, err_msg=label)


def test_positions_that_the_model_gives_are_its_own():
    signal = keras.Input((None, FEATURES), name="signal")
    positions = keras.Input((None,), dtype="int32", name="positions")
    x = keras_seq.SinusoidalPositionalEncoding(name="sines")(signal, positions=positions)
    model = keras.Model([signal, positions], keras_seq.GRU(2, return_sequences=True, name="gru")(x))
    assert [state.name for state in find_states(model, model_signature(model))] == ["gru.h"]
    inputs = {
        "signal": random_array(BATCH, TIME, FEATURES),
        "positions": np.random.default_rng(0).integers(0, 97, (BATCH, TIME)).astype("int32"),
    }
    expected = model(list(inputs.values()))
    np.testing.assert_allclose(Step(model).run(inputs, random_cuts(3))[0], expected, rtol=1e-5, atol=2e-6)
