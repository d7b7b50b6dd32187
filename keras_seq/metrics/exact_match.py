"""The share of sequences that are right from the first token to the last."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from keras_seq.metrics.pairing import check_pairs

__all__ = ["sequence_accuracy"]


def sequence_accuracy(
    hypotheses: Sequence[str | Sequence[Hashable]], references: Sequence[str | Sequence[Hashable]]
) -> float:
    """The share of hypotheses that equal their reference, token by token.

    Args:
        hypotheses: One text or one sequence of tokens a source. Rows of padded ids have to be cut to their lengths.
        references: Likewise; for a hypothesis that is a text, several texts may be given, any of which is right.

    Returns:
        From 0 to 1.

    Raises:
        TypeError: If `hypotheses` or `references` is a single string.
        ValueError: If their counts differ, or there are none.

    Example:

    >>> sequence_accuracy(["2024-02-29", "2024-03-01"], ["2024-02-29", "2024-01-03"])
    0.5
    """
    check_pairs(hypotheses, references)
    return sum(map(_equal, hypotheses, references)) / len(hypotheses)


def _equal(hypothesis: str | Sequence[Hashable], reference: str | Sequence[Hashable]) -> bool:
    if isinstance(hypothesis, str) and not isinstance(reference, str):
        return hypothesis in reference
    return len(hypothesis) == len(reference) and all(map(_same_token, hypothesis, reference))


def _same_token(left: Hashable, right: Hashable) -> bool:
    return bool(left == right)
