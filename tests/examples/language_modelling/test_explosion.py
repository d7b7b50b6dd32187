import math
import re

import pytest

from language_modelling.explosion import train_exploding

pytestmark = pytest.mark.backend("tensorflow")


def test_what_explodes_without_clipping_learns_with_it():
    as_it_is = train_exploding(None, epochs=1, seed=1)
    clipped = train_exploding(1.0, epochs=6, seed=1)
    if as_it_is.failure:  # no numbers any more; another processor may round its way past that, but not past the damage
        assert re.fullmatch(r"epoch 1, batch \d+: the gradient of \w+ is NaN or infinite", as_it_is.failure)
        assert as_it_is.losses == []
    else:
        assert max(as_it_is.losses) > 100
    assert not clipped.failure
    assert max(clipped.norms) > 10  # there was something to clip
    assert clipped.losses[-1] < 0.2 < math.log(2) < clipped.losses[0]
    assert clipped.accuracies[-1] > 0.95
    assert len(clipped.losses) == len(clipped.norms) == len(clipped.accuracies) == 6
