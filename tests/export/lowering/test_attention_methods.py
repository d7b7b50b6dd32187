"""Attention in parts, inside a loop as decoders use it: over a cache that grows, and to a memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_seq
from keras_seq.attention import KeyValues, padding_bias
from keras_seq.export import onnx_graph
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.lowering.swap import swapped_calls
from keras_seq.export.lowering.trace import Trace
from tests.export.attention_graphs import BATCH, HEADS, MEMORY, PLAIN, PORTABLE, RECENT, arrays
from tests.export.graphs import random_array, run_onnx, with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

FEATURES, BEAMS, STEPS = 5, 2, 3


class Decoder(keras.Model):
    """Attends to all it has made and to a memory, `STEPS` times."""

    def __init__(self, biased, **options):
        super().__init__()
        self.biased = biased
        self.to_itself = keras_seq.MultiHeadAttention(HEADS, 4, name="to_itself", **options)
        self.to_memory = keras_seq.MultiHeadAttention(
            HEADS, 4, name="to_memory", output_size=FEATURES, **{**options, "rotary": None}
        )
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.to_itself.build((None, BEAMS, FEATURES))
        self.to_memory.build((None, BEAMS, FEATURES), (None, None, MEMORY))
        self.norm.build((None, BEAMS, FEATURES))

    def call(self, x, memory, memory_mask):
        looked_at = self.to_memory.project_memory(memory)
        memory_bias = padding_bias(memory_mask) if self.biased else None

        def body(step, h, keys, values):
            steps = tf.shape(keys)[2] + BEAMS
            bias = -0.3 * tf.cast(tf.range(steps), tf.float32)[None, None, None] if self.biased else None
            positions = None if self.to_itself.rotary is None else tf.stack([2 * step, 2 * step + 1])
            outputs, cache = self.to_itself.step(self.norm(h), KeyValues(keys, values), bias, positions)
            h = h + outputs
            h = h + self.to_memory.attend(h, looked_at, memory_bias)
            return step + 1, tf.ensure_shape(h, [None, BEAMS, FEATURES]), *cache

        cache = self.to_itself.empty_cache(tf.shape(x)[0])
        grows = [tf.TensorShape([None, tensor.shape[1], None, tensor.shape[3]]) for tensor in cache]
        shapes = (tf.TensorShape([]), tf.TensorShape([None, BEAMS, FEATURES]), *grows)
        state = tf.while_loop(lambda step, *_: step < STEPS, body, (0, x, *cache), shape_invariants=shapes)
        return [state[1], state[2]]


def exported(model, target):
    trace = Trace(Markers(target))

    def function(*tensors):
        with swapped_calls(model, trace):
            return [tf.identity(tensor) for tensor in model.call(*tensors)]

    shapes = {"x": (BEAMS, FEATURES), "memory": ("source", MEMORY), "memory_mask": ("source",)}
    specs = [
        tf.TensorSpec([None, *(size if isinstance(size, int) else None for size in shape)], dtype, name=f"input_{i}")
        for i, (shape, dtype) in enumerate(zip(shapes.values(), ["float32", "float32", "bool"], strict=True))
    ]
    proto = onnx_graph.convert(function, specs, trace.markers)
    outputs = [("h", ("batch", BEAMS, FEATURES)), ("keys", ("batch", "heads", "steps", 4))]
    onnx_graph.finish(proto, "decoder", [(name, ("batch", *shape)) for name, shape in shapes.items()], outputs)
    return proto, trace.markers.forms


def body_counts(proto):
    (loop,) = [node for node in proto.graph.node if node.op_type == "Loop"]
    (body,) = [attribute.g for attribute in loop.attribute if attribute.name == "body"]
    operators = [node.op_type for node in body.node]
    return {operator: operators.count(operator) for operator in operators}


def make(biased, **options):
    model = Decoder(biased, **options)
    inputs = {"x": random_array(BATCH, BEAMS, FEATURES), **arrays(["memory", "memory_mask"])}
    return with_random_weights(model), inputs


KINDS = {
    "plain": {},
    "wide values": {"value_dim": 7},
    "grouped": {"num_key_value_heads": 1},
    "rotary": {"rotary": keras_seq.RotaryEmbedding()},
}


@pytest.mark.parametrize(
    ("kind", "biased", "target"),
    [("plain", biased, target) for biased in (False, True) for target in (PLAIN, RECENT, PORTABLE)]
    + [(kind, True, PLAIN) for kind in ("wide values", "grouped", "rotary")],
)
def test_a_loop_over_a_growing_cache_computes_what_keras_does(kind, biased, target):
    model, inputs = make(biased, **KINDS[kind])
    expected = model.call(*(tf.constant(value) for value in inputs.values()))
    for a, b in zip(run_onnx(exported(model, target)[0], inputs), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize(
    ("biased", "target"), [(False, PLAIN), (True, RECENT)], ids=["no bias", "bias, onnxruntime 1.22"]
)
def test_a_step_is_few_nodes_where_attention_is_fused(biased, target):
    proto, forms = exported(make(biased)[0], target)
    found = body_counts(proto)
    assert [form.operator for form in forms.values()] == ["MultiHeadAttention"] * 2
    assert found["MultiHeadAttention"] == 2
    assert found["MatMul"] == 4  # queries, keys and values; the output; the query; the output
    assert found["LayerNormalization"] == 1
    assert {"Softmax", "Reshape", "Transpose"} & set(found) == set()


def test_a_bias_is_not_left_to_runtimes_that_misread_it():
    proto, forms = exported(make(True)[0], PLAIN)
    assert {form.operator for form in forms.values()} == {""}
    assert {form.reason.partition(" since ")[2][:16] for form in forms.values()} == {"onnxruntime 1.22"}
    assert body_counts(proto)["Softmax"] == 2


def test_keys_of_the_memory_are_turned_once_and_not_at_every_step():
    found = body_counts(exported(make(True)[0], PORTABLE)[0])
    # Of itself: queries, keys, values, all keys, context. Of the memory: the query and its context alone.
    assert found["Transpose"] == 7


def test_cache_of_another_layer_is_refused():
    layer = keras_seq.MultiHeadAttention(HEADS, 4)
    layer(np.zeros((1, 2, FEATURES), "float32"))
    model = keras.Sequential([keras.Input((2, FEATURES)), layer])
    with (
        swapped_calls(model, Trace(Markers())),
        pytest.raises(ValueError, match=r"must have the shape .*start from its `empty_cache`"),
    ):
        layer.step(tf.zeros([1, 1, FEATURES]), KeyValues(tf.zeros([1, 3, 0, 4]), tf.zeros([1, 3, 0, 4])))


def test_methods_are_put_back():
    model, _ = make(False)
    before = [set(vars(layer)) for layer in (model.to_itself, model.to_memory)]
    exported(model, PLAIN)
    assert [set(vars(layer)) for layer in (model.to_itself, model.to_memory)] == before
