"""How good translations are, by how they were searched for and by the length of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_seq.metrics import bleu, sequence_accuracy
from translation.corpus import Judged
from translation.words import split_words

BUCKETS = ((1, 4), (5, 6), (7, 8), (9, None))
"""Lengths of sources in words, marks not counted, from the first to the last of each bucket."""


@dataclass(frozen=True)
class Score:
    """How good the translations of a set are.

    Args:
        sentences: How many there are.
        bleu: BLEU of all together, 0 to 100.
        exact: The share that equals a reference to the last mark.
        length: The tokens of the translations for each token of the references.
        signature: sacrebleu's, without which a BLEU says little.
    """

    sentences: int
    bleu: float
    exact: float
    length: float
    signature: str


def score(dev: Sequence[Judged], translations: Sequence[str]) -> Score:
    """Scores translations, with all references of a sentence at once.

    Args:
        dev: The sentences with their references.
        translations: One for each, in the same order.

    Returns:
        The scores.
    """
    references = [judged.references for judged in dev]
    result = bleu(translations, references)
    exact = sequence_accuracy(translations, references)
    return Score(len(dev), result.score, exact, result.hypothesis_length / result.reference_length, result.signature)


def bucket_name(bucket: tuple[int, int | None]) -> str:
    """A bucket's name for people.

    Example:
        >>> [bucket_name(bucket) for bucket in BUCKETS]
        ['1 to 4', '5 to 6', '7 to 8', '9 and more']
    """
    first, last = bucket
    return f"{first} to {last}" if last else f"{first} and more"


def bucket_members(dev: Sequence[Judged], bucket: tuple[int, int | None]) -> list[int]:
    """The indices of the sentences whose length falls into a bucket."""
    first, last = bucket
    lengths = [sum(word[0].isalnum() for word in split_words(judged.source)) for judged in dev]
    return [index for index, length in enumerate(lengths) if first <= length and (last is None or length <= last)]
