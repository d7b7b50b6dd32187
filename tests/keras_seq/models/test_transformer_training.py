"""Transformers under `fit`."""

import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.models.transformer_cases import (
    KINDS,
    language_model,
    numpy,
    one_late,
    sources,
    targets,
    transformer,
    with_random_weights,
)


def task(rows=31, time=4, ids=11, seed=0):
    """To write the source backwards: source, target."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, time + 1, rows)
    source = random.integers(3, ids, (rows, time)) * (np.arange(time) < lengths[:, None])
    target = np.zeros((rows, time + 1), "int32")
    for row, length in enumerate(lengths):
        target[row, : length + 1] = [*source[row, :length][::-1], 2]
    return source.astype("int32"), target


def test_fit_learns_to_write_the_source_backwards():
    source, target = task()
    model = transformer("paper", features=24, feed_forward_units=48, num_decoder_layers=1, dropout=0.0, norm_first=True)
    model.compile(keras.optimizers.Adam(0.01), keras_seq.SequenceCrossentropy())
    history = model.fit((source, one_late(target)), target, batch_size=31, epochs=90, verbose=0).history
    assert history["loss"][-1] < 0.1
    written = keras.ops.convert_to_numpy(model.generate(source, num_beams=2, max_length=5).ids)[:, 0]
    assert (written == target[:, : written.shape[1]]).all(axis=1).mean() > 0.9


def test_a_language_model_learns_to_count_and_goes_on_with_a_prompt():
    rows = np.array([[first, *range(first + 1, first + 4), 2] for first in range(3, 10)], "int32")
    model = language_model("modern", dropout=0.0)
    model.compile(keras.optimizers.Adam(0.03), keras_seq.SequenceCrossentropy())
    losses = model.fit(one_late(rows), rows, batch_size=7, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.6  # the first token is anyone's guess: log(7) / 5 = 0.39
    found = model.generate(rows[:, :2], keras_seq.BeamSearch(num_beams=2, max_length=6))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found.ids)[:, 0, :3], rows[:, 2:])


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_has_a_gradient_and_moves(kind):
    source, target = sources(), targets()
    for model, x in ((transformer(kind), (source, one_late(target))), (language_model(kind), one_late(target))):
        with_random_weights(model, scale=0.3)
        model.compile(keras.optimizers.Adam(0.01), keras_seq.SequenceCrossentropy(0.1), run_eagerly=True)
        before = [numpy(weight) for weight in model.trainable_weights]
        model.train_on_batch(x, target)
        for weight, old in zip(model.trainable_weights, before, strict=True):
            # A bias of all keys moves all scores of a query alike: its gradient is rounding, or zero.
            assert (numpy(weight) != old).any() or weight.path.endswith("key_bias"), weight.path


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_generates_with_logits_in_float32(dtype):
    source, target = sources(), targets()
    model = transformer("modern", dtype, dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01), keras_seq.SequenceCrossentropy(0.1), run_eagerly=True)
    losses = [float(model.train_on_batch((source, one_late(target)), target)) for _ in range(5)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in model.weights} == {"float32"}
    logits = model((source, one_late(target)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    exact = transformer("modern")
    exact.build()
    exact.set_weights(model.get_weights())
    np.testing.assert_allclose(numpy(logits), numpy(exact((source, one_late(target)))), atol=0.1)
    found = model.generate(source, num_beams=3, max_length=3)
    np.testing.assert_allclose(numpy(model.log_prob(source, found.ids[:, 0])), numpy(found.log_probs[:, 0]), atol=0.1)


@pytest.mark.backend("tensorflow", "jax")
def test_fit_compiles_by_xla_with_gradient_checkpointing():
    source, target = sources(), targets()
    model = transformer("modern", num_decoder_layers=1, gradient_checkpointing=True)
    model.compile("adam", keras_seq.SequenceCrossentropy(0.1), jit_compile=True)
    losses = model.fit((source, one_late(target)), target, batch_size=3, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_the_logits_of_padding_have_no_part_in_the_loss():
    source, target = sources(), targets()
    model = with_random_weights(transformer())
    loss, read = keras_seq.SequenceCrossentropy(0.1), one_late(target)
    logits = model((source, read))
    np.testing.assert_array_equal(numpy(logits._keras_mask), read != 0)
    wide = [np.pad(array, ((0, 0), (0, 2))) for array in (source, read, target)]
    assert float(loss(wide[2], model((wide[0], wide[1])))) == pytest.approx(float(loss(target, logits)), rel=1e-5)
