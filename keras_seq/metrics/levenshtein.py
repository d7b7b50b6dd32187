"""The edit distance between sequences, through rapidfuzz."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from keras_seq.metrics.pairing import check_pairs

__all__ = ["edit_distance"]


def edit_distance(
    hypotheses: Sequence[str | Sequence[Hashable]],
    references: Sequence[str | Sequence[Hashable]],
    *,
    normalize: str | None = None,
) -> np.ndarray:
    """The least number of insertions, deletions and substitutions that turn each hypothesis into its reference.

    The error rate of a whole set, over characters or over words, is
    `edit_distance(hypotheses, references).sum() / sum(map(len, references))`: long references then count for more,
    which the mean of normalised distances does not give them.

    Args:
        hypotheses: One text, compared by characters, or one sequence of tokens a source, compared by tokens.
        references: Likewise.
        normalize: `None` counts edits. `"longer"` divides by the longer of the two, which gives 0 to 1; two empty
            sequences have the distance 0. `"reference"` divides by the reference's length, as error rates do; it can
            exceed 1.

    Returns:
        `(sources,)`, int64, or float64 where normalised.

    Raises:
        ModuleNotFoundError: If rapidfuzz is not installed; with the line that installs it.
        TypeError: If `hypotheses` or `references` is a single string, or a text is compared with tokens.
        ValueError: If their counts differ, there are none, `normalize` is unknown, or a reference is empty and is to be
            divided by.

    Example:

    >>> edit_distance(["kitten", ["ein", "Hund"]], ["sitting", ["ein", "alter", "Hund"]]).tolist()
    [3, 1]
    """
    if normalize not in (None, "longer", "reference"):
        raise ValueError(f'`normalize` must be None, "longer" or "reference". Received: normalize={normalize!r}.')
    check_pairs(hypotheses, references)
    pairs = list(zip(hypotheses, references, strict=True))
    distances = np.array([_distance(index, *pair) for index, pair in enumerate(pairs)], "int64")
    if normalize is None:
        return distances
    lengths = np.array([len(reference) for reference in references])
    if normalize == "longer":
        longer = np.maximum(lengths, [len(hypothesis) for hypothesis in hypotheses])
        return distances / np.maximum(longer, 1)
    if not lengths.all():
        raise ValueError(
            "A distance cannot be divided by the length of an empty reference. "
            f"Received one at {int(lengths.argmin())}. "
            'Use normalize="longer", or divide the sum of the distances by the sum of the lengths.'
        )
    return distances / lengths


def _distance(index: int, hypothesis: str | Sequence[Hashable], reference: str | Sequence[Hashable]) -> int:
    if isinstance(hypothesis, str) != isinstance(reference, str):
        raise TypeError(
            f"A text cannot be compared with tokens. Received at {index}: {hypothesis!r} and {reference!r}. "
            "Split the text, or join the tokens."
        )
    if isinstance(hypothesis, str):
        return Levenshtein.distance(hypothesis, reference)
    # rapidfuzz compares tokens by their hashes, and those of -1 and -2 are the same. Numbers of our own are not.
    numbers: dict[Hashable, int] = {}
    left, right = ([numbers.setdefault(token, len(numbers)) for token in tokens] for tokens in (hypothesis, reference))
    return Levenshtein.distance(left, right)
