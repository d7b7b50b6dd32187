"""Texts on the command line: read from arguments, files and pipes, and shown on terminals."""

import sys
from collections.abc import Sequence
from pathlib import Path

from keras_seq.cli.errors import CommandError
from keras_seq.serving.text.strings import read_text

_LAYOUT = "\n\t"


def read_lines(source: str) -> list[str]:
    r"""The lines of a file, each a text. Nothing but `\n` and `\r\n` ends one.

    Args:
        source: A file of UTF-8, or `-` for stdin. What is no UTF-8 becomes U+FFFD, and a byte order mark is left out.

    Raises:
        CommandError: It cannot be read, or has no line.
    """
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise CommandError(f"--text-file {source} cannot be read: {error.strerror}.") from error
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[-1] == "":  # behind the last newline
        lines.pop()
    if not lines:
        raise CommandError(f"{'stdin' if source == '-' else source} is empty. Give one text a line.")
    return lines


def given_texts(texts: Sequence[str] | None, text_file: str | None) -> list[str] | None:
    """The texts of `--text` and `--text-file`; None where neither is given.

    Raises:
        CommandError: Both are given, or the file is no use.
    """
    if texts and text_file is not None:
        raise CommandError("--text and --text-file are two ways to say the same. Leave one of them out.")
    if text_file == "-" and sys.stdin.isatty():
        raise CommandError("there is nothing to read. Give --text-file FILE, or pipe lines into the command.")
    if text_file is not None:
        return read_lines(text_file)
    return [read_text(text) for text in texts] if texts else None


def readable(text: str) -> str:
    r"""A token as a cell of a table shows it: whatever does not print is spelt out.

    >>> print(readable("a b"), readable("\n"), readable("\x1b[1m"))
    a b \n \x1b[1m
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable(text: str) -> str:
    r"""A text that a terminal may show: without the characters that control it, but for newlines and tabs.

    >>> printable("a\x1b[1m\n") == "a\ufffd[1m\n"
    True
    """
    return "".join(c if c in _LAYOUT or not _controls(c) else "\ufffd" for c in text)


def _controls(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"
