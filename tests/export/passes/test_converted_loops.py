"""The passes on what the converter really writes: Keras' recurrent loops, and decoders with attention.

The bounds on the nodes of a body are what is reached; decoders of this kind written by hand, in ONNX, have 34 and 49
nodes with products and biases in one node each, which takes two more here.
"""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from keras_seq.export import onnx_graph
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.passes.optimise import optimise
from tests.export.passes.loops import bodies, check_same, copy_of, random_array

pytestmark = pytest.mark.backend("tensorflow")

VOCABULARY, UNITS, BEAMS, LIMIT, END = 23, 5, 3, 7, 2


def converted(function, specs, monkeypatch):
    """A function as the converter writes it, and after the passes."""
    monkeypatch.setattr(onnx_graph, "optimise", lambda proto, portable: {})
    before = onnx_graph.convert(function, specs, Markers())
    before.ir_version = onnx_graph.IR_VERSION
    after = copy_of(before)
    optimise(after)
    assert optimise(copy_of(after)) == {}
    return before, after


def counts(proto):
    return [len(body) for body in bodies(proto)]


@pytest.mark.parametrize(("kind", "most"), [("GRU", 21), ("LSTM", 20), ("SimpleRNN", 9)])
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_masked_recurrent_loop(kind, most, backwards, monkeypatch):
    source = keras.Input((None, 3))
    layer = getattr(keras.layers, kind)(UNITS, return_sequences=True, go_backwards=backwards, bias_initializer="normal")
    model = keras.Model(source, layer(keras.layers.Masking()(source)))
    spec = tf.TensorSpec([None, None, 3], name="x")
    before, after = converted(lambda x: [tf.identity(model(x))], [spec], monkeypatch)
    assert counts(after)[0] <= most < counts(before)[0]
    x = random_array(2, 7, 3)
    x[0, 4:] = 0
    name = after.graph.input[0].name
    check_same(before, after, *({name: x[:, :steps]} for steps in (1, 7)), rtol=1e-5, atol=1e-6)


class Decoder:
    """A GRU decoder with additive attention, in plain TensorFlow."""

    def __init__(self):
        def variable(*shape, seed):
            return tf.Variable(random_array(*shape, seed=seed))

        self.table, self.context = variable(VOCABULARY, 3 * UNITS, seed=2), variable(UNITS, 3 * UNITS, seed=3)
        self.hidden, self.bias = variable(UNITS, 4 * UNITS, seed=4), variable(4 * UNITS, seed=5)
        self.score, self.output = variable(UNITS, 1, seed=6), variable(UNITS, VOCABULARY, seed=7)

    def step(self, tokens, h, memory, keys, beams):
        query, zr, n = tf.split(h @ self.hidden + self.bias, [UNITS, 2 * UNITS, UNITS], 1)
        energies = keras.ops.matmul(tf.tanh(tf.reshape(query, [-1, beams, 1, UNITS]) + keys), self.score)
        context = tf.reshape(tf.nn.softmax(tf.squeeze(energies, -1)) @ memory, [-1, UNITS])
        x_zr, x_n = tf.split(tf.gather(self.table, tokens) + context @ self.context, [2 * UNITS, UNITS], 1)
        z, r = tf.split(tf.sigmoid(x_zr + zr), 2, 1)
        candidate = tf.tanh(x_n + r * n)
        h = candidate + z * (h - candidate)
        return h @ self.output, h

    def greedy(self, memory):
        rows, keys = tf.shape(memory)[0], memory[:, None] * 0.5
        written = tf.TensorArray(tf.int64, size=0, dynamic_size=True, element_shape=[None])

        def body(t, tokens, h, done, written):
            logits, h = self.step(tokens, h, memory, keys, 1)
            tokens = tf.where(done, np.int64(0), tf.argmax(logits, 1))
            return t + 1, tokens, h, done | tf.equal(tokens, END), written.write(t, tokens)

        first = tf.fill([rows], np.int64(1)), memory[:, 0], tf.zeros([rows], tf.bool)
        going = lambda t, tokens, h, done, written: (t < LIMIT) & ~tf.reduce_all(done)  # noqa: E731
        return [tf.identity(tf.while_loop(going, body, (0, *first, written))[4].stack())]

    def beam(self, memory):
        batch, keys = tf.shape(memory)[0], memory[:, None] * 0.5
        rows = batch * BEAMS
        only_first = tf.constant([[0.0] + [-1e9] * (BEAMS - 1)])
        base = tf.range(batch)[:, None] * BEAMS

        def body(t, tokens, h, scores, done, ids):
            logits, h = self.step(tokens, h, memory, keys, BEAMS)
            values, best = tf.math.top_k(tf.nn.log_softmax(logits), BEAMS)
            values = tf.reshape(tf.where(done, only_first, values) + scores, [-1, BEAMS**2])
            best = tf.reshape(tf.where(done, 0, best), [-1, BEAMS**2])
            scores, chosen = tf.math.top_k(values, BEAMS)
            parents = tf.reshape(chosen // BEAMS + base, [-1])
            tokens = tf.cast(tf.reshape(tf.gather(best, chosen, batch_dims=1), [-1]), tf.int64)
            done = ((tokens == END) | (tokens == 0))[:, None]
            ids = tf.concat([tf.gather(ids, parents), tokens[:, None]], 1)
            return t + 1, tokens, tf.gather(h, parents), tf.reshape(scores, [-1, 1]), done, ids

        first = (
            tf.fill([rows], np.int64(1)),
            tf.repeat(memory[:, 0], BEAMS, 0),
            tf.reshape(tf.tile(only_first, [batch, 1]), [-1, 1]),
            tf.zeros([rows, 1], tf.bool),
            tf.zeros([rows, 0], tf.int64),
        )
        going = lambda t, tokens, h, scores, done, ids: (t < LIMIT) & ~tf.reduce_all(done)  # noqa: E731
        shapes = [tf.TensorShape(s) for s in ([], [None], [None, UNITS], [None, 1], [None, 1], [None, None])]
        _, _, _, scores, _, ids = tf.while_loop(going, body, (0, *first), shape_invariants=tuple(shapes))
        return [tf.identity(ids), tf.identity(scores)]


@pytest.mark.parametrize(("search", "most"), [("greedy", 36), ("beam", 53)])
def test_decode_loop(search, most, monkeypatch):
    decoder = Decoder()
    spec = tf.TensorSpec([None, None, UNITS], name="memory")
    before, after = converted(getattr(decoder, search), [spec], monkeypatch)
    (body,) = counts(after)
    assert body <= most < counts(before)[0]
    (loop,) = [node for node in after.graph.node if node.op_type == "Loop"]
    assert next(tensor for tensor in after.graph.initializer if tensor.name == loop.input[0]).dims == []
    assert len(loop.input) == {"greedy": 2 + 3, "beam": 2 + 5}[search]  # neither weights nor a counter
    assert _loop_reads_weights(after, loop)
    name = after.graph.input[0].name
    feeds = [{name: random_array(batch, steps, UNITS, seed=batch)} for batch, steps in ((1, 1), (3, 4), (2, 11))]
    check_same(before, after, *feeds, rtol=1e-4, atol=1e-5)


def _loop_reads_weights(proto: onnx.ModelProto, loop: onnx.NodeProto) -> bool:
    """Whether every product with a matrix in the body reads it as a constant of the model."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    (body,) = [a.g for a in loop.attribute if a.name == "body"]
    inputs = {value.name for value in body.input}
    weights = [node.input[1] for node in body.node if node.op_type == "MatMul"]
    return not inputs & set(weights) and len(constants & set(weights)) == len(weights) - 1  # but for the memory
