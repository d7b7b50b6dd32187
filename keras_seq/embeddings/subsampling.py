"""Leaves out some of the words that stand everywhere."""

from __future__ import annotations

import numpy as np


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """The probability with which an occurrence of each word is kept.

    Words such as "the" say little of their neighbours, and make up half of a text. With the frequency f of a word and
    the threshold t (`sample`) an occurrence is kept with the probability

        min(1, sqrt(t / f) + t / f)

    This is what word2vec and gensim compute. The paper (Mikolov et al. 2013b, https://arxiv.org/abs/1310.4546,
    equation 5) writes sqrt(t / f), which keeps a little less.

    Args:
        counts: how often each word occurs, `(words,)`.
        sample: the threshold, a share of the corpus; words more frequent than about 2.6 times that lose some of their
            occurrences. 1e-3 is word2vec's default, 1e-5 suits corpora of billions of words; 0 keeps everything.

    Returns:
        float64, `(words,)`, each more than 0 and at most 1.

    Raises:
        ValueError: for a negative `sample`.

    Example:
    >>> keep_probabilities(np.array([90, 9, 1]), sample=0.05).round(3).tolist()
    [0.291, 1.0, 1.0]
    """
    if not sample >= 0 or sample == np.inf:
        raise ValueError(f"`sample` must be a number that is at least 0. Received: sample={sample!r}")
    counts = np.asarray(counts, "float64")
    if sample == 0:
        return np.ones_like(counts)
    ratio = sample * counts.sum() / np.maximum(counts, 1.0)
    return np.minimum(1.0, np.sqrt(ratio) + ratio)
