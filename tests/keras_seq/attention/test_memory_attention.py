import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from tests.keras_seq.attention.cases import (
    ATTENTIONS,
    BATCH,
    HALF,
    MEMORY_FEATURES,
    MEMORY_MASK,
    STEPS,
    UNITS,
    assert_all_close,
    attention_with_random_weights,
    normal,
    numpy,
    values,
)
from tests.keras_seq.attention.oracle import attend_all

QUERIES = 3


def queries(name, *leading):
    return normal(*leading, ATTENTIONS[name][2], seed=5)


@pytest.mark.smoke
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_scores_and_contexts_are_those_of_the_equations(name, masked):
    layer = attention_with_random_weights(name)
    query, mask = queries(name, BATCH, QUERIES), MEMORY_MASK if masked else np.ones_like(MEMORY_MASK)
    expected = attend_all(ATTENTIONS[name][1](layer.get_weights()), query, values(), mask)
    received = layer(query, values(), values_mask=MEMORY_MASK if masked else None, return_attention_scores=True)
    assert_all_close(numpy(received), expected)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_one_query_is_as_a_sequence_of_one(name):
    layer, query = attention_with_random_weights(name), queries(name, BATCH)
    received = layer(query, values(), values_mask=MEMORY_MASK, return_attention_scores=True)
    expected = layer(query[:, None], values(), values_mask=MEMORY_MASK, return_attention_scores=True)
    assert [tuple(tensor.shape) for tensor in received] == [(BATCH, MEMORY_FEATURES), (BATCH, STEPS)]
    assert_all_close(numpy(received), [tensor[:, 0] for tensor in numpy(expected)])
    np.testing.assert_array_equal(numpy(layer(query, values(), values_mask=MEMORY_MASK)), numpy(received)[0])


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attend_on_a_prepared_memory_is_the_call(name):
    layer, query = attention_with_random_weights(name), queries(name, BATCH, QUERIES)
    memory = layer.prepare(values(), MEMORY_MASK)
    rows = query.reshape(BATCH * QUERIES, -1)
    received = layer.attend(rows, memory, queries_per_source=QUERIES)
    expected = numpy(layer(query, values(), values_mask=MEMORY_MASK, return_attention_scores=True))
    assert [tuple(tensor.shape) for tensor in received] == [
        (BATCH * QUERIES, MEMORY_FEATURES),
        (BATCH * QUERIES, STEPS),
    ]
    assert_all_close(numpy(received), [tensor.reshape(BATCH * QUERIES, -1) for tensor in expected])
    given = layer.attend(rows, memory, layer.step_weights(), queries_per_source=QUERIES)
    np.testing.assert_array_equal(numpy(given[1]), numpy(received[1]))


@pytest.mark.parametrize("name", ATTENTIONS)
def test_masked_values_have_no_influence(name):
    layer, query = attention_with_random_weights(name), queries(name, BATCH, QUERIES)
    other = np.where(MEMORY_MASK[:, :, None], values(), 100.0).astype("float32")
    context, scores = numpy(layer(query, other, values_mask=MEMORY_MASK, return_attention_scores=True))
    assert_all_close([context], [numpy(layer(query, values(), values_mask=MEMORY_MASK))])
    assert not scores[np.broadcast_to(~MEMORY_MASK[:, None], scores.shape)].any()
    np.testing.assert_allclose(
        scores.sum(axis=-1), np.broadcast_to(MEMORY_MASK.any(axis=1)[:, None], (BATCH, QUERIES)), atol=1e-6
    )


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", ["float32", *HALF])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_row_without_a_valid_step_gives_zeros_in_every_dtype(name, dtype):
    exact, layer = attention_with_random_weights(name), attention_with_random_weights(name, dtype=dtype)
    query, memory = queries(name, BATCH, QUERIES), values()
    memory[:, -1] = 1000.0  # masked in every row below, and of the highest scores
    mask = MEMORY_MASK & (np.arange(STEPS) < STEPS - 1)
    received = layer(query, memory, values_mask=mask, return_attention_scores=True)
    assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in received} == {dtype}
    context, scores = numpy(received)
    assert not context[4].any()
    assert not scores[4].any()
    expected = numpy(exact(query, memory, values_mask=mask, return_attention_scores=True))
    for tensor, other in zip((context, scores), expected, strict=True):
        np.testing.assert_allclose(tensor, other, atol=HALF.get(dtype, 1e-6) * (3 if name == "luong-dot" else 1))


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_gradients_are_finite_where_rows_have_no_valid_step(dtype):
    model = branches(dtype=dtype)
    # Without loss scaling, which would leave out steps with gradients that are not finite.
    model.compile(keras.optimizers.SGD(0.1), "mse", auto_scale_loss=False)
    before = [numpy(weight.value) for weight in model.trainable_weights]
    target = {name: normal(BATCH, MEMORY_FEATURES, seed=7) for name in ATTENTIONS}
    model.fit([normal(BATCH, UNITS, seed=6), masked_values()], target, batch_size=BATCH, epochs=2, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(numpy(weight.value)).all(), weight.path
        assert (numpy(weight.value) != old).any(), weight.path


def branches(**kwargs):
    """One model with every attention side by side, queries and values both of trained layers; `steps` stays open."""
    query, memory = keras.Input((UNITS,), name="query"), keras.Input((None, MEMORY_FEATURES), name="memory")
    masked = keras.layers.Masking(mask_value=9.0)(memory)
    masked = keras.layers.Dense(MEMORY_FEATURES, name="values", **kwargs)(masked)
    outputs = {}
    for name, (make, _, query_features) in ATTENTIONS.items():
        projected = keras.layers.Dense(query_features, name=f"{name}-query", **kwargs)(query)
        outputs[name] = make(name=name, **kwargs)(projected, masked)
    return keras.Model([query, memory], outputs)


def masked_values():
    return np.where(MEMORY_MASK[:, :, None], values(), 9.0).astype("float32")


def test_the_mask_that_the_values_carry_counts():
    inputs = keras.Input((None, MEMORY_FEATURES))
    layer = attention_with_random_weights("bahdanau")
    query = keras.Input((UNITS,))
    model = keras.Model([query, inputs], layer(query, keras.layers.Masking(mask_value=9.0)(inputs)))
    rows = queries("bahdanau", BATCH)
    expected = layer(rows, values(), values_mask=MEMORY_MASK)
    assert_all_close([numpy(model([rows, masked_values()]))], [numpy(expected)])


def test_the_mask_of_the_queries_is_that_of_the_contexts():
    query = keras.layers.Masking()(keras.Input((None, UNITS)))
    context, scores = keras_seq.BahdanauAttention(3)(
        query, keras.Input((None, MEMORY_FEATURES)), return_attention_scores=True
    )
    assert context._keras_mask is not None
    assert getattr(scores, "_keras_mask", None) is None


@pytest.mark.parametrize("name", ATTENTIONS)
def test_keys_are_projected_once_for_all_steps(name, monkeypatch):
    layer = attention_with_random_weights(name)
    calls, project = [], layer.project_keys
    monkeypatch.setattr(layer, "project_keys", lambda memory: calls.append(1) or project(memory))
    memory = layer.prepare(values(), MEMORY_MASK)
    for _ in range(3):
        layer.attend(queries(name, BATCH), memory)
    assert len(calls) == 1


@pytest.mark.parametrize("name", ATTENTIONS)
def test_the_config_holds_every_argument_and_goes_round(name):
    layer = ATTENTIONS[name][0](kernel_initializer="ones", kernel_regularizer="l2", name="looking")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is type(layer)
    assert copy.get_config() == layer.get_config()
    assert copy.get_config()["kernel_regularizer"] is not None


def test_a_saved_model_gives_the_same_contexts(tmp_path):
    model = branches()
    inputs = [normal(BATCH, UNITS, seed=6), masked_values()]
    model.save(tmp_path / "model.keras")
    received = keras.saving.load_model(tmp_path / "model.keras").predict(inputs, verbose=0)
    for name, expected in model.predict(inputs, verbose=0).items():
        assert_all_close([received[name]], [expected])


@pytest.mark.backend("tensorflow")
@pytest.mark.parametrize("hypotheses", [1, 3])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_look_traces_to_a_few_operations(name, hypotheses):
    import tensorflow as tf

    layer = attention_with_random_weights(name)
    memory = layer.prepare(values(), MEMORY_MASK)
    memory_specs = tf.nest.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), memory)
    specs = (
        tf.TensorSpec((None, ATTENTIONS[name][2])),
        memory_specs,
        tf.nest.map_structure(_spec, layer.step_weights()),
    )
    traced = tf.function(lambda *args: layer.attend(*args, queries_per_source=hypotheses), autograph=False)
    kinds = [operation.type for operation in traced.get_concrete_function(*specs).graph.get_operations()]
    work = [kind for kind in kinds if kind not in ("Placeholder", "Const", "Identity", "NoOp")]
    scores = ["MatMul", "Reshape", "AddV2", "Tanh", "Reshape", "Transpose", "MatMul", "Reshape"]
    scores = scores if "bahdanau" in name or "concat" in name else ["Reshape", "BatchMatMulV2"]
    as_rows = "Squeeze" if hypotheses == 1 else "Reshape"
    assert work == [*scores, "AddV2", "Softmax", "BatchMatMulV2", "Mul", as_rows, as_rows]


def _spec(tensor):
    import tensorflow as tf

    return tf.TensorSpec(tensor.shape, tensor.dtype)


def test_a_kind_of_attention_of_ones_own_needs_two_methods():
    class Nearest(keras_seq.MemoryAttention):
        """Scores by distance."""

        def build(self, query_shape, values_shape):
            self.built = True

        def project_keys(self, values):
            return values

        def compare(self, query, keys, weights, queries_per_source):
            query = ops.reshape(query, (-1, queries_per_source, 1, query.shape[-1]))
            return -ops.sum(ops.square(query - ops.expand_dims(keys, axis=1)), axis=-1)

    query, memory = normal(BATCH, QUERIES, MEMORY_FEATURES, seed=8), values()
    expected = attend_all(lambda s, a: -((s - a) ** 2).sum(), query, memory, MEMORY_MASK)
    received = Nearest()(query, memory, values_mask=MEMORY_MASK, return_attention_scores=True)
    assert_all_close(numpy(received), expected)


@pytest.mark.parametrize(("method", "arguments"), [("project_keys", 1), ("compare", 4)])
def test_the_base_class_says_what_is_missing(method, arguments):
    with pytest.raises(NotImplementedError, match=f"MemoryAttention must define `{method}`"):
        getattr(keras_seq.MemoryAttention(), method)(*[None] * arguments)


def test_values_must_be_sequences():
    layer = keras_seq.BahdanauAttention(3, name="looking")
    with pytest.raises(ValueError, match=r'"looking" attends to values of \(batch, steps, features\).*shape \(5, 13\)'):
        layer(normal(BATCH, UNITS), values()[:, 0])


def test_a_query_has_two_or_three_axes():
    layer = keras_seq.BahdanauAttention(3, name="looking")
    with pytest.raises(ValueError, match=r'"looking" takes a query of \(batch, features\) or.*shape \(5, 1, 1, 11\)'):
        layer(normal(BATCH, 1, 1, UNITS), values())
