"""Known traps between TensorFlow and ONNX: each is either right in the exported graph or a clear error."""

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from keras_seq.export import onnx_graph
from keras_seq.export.lowering.markers import Markers

pytestmark = pytest.mark.backend("tensorflow")

BATCH, FEATURES = 2, 17


def random_array(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def exported(function, *arrays):
    """The graph of a function whose first axis is dynamic, and what ONNX Runtime makes of the arrays."""
    specs = [tf.TensorSpec([None, *array.shape[1:]], array.dtype, name=f"input_{i}") for i, array in enumerate(arrays)]
    proto = onnx_graph.convert(function, specs, Markers())
    names = [value.name for value in proto.graph.input]
    onnx_graph.finish(
        proto,
        "traps",
        [(f"given_{i}", ("batch", *array.shape[1:])) for i, array in enumerate(arrays)],
        [(f"made_{i}", _dims(value)) for i, value in enumerate(proto.graph.output)],
    )
    assert len(names) == len(arrays)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return proto, session.run(None, {f"given_{i}": array for i, array in enumerate(arrays)})


def _dims(value):
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else f"made_{i}" for i, d in enumerate(dims))


def three_times(step, x, **options):
    return tf.while_loop(lambda t, h: t < 3, lambda t, h: (t + 1, step(h)), (0, x), **options)[1]


@pytest.mark.parametrize("inside", [True, False], ids=["in a loop", "outside"])
@pytest.mark.parametrize("size", [3, FEATURES], ids=["small", "large"])
def test_eager_constant_from_the_surroundings(inside, size):
    """The converter makes an input of it, that nobody feeds, unless it has 128 elements at most."""
    weights, x = tf.constant(random_array(size, size)), random_array(BATCH, size, seed=2)

    def function(x):
        return [three_times(lambda h: tf.tanh(h @ weights), x) if inside else x @ weights]

    proto, (received,) = exported(function, x)
    assert {value.name for value in proto.graph.input} == {"given_0"}
    expected = x
    for _ in range(3 if inside else 1):
        expected = np.tanh(expected @ weights.numpy()) if inside else expected @ weights.numpy()
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("choose", [tf.where, keras.ops.where], ids=["tf", "keras"])
def test_infinity_in_the_branch_not_taken_of_a_loop(bad, choose):
    """The converter's own form of a choice multiplies both branches by 0 or 1."""
    x = random_array(BATCH, FEATURES)

    def step(h):
        worse = choose(h > 0.5, h * bad, h)
        return choose(tf.math.is_finite(worse), tf.tanh(h), h * 0.25)

    _, (received,) = exported(lambda x: [three_times(step, x)], x)
    expected = x
    for _ in range(3):
        expected = np.where(expected > 0.5, expected * 0.25, np.tanh(expected))
    assert np.isfinite(received).all()
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6)


def test_outputs_have_their_own_names_in_order():
    """The converter calls them Identity:0, Identity_1:0 and so on, by the order of its own."""
    x = random_array(BATCH, FEATURES)
    proto, received = exported(lambda x: [tf.identity(x * 2), tf.identity(x * 3), tf.identity(x * 2)], x)
    assert [value.name for value in proto.graph.output] == ["made_0", "made_1", "made_2"]
    for factor, value in zip((2, 3, 2), received, strict=True):
        np.testing.assert_array_equal(value, x * factor)


@pytest.mark.parametrize("approximate", [True, False])
@pytest.mark.parametrize("inside", [True, False], ids=["in a loop", "outside"])
def test_gelu(inside, approximate):
    """The exact form is traced to Erfc, which ONNX does not have; the converter only logs that."""
    x = random_array(BATCH, FEATURES)

    def gelu(h):
        return keras.activations.gelu(h, approximate=approximate)

    _, (received,) = exported(lambda x: [three_times(gelu, x) if inside else gelu(x)], x)
    expected = x
    for _ in range(3 if inside else 1):
        expected = np.asarray(gelu(expected))
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("multiply", [tf.matmul, keras.ops.matmul], ids=["tf", "keras"])
def test_product_of_four_axes_with_a_matrix(multiply):
    """TensorFlow with oneDNN computes garbage or crashes here in tf.matmul; the graph that is exported is right, one
    product without the detour over two axes."""
    x, weights = random_array(BATCH, 1, 5, FEATURES), tf.Variable(random_array(FEATURES, 3, seed=2))
    proto, (received,) = exported(lambda x: [multiply(x, weights)], x)
    assert onnx_graph.operators(proto) == {"MatMul": 1}
    np.testing.assert_allclose(received, x @ weights.numpy(), rtol=1e-5, atol=1e-5)


def test_state_that_grows():
    x = random_array(BATCH, FEATURES)
    shapes = (tf.TensorShape([]), tf.TensorShape([None, None]))
    _, (received,) = exported(
        lambda x: [three_times(lambda h: tf.concat([h, h[:, -1:] * 2], 1), x, shape_invariants=shapes)], x
    )
    np.testing.assert_array_equal(received, np.concatenate([x, x[:, -1:] * [2, 4, 8]], 1).astype("float32"))


def test_state_that_grows_without_saying_so():
    """Keras' while_loop cannot say so; the error names the state and both shapes, and reaches the user as it is."""

    def function(x):
        grow = lambda t, h: (t + 1, keras.ops.concatenate([h, h[:, -1:]], 1))  # noqa: E731
        return [keras.ops.while_loop(lambda t, h: t < 3, grow, (0, x))[1]]

    with pytest.raises(ValueError, match=r"enters the loop with shape \(None, 17\), but has shape \(None, 18\)"):
        exported(function, random_array(BATCH, FEATURES))
