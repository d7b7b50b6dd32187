"""Dates with what they mean, as a tab-separated file: what the program that trains hands to the one that serves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from tagging.sentence import CorpusError


@dataclass(frozen=True)
class Row:
    """One written date.

    Args:
        language: The language's tag.
        text: What is written.
        iso: What it means; empty where nobody knows.
        group: What it tests, for the scores.
    """

    language: str
    text: str
    iso: str = ""
    group: str = ""


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes dates, one a line."""
    lines = ("\t".join(astuple(row)) + "\n" for row in rows)
    path.write_text("language\ttext\tiso\tgroup\n" + "".join(lines), encoding="utf-8", newline="\n")


def read_rows(path: Path) -> list[Row]:
    """Reads dates: language and text, and what they mean and test where it is told.

    Args:
        path: The file, UTF-8, with a header.

    Returns:
        The dates in the file's order.

    Raises:
        CorpusError: If the file cannot be read, has no dates, or a line has too few or too many columns.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.rstrip("\r").split("\t")
        if cells == [""]:
            continue
        if not 2 <= len(cells) <= 4:
            raise CorpusError(
                f"{path}, line {number}: expected language, text, and perhaps the date and a group, separated by tabs. "
                f"Received: {line[:60]!r}."
            )
        rows.append(Row(*cells))
    if not rows:
        raise CorpusError(f"{path}: expected a header and at least one date. Found none.")
    return rows
