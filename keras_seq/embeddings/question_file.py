"""Reads the files that word vectors are judged by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["read_pairs", "read_questions"]

Question = tuple[str, str, str, str]


def read_questions(path: str | os.PathLike) -> dict[str, list[Question]]:
    """Reads analogies such as `questions-words.txt`: `: name` opens a section, four words a line are a question.

    Args:
        path: The file, UTF-8.

    Returns:
        By section, the questions.

    Raises:
        ValueError: If a line is no question, comes before any section, or there is none; the message names the line.
    """
    sections: dict[str, list[Question]] = {}
    section = None
    for number, line in _lines(path):
        if line.startswith(":"):
            section = sections.setdefault(line[1:].strip(), [])
            continue
        words = line.split()
        if len(words) != 4:
            raise ValueError(
                f"{path}, line {number}: expected four words, a : b = c : d. Found {len(words)}: {line!r}."
            )
        if section is None:
            raise ValueError(f"{path}, line {number}: expected a section, ': name', before the first question.")
        section.append(tuple(words))
    if not any(sections.values()):
        raise ValueError(f"{path}: expected at least one question. Found none.")
    return {name: questions for name, questions in sections.items() if questions}


def read_pairs(path: str | os.PathLike) -> list[tuple[str, str, float]]:
    """Reads pairs of words with how close people find them, such as WordSim-353.

    Args:
        path: The file, UTF-8: a line has two words and a number, with tabs or commas between them. Further cells, lines
            that begin with `#`, and a first line without a number are passed over.

    Returns:
        Two words and a number each.

    Raises:
        ValueError: If a line is no pair, or there are fewer than two; the message names the line.
    """
    pairs = []
    for count, (number, line) in enumerate(_lines(path)):
        if line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t" if "\t" in line else ",")]
        judged = _number(cells[2]) if len(cells) > 2 else None
        if judged is None or not all(cells[:2]):
            if count == 0 and len(cells) > 2:
                continue  # the names of the columns
            raise ValueError(
                f"{path}, line {number}: expected two words and a number, with tabs or commas between. Found: "
                f"{line[:60]!r}."
            )
        pairs.append((cells[0], cells[1], judged))
    if len(pairs) < 2:
        raise ValueError(f"{path}: expected at least two pairs, as ranks are compared. Found {len(pairs)}.")
    return pairs


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.strip()


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
