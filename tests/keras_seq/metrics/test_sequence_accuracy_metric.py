import keras
import numpy as np
import pytest

from keras_seq.metrics import SequenceAccuracy

BATCH, TIME, VOCABULARY = 23, 5, 3


@pytest.fixture
def data():
    random = np.random.default_rng(11)
    lengths = random.integers(0, TIME + 1, BATCH)
    y_true = np.where(np.arange(TIME) < lengths[:, None], random.integers(1, VOCABULARY, (BATCH, TIME)), 0)
    y_pred = random.normal(size=(BATCH, TIME, VOCABULARY)).astype("float32")
    y_pred[:11, :, :] += 9 * np.eye(VOCABULARY)[y_true[:11]]  # the first rows are right, but for chance
    y_pred[:11, -1] = random.normal(size=(11, VOCABULARY))
    return y_true, y_pred, lengths


def share(y_true, y_pred, lengths, weights):
    right = [
        (weight, all(y_pred[row, :length].argmax(-1) == y_true[row, :length]))
        for row, (length, weight) in enumerate(zip(lengths, weights, strict=True))
        if length
    ]
    return sum(weight for weight, is_right in right if is_right) / sum(weight for weight, _ in right)


@pytest.mark.smoke
def test_the_share_is_that_of_rows_right_at_every_valid_step_over_all_batches(data):
    y_true, y_pred, lengths = data
    expected = share(*data, np.ones(BATCH))
    assert 0.1 < expected < 0.9
    assert 0 in lengths
    metric = SequenceAccuracy()
    for rows in (slice(0, 7), slice(7, BATCH)):
        metric.update_state(y_true[rows], y_pred[rows])
    assert float(metric.result()) == pytest.approx(expected)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_padding_may_have_another_id(data):
    y_true, y_pred, lengths = data
    valid = np.arange(TIME) < lengths[:, None]
    metric = SequenceAccuracy(ignore_id=-1)
    assert float(metric(np.where(valid, y_true, -1), y_pred)) == pytest.approx(share(*data, np.ones(BATCH)))


@pytest.mark.parametrize("shape", [(BATCH,), (BATCH, 1)])
def test_sequences_can_be_weighted(data, shape):
    weights = np.random.default_rng(5).random(BATCH)
    metric = SequenceAccuracy()
    assert float(metric(*data[:2], sample_weight=weights.reshape(shape))) == pytest.approx(share(*data, weights))


def test_a_weight_of_zero_leaves_a_token_out(data):
    y_true, y_pred, lengths = data
    shorter = np.minimum(lengths, 2)
    weights = 0.5 * (np.arange(TIME) < shorter[:, None])
    expected = share(y_true, y_pred, shorter, np.ones(BATCH))
    assert expected != share(*data, np.ones(BATCH))
    assert float(SequenceAccuracy()(y_true, y_pred, sample_weight=weights)) == pytest.approx(expected)


@pytest.mark.smoke
def test_it_serves_fit_and_evaluate(data):
    y_true, y_pred, _ = data
    model = keras.Sequential([keras.Input((TIME, VOCABULARY)), keras.layers.Identity()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=[SequenceAccuracy(name="exact")])
    logs = model.evaluate(y_pred, y_true, batch_size=7, verbose=0, return_dict=True)
    assert logs["exact"] == pytest.approx(share(*data, np.ones(BATCH)))


def test_it_survives_a_round_trip_through_its_configuration():
    metric = SequenceAccuracy(ignore_id=7, name="exact")
    config = keras.saving.serialize_keras_object(metric)
    assert config["registered_name"] == "keras_seq>SequenceAccuracy"
    again = keras.saving.deserialize_keras_object(config)
    assert (again.ignore_id, again.name) == (7, "exact")


def test_shapes_that_do_not_go_together_are_refused():
    message = r"Received: y_true.shape=\(2, 3\), y_pred.shape=\(2, 3\)\."
    with pytest.raises(ValueError, match=message):
        SequenceAccuracy().update_state(np.ones((2, 3)), np.ones((2, 3)))
