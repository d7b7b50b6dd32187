"""`DynamicQuantizeLSTM` in the place of `LSTM`, against NumPy's integers."""

import numpy as np
import pytest
from onnx import helper

from keras_seq.export.quantization import choice
from keras_seq.export.quantization.instruction_set import instruction_set
from keras_seq.export.quantization.integer_weight import IntegerWeight
from tests.export.quantization.emulation import lstm
from tests.export.quantization.graphs import array, constants, make_model, operators, quantized, run
from tests.export.quantization.test_integer_weight import CLIPPING, pair_sums

TIME, BATCH, FEATURES, UNITS = 11, 5, 3, 7
LENGTHS = np.array([11, 2, 1, 4, 10], "int32")


@pytest.fixture(autouse=True)
def small_layers_too(monkeypatch):
    monkeypatch.setattr(choice, "LSTM_UNITS", UNITS)


def weights_of(directions=1, features=FEATURES, units=UNITS):
    return {
        "w": array(directions, 4 * units, features, seed=1),
        "r": array(directions, 4 * units, units, seed=2, scale=0.5),
        "b": array(directions, 8 * units, seed=3),
        "h0": array(directions, BATCH, units, seed=4),
        "c0": array(directions, BATCH, units, seed=5),
        "p": array(directions, 3 * units, seed=6, scale=0.5),
    }


def model(weights, peepholes=True, **attributes):
    _, rows, features = weights["w"].shape
    names = ["x", "w", "r", "b", "lengths", "h0", "c0", *["p"] * peepholes]
    node = helper.make_node("LSTM", names, ["y", "h", "c"], hidden_size=rows // 4, **attributes)
    inputs = {"x": [None, None, features], "lengths": ([None], "int32")}
    return make_model([node], inputs, {"y": 4, "h": 3, "c": 3}, {n: weights[n] for n in names if n in weights})


def numpy_lstm(x, weights, direction=0, lengths=LENGTHS, peepholes=True):
    w, r, b, h0, c0, p = (weights[name][direction] for name in ("w", "r", "b", "h0", "c0", "p"))
    return lstm(x, w, r, b, lengths, h0, c0, p if peepholes else None)


@pytest.mark.parametrize("peepholes", [False, True])
def test_it_computes_what_the_integers_say(peepholes):
    weights, x = weights_of(), array(TIME, BATCH, FEATURES, seed=7)
    small = quantized(model(weights, peepholes))
    assert operators(small) == ["DynamicQuantizeLSTM"]
    found = run(small, {"x": x, "lengths": LENGTHS})
    y, h, c = numpy_lstm(x, weights, peepholes=peepholes)
    for one, other in zip(found, (y[:, None], h[None], c[None]), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_each_direction_has_integers_and_scales_of_its_own():
    weights, x = weights_of(directions=2), array(TIME, BATCH, FEATURES, seed=8)
    weights["w"][1] *= 3
    full = np.full(BATCH, TIME, "int32")
    small = quantized(model(weights, direction="bidirectional"))
    found = run(small, {"x": x, "lengths": full})
    for direction, step in ((0, 1), (1, -1)):
        y, h, c = numpy_lstm(x[::step], weights, direction, full)
        for one, other in ((found[0][::step, direction], y), (found[1][direction], h), (found[2][direction], c)):
            np.testing.assert_allclose(one, other, atol=2e-5)


def test_its_matrices_keep_the_rule_of_pairs():
    weights = weights_of(directions=2)
    weights["r"] = np.abs(weights["r"])
    small = constants(quantized(model(weights, direction="bidirectional")))
    for name, inputs in (("w", FEATURES), ("r", UNITS)):
        integers = small[f"{name}.int8"]
        assert integers.shape == (2, inputs, 4 * UNITS)
        assert small[f"{name}.scale"].shape == small[f"{name}.zero"].shape == (2, 4 * UNITS)
        for direction in range(2):
            assert pair_sums(integers[direction]).max() <= 128


def saturating(units=64):
    """A layer whose sums of neighbours are as large as they get, of activations that are all 1 or all small."""
    weights = weights_of(features=units, units=units)
    rng = np.random.default_rng(9)
    for name in ("w", "r"):
        weights[name] = rng.choice(np.array([0.011, 0.012, 0.013], "float32"), size=weights[name].shape)
    weights["b"] = np.repeat(np.array([-0.2, -0.1, -0.3, -0.5, 0, 0, 0, 0], "float32"), units)[None]
    x = np.ones((3, BATCH, units), "float32")
    return weights, x, {"x": x, "lengths": np.full(BATCH, 3, "int32")}


def test_the_largest_sums_are_as_right_as_others_on_every_processor():
    weights, x, feeds = saturating()
    found = run(quantized(model(weights)), feeds)
    y, h, c = numpy_lstm(x, weights, lengths=feeds["lengths"])
    for one, other in zip(found, (y[:, None], h[None], c[None]), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.skipif(
    instruction_set() not in CLIPPING, reason=f"{instruction_set()} adds in 32 bits: nothing is clipped here"
)
def test_plain_8_bit_weights_would_be_clipped_here(monkeypatch):
    weights, x, feeds = saturating()
    plain = classmethod(lambda cls, weight: cls.for_storage(weight, axis=0))
    monkeypatch.setattr(IntegerWeight, "for_products", plain)
    found = run(quantized(model(weights)), feeds)[0][:, 0]
    unclipped, *_ = numpy_lstm(x, weights, lengths=feeds["lengths"])  # with the same integers
    assert np.abs(found - unclipped).max() > 0.02
