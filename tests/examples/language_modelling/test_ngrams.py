import itertools
from collections import Counter

import numpy as np
import pytest

from language_modelling.ngrams import NgramModel, contexts_of

VOCABULARY = 7
IDS = np.array([4, 5, 2, 4, 5, 6, 2, 5, 4, 5, 5, 2, 2, 6, 4, 5, 2])


def kneser_ney(order, ids):
    """Interpolated Kneser-Ney, written down as in the docstring: dictionaries and a recursion."""
    texts, text = [], []
    for token in ids.tolist():
        text.append(token)
        if token == 2:
            texts.append([1] * (order - 1) + text)
            text = []
    tables = [Counter(tuple(t[i - order + 1 : i + 1]) for t in texts for i in range(order - 1, len(t)))]
    for _ in range(order - 1):
        tables.append(Counter(ngram[1:] for ngram in tables[-1]))  # once for each kind, whatever its count
    discounts = []
    for table in tables:
        once, twice = (sum(count == times for count in table.values()) for times in (1, 2))
        discounts.append((once + 0.5) / (once + 2 * twice + 1))

    def probability(token, context, depth=0):
        if depth == order:
            return 1 / (VOCABULARY - 2)
        table, discount = tables[depth], discounts[depth]
        behind = {ngram[-1]: count for ngram, count in table.items() if ngram[:-1] == context}
        lower = probability(token, context[1:], depth + 1)
        if not behind:
            return lower
        total = sum(behind.values())
        return max(behind.get(token, 0) - discount, 0) / total + discount * len(behind) / total * lower

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_equation(order):
    model, expected = NgramModel(order, IDS, VOCABULARY), kneser_ney(order, IDS)
    contexts = list(itertools.product(range(1, VOCABULARY), repeat=order - 1))
    for token in range(2, VOCABULARY):
        found = model.probabilities(np.array(contexts).reshape(len(contexts), order - 1), np.full(len(contexts), token))
        np.testing.assert_allclose(found, [expected(token, context) for context in contexts], atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_probabilities_of_all_tokens_behind_any_context_sum_to_one(order):
    model = NgramModel(order, np.random.default_rng(order).integers(2, 11, 301), 13)  # 11 and 12 are never met
    contexts = np.array(list(itertools.product(range(1, 13), repeat=order - 1)), int)
    sums = sum(model.probabilities(contexts, np.full(len(contexts), token)) for token in range(13))
    np.testing.assert_allclose(sums, 1, atol=1e-12)
    for impossible in (0, 1):
        assert not model.probabilities(contexts, np.full(len(contexts), impossible)).any()
    assert (model.probabilities(contexts, np.full(len(contexts), 12)) > 0).all()  # what was never met is possible


def test_the_log_probability_of_a_text_is_the_sum_over_its_tokens():
    model, text = NgramModel(3, IDS, VOCABULARY), np.array([5, 6, 2, 4, 2])
    contexts = np.array([[1, 1], [1, 5], [5, 6], [1, 1], [1, 4]])
    np.testing.assert_allclose(model.log_probs(text), np.log(model.probabilities(contexts, text)))


def test_longer_ngrams_predict_what_follows_rules_better():
    random = np.random.default_rng(5)
    rule = np.concatenate([[*np.tile(random.permutation([4, 5, 6, 7]), 2).tolist(), 2] for _ in range(300)])
    costs = [-NgramModel(order, rule[:2000], 8).log_probs(rule[2000:]).mean() for order in (1, 2, 3)]
    assert costs[0] > costs[1] + 0.1 > costs[2] + 0.2


def test_contexts_do_not_reach_into_the_text_before():
    assert contexts_of(np.array([7, 2, 8, 9, 2, 2, 7]), 3).tolist() == [
        [1, 1, 1],
        [1, 1, 7],
        [1, 1, 1],
        [1, 1, 8],
        [1, 8, 9],
        [1, 1, 1],
        [1, 1, 1],
    ]
    assert contexts_of(np.array([7, 8]), 0).shape == (2, 0)
    assert contexts_of(np.array([7]), 3).tolist() == [[1, 1, 1]]


def test_ngrams_that_fit_no_number_are_refused():
    with pytest.raises(ValueError, match=r"must fit one 64-bit number. Received: order=5, vocabulary_size=10000"):
        NgramModel(5, IDS, 10_000)
