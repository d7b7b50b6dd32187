import numpy as np
import pytest

from generating.batches import PairBatches
from generating.vocabulary import END_ID, START_ID, UNKNOWN_ID


@pytest.fixture
def pairs():
    random = np.random.default_rng(3)
    sources = [random.integers(4, 90, random.integers(1, 11)).astype("int32") for _ in range(53)]
    targets = [np.array([*random.integers(4, 90, random.integers(0, 7)), END_ID], "int32") for _ in range(53)]
    return sources, targets


def test_every_pair_comes_once_an_epoch_and_in_another_order_the_next_time(pairs):
    batches = PairBatches(*pairs, size=7)
    epochs = []
    for _ in range(2):
        seen = []
        for (source, target_in), target_out in batches:
            assert target_in.shape == target_out.shape
            rows = zip(source, target_out, strict=True)
            seen += [(tuple(s[s > 0].tolist()), tuple(t[t > 0].tolist())) for s, t in rows]
        epochs.append(seen)
        batches.on_epoch_end()
    expected = sorted((tuple(s.tolist()), tuple(t.tolist())) for s, t in zip(*pairs, strict=True))
    assert sorted(epochs[0]) == sorted(epochs[1]) == expected
    assert epochs[0] != epochs[1]


def test_each_step_is_given_the_token_before_the_one_it_is_asked_for(pairs):
    for (_, target_in), target_out in PairBatches(*pairs, size=7):
        valid = target_out > 0
        assert (target_in[:, 0] == START_ID).all()
        np.testing.assert_array_equal(target_in[:, 1:][valid[:, 1:]], target_out[:, :-1][valid[:, 1:]])
        np.testing.assert_array_equal(target_in > 0, valid)
        assert (target_in != END_ID).all()


def test_batches_hold_pairs_alike_in_length(pairs):
    for _, target_out in PairBatches(*pairs, size=7):
        assert np.ptp((target_out > 0).sum(axis=1)) <= 2


def test_source_tokens_are_hidden_anew_each_time_and_padding_never_is(pairs):
    batches = PairBatches(*pairs, size=53, source_dropout=0.4)
    (first, _), _ = batches[0]
    (second, _), _ = batches[0]
    assert 0.2 < (first == UNKNOWN_ID).sum() / (first > 0).sum() < 0.6
    assert (first != second).any()
    np.testing.assert_array_equal(first > 0, second > 0)


def test_keras_learns_from_the_first_batches_that_lengths_change(pairs):
    """Keras takes a size that the first two batches have in common for fixed, and fails at a later one."""
    import keras

    class Sizes(keras.Layer):
        def call(self, inputs):
            source, target = inputs
            return keras.ops.cast(target, "float32")[..., None] + keras.ops.cast(source, "float32")[:, :1, None]

    sources = [np.full(2, 5, "int32")] * 6 + [np.full(9, 5, "int32")] * 3
    targets = [np.full(3, 7, "int32")] * 6 + [np.full(8, 7, "int32")] * 3
    batches = PairBatches(sources, targets, size=3)
    batches.batches = [np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([6, 7, 8])]
    shapes = [batches[0][0][0].shape, batches[1][0][0].shape, batches[0][1].shape, batches[1][1].shape]
    assert shapes == [(3, 3), (3, 2), (3, 4), (3, 3)]
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    model = keras.Model((source, target), Sizes()((source, target)))
    model.compile(loss="mse")
    assert np.isfinite(model.evaluate(batches, verbose=0))
