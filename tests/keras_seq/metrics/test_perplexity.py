"""Perplexity and bits per character against NumPy."""

import keras
import numpy as np
import pytest

import keras_seq


def case(rows, steps, vocabulary=7, seed=0):
    random = np.random.default_rng(seed)
    ids = random.integers(0, vocabulary, (rows, steps))
    return ids, random.normal(size=(rows, steps, vocabulary)).astype("float32")


def losses(ids, logits, weights=1.0):
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    weights = np.broadcast_to(weights, ids.shape) * (ids != 0)
    return (-np.take_along_axis(logs, ids[..., None], axis=-1)[..., 0] * weights).sum(), weights.sum()


@pytest.mark.smoke
def test_the_mean_is_over_the_tokens_of_all_batches():
    perplexity, bits = keras_seq.Perplexity(), keras_seq.BitsPerCharacter()
    total, count = 0.0, 0
    for rows, steps in ((3, 5), (2, 11)):
        ids, logits = case(rows, steps, seed=rows)
        for metric in (perplexity, bits):
            metric.update_state(ids, logits)
        loss, tokens = losses(ids, logits)
        total, count = total + loss, count + tokens
    assert float(perplexity.result()) == pytest.approx(np.exp(total / count), rel=1e-5)
    assert float(bits.result()) == pytest.approx(total / count / np.log(2), rel=1e-5)


@pytest.mark.parametrize("shape", [(3, 1), (3, 5)])
def test_weights_of_sequences_and_of_tokens_count(shape):
    ids, logits = case(3, 5)
    weights = np.random.default_rng(1).random(shape)
    total, count = losses(ids, logits, weights)
    given = weights[:, 0] if shape[1] == 1 else weights
    metric = keras_seq.Perplexity()
    metric.update_state(ids, logits, given)
    assert float(metric.result()) == pytest.approx(np.exp(total / count), rel=1e-5)


def test_tokens_of_several_characters_share_their_bits():
    ids, logits = case(3, 5)
    by_word, by_character = keras_seq.BitsPerCharacter(characters_per_token=5.0), keras_seq.BitsPerCharacter()
    assert float(by_word(ids, logits)) == pytest.approx(float(by_character(ids, logits)) / 5, rel=1e-6)


def test_before_anything_was_counted_nothing_is_known():
    assert float(keras_seq.Perplexity().result()) == 1.0
    assert float(keras_seq.BitsPerCharacter().result()) == 0.0


@pytest.mark.parametrize("metric", [keras_seq.Perplexity(ignore_id=3), keras_seq.BitsPerCharacter(4.5, name="bits")])
def test_config_makes_the_same_metric(metric):
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()


def test_wrong_shapes_and_sizes_are_refused():
    with pytest.raises(ValueError, match=r"must be ids of shape \(batch, time\).*y_true.shape=\(3,\)"):
        keras_seq.Perplexity().update_state(np.zeros(3, "int32"), np.zeros((3, 5, 7)))
    with pytest.raises(ValueError, match=r"`characters_per_token` must be positive. Received: characters_per_token=0"):
        keras_seq.BitsPerCharacter(0)
