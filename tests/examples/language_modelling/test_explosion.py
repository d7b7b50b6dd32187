import math

import pytest

from language_modelling.explosion import train_exploding

pytestmark = pytest.mark.backend("tensorflow")


def test_what_explodes_without_clipping_learns_with_it():
    as_it_is = train_exploding(None, epochs=1, seed=7)
    clipped = train_exploding(1.0, epochs=6, seed=1)
    assert as_it_is.failure or max(as_it_is.losses) > 100  # either no numbers any more, or far off
    assert not clipped.failure
    assert max(clipped.norms) > 10  # there was something to clip
    assert clipped.losses[-1] < 0.2 < math.log(2) < clipped.losses[0]
    assert clipped.accuracies[-1] > 0.95
    assert len(clipped.losses) == len(clipped.norms) == len(clipped.accuracies) == 6


def test_a_gradient_that_is_no_number_is_told_with_its_place():
    training = train_exploding(None, epochs=2, seed=1)
    if not training.failure:  # another processor may round its way past the overflow, but not past the damage
        assert max(training.losses) > 100
        return
    assert "the gradient of recurrent_kernel is NaN or infinite" in training.failure
    assert training.failure.startswith("epoch 1, batch ")
    assert training.losses == []
