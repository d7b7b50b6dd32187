"""Checks that there is one reference, or one set of references, for each hypothesis."""

from collections.abc import Sequence
from typing import Any


def check_pairs(hypotheses: Sequence[Any], references: Sequence[Any]) -> None:
    """Refuses what cannot be compared pair by pair.

    Args:
        hypotheses: What was generated, one entry a source.
        references: What should have been, likewise.

    Raises:
        TypeError: If one of them is a single string, whose characters would be taken for sequences.
        ValueError: If their counts differ, or there are none.

    Example:

    >>> check_pairs(["a b"], ["a b", "a c"])
    Traceback (most recent call last):
    ValueError: There must be as many references as hypotheses. Received: 1 hypothesis and 2 references.
    """
    for name, value in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(value, str | bytes):
            raise TypeError(
                f"`{name}` must be a list with one entry a source. Received a single string: {value[:40]!r}. "
                "Put it in a list."
            )
    if len(hypotheses) != len(references):
        raise ValueError(
            f"There must be as many references as hypotheses. Received: {_count(len(hypotheses), 'hypothes', 'is')} "
            f"and {_count(len(references), 'reference', '', 's')}."
        )
    if len(hypotheses) == 0:
        raise ValueError("There is nothing to compare: at least one hypothesis is needed. Received: 0 hypotheses.")


def _count(number: int, stem: str, singular: str, plural: str = "es") -> str:
    return f"{number} {stem}{singular if number == 1 else plural}"
