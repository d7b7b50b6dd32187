"""Reads and writes files of word vectors: word2vec as text, word2vec as binary, GloVe."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from keras_seq.embeddings.binary_vectors import read_binary, write_binary
from keras_seq.embeddings.text_vectors import is_header, read_text, write_text
from keras_seq.embeddings.word_vectors import WordVectors

__all__ = ["read_word_vectors", "write_word_vectors"]

FORMATS = ("word2vec", "word2vec_binary", "glove")


def read_word_vectors(
    path: str | os.PathLike,
    *,
    format: str | None = None,
    limit: int | None = None,
    only: Collection[str] | None = None,
) -> WordVectors:
    r"""Reads a file of word vectors, line by line: memory holds what is kept, and never the file.

    | format | first line | then, for each word |
    |---|---|---|
    | `"word2vec"` | `words features` | the word and its numbers, a blank between them; a line each |
    | `"word2vec_binary"` | `words features` | the word, a blank, little-endian float32; perhaps a line end |
    | `"glove"` | none | as `"word2vec"` |

    Words are UTF-8 and end at the first blank. In GloVe's largest file some words have blanks themselves: the last
    numbers of a line are then its vector, as many as in the first line.

    Args:
        path: The file; one that ends in `.gz` is unpacked on the way.
        format: One of the above. If `None`, `"word2vec_binary"` where the name ends in `.bin` or `.bin.gz`; otherwise
            text, `"word2vec"` where the first line is two whole numbers.
        limit: Read at most so many words, from the first on: the frequent ones, in most files.
        only: Keep these words alone, say those of a vocabulary. Counts before `limit`.

    Returns:
        The vectors, in the file's order.

    Raises:
        ValueError: If the file is not of the format; the message names the file and the line, or the word of a binary
            file: a wrong number of numbers, what is no number or not finite, a word that stands twice, more or fewer
            words than the first line says, a file that ends too soon.
        OSError: If the file cannot be opened.

    Example:

    >>> from pathlib import Path
    >>> Path("vectors.txt").write_text("2 3\nsun 1 0.5 0\nmoon -1 0.25 0\n") and None
    >>> vectors = read_word_vectors("vectors.txt")
    >>> vectors, vectors["moon"]
    (<WordVectors: 2 words, 3 features>, array([-1.  ,  0.25,  0.  ], dtype=float32))
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise ValueError(f"`limit` must be at least 1. Received: {limit}.")
    if isinstance(only, str):
        raise TypeError(f"`only` must be several words. Received the text {only!r}.")
    with _open(path) as file:
        format = _check_format(format) if format else _recognise(path, file)
        wanted = None if only is None else frozenset(only)
        if format == "word2vec_binary":
            words, rows = read_binary(file, str(path), limit, wanted)
        else:
            words, rows = read_text(file, str(path), limit, wanted, header=format == "word2vec")
    if not words:
        wish = "" if only is None else f" of the {len(only):,} words asked for"
        raise ValueError(f"{path}: expected at least one word with a vector. Found none{wish}.")
    return WordVectors(words, rows)


def write_word_vectors(vectors: WordVectors, path: str | os.PathLike, *, format: str | None = None) -> None:
    """Writes a file of word vectors, whole or not at all. What is read from it again is equal to the last bit.

    Args:
        vectors: The vectors.
        path: The file; one that ends in `.gz` is packed.
        format: See `read_word_vectors`. If `None`, `"word2vec_binary"` where the name ends in `.bin` or `.bin.gz`,
            otherwise `"word2vec"`.

    Raises:
        ValueError: If a word has a blank or a line end in it, which none of the formats can hold, or if the format is
            unknown.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    format = _check_format(format) if format else "word2vec_binary" if _is_binary(path) else "word2vec"
    for word in vectors.words:
        if any(character in word for character in " \n\r\t"):
            raise ValueError(
                f"A file of vectors cannot hold a word with a blank, tab or line end. Received: {word!r}. Replace it "
                "in the word, '_' is usual."
            )
    with _replaced(path) as file:
        if format == "word2vec_binary":
            write_binary(file, vectors.words, vectors.vectors)
        else:
            write_text(file, vectors.words, vectors.vectors, header=format == "word2vec")


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")  # the caller closes it


def _is_binary(path: Path) -> bool:
    return path.name.endswith((".bin", ".bin.gz"))


def _recognise(path: Path, file: IO[bytes]) -> str:
    if _is_binary(path):
        return "word2vec_binary"
    first = file.readline(1000)
    file.seek(0)
    return "word2vec" if is_header(first) else "glove"


def _check_format(format: str) -> str:
    if format not in FORMATS:
        raise ValueError(f"`format` must be one of {', '.join(map(repr, FORMATS))}. Received: {format!r}.")
    return format


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place at the end, or leaves no trace."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as file:  # the same bytes every time
                    yield file
            else:
                yield raw
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes it private
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
