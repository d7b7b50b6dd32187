"""What every reader gives: the words of one sentence, their labels and where they stand in the text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """One sentence of a text, or one logical line of a program.

    Args:
        words: The words, as written.
        labels: One label a word, or `None` where the text is not labelled.
        positions: `(row, column)` of each word's first character, both from 0, or `None` where the reader
            knows no positions (CoNLL-U).

    Example:
        >>> Sentence(("the", "cat"), ("DET", "NOUN"))
        Sentence(words=('the', 'cat'), labels=('DET', 'NOUN'), positions=None)
    """

    words: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    positions: tuple[tuple[int, int], ...] | None = None

    def __len__(self) -> int:
        return len(self.words)


class CorpusError(ValueError):
    """An input that cannot be read: its message names the file and, where there is one, the line."""
