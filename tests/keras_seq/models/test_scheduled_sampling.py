import numpy as np

from keras_seq.models.scheduled_sampling import draw_tokens, without_padding


def test_tokens_are_drawn_by_their_probabilities():
    draws = np.random.default_rng(0).uniform(size=20011).astype("float32")
    probabilities = np.array([0.0, 0.5, 0.0, 0.2, 0.3], "float32")
    tokens = np.asarray(draw_tokens(np.tile(probabilities, (len(draws), 1)), draws))
    np.testing.assert_allclose(np.bincount(tokens, minlength=5) / len(draws), probabilities, atol=0.02)
    assert not {0, 2} & set(tokens)


def test_the_ends_of_the_range_give_the_first_and_the_last_possible_token():
    probabilities = np.array([[0.0, 0.5, 0.5], [0.0, 0.5, 0.5]], "float32")
    assert np.asarray(draw_tokens(probabilities, np.array([0.0, 1.0], "float32"))).tolist() == [1, 2]


def test_padding_gets_no_probability():
    logits = np.asarray(without_padding(np.zeros((2, 3), "float32")))
    np.testing.assert_allclose(logits, [[-1e9, 0, 0]] * 2)
