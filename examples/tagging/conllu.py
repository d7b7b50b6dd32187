"""Reads CoNLL-U files (https://universaldependencies.org/format.html): words and their part of speech (UPOS)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tagging.sentence import CorpusError, Sentence

COLUMNS = 10
ID, FORM, UPOS = 0, 1, 3

_WORD = re.compile(r"[1-9]\d*")
# A range such as 2-3 repeats words that follow one by one; an empty node such as 1.1 stands for no word of the text.
_RANGE_OR_EMPTY_NODE = re.compile(r"\d+-\d+|\d+\.\d+")


def read_conllu(path: str | Path) -> list[Sentence]:
    """Reads the sentences of a CoNLL-U file with their UPOS labels.

    Comments, ranges of words (`2-3`) and empty nodes (`1.1`) are passed over.

    Args:
        path: The file, UTF-8.

    Returns:
        The sentences in the file's order.

    Raises:
        CorpusError: If the file is not UTF-8 or a line is not CoNLL-U. The message has the line's number.
    """
    try:
        with open(path, encoding="utf-8-sig") as lines:
            return list(parse_conllu(lines, str(path)))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: a CoNLL-U file must be UTF-8. Received a byte that is not: {error}") from error


def parse_conllu(lines: Iterable[str], name: str = "<lines>") -> Iterator[Sentence]:
    r"""Yields the sentences in CoNLL-U lines.

    Args:
        lines: The lines, with or without their line ends.
        name: What to call the input in error messages.

    Yields:
        One `Sentence` for each block of lines; a blank line or the end of the input ends a block.

    Raises:
        CorpusError: If a line is not CoNLL-U.

    Example:
        >>> lines = ["# text = Cats sleep", "1\tCats\t_\tNOUN" + "\t_" * 6, "2\tsleep\t_\tVERB" + "\t_" * 6]
        >>> next(parse_conllu(lines)).labels
        ('NOUN', 'VERB')
    """
    words: list[str] = []
    labels: list[str] = []
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if line.startswith("#"):
            continue
        if not line.strip():
            if words:
                yield Sentence(tuple(words), tuple(labels))
                words, labels = [], []
            continue
        columns = line.split("\t")
        if len(columns) != COLUMNS:
            raise CorpusError(
                f"{name}, line {number}: a word needs {COLUMNS} columns separated by tabs. "
                f"Received {len(columns)}: {line[:60]!r}."
            )
        if _RANGE_OR_EMPTY_NODE.fullmatch(columns[ID]):
            continue
        if not _WORD.fullmatch(columns[ID]):
            raise CorpusError(
                f"{name}, line {number}: the first column must be a word's number (3), a range (3-4) or an empty "
                f"node (3.1). Received: {columns[ID]!r}."
            )
        if int(columns[ID]) != len(words) + 1:
            raise CorpusError(
                f"{name}, line {number}: expected word {len(words) + 1} of the sentence. Received: {columns[ID]}. "
                "Sentences are separated by a blank line."
            )
        if not columns[FORM] or columns[UPOS] in ("", "_"):
            raise CorpusError(
                f"{name}, line {number}: a word needs a form (column 2) and a UPOS label (column 4). "
                f"Received: {columns[FORM]!r} and {columns[UPOS]!r}."
            )
        words.append(columns[FORM])
        labels.append(columns[UPOS])
    if words:
        yield Sentence(tuple(words), tuple(labels))
