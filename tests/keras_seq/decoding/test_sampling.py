import numpy as np
import pytest
from keras import ops

from keras_seq import Decoding, Sampling, generate
from tests.keras_seq.decoding.oracle import END, START, decoding, language, log_prob, sequences

PROBABILITIES = np.array([0.05, 0.1, 0.4, 0.2, 0.25])


def first_tokens(**settings):
    """4001 draws from one and the same distribution."""
    rows, end = 4001, 4
    logits = ops.convert_to_tensor(np.tile(np.log(PROBABILITIES), (rows, 1)).astype("float32"))
    model = Decoding(lambda tokens, state: (logits, state), state=(), batch=1)
    strategy = Sampling(max_length=1, num_samples=rows, **settings)
    return ops.convert_to_numpy(generate(model, strategy, start_id=0, end_id=end).ids)[0, :, 0]


def expected_counts(probabilities):
    return 4001 * probabilities / probabilities.sum()


def assert_drawn_from(tokens, probabilities):
    """Within five standard deviations in every bin, and nothing where there is no probability."""
    counts, expected = np.bincount(tokens, minlength=5), expected_counts(probabilities)
    assert (counts[probabilities == 0] == 0).all()
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 1e-9).all(), (counts, expected)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("settings", "probabilities"),
    [
        ({}, PROBABILITIES),
        ({"temperature": 0.5}, PROBABILITIES**2),
        ({"temperature": 2.0}, PROBABILITIES**0.5),
        ({"top_k": 2}, PROBABILITIES * [0, 0, 1, 0, 1]),
        ({"top_k": 99}, PROBABILITIES),
        ({"top_p": 0.6}, PROBABILITIES * [0, 0, 1, 0, 1]),  # 0.4 alone is too little
        ({"top_p": 0.0}, PROBABILITIES * [0, 0, 1, 0, 0]),
        ({"top_p": 1.0}, PROBABILITIES),
        ({"top_k": 3, "top_p": 0.9}, PROBABILITIES * [0, 0, 1, 1, 1]),
        ({"banned_ids": [2]}, PROBABILITIES * [1, 1, 0, 1, 1]),
        ({"min_p": 0.0}, PROBABILITIES),
        ({"min_p": 0.6}, PROBABILITIES * [0, 0, 1, 0, 1]),
        ({"min_p": 0.6, "temperature": 0.5}, PROBABILITIES**2 * [0, 0, 1, 0, 0]),
        ({"min_p": 1.0}, PROBABILITIES * [0, 0, 1, 0, 0]),
        ({"min_p": 0.01, "top_k": 2}, PROBABILITIES * [0, 0, 1, 0, 1]),
    ],
)
def test_draws_follow_the_distribution(settings, probabilities):
    assert_drawn_from(first_tokens(seed=7, **settings), np.asarray(probabilities))


def test_the_seed_decides_alone():
    assert np.array_equal(first_tokens(seed=3), first_tokens(seed=3))
    assert not np.array_equal(first_tokens(seed=3), first_tokens(seed=4))


def test_a_row_draws_the_same_in_any_company():
    logits = language(seed=1, batch=5)
    together = generate(decoding(logits, 1), Sampling(max_length=9, seed=5), start_id=START, end_id=END)
    fewer = generate(decoding(logits[:2], 1), Sampling(max_length=9, seed=5), start_id=START, end_id=END)
    assert [sequences(together, source) for source in range(2)] == [sequences(fewer, source) for source in range(2)]


def test_samples_of_one_source_differ_and_come_with_their_log_probability():
    logits = language(seed=2, sharpness=1.0)
    strategy = Sampling(max_length=7, num_samples=11, temperature=0.7, top_k=4)
    found = generate(decoding(logits, 11), strategy, start_id=START, end_id=END)
    for source in range(3):
        drawn = sequences(found, source)
        assert len(set(drawn)) > 3
        expected = [log_prob(logits[source], sequence) for sequence in drawn]
        np.testing.assert_allclose(ops.convert_to_numpy(found.log_probs)[source], expected, rtol=1e-4)
        assert sorted(expected, reverse=True) == pytest.approx(expected, rel=1e-4)  # the likeliest first


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, r"`temperature` must be a number from 0.01 to 100.0. Received: temperature=0.0"),
        ({"min_p": -0.1}, r"`min_p` must be a number from 0.0 to 1.0. Received: min_p=-0.1"),
        ({"top_p": 1.5}, r"`top_p` must be a number from 0.0 to 1.0. Received: top_p=1.5"),
        ({"top_k": 0}, r"`top_k` must be a positive integer. Received: top_k=0"),
        ({"seed": -1}, r"`seed` must be an integer from 0 to 2147483647. Received: seed=-1"),
        ({"num_samples": 0}, r"`num_samples` must be a positive integer"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)
