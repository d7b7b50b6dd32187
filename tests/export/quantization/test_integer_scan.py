"""`GRU` and `RNN` as a `Scan` of integers, against NumPy's integers, and against the native node of ONNX Runtime."""

import itertools

import numpy as np
import pytest
from onnx import helper

from keras_seq.export.quantization import choice
from keras_seq.export.quantization.integer_weight import IntegerWeight
from tests.export.quantization.emulation import recurrence
from tests.export.quantization.graphs import array, decisions, make_model, operators, quantized, run

TIME, BATCH, FEATURES, UNITS = 11, 5, 3, 7
LENGTHS = np.array([11, 0, 1, 4, 10], "int32")
GATES = {"GRU": 3, "RNN": 1}
DIRECTIONS = ("forward", "reverse", "bidirectional")
DEFAULTS = {"GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
X = array(TIME, BATCH, FEATURES, seed=5)


@pytest.fixture(autouse=True)
def small_layers_too(monkeypatch):
    monkeypatch.setattr(choice, "SCAN_UNITS", UNITS)
    monkeypatch.setattr(choice, "STORED_ELEMENTS", 1)


def node_weights(operator, directions):
    rows = GATES[operator] * UNITS
    return {
        "w": array(directions, rows, FEATURES, seed=1),
        "r": array(directions, rows, UNITS, seed=2, scale=0.5),
        "b": array(directions, 2 * rows, seed=3),
    }


def model(operator, direction="forward", weights=None, outputs=("y", "h"), masked=True, initial=True, **attributes):
    """One node with its weights, as (proto, feeds)."""
    directions = 1 + (direction == "bidirectional")
    weights = weights or node_weights(operator, directions)
    inputs, feeds = {"x": [None, None, FEATURES]}, {"x": X}
    if masked:
        inputs["lengths"], feeds["lengths"] = ([None], "int32"), LENGTHS
    if initial:
        inputs["initial"], feeds["initial"] = [directions, None, UNITS], array(directions, BATCH, UNITS, seed=4)
    names = ["x", "w", "r", "b" if "b" in weights else "", "lengths" * masked, "initial" * initial]
    given = {"hidden_size": UNITS, "direction": direction, **attributes}
    node = helper.make_node(operator, names, list(outputs), **given)
    return make_model([node], inputs, {name: {"y": 4, "h": 3}[name] for name in outputs if name}, weights), feeds


def expected(operator, direction, weights, feeds, activations=None, resets_after=True):
    """Y and Y_h, as NumPy has them."""
    directions = len(weights["w"])
    activations = activations or DEFAULTS[operator] * directions
    per_direction = len(activations) // directions
    lengths = feeds.get("lengths", np.full(BATCH, TIME))
    initial = feeds.get("initial", np.zeros((directions, BATCH, UNITS), "float32"))
    bias = weights.get("b", np.zeros((directions, 2 * GATES[operator] * UNITS), "float32"))
    parts = [
        recurrence(
            operator,
            X,
            weights["w"][i],
            weights["r"][i],
            bias[i],
            lengths,
            initial[i],
            activations[i * per_direction : (i + 1) * per_direction],
            backwards=direction == "reverse" or i == 1,
            resets_after=resets_after,
        )
        for i in range(directions)
    ]
    return np.stack([y for y, _ in parts], axis=1), np.stack([h for _, h in parts])


KINDS = [("GRU", 0), ("GRU", 1), ("RNN", None)]


@pytest.mark.parametrize(("operator", "resets_after"), KINDS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_it_computes_what_the_integers_say(operator, resets_after, direction):
    settings = {} if resets_after is None else {"linear_before_reset": resets_after}
    weights = node_weights(operator, 1 + (direction == "bidirectional"))
    for masked, initial in itertools.product((False, True), repeat=2):
        proto, feeds = model(operator, direction, weights, masked=masked, initial=initial, **settings)
        small = quantized(proto)
        assert operator not in operators(small)
        assert operators(small).count("Scan") == len(weights["w"])
        found = run(small, feeds, ["y", "h"])
        wanted = expected(operator, direction, weights, feeds, resets_after=bool(resets_after))
        for one, other in zip(found, wanted, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("operator", "resets_after"), KINDS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_it_is_the_native_node_but_for_the_rounding_of_activations(operator, resets_after, direction):
    """The native node gets the weights that the integers stand for. What is left is the rounding of `x` and of the
    state, by half of 1/255 of their range; the recurrence here does not amplify it beyond some hundredths."""
    settings = {} if resets_after is None else {"linear_before_reset": resets_after}
    weights = node_weights(operator, 1 + (direction == "bidirectional"))
    proto, feeds = model(operator, direction, weights, **settings)
    whole = {
        name: np.stack([IntegerWeight.for_products(one.T).as_float().T for one in weights[name]]) for name in ("w", "r")
    }
    if resets_after == 0:  # two products of h, each with scales of its own
        both = 2 * UNITS
        whole["r"] = np.concatenate(
            [
                np.stack([IntegerWeight.for_products(one.T).as_float().T for one in weights["r"][:, rows]])
                for rows in (slice(both), slice(both, None))
            ],
            axis=1,
        )
    native, _ = model(operator, direction, weights | whole, **settings)
    small, wanted = (run(one, feeds, ["y", "h"]) for one in (quantized(proto), native))
    empty = LENGTHS == 0
    assert not wanted[1][:, empty].any()  # ONNX Runtime's own node forgets the state of a row without steps
    wanted[1][:, empty] = feeds["initial"][:, empty]
    for one, other in zip(small, wanted, strict=True):
        assert 1e-5 < np.abs(one - other).max() < 0.08
        assert np.abs(one - other).mean() < 0.01
    np.testing.assert_array_equal(small[1][:, empty], wanted[1][:, empty])
    for row, length in enumerate(LENGTHS):
        assert not small[0][length:, :, row].any()


@pytest.mark.parametrize("operator", ["GRU", "RNN"])
@pytest.mark.parametrize("outputs", [("y",), ("y", ""), ("", "h"), ("y", "h")])
def test_one_output_alone_is_as_right_as_both(operator, outputs):
    for direction in DIRECTIONS:
        weights = node_weights(operator, 1 + (direction == "bidirectional"))
        proto, feeds = model(operator, direction, weights, outputs=outputs)
        wanted = dict(zip("yh", expected(operator, direction, weights, feeds, resets_after=False), strict=True))
        names = [name for name in outputs if name]
        small = quantized(proto)
        assert [output.name for output in small.graph.output] == names
        for name, found in zip(names, run(small, feeds), strict=True):
            np.testing.assert_allclose(found, wanted[name], atol=1e-5)


@pytest.mark.parametrize("name", choice.SCAN_ACTIVATIONS)
def test_every_activation_of_the_list_and_another_one_in_each_direction(name):
    weights = {key: 0.5 * value for key, value in node_weights("GRU", 2).items()}
    activations = ("Sigmoid", name, "Softsign", "Tanh")
    proto, feeds = model("GRU", "bidirectional", weights, activations=activations)
    found = run(quantized(proto), feeds, ["y", "h"])
    wanted = expected("GRU", "bidirectional", weights, feeds, activations, resets_after=False)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


def test_a_layer_without_bias():
    weights = {name: weight for name, weight in node_weights("RNN", 1).items() if name != "b"}
    proto, feeds = model("RNN", weights=weights)
    found = run(quantized(proto), feeds, ["y", "h"])
    for one, other in zip(found, expected("RNN", "forward", weights, feeds), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_one_row_one_step_and_other_sizes_than_those_it_was_made_with():
    weights = node_weights("GRU", 1)
    proto, _ = model("GRU", weights=weights, masked=False, initial=False)
    small = quantized(proto)
    for time, batch in ((1, 1), (13, 1), (1, 17)):
        x = array(time, batch, FEATURES, seed=time)
        found = run(small, {"x": x}, ["y", "h"])
        zeros = np.zeros((batch, UNITS), "float32")
        y, h = recurrence(
            "GRU", x, *(weights[k][0] for k in "wrb"), np.full(batch, time), zeros, DEFAULTS["GRU"], resets_after=False
        )
        np.testing.assert_allclose(found[0][:, 0], y, atol=1e-5)
        np.testing.assert_allclose(found[1][0], h, atol=1e-5)


def test_an_activation_that_no_node_computes_is_named():
    proto, _ = model("RNN", activations=["LeakyRelu"])
    (made,) = decisions(proto)
    assert (made.form, made.elements) == ("int8 weights", 7 * 3 + 7 * 7)
    assert "its activation LeakyRelu has no place in a Scan" in made.reason


def test_a_weight_that_the_model_computes_leaves_the_node_as_it_is():
    weights = node_weights("GRU", 1)
    bias = weights.pop("b")
    node = helper.make_node("GRU", ["x", "w", "r", "b"], ["y"], hidden_size=UNITS)
    inputs = {"x": [None, None, FEATURES], "b": [1, 6 * UNITS]}
    proto = make_model([node], inputs, {"y": 4}, weights)
    (made,) = decisions(proto)
    assert (made.form, made.reason) == ("int8 weights", "part of its weights is computed by the model")
    small, whole = (run(one, {"x": X, "b": bias})[0] for one in (quantized(proto), proto))
    np.testing.assert_allclose(small, whole, atol=0.05)
