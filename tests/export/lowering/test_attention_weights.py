"""Whose weights are taken, and what is left to the converter because it is not known."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.attention_weights import attention_weights
from keras_seq.export.lowering.layer_note import layer_notes
from tests.export.attention_graphs import FEATURES, converted
from tests.export.graphs import random_array, run_keras, run_onnx, with_random_weights

pytestmark = pytest.mark.backend("tensorflow")


class Averaging(keras.layers.MultiHeadAttention):
    def _compute_attention(self, query, key, value, attention_mask=None, training=None, *args, **kwargs):
        return query + keras.ops.mean(value, axis=1, keepdims=True), None


class Own(keras_seq.MultiHeadAttention):
    def attend(self, query, memory, *args, **kwargs):
        return 2 * super().attend(query, memory, *args, **kwargs)


class Renamed(keras_seq.MultiHeadAttention):
    """Computes what its base class does."""


def built(layer):
    x = np.zeros((2, 3, FEATURES), "float32")
    layer(x, x)
    return layer


def quantised():
    layer = built(keras.layers.MultiHeadAttention(2, 4))
    layer.query_dense.quantize("int8")
    return layer


def adapted():
    layer = built(keras.layers.MultiHeadAttention(2, 4))
    layer.query_dense.enable_lora(1)
    return layer


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: built(Averaging(2, 4)), "Averaging._compute_attention is its own"),
        (lambda: built(Own(2, 4)), "Own.attend is its own"),
        (lambda: built(keras.layers.MultiHeadAttention(2, 4, use_gate=True)), "its context goes through a gate"),
        (lambda: built(keras.layers.GroupQueryAttention(4, 2, 1, use_gate=True)), "its context goes through a gate"),
        (lambda: built(keras.layers.MultiHeadAttention(2, 4, output_shape=(3, 5))), "its outputs have several axes"),
        (quantised, "its projections are quantised or have adapters"),
        (adapted, "its projections are quantised or have adapters"),
    ],
    ids=["subclass of theirs", "subclass of ours", "gate", "grouped gate", "several axes", "quantised", "adapted"],
)
def test_what_is_not_known_has_a_reason_and_stays_traced(make, reason):
    layer = make()
    with pytest.raises(NotNativeError, match=reason):
        attention_weights(layer)
    (note,) = layer_notes(layer)
    assert (note.lowering, note.operators) == ("traced", {})
    assert note.reason.startswith(reason)


@pytest.mark.parametrize("layer", [Averaging(2, 4), Own(2, 4)], ids=lambda layer: type(layer).__name__)
def test_what_is_not_known_is_exported_as_it_computes(layer):
    x = keras.Input((None, FEATURES), name="x")
    model = with_random_weights(keras.Model([x], layer(x, x)))
    proto, _ = converted(model)
    inputs = {"x": random_array(3, 5, FEATURES)}
    np.testing.assert_allclose(run_onnx(proto, inputs)[0], run_keras(model, inputs)[0], rtol=1e-5, atol=1e-5)


def test_subclass_that_changes_nothing_is_known():
    assert attention_weights(built(Renamed(2, 4))).num_heads == 2


@pytest.mark.parametrize(
    "layer",
    [
        keras_seq.MultiHeadAttention(6, 4, num_key_value_heads=2, value_dim=3),
        keras.layers.MultiHeadAttention(6, 4, value_dim=3),
        keras.layers.GroupQueryAttention(4, 6, 2),
    ],
    ids=["ours", "stock", "grouped"],
)
def test_weights_are_flat_and_the_scores_factor_can_be_folded_in(layer):
    weights = attention_weights(with_random_weights(built(layer)))
    shared, value_dim = weights.num_key_value_heads, weights.value_dim
    assert (weights.num_heads, weights.key_dim, weights.is_grouped) == (6, 4, shared != 6)
    assert weights.sizes("query", "key", "value") == [24, 4 * shared, value_dim * shared]
    assert weights.kernels["output"].shape == (6 * value_dim, FEATURES)
    kernel, bias = weights.packed("query", "key", scaled=True)
    np.testing.assert_array_equal(kernel[:, :24], weights.kernels["query"] * 0.5)
    np.testing.assert_array_equal(kernel[:, 24:], weights.kernels["key"])
    np.testing.assert_array_equal(bias[:24], weights.biases["query"] * 0.5)


def test_packed_weights_without_biases_have_none():
    assert attention_weights(built(keras_seq.MultiHeadAttention(2, 4, use_bias=False))).packed("query")[1] is None
