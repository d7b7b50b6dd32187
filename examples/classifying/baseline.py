"""Naive Bayes over counts of words: what a model has to beat that reads words in their order."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline


def naive_bayes_accuracy(
    train: Sequence[Sequence[str]],
    labels: Sequence[str],
    dev: Sequence[Sequence[str]],
    dev_labels: Sequence[str],
    *,
    longest: int = 1,
) -> float:
    """Trains and judges a multinomial naive Bayes, with one added to every count.

    Args:
        train: The tokens of each training text.
        labels: Its label.
        dev: The tokens of each text to be judged by.
        dev_labels: Its label.
        longest: 1 counts words, 2 pairs of neighbours too.

    Returns:
        The share of right labels.

    Example:
        >>> naive_bayes_accuracy([["good", "fun"], ["bad"]], ["pos", "neg"], [["good"], ["bad", "bad"]], ["pos", "neg"])
        1.0
    """

    def grams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
        return [
            gram for size in range(1, longest + 1) for gram in zip(*(tokens[at:] for at in range(size)), strict=False)
        ]

    bayes = make_pipeline(CountVectorizer(analyzer=grams), MultinomialNB())
    return float(bayes.fit(train, labels).score(dev, dev_labels))
