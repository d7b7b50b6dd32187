import keras
import numpy as np
import pytest
import torch

import keras_seq

BATCH, TIME, VOCABULARY = 3, 5, 7
IDS = np.array([[4, 1, 6, 2, 0], [3, 2, 0, 0, 0], [0, 0, 0, 0, 0]], "int32")


def logits(seed=0, scale=3.0):
    return np.random.default_rng(seed).normal(size=(BATCH, TIME, VOCABULARY), scale=scale).astype("float32")


def losses_by_hand(label_smoothing, ignore_id=0):
    """Token by token from the definition: - sum over v of the smoothed target times the log of the softmax."""
    z = logits().astype("float64")
    losses = np.zeros((BATCH, TIME))
    for place in np.ndindex(BATCH, TIME):
        if IDS[place] == ignore_id:
            continue
        target = np.full(VOCABULARY, label_smoothing / VOCABULARY)
        target[IDS[place]] += 1 - label_smoothing
        losses[place] = -np.sum(target * (z[place] - np.log(np.exp(z[place]).sum())))
    return losses


@pytest.mark.smoke
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.7])
def test_the_loss_is_the_mean_over_the_tokens_that_are_no_padding(label_smoothing):
    received = keras_seq.SequenceCrossentropy(label_smoothing)(IDS, logits())
    assert float(received) == pytest.approx(losses_by_hand(label_smoothing).sum() / 6, rel=1e-6)


def test_each_loss_comes_unreduced_with_zeros_at_the_padding():
    received = keras_seq.SequenceCrossentropy(0.2, reduction="none")(IDS, logits())
    np.testing.assert_allclose(keras.ops.convert_to_numpy(received), losses_by_hand(0.2), atol=1e-6)
    summed = keras_seq.SequenceCrossentropy(0.2, reduction="sum")(IDS, logits())
    assert float(summed) == pytest.approx(losses_by_hand(0.2).sum(), rel=1e-6)


def test_without_padding_it_is_keras_crossentropy_of_one_hot_targets():
    ids = np.random.default_rng(1).integers(0, VOCABULARY, (BATCH, TIME))
    one_hot = np.eye(VOCABULARY, dtype="float32")[ids]
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)(one_hot, logits())
    received = keras_seq.SequenceCrossentropy(0.3, ignore_id=None)(ids, logits())
    assert float(received) == pytest.approx(float(expected), rel=1e-6)


def test_it_is_the_loss_of_pytorch():
    ids = np.where(IDS == 0, -100, IDS)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits()).reshape(-1, VOCABULARY), torch.tensor(ids).long().reshape(-1), label_smoothing=0.1
    )
    received = keras_seq.SequenceCrossentropy(0.1, ignore_id=-100)(ids, logits())
    assert float(received) == pytest.approx(float(expected), rel=1e-6)


def test_a_batch_without_a_token_has_a_loss_of_zero():
    assert float(keras_seq.SequenceCrossentropy(0.1)(np.zeros_like(IDS), logits())) == 0.0


def test_tokens_that_the_mask_of_the_logits_leaves_out_do_not_count():
    z = keras.ops.convert_to_tensor(logits())
    keras.src.backend.set_keras_mask(z, keras.ops.array(np.arange(TIME)[None] > np.zeros((BATCH, 1))))
    received = keras_seq.SequenceCrossentropy()(IDS, z)
    assert float(received) == pytest.approx(losses_by_hand(0.0)[:, 1:].sum() / 4, rel=1e-6)


@pytest.mark.parametrize("per_token", [True, False])
def test_sample_weights_are_of_sequences_or_of_tokens(per_token):
    random = np.random.default_rng(2)
    weights = random.uniform(size=(BATCH, TIME) if per_token else BATCH).astype("float32")
    received = keras_seq.SequenceCrossentropy()(IDS, logits(), sample_weight=weights)
    expected = (losses_by_hand(0.0) * (weights if per_token else weights[:, None])).sum() / 6
    assert float(received) == pytest.approx(expected, rel=1e-6)


def test_huge_logits_give_finite_losses():
    assert np.isfinite(float(keras_seq.SequenceCrossentropy(0.1)(IDS, logits(scale=1e4))))


def test_the_config_goes_round():
    loss = keras_seq.SequenceCrossentropy(0.1, ignore_id=None, reduction="sum", name="nll")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(copy) is keras_seq.SequenceCrossentropy
    assert copy.get_config() == loss.get_config()
    assert copy.get_config() == {"name": "nll", "reduction": "sum", "label_smoothing": 0.1, "ignore_id": None}


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(label_smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing.*less than 1.*Received: label_smoothing={label_smoothing}"):
        keras_seq.SequenceCrossentropy(label_smoothing)


@pytest.mark.parametrize("shape", [(BATCH, TIME + 1), (BATCH,), (BATCH, TIME, 1)])
def test_shapes_that_do_not_go_together_are_refused(shape):
    with pytest.raises(ValueError, match=r"`y_true` must be ids of shape \(batch, time\).*y_pred.shape=\(3, 5, 7\)"):
        keras_seq.SequenceCrossentropy()(np.ones(shape, "int32"), logits())
