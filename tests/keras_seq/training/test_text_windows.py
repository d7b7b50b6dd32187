import numpy as np
import pytest

import keras_seq


@pytest.mark.parametrize(("tokens", "rows", "steps"), [(29, 3, 7), (23, 1, 5), (7, 7, 3), (24, 2, 12), (11, 2, 17)])
def test_every_token_is_predicted_once_from_the_one_before(tokens, rows, steps):
    text = np.arange(3, 3 + tokens)
    windows = keras_seq.text_windows(text, rows, steps)
    inputs, targets = (np.concatenate(parts, axis=1) for parts in zip(*windows, strict=True))
    assert all(part.shape == (rows, steps) for window in windows for part in window)
    assert sorted(targets[targets > 0].tolist()) == text.tolist()
    assert (inputs[:, 0] == 1).all()
    behind = (targets > 0)[:, 1:]
    np.testing.assert_array_equal(inputs[:, 1:][behind], targets[:, :-1][behind])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be a positive integer. Received: batch_size=0"),
        ({"steps": 2.0}, "`steps` must be a positive integer. Received: steps=2.0"),
        ({"ids": [[4, 5]]}, r"must be the ids of one text, \(tokens,\) integers.*Received: int64 of shape \(1, 2\)"),
        ({"ids": [0.5]}, "Received: float64"),
        ({"ids": [4]}, "at least one token for each of batch_size=2 streams. Received: 1 tokens"),
        ({"ids": [4, 0, 5]}, "must hold no padding, the id 0.*Received: 0 at 1"),
    ],
)
def test_what_cannot_be_cut_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_seq.text_windows(**{"ids": [4, 5, 6], "batch_size": 2, "steps": 3, **arguments})
