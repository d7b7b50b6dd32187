"""Seq2Seq under `fit`."""

import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.models.cases import TARGET_IDS, data, make, numpy, one_late, with_random_weights


@pytest.mark.parametrize(
    ("kind", "learning_rate", "bound"),
    [
        ("stacked, tied", 0.05, 0.3),
        ("one to many", 0.03, 0.1),
        # Its own wrong tokens count as long as it is trained, so the loss does not come as far down.
        pytest.param("sampling, dropout", 0.03, 0.8, marks=pytest.mark.smoke),
    ],
)
def test_fit_learns_to_write_the_source_backwards(kind, learning_rate, bound):
    source, target = data(kind)
    model = make(kind)
    model.compile(keras.optimizers.Adam(learning_rate), keras_seq.SequenceCrossentropy())
    x = (source, one_late(target))
    losses = model.fit(x, target, batch_size=len(target), epochs=90, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(np.log(TARGET_IDS), rel=0.1)
    assert losses[-1] < bound
    predicted = model.predict(x, batch_size=len(target), verbose=0).argmax(axis=-1)
    assert (predicted == target)[target != 0].mean() > 0.95
    for weight in model.weights:
        assert np.isfinite(numpy(weight)).all()


@pytest.mark.backend("tensorflow")
def test_fit_takes_batches_of_mixed_lengths_and_smoothed_labels():
    import tensorflow as tf

    source, target = data("bidirectional")
    pairs = tf.data.Dataset.from_tensor_slices(((source, one_late(target)), target)).batch(7)
    shorter = tf.data.Dataset.from_tensor_slices(((source[:5, :3], one_late(target)[:5, :4]), target[:5, :4])).batch(5)
    model = make("bidirectional")
    model.compile("adam", keras_seq.SequenceCrossentropy(0.1), metrics=[keras_seq.SequenceAccuracy()])
    history = model.fit(pairs.concatenate(shorter), epochs=2, shuffle=False, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert set(history) == {"loss", "sequence_accuracy"}


@pytest.mark.parametrize(
    ("kind", "dtype"), [("sampling, dropout", "mixed_bfloat16"), ("stacked, tied", "mixed_float16")], ids=str
)
def test_mixed_precision_trains_with_logits_in_float32(kind, dtype):
    source, target = data(kind)
    model = make(kind, dtype)
    model.compile(keras.optimizers.Adam(0.01), keras_seq.SequenceCrossentropy(0.1), run_eagerly=True)
    losses = [float(model.train_on_batch((source, one_late(target)), target)) for _ in range(4)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in model.weights} == {"float32"}
    logits = model((source, one_late(target)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    exact = make(kind)
    exact.build([source.shape, target.shape])
    exact.set_weights(model.get_weights())
    np.testing.assert_allclose(numpy(logits), numpy(exact((source, one_late(target)))), atol=0.1)


@pytest.mark.parametrize("kind", ["bidirectional", "one to many", "features", "summed up"])
def test_every_weight_has_a_gradient_and_moves(kind):
    source, target = data(kind)
    model = with_random_weights(make(kind), source, target)
    model.compile(keras.optimizers.Adam(0.01), keras_seq.SequenceCrossentropy(), run_eagerly=True)
    before = [numpy(weight) for weight in model.trainable_weights]
    model.train_on_batch((source, one_late(target)), target)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert (numpy(weight) != old).any(), weight.path


def test_padding_of_source_and_target_has_no_part_in_the_loss():
    source, target = data("bidirectional")
    model = with_random_weights(make("bidirectional"), source, target)
    loss = keras_seq.SequenceCrossentropy(0.1)
    wide = [np.pad(array, ((0, 0), (0, 2))) for array in (source, one_late(target), target)]
    expected = loss(target, model((source, one_late(target))))
    assert float(loss(wide[2], model((wide[0], wide[1])))) == pytest.approx(float(expected), rel=1e-6)


def test_the_losses_of_keras_leave_the_padding_out_by_the_mask_of_the_logits():
    source, target = data("plain")
    model = with_random_weights(make("plain"), source, target)
    logits = model((source, one_late(target)))
    np.testing.assert_array_equal(numpy(logits._keras_mask), one_late(target) != 0)
    padded = np.where(one_late(target) == 0, 0, target)
    losses = keras.losses.sparse_categorical_crossentropy(padded, logits, from_logits=True)
    expected = numpy(losses)[one_late(target) != 0].mean()
    received = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(padded, logits)
    assert float(received) == pytest.approx(expected, rel=1e-5)


def test_a_callback_can_schedule_the_sampling():
    source, target = data("sampling, dropout")
    model = make("sampling, dropout")
    assert model.sampling_probability == 0.25
    seen = []

    def set_probability(epoch, logs):
        model.sampling_probability = epoch / 2
        seen.append(model.sampling_probability)

    model.compile("adam", keras_seq.SequenceCrossentropy(), run_eagerly=True)
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=set_probability)
    model.fit((source, one_late(target)), target, epochs=3, batch_size=29, verbose=0, callbacks=[callback])
    assert seen == [0.0, 0.5, 1.0]


def test_sampling_reads_own_tokens_in_training_alone_and_only_so_often():
    source, target = data("sampling, dropout")
    model = with_random_weights(make("sampling, dropout", dropout=0.0), source, target)
    x = (source, one_late(target))
    taught = numpy(model(x, training=False))
    model.sampling_probability = 0.0
    np.testing.assert_allclose(numpy(model(x, training=True)), taught, atol=1e-5)
    model.sampling_probability = 1.0
    seed = keras.ops.convert_to_numpy(model._sampling_seed.state)
    sampled = numpy(model(x, training=True))
    np.testing.assert_allclose(sampled[:, 0], taught[:, 0], atol=1e-5)  # the start token is given
    assert (np.abs(sampled - taught).max(axis=-1)[x[1] != 0] > 1e-4).mean() > 0.5
    # With the same draws again, what the teacher says from the second token on changes nothing.
    model._sampling_seed.state.assign(seed)
    others = np.where((x[1] != 0) & (np.arange(x[1].shape[1]) > 0), 3, x[1])
    np.testing.assert_allclose(numpy(model((source, others), training=True)), sampled, atol=1e-5)
