"""Causal attention in chunks: any cut is the whole, what was masked stays hidden, and what cannot stream says why."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export import StreamingError
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import find_states
from tests.export.graphs import random_array, with_random_weights
from tests.export.step_graph import BATCH, CUTS, MASK, TIME, Step, random_cuts

pytestmark = pytest.mark.backend("tensorflow")

FEATURES = 3

ARGUMENTS = {
    "plain": {},
    "values of another size": {"value_dim": 5, "use_bias": False},
    "grouped": {"num_key_value_heads": 2},
    "rotary": {"num_key_value_heads": 1, "rotary": True},
}


def attention(name="look", rotary=False, **arguments):
    rotary = keras_seq.RotaryEmbedding() if rotary else None
    return keras_seq.MultiHeadAttention(num_heads=4, key_dim=2, rotary=rotary, name=name, **arguments)


def attending_model(layer, masked=True):
    """The layer on its own, with a mask that each step of each row may be hidden by."""
    signal, mask = keras.Input((None, FEATURES), name="signal"), keras.Input((None,), dtype="bool", name="mask")
    if not masked:
        return with_random_weights(keras.Model(signal, layer(signal, use_causal_mask=True)))
    return with_random_weights(keras.Model([signal, mask], layer(signal, query_mask=mask, use_causal_mask=True)))


def states_of(model):
    return {state.name: state.shape for state in find_states(model, model_signature(model))}


@pytest.mark.parametrize("onnx", [True, False], ids=["onnx", "tensorflow"])
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_any_way_of_cutting_gives_what_the_whole_gives(arguments, onnx):
    model = attending_model(attention(**arguments))
    step = Step(model, onnx)
    inputs = {"signal": random_array(BATCH, TIME, FEATURES), "mask": MASK}
    (whole,) = step.run(inputs, [0, TIME])
    np.testing.assert_allclose(whole, model(list(inputs.values())), rtol=1e-5, atol=2e-6)
    for label, bounds in CUTS.items():
        np.testing.assert_allclose(step.run(inputs, bounds)[0], whole, rtol=1e-6, atol=1e-6, err_msg=label)


@pytest.mark.parametrize("batch", [1, 7])
def test_without_a_mask_keys_and_values_are_all_there_is(batch):
    model = attending_model(attention(num_key_value_heads=2, value_dim=5), masked=False)
    step = Step(model)
    assert {state.name: state.shape for state in step.states} == {
        "look.keys": (2, "past", 2),
        "look.values": (2, "past", 5),
    }
    inputs = {"signal": random_array(batch, TIME, FEATURES)}
    for bounds in CUTS.values():
        np.testing.assert_allclose(step.run(inputs, bounds)[0], model(inputs["signal"]), rtol=1e-5, atol=2e-6)


def test_what_was_masked_stays_hidden_whatever_it_held():
    step = Step(attending_model(attention()))
    inputs = {"signal": random_array(BATCH, TIME, FEATURES), "mask": MASK}
    spoilt = {**inputs, "signal": np.where(MASK[:, :, None], inputs["signal"], 7.0).astype("float32")}
    valid = MASK & MASK.any(axis=1, keepdims=True)
    (expected,), (received,) = step.run(inputs, random_cuts(1)), step.run(spoilt, random_cuts(1))
    np.testing.assert_allclose(received[valid], expected[valid], rtol=1e-6, atol=1e-6)


def test_inputs_and_outputs_of_a_state_that_grows_do_not_share_a_dimension():
    graph = Step(attending_model(attention())).graph
    dims = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    assert dims["look.keys"] == ["batch", 4, "past", 2]
    assert dims["look.keys.next"] == ["batch", 4, "past + time", 2]
    assert dims["look.bias"] == ["batch", "past"]
    assert dims["look.bias.next"] == ["batch", "past + time"]


def test_layers_that_share_a_mask_carry_it_once():
    signal, mask = keras.Input((None, FEATURES), name="signal"), keras.Input((None,), dtype="bool", name="mask")
    x = attention("first")(signal, query_mask=mask, use_causal_mask=True)
    x = attention("second")(x, x, value_mask=mask, use_causal_mask=True)
    other = keras.ops.logical_not(mask)
    model = keras.Model([signal, mask], attention("third")(x, query_mask=other, use_causal_mask=True))
    growing = {name: shape for name, shape in states_of(model).items() if name.endswith("bias")}
    assert growing == {"first.bias": ("past",), "third.bias": ("past",)}


def test_mask_that_the_tensor_carries_is_found():
    ids = keras.Input((None,), dtype="int32", name="ids")
    layer = attention()
    x = keras.layers.Embedding(7, FEATURES, mask_zero=True)(ids)
    model = with_random_weights(keras.Model(ids, layer(x, use_causal_mask=True)))
    assert "look.bias" in states_of(model)
    tokens = np.where(MASK, np.random.default_rng(2).integers(1, 7, MASK.shape), 0).astype("int32")
    (received,) = Step(model).run({"ids": tokens}, random_cuts(4))
    np.testing.assert_allclose(received, model(tokens), rtol=1e-5, atol=2e-6)


def test_second_call_of_a_layer_has_a_past_of_its_own():
    signal = keras.Input((None, FEATURES), name="signal")
    layer = attention(rotary=True)
    model = with_random_weights(keras.Model(signal, layer(layer(signal, use_causal_mask=True), use_causal_mask=True)))
    step = Step(model)
    names = [f"look{call}.{state}" for call in ("", ".call_2") for state in ("keys", "values")]
    assert [state.name for state in step.states] == names
    inputs = {"signal": random_array(BATCH, TIME, FEATURES)}
    # Values up to 17, of which float32 itself is up to 1.4e-5 away from float64 here.
    np.testing.assert_allclose(step.run(inputs, random_cuts(2))[0], model(inputs["signal"]), rtol=1e-5, atol=1e-5)


def test_states_of_a_stack_are_called_by_block_and_layer():
    signal = keras.Input((None, 6), name="signal")
    decoder = keras_seq.TransformerDecoder(2, 3, 7, cross_attention=False, name="decoder")
    assert list(states_of(keras.Model(signal, decoder(signal)))) == [
        "decoder.position_encoding.position",
        "decoder.block_0.self_attention.keys",
        "decoder.block_0.self_attention.values",
        "decoder.block_1.self_attention.keys",
        "decoder.block_1.self_attention.values",
    ]


def test_attention_within_one_step_of_the_stream_may_look_anywhere():
    characters = keras.Input((None, 5, FEATURES), name="characters")
    inner = keras.Input((5, FEATURES))
    spelling = keras.Model(inner, keras.layers.Flatten()(attention("inner")(inner)))
    x = keras.layers.TimeDistributed(spelling)(characters)
    model = with_random_weights(keras.Model(characters, attention("words")(x, use_causal_mask=True)))
    step = Step(model)
    assert [state.name for state in step.states] == ["words.keys", "words.values"]
    inputs = {"characters": 0.1 * random_array(2, TIME, 5, FEATURES)}
    expected = step.run(inputs, [0, TIME])[0]
    np.testing.assert_allclose(expected, model(inputs["characters"]), rtol=1e-5, atol=1e-5)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(step.run(inputs, random_cuts(5))[0], expected, rtol=1e-6, atol=1e-6 * largest)


# Keras' own layer.


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_stock_layer_streams_where_no_mask_reaches_it(dropout):
    signal = keras.Input((None, FEATURES), name="signal")
    layer = keras.layers.MultiHeadAttention(num_heads=4, key_dim=2, value_dim=5, dropout=dropout, name="look")
    model = with_random_weights(keras.Model(signal, layer(signal, signal, use_causal_mask=True)))
    step = Step(model)
    assert {state.name: state.shape for state in step.states} == {
        "look.keys": ("past", 4, 2),
        "look.values": ("past", 4, 5),
    }
    inputs = {"signal": random_array(BATCH, TIME, FEATURES)}
    (whole,) = step.run(inputs, [0, TIME])
    np.testing.assert_allclose(whole, model(inputs["signal"]), rtol=1e-5, atol=2e-6)
    for label, bounds in CUTS.items():
        np.testing.assert_allclose(step.run(inputs, bounds)[0], whole, rtol=1e-6, atol=1e-6, err_msg=label)


# Refusals.


class Sharper(keras_seq.MultiHeadAttention):
    """Computes something of its own."""

    def call(self, query, value=None, key=None, **arguments):
        return super().call(2.0 * query, value, key, **arguments)


def refusal_of(layer, *others, **arguments):
    """The message for a model in which the layer is called so."""
    signal = keras.Input((None, FEATURES), name="signal")
    outputs = keras.tree.flatten(layer(signal, *[make(signal) for make in others], **arguments))
    model = keras.Model(signal, outputs[0], name="tagger")
    with pytest.raises(StreamingError, match=r"model 'tagger' cannot stream:\n") as raised:
        find_states(model, model_signature(model))
    return str(raised.value)


@pytest.mark.parametrize("kind", [keras_seq.MultiHeadAttention, keras.layers.MultiHeadAttention], ids=["ours", "stock"])
@pytest.mark.parametrize(
    ("others", "arguments", "reason"),
    [
        ([lambda x: x], {}, r"it attends to steps ahead; call it with use_causal_mask=True"),
        ([lambda x: x + 1.0], {"use_causal_mask": True}, r"it attends to another sequence, which it needs whole"),
        (
            [lambda x: x],
            {"use_causal_mask": True, "attention_mask": np.ones((1, 1, 1), bool)},
            r"its attention_mask is made for whole sequences",
        ),
        (
            [lambda x: x],
            {"use_causal_mask": True, "return_attention_scores": True},
            r"it returns its attention scores, which are those of the whole sequence",
        ),
    ],
    ids=["ahead", "cross", "mask", "scores"],
)
def test_attention_that_needs_the_whole_is_refused_by_name(kind, others, arguments, reason):
    message = refusal_of(kind(num_heads=2, key_dim=2, name="look"), *others, **arguments)
    assert f"layer 'look' (MultiHeadAttention): {reason}" in message


def test_attention_that_computes_something_of_its_own_is_refused_by_name():
    message = refusal_of(Sharper(2, 2, name="look"), use_causal_mask=True)
    assert "layer 'look' (Sharper): Sharper.call is its own, so what it computes is unknown" in message


def test_encoder_is_refused_by_each_of_its_attentions():
    message = refusal_of(keras_seq.TransformerEncoder(2, 3, 7, name="encoder"))
    for block in (0, 1):
        assert f"layer 'encoder.block_{block}.attention' (MultiHeadAttention): it attends to steps ahead" in message


def test_decoder_that_attends_to_a_memory_is_refused_by_its_cross_attention():
    message = refusal_of(keras_seq.TransformerDecoder(1, 3, 7, name="decoder"), lambda x: x + 1.0)
    assert "layer 'decoder.block_0.cross_attention' (MultiHeadAttention): it attends to another sequence" in message
    assert "self_attention" not in message


def test_stock_layer_is_refused_where_a_mask_reaches_it():
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(7, FEATURES, mask_zero=True)(ids)
    layer = keras.layers.MultiHeadAttention(2, 2, name="look")
    model = keras.Model(ids, layer(x, x, use_causal_mask=True))
    with pytest.raises(
        StreamingError, match=r"layer 'look' .* steps ahead included; keras_seq.MultiHeadAttention does"
    ):
        find_states(model, model_signature(model))


def test_stock_layer_with_more_than_the_books_say_is_refused():
    layer = keras.layers.MultiHeadAttention(2, 2, sliding_window=3, name="look")
    message = refusal_of(layer, lambda x: x, use_causal_mask=True)
    assert "layer 'look' (MultiHeadAttention): its past is carried without gate, sliding window and" in message
