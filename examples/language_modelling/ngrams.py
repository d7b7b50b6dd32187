"""A language model that counts: interpolated Kneser-Ney smoothing, the floor that a network has to get above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from language_modelling.texts import END_ID, START_ID


@dataclass(frozen=True)
class Counts:
    """The n-grams of one length.

    Args:
        keys: The n-grams, each one number, in order.
        counts: How much each counts.
        contexts: Their first n - 1 tokens, each one number, in order.
        totals: The sum of the counts behind each context.
        kinds: How many different tokens there are behind each context.
        discount: What is taken off each count, for the tokens that were not met.
    """

    keys: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray
    discount: float


class NgramModel:
    """Tells the next token from the `order - 1` before it.

    Kneser and Ney 1995, interpolated as in Chen and Goodman 1999, with one discount D for each length of n-gram:

        P(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) P(w | h without its first token)

    N(h) is how many different tokens were met behind h. At the full length c counts how often an n-gram was met; at
    shorter ones how many different tokens it was met behind: "Francisco" is frequent, but behind "San" alone. Where h
    was never met, the shorter h decides. The shortest is mixed with the same probability for every token that there is.

    Args:
        order: How many tokens an n-gram has: 1 for a unigram model, 3 for a trigram model.
        ids: What it learns from, `(tokens,)`: texts one after the other, the end token behind each.
        vocabulary_size: How many ids there are. Padding and the start token, ids 0 and 1, have no probability.

    Example:
        >>> model = NgramModel(2, np.array([4, 5, 2, 4, 5, 2, 4, 6, 2]), vocabulary_size=8)
        >>> model.probabilities(np.array([[1]]), np.array([4])).round(2)  # that 4 begins a text
        array([0.9])
    """

    def __init__(self, order: int, ids: np.ndarray, vocabulary_size: int):
        self.order, self.vocabulary_size = order, vocabulary_size
        if vocabulary_size**order > 2**62:
            raise ValueError(
                f"an n-gram must fit one 64-bit number. Received: order={order}, vocabulary_size={vocabulary_size}."
            )
        ids = np.asarray(ids, "int64")
        keys, counts = np.unique(self._keys(contexts_of(ids, order - 1), ids), return_counts=True)
        self.counts = [self._counts(keys, counts)]  # the longest n-grams first
        for length in range(order - 1, 0, -1):
            # An n-gram without its first token, once for every first token that it has.
            keys, counts = np.unique(keys % vocabulary_size**length, return_counts=True)
            self.counts.append(self._counts(keys, counts))

    def probabilities(self, contexts: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """How likely tokens are.

        Args:
            contexts: The `order - 1` tokens before each, `(tokens, order - 1)`.
            ids: The tokens, `(tokens,)`.

        Returns:
            float64 `(tokens,)`.
        """
        possible = ids > START_ID
        result = np.where(possible, 1.0 / (self.vocabulary_size - 2), 0.0)
        for length, table in enumerate(reversed(self.counts), 1):
            context = contexts[:, self.order - length :]
            counts = _find(table.keys, table.counts, self._keys(context, ids))
            keys = self._keys(context[:, :-1], context[:, -1]) if length > 1 else np.zeros(len(ids), "int64")
            totals, kinds = (_find(table.contexts, values, keys) for values in (table.totals, table.kinds))
            met = totals > 0
            share = table.discount * kinds / np.where(met, totals, 1)
            found = np.maximum(counts - table.discount, 0) / np.where(met, totals, 1)
            result = np.where(met, found + share * result, result)
        return result

    def log_probs(self, ids: np.ndarray) -> np.ndarray:
        """The logarithm of the probability of each token, given those before it.

        Args:
            ids: Texts one after the other, the end token behind each, `(tokens,)`.

        Returns:
            float64 `(tokens,)`.
        """
        ids = np.asarray(ids, "int64")
        return np.log(self.probabilities(contexts_of(ids, self.order - 1), ids))

    def _keys(self, contexts: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """N-grams as numbers, with the vocabulary's size as their base."""
        keys = np.zeros(len(ids), "int64")
        for column in (*contexts.T, ids):
            keys = keys * self.vocabulary_size + column
        return keys

    def _counts(self, keys: np.ndarray, counts: np.ndarray) -> Counts:
        contexts, inverse, kinds = np.unique(keys // self.vocabulary_size, return_inverse=True, return_counts=True)
        totals = np.bincount(inverse, counts)
        once, twice = (int((counts == times).sum()) for times in (1, 2))
        # Ney, Essen and Kneser 1994; between 0 and 1, and so small a text that it has none of either gets one half.
        discount = (once + 0.5) / (once + 2 * twice + 1)
        return Counts(keys, counts, contexts, totals, kinds, discount)


def contexts_of(ids: np.ndarray, length: int) -> np.ndarray:
    """The tokens before each token, those of its own text alone.

    Args:
        ids: Texts one after the other, the end token behind each, `(tokens,)`.
        length: How many tokens.

    Returns:
        `(tokens, length)`, the nearest last; the start token where the text had not begun.

    Example:
        >>> contexts_of(np.array([7, 8, 2, 9, 2]), 2).tolist()
        [[1, 1], [1, 7], [7, 8], [1, 1], [1, 9]]
    """
    contexts = np.full((len(ids), length), START_ID, "int64")
    begun = np.ones(len(ids), bool)
    for back in range(1, length + 1):
        before = np.concatenate([np.full(min(back, len(ids)), END_ID), ids[:-back]])
        begun &= before != END_ID
        contexts[:, length - back] = np.where(begun, before, START_ID)
    return contexts


def _find(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values of keys, 0 for those that there are not."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
