"""Whole calls of attention: what they compute, against Keras, and what they become."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.lowering.target import Target
from tests.export.attention_graphs import (
    FEATURES,
    HEADS,
    KEY_DIM,
    PLAIN,
    PORTABLE,
    RECENT,
    arrays,
    converted,
    counts,
    symbolic,
)
from tests.export.graphs import Traced, run_keras, run_onnx, with_random_weights
from tests.keras_seq.attention.multi_head_oracle import multi_head_attention, visible_steps

pytestmark = pytest.mark.backend("tensorflow")

OURS, STOCK = keras_seq.MultiHeadAttention, keras.layers.MultiHeadAttention
KINDS = {
    "ours": (OURS, {}),
    "ours-no_bias": (OURS, {"use_bias": False}),
    "ours-wide_values": (OURS, {"value_dim": 5, "output_size": 23}),
    "ours-grouped": (OURS, {"num_heads": 6, "num_key_value_heads": 2}),
    "ours-rotary": (OURS, {"key_dim": 4, "rotary": True}),
    "stock": (STOCK, {}),
    "stock-dropout": (STOCK, {"dropout": 0.5}),
    "stock-wide_values": (STOCK, {"value_dim": 5, "output_shape": 23, "use_bias": False}),
}
# Each in terms of a layer and the inputs by name.
CALLS = {
    "alone": lambda a, i: a(i["x"], i["x"]),
    "causal": lambda a, i: a(i["x"], i["x"], use_causal_mask=True),
    "padded": lambda a, i: a(i["x"], i["x"], value_mask=i["x_mask"]),
    "padded, causal": lambda a, i: a(i["x"], i["x"], value_mask=i["x_mask"], use_causal_mask=True),
    "pairs": lambda a, i: a(i["x"], i["x"], attention_mask=i["pairs"]),
    "all masks": lambda a, i: a(
        i["x"],
        i["x"],
        query_mask=i["x_mask"],
        value_mask=i["x_mask"],
        key_mask=i["x_mask"],
        attention_mask=i["pairs"],
        use_causal_mask=True,
    ),
    "scores": lambda a, i: a(i["x"], i["x"], value_mask=i["x_mask"], return_attention_scores=True),
    "per head": lambda a, i: a(i["x"], i["x"], attention_mask=i["per_head"]),
    "other": lambda a, i: a(i["x"], i["memory"]),
    "other, padded": lambda a, i: a(i["x"], i["memory"], value_mask=i["memory_mask"]),
}
TO_ITSELF = ["alone", "causal", "padded", "padded, causal", "pairs", "all masks"]


def make_layer(kind):
    layer, options = KINDS[kind]
    options = {"num_heads": HEADS, "key_dim": KEY_DIM, **options}
    if options.pop("rotary", False):
        options["rotary"] = keras_seq.RotaryEmbedding()
    return layer(**options)


def model_of(kind, calls):
    """A layer of the kind for each call."""
    inputs = symbolic()
    outputs = [CALLS[call](make_layer(kind), inputs) for call in calls]
    model = keras.Model(list(inputs.values()), keras.tree.flatten(outputs))
    return with_random_weights(model)


def assert_right(model, proto):
    values = arrays([tensor.name for tensor in model.inputs])
    received, expected = run_onnx(proto, values), run_keras(model, values)
    for a, b in zip(received, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "target"),
    [(kind, PLAIN) for kind in KINDS] + [(kind, PORTABLE) for kind in ("ours", "ours-wide_values", "stock-dropout")],
    ids=lambda value: value if isinstance(value, str) else "portable" if value.portable else "fused",
)
def test_every_kind_of_mask_computes_what_keras_does(kind, target):
    heads = 6 if "grouped" in kind else HEADS
    model = model_of(kind, [call for call in CALLS if call != "per head" or heads == HEADS])
    proto, _ = converted(model, target)
    assert_right(model, proto)
    if target is PORTABLE:
        assert {node.domain for node in proto.graph.node} == {""}


@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_a_sequence_that_attends_to_itself_is_one_node_and_its_output(kind):
    proto, (form,) = converted(model_of(kind, ["alone"]))
    assert counts(proto) == {"Attention": 1, "MatMul": 1, "Add": 1}
    assert form.operator == "Attention"


@pytest.mark.parametrize("kind", ["ours", "ours-no_bias", "ours-wide_values", "stock", "stock-dropout"])
def test_masks_that_all_heads_share_stay_in_the_fused_node(kind):
    proto, forms = converted(model_of(kind, TO_ITSELF))
    assert counts(proto)["Attention"] == len(TO_ITSELF)
    assert counts(proto)["Softmax"] == 0
    assert [form.operator for form in forms] == ["Attention"] * len(TO_ITSELF)


@pytest.mark.parametrize(
    ("kind", "call", "target", "reason"),
    [
        ("ours", "scores", PLAIN, "its scores are returned"),
        ("ours", "per head", PLAIN, "its mask is another one for each head"),
        ("ours", "alone", PORTABLE, "portable=True keeps to standard operators"),
        ("ours", "alone", Target(min_onnxruntime="1.16"), "the fused operators need onnxruntime 1.17, and min_onnx"),
        ("ours", "other, padded", PLAIN, "the fused operator reads a mask rightly since onnxruntime 1.22, and min_onn"),
        ("ours-wide_values", "other", PLAIN, "its values are of another size than its keys"),
        ("ours-grouped", "alone", PLAIN, "its heads share keys"),
        ("ours-rotary", "alone", PLAIN, "rotary positions come between"),
        ("stock-dropout", "other, padded", RECENT, "its scores are zero where a query sees nothing"),
    ],
)
def test_what_cannot_be_fused_says_why(kind, call, target, reason):
    proto, (form,) = converted(model_of(kind, [call]), target)
    assert (form.operator, form.reason[: len(reason)]) == ("", reason)
    assert counts(proto)["Softmax"] == 1
    assert counts(proto)["Attention"] + counts(proto)["MultiHeadAttention"] == 0


@pytest.mark.parametrize("kind", ["ours", "stock"])
@pytest.mark.parametrize(
    ("call", "target"), [("other", PLAIN), ("other, padded", RECENT)], ids=["without a mask", "with a mask"]
)
def test_another_sequence_is_fused_where_the_oldest_runtime_can(kind, call, target):
    model = model_of(kind, [call])
    proto, (form,) = converted(model, target)
    assert form.operator == "MultiHeadAttention"
    assert counts(proto)["MultiHeadAttention"] == 1
    assert_right(model, proto)


def test_plain_operators_are_no_more_than_by_hand():
    proto, _ = converted(model_of("ours", ["alone"]), PORTABLE)
    assert counts(proto) == {
        "MatMul": 4,  # one product for queries, keys and values
        "Add": 2,
        "Split": 1,
        "Reshape": 4,
        "Transpose": 4,
        "Softmax": 1,
    }


def test_heads_that_share_keys_repeat_nothing():
    proto, _ = converted(model_of("ours-grouped", ["alone"]))
    assert counts(proto)["MatMul"] == 4
    assert not {"Expand", "Tile", "Gather"} & set(counts(proto))


def test_layers_of_one_mask_compute_it_once():
    inputs = symbolic()
    x = keras.layers.Masking()(inputs["x"])
    for _ in range(3):
        x = make_layer("stock")(x, x)
    assert counts(converted(keras.Model([inputs["x"]], x))[0])["And"] == 1


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("target", [PLAIN, PORTABLE], ids=["fused", "portable"])
def test_rows_that_see_nothing_attend_evenly_however_large_the_scores(causal, target):
    """Against NumPy, one head of one query at a time."""
    inputs = symbolic()
    layer = keras_seq.MultiHeadAttention(HEADS, 3)
    y = layer(inputs["x"], value_mask=inputs["x_mask"], use_causal_mask=causal)
    model = with_random_weights(keras.Model([inputs["x"], inputs["x_mask"]], y))
    values = arrays(["x", "x_mask"])
    values["x"] *= 30
    (received,) = run_onnx(converted(model, target)[0], values)
    weights = {weight.name: weight.numpy() for weight in layer.weights}
    visible = visible_steps((3, HEADS, 5, 5), values["x_mask"], causal=causal)
    expected, _ = multi_head_attention(weights, values["x"], values["x"], values["x"], visible)
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-4)  # values up to 400


def test_one_query_one_head_and_one_step():
    """Axes of one element, which the converter simplifies."""
    x = keras.Input((1, FEATURES), name="x")
    layers = [keras_seq.MultiHeadAttention(heads, 4, num_key_value_heads=1) for heads in (1, 3)]
    model = with_random_weights(keras.Model([x], [layer(x) for layer in layers]))
    proto, _ = converted(model, PORTABLE)
    inputs = {"x": np.random.default_rng(0).normal(size=(3, 1, FEATURES)).astype("float32")}
    for a, b in zip(run_onnx(proto, inputs), run_keras(model, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_attention_over_two_axes_is_left_to_the_converter():
    """Traced only: the converter takes 40 seconds for its products over so many axes."""
    x = keras.Input((None, 3, FEATURES), name="x")
    traced = Traced(keras.Model([x], keras.layers.MultiHeadAttention(2, 4, attention_axes=(1, 2))(x, x))).trace()
    assert traced.written == []


@pytest.mark.parametrize("rotary", [False, True], ids=["plain", "rotary"])
def test_layers_of_one_padding_mask_share_all_that_follows_from_it(rotary):
    inputs = symbolic()
    x = inputs["x"]
    for _ in range(3):
        options = {"rotary": keras_seq.RotaryEmbedding()} if rotary else {}
        x = keras_seq.MultiHeadAttention(HEADS, 4, **options)(x, value_mask=inputs["x_mask"], use_causal_mask=True)
    model = with_random_weights(keras.Model([inputs["x"], inputs["x_mask"]], x))
    proto, _ = converted(model, PORTABLE)
    found = counts(proto)
    assert (found["Greater"], found["Range"], found["Sub"]) == (1, 1, 1)
    assert (found["Sin"], found["Cos"]) == ((1, 1) if rotary else (0, 0))
    assert_right(model, proto)
