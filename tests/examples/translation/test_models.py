from types import SimpleNamespace

import numpy as np
import pytest

from translation.choices import MODELS
from translation.models import RECIPES, build
from translation.texts import Texts

TEXTS = Texts.fit([("Tom sees a dog.", "Tom sieht einen Hund.")] * 2)
OPTIONS = SimpleNamespace(seed=3, units=16, dropout=0.2)


def test_every_model_can_be_chosen():
    assert sorted(MODELS) == sorted(RECIPES)


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_decides_the_first_weights(name):
    first, second = (build(name, TEXTS, OPTIONS, 40) for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_sizes_follow_the_words_and_the_options(name):
    model = build(name, TEXTS, OPTIONS, 40)
    assert model.max_source_length == 40
    logits = model((np.array([[4, 5, 6]]), np.array([[1, 7]])))
    assert tuple(logits.shape) == (1, 2, len(TEXTS.target))
