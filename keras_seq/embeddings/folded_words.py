"""Words found without regard to case."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["FoldedWords"]


class FoldedWords:
    """Finds words by spelling or, where asked, without regard to case.

    Args:
        words: The words; of several that differ only in case the first is found.
        ignore_case: Whether to.

    Example:

    >>> folded = FoldedWords(["Paris", "rome", "paris"], ignore_case=True)
    >>> folded.row("PARIS"), folded.same(2), folded.row("Athens")
    (0, [0, 2], None)
    """

    def __init__(self, words: Sequence[str], ignore_case: bool):
        self._fold = str.upper if ignore_case else str
        self._keys = [self._fold(word) for word in words]
        self._rows: dict[str, list[int]] = {}
        for row, key in enumerate(self._keys):
            self._rows.setdefault(key, []).append(row)

    def row(self, word: str) -> int | None:
        """The row of a word, or None."""
        rows = self._rows.get(self._fold(word))
        return rows[0] if rows else None

    def same(self, row: int) -> list[int]:
        """All rows of the word in a row."""
        return self._rows[self._keys[row]]
