"""Reads pairs of sentences from tab-separated files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tagging.sentence import CorpusError

Pair = tuple[str, str]


def read_pairs(path: Path) -> list[Pair]:
    """Reads a tab-separated file: a sentence and its translation a line; further columns are passed over.

    A first line whose two cells are each one small word without a mark, such as `english<TAB>german`, is a header.
    Quotation marks mean nothing.

    Args:
        path: The file, UTF-8.

    Returns:
        The pairs in the file's order.

    Raises:
        CorpusError: If the file cannot be read, a line is no pair, or there is none.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as lines:
            pairs = list(parse_pairs(lines, str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
    if not pairs:
        raise CorpusError(f"{path}: expected at least one pair of sentences. Found none.")
    return pairs


def parse_pairs(lines: Iterable[str], name: str = "<lines>") -> Iterator[Pair]:
    r"""Yields the pairs in tab-separated lines.

    Args:
        lines: The lines, with or without their line ends. Blank ones are passed over.
        name: What to call the input in error messages.

    Yields:
        A sentence and its translation.

    Raises:
        CorpusError: If a line is no pair.

    Example:
        >>> list(parse_pairs(["english\tgerman", "Go on.\tMach weiter."]))
        [('Go on.', 'Mach weiter.')]
    """
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
        if not any(cells):
            continue
        if len(cells) < 2 or not all(cells[:2]):
            raise CorpusError(
                f"{name}, line {number}: expected a sentence, a tab and its translation. Received: {line[:60]!r}."
            )
        if number == 1 and all(cell.isalpha() and cell.islower() for cell in cells[:2]):
            continue
        yield cells[0], cells[1]
