"""Word vectors as text: one word a line with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import numpy as np

from keras_seq.embeddings.growing_rows import GrowingRows

__all__ = ["is_header", "read_text", "write_text"]


def is_header(line: bytes) -> bool:
    """Whether a first line is that of word2vec: how many words, how many features.

    Example:

    >>> is_header(b"3000000 300"), is_header(b"the 0.418 0.24968")
    (True, False)
    """
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def read_text(
    file: IO[bytes], name: str, limit: int | None, only: frozenset[str] | None, *, header: bool
) -> tuple[list[str], np.ndarray]:
    """Reads text, see `keras_seq.embeddings.read_word_vectors`.

    Args:
        file: The open file.
        name: What to call it in messages.
        limit: The most words to keep.
        only: The words to keep.
        header: Whether the first line says how many words and features there are.

    Returns:
        The words, and their vectors `(words, features)`.

    Raises:
        ValueError: If the file is not of the format.
    """
    lines = enumerate(file, start=1)
    promised = features = None
    if header:
        promised, features = _header(next(lines, (1, b""))[1], name)
    rows = None
    number = count = 0
    for number, line in lines:
        fields = line.rstrip(b" \r\n").split(b" ")
        if fields == [b""] and all(not after.strip() for _, after in lines):
            break  # blank lines at the end
        if features is None:
            features = _width(fields, name, number)
        count += 1
        if promised is not None and count > promised:
            raise ValueError(f"{name}, line {number}: expected no more, line 1 says {promised:,} words.")
        word, values = _split(fields, features, name, number)
        rows = rows or GrowingRows(features, name)
        if only is None or word in only:
            rows.add(word, values, f"line {number}")
            if len(rows.words) == limit:
                return rows.words, rows.finish()
    if promised is not None and count < promised:
        raise ValueError(f"{name}, line {number}: the file ends after {count:,} words, but line 1 says {promised:,}.")
    return ([], np.empty((0, 0))) if rows is None else (rows.words, rows.finish())


def write_text(file: IO[bytes], words: Sequence[str], vectors: np.ndarray, *, header: bool) -> None:
    """Writes text: each number in the fewest digits that give the same float32 again.

    Args:
        file: Where to write.
        words: The words, without blanks and line ends.
        vectors: `(words, features)`.
        header: Whether to begin with how many words and features there are.
    """
    if header:
        file.write(b"%d %d\n" % vectors.shape)
    for word, row in zip(words, vectors.astype(np.float32), strict=True):
        file.write(f"{word} {' '.join(map(str, row))}\n".encode())


def _header(line: bytes, name: str) -> tuple[int, int]:
    if not is_header(line) or int(line.split()[1]) < 1:
        raise ValueError(
            f"{name}, line 1: expected how many words and how many features, such as '400000 300'. Found: "
            f"{line[:60]!r}. A file without such a line is GloVe's: format='glove'."
        )
    promised, features = map(int, line.split())
    return promised, features


def _width(fields: list[bytes], name: str, number: int) -> int:
    if len(fields) < 2:
        raise ValueError(f"{name}, line {number}: expected a word and its numbers. Found: {b' '.join(fields)[:60]!r}.")
    return len(fields) - 1


def _split(fields: list[bytes], features: int, name: str, number: int) -> tuple[str, np.ndarray]:
    surplus = len(fields) - 1 - features
    # A word may have blanks in it, but then its end is no number; otherwise the line has a number too many.
    if surplus < 0 or (surplus > 0 and _is_number(fields[surplus])):
        raise ValueError(
            f"{name}, line {number}: expected a word and {features} numbers. Found {len(fields) - 1} after "
            f"{fields[0].decode('utf-8', 'replace')!r}."
        )
    word = b" ".join(fields[: surplus + 1])
    try:
        with np.errstate(over="ignore"):  # too large for float32 is infinity, which is refused later on
            return word.decode(), np.array([*map(float, fields[surplus + 1 :])], np.float32)
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}, line {number}: the word {word[:60]!r} is not UTF-8: {error.reason}.") from error
    except ValueError as error:
        wrong = next(field for field in fields[surplus + 1 :] if not _is_number(field))
        raise ValueError(
            f"{name}, line {number}: expected numbers after the word. Found: {wrong.decode('utf-8', 'replace')[:40]!r}."
        ) from error


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
