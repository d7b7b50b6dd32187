import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

from keras_seq.embeddings import NoiseDistribution

COUNTS = np.array([89, 34, 13, 0, 5, 2, 1])


def test_probabilities_grow_with_the_power_of_the_counts():
    expected = np.array([count**0.75 for count in COUNTS.tolist()])
    np.testing.assert_allclose(NoiseDistribution(COUNTS).probabilities, expected / expected.sum(), rtol=1e-12)


def test_power_zero_gives_equal_chances_to_the_words_that_occur():
    np.testing.assert_allclose(NoiseDistribution(COUNTS, 0.0).probabilities, (COUNTS > 0) / 6)


@pytest.mark.smoke
def test_words_are_drawn_as_often_as_they_should():
    noise = NoiseDistribution(COUNTS)
    drawn = ops.convert_to_numpy(noise.sample((211, 307), seed=keras.random.SeedGenerator(17)))
    assert drawn.shape == (211, 307)
    seen = np.bincount(drawn.ravel(), minlength=len(COUNTS))
    assert seen[3] == 0  # a word that never occurs
    occurring = COUNTS > 0
    expected = noise.probabilities[occurring] * drawn.size
    assert scipy.stats.chisquare(seen[occurring], expected).pvalue > 0.01


def test_a_word_of_no_count_at_the_ends_is_not_drawn():
    drawn = ops.convert_to_numpy(NoiseDistribution(np.array([0, 3, 2, 0])).sample((4099,), seed=1))
    assert set(drawn.tolist()) == {1, 2}


def test_equal_seeds_give_equal_words_and_a_generator_gives_others_each_time():
    noise = NoiseDistribution(COUNTS)
    draw = [ops.convert_to_numpy(noise.sample((53,), seed=seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert (draw[0] != draw[2]).any()
    seed = keras.random.SeedGenerator(1)
    first, second = (ops.convert_to_numpy(noise.sample((53,), seed=seed)) for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("power", [-0.5, np.inf, np.nan])
def test_a_power_that_is_none_is_refused(power):
    with pytest.raises(ValueError, match=r"`power` must be a number that is at least 0. Received: power="):
        NoiseDistribution(COUNTS, power)
