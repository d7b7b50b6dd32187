"""Word vectors in the binary format of the word2vec tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import numpy as np

from keras_seq.embeddings.growing_rows import GrowingRows

__all__ = ["read_binary", "write_binary"]

_BLOCK = 1 << 20
_LONGEST_WORD = 10_000  # bytes; more without a blank is no word
_NUMBERS = np.dtype("<f4")


def read_binary(
    file: IO[bytes], name: str, limit: int | None, only: frozenset[str] | None
) -> tuple[list[str], np.ndarray]:
    """Reads the binary format, see `keras_seq.embeddings.read_word_vectors`.

    Args:
        file: The open file.
        name: What to call it in messages.
        limit: The most words to keep.
        only: The words to keep.

    Returns:
        The words, and their vectors `(words, features)`.

    Raises:
        ValueError: If the file is not of the format.
    """
    reader = _Reader(file, name)
    promised, features = reader.header()
    rows = GrowingRows(features, name)
    for number in range(1, promised + 1):
        place = f"word {number} of {promised}"
        word, values = reader.word(place), reader.take(features * _NUMBERS.itemsize, place)
        if only is None or word in only:
            rows.add(word, np.frombuffer(values, _NUMBERS), place)
            if len(rows.words) == limit:
                break
    else:
        if reader.rest().strip():
            raise ValueError(f"{name}: expected the end after {promised:,} words, as line 1 says. Found more bytes.")
    return rows.words, rows.finish()


def write_binary(file: IO[bytes], words: Sequence[str], vectors: np.ndarray) -> None:
    """Writes the binary format, a line end after each vector as the word2vec tool does.

    Args:
        file: Where to write.
        words: The words, without blanks and line ends.
        vectors: `(words, features)`.
    """
    file.write(b"%d %d\n" % vectors.shape)
    for word, row in zip(words, vectors, strict=True):
        file.write(word.encode() + b" " + row.astype(_NUMBERS).tobytes() + b"\n")


class _Reader:
    """Takes bytes off the front of a file, a block at a time."""

    def __init__(self, file: IO[bytes], name: str):
        self.file, self.name, self.buffer, self.start = file, name, b"", 0

    def header(self) -> tuple[int, int]:
        line = self.file.readline(100)
        fields = line.split()
        if len(fields) != 2 or not all(field.isdigit() for field in fields) or int(fields[1]) < 1:
            raise ValueError(
                f"{self.name}, line 1: expected how many words and how many features, such as '400000 300'. Found: "
                f"{line[:60]!r}. A file of text is read with format='word2vec' or 'glove'."
            )
        return int(fields[0]), int(fields[1])

    def word(self, place: str) -> str:
        end = self.buffer.find(b" ", self.start)
        while end < 0 and len(self.buffer) - self.start <= _LONGEST_WORD:
            if not self._more():
                raise self._cut_short(place, "its word")
            end = self.buffer.find(b" ", self.start)
        if not 0 <= end - self.start <= _LONGEST_WORD:
            raise ValueError(f"{self.name}, {place}: expected a word and a blank. Found none in {_LONGEST_WORD} bytes.")
        word, self.start = self.buffer[self.start : end].lstrip(b"\r\n"), end + 1
        try:
            return word.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.name}, {place}: {word[:60]!r} is not UTF-8: {error.reason}. Either the file is of another "
                "encoding, or line 1 says a wrong number of features."
            ) from error

    def take(self, size: int, place: str) -> bytes:
        while len(self.buffer) - self.start < size:
            if not self._more():
                raise self._cut_short(place, "its vector")
        taken = self.buffer[self.start : self.start + size]
        self.start += size
        return taken

    def rest(self) -> bytes:
        return self.buffer[self.start :] + self.file.read(_BLOCK)

    def _more(self) -> bool:
        block = self.file.read(_BLOCK)
        self.buffer, self.start = self.buffer[self.start :] + block, 0
        return bool(block)

    def _cut_short(self, place: str, what: str) -> ValueError:
        return ValueError(f"{self.name}, {place}: the file ends inside {what}. It was cut short.")
