import numpy as np
import pytest

import keras_seq
from translation.analysis import analyse, log_probs
from translation.corpus import Judged
from translation.search import Found
from translation.texts import Texts

PAIRS = [("the dog sleeps", "der Hund schläft"), ("the cat eats a lot", "die Katze frisst sehr viel")]
DEV = [Judged("the dog eats", ("der Hund frisst", "der Hund frisst sehr")), Judged("a cat", ("ein Kater",))]


class Scorer:
    """A model to which every target is as improbable as the sum of its ids says, whatever the source."""

    def log_prob(self, source, target):
        assert source.shape[0] == target.shape[0]
        return -np.asarray(target, "float32").sum(axis=1) / 10


@pytest.fixture
def texts():
    return Texts.fit(PAIRS, min_count=1)


def hypothesis(texts, text, log_prob):
    return Found(texts.encode_target(text), log_prob)


def test_log_probs_come_in_the_order_of_the_targets(texts):
    random = np.random.default_rng(3)
    sources = [random.integers(4, 9, length).astype("int32") for length in random.integers(1, 9, 300)]
    targets = [random.integers(4, 9, length).astype("int32") for length in random.integers(1, 9, 300)]
    np.testing.assert_allclose(log_probs(Scorer(), sources, targets), [-t.sum() / 10 for t in targets], rtol=1e-6)


def test_of_several_references_the_one_counts_that_the_search_would_rank_first(texts):
    """The longer one is less probable, and the better one once its length counts for enough."""
    outputs = [hypothesis(texts, "der Kater", -9.0), hypothesis(texts, "die Katze", -1.0)]
    by_alpha = {}
    for alpha in (0.0, 3.0):
        search = keras_seq.BeamSearch(alpha=alpha, max_length=9)
        by_alpha[alpha] = analyse(Scorer(), texts, DEV, outputs, search).rows[0]
    assert by_alpha[0.0].reference == "der Hund frisst"
    assert by_alpha[3.0].reference == "der Hund frisst sehr"
    ids = texts.encode_target("der Hund frisst sehr")
    assert by_alpha[3.0].reference_score == pytest.approx(-ids.sum() / 10 / len(ids) ** 3)
    assert by_alpha[0.0].verdict == "search"


def test_references_with_unknown_words_or_too_long_are_out_of_reach(texts):
    outputs = [hypothesis(texts, "die Katze", -1.0), hypothesis(texts, "die Katze", -1.0)]
    analysis = analyse(Scorer(), texts, DEV, outputs, keras_seq.BeamSearch(max_length=9))
    assert analysis.rows[1].verdict == "out of reach"  # nobody said "ein Kater" in the pairs
    assert analysis.rows[0].verdict == "model"
    short = analyse(Scorer(), texts, DEV, outputs, keras_seq.BeamSearch(max_length=3))
    assert short.rows[0].verdict == "out of reach"


def test_what_equals_any_reference_is_right(texts):
    outputs = [hypothesis(texts, "der Hund frisst sehr", -1.0), hypothesis(texts, "die Katze", -1.0)]
    analysis = analyse(
        Scorer(), texts, [Judged("x", ("Der Hund frisst sehr",)), DEV[1]], outputs, keras_seq.BeamSearch()
    )
    assert analysis.rows[0].verdict == "correct"
    assert analysis.rows[1].source == "a cat"
