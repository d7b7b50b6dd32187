"""What commands print: tables or JSON on stdout, progress and remarks on stderr."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_ANY_WIDTH = 10_000  # in a file or a pipe nothing is to be wrapped


def print_json(value: Any, indent: int | None = 2) -> None:
    """Prints `value` as JSON, and as nothing but JSON.

    Args:
        value: Strings, finite numbers, booleans, None, lists and dicts.
        indent: Spaces a level; None puts everything on one line.
    """
    ascii_only = not (sys.stdout.encoding or "ascii").lower().startswith("utf")
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    # No line ends within a text for those who read line by line, and nothing takes hold of a terminal.
    sys.stdout.write(re.sub("[\x7f-\x9f\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_text(text: str) -> None:
    """Prints a text of several lines on stdout as it stands, its last line end included.

    Args:
        text: Such as a program.
    """
    sys.stdout.write(text)


def print_line(text: str = "", style: str = "") -> None:
    """Prints a line of text on stdout.

    Args:
        text: The line.
        style: A style of rich, which shows on terminals.
    """
    _stdout().print(Text(text, style=style))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """Prints a table under a title.

    Args:
        title: The line above it.
        columns: Headings.
        rows: Cells, which are printed with `str`.
        right: Headings of the columns to be aligned to the right.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = _stdout()
    console.print()
    console.print(Text(title, style="bold"))
    with console.capture() as capture:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def remark(text: str) -> None:
    """Prints a line on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows on stderr what is being done: in place on a terminal, line by line elsewhere.

    Whatever libraries print meanwhile goes to stderr too, so that stdout stays pure.

    Yields:
        A function that takes the next line.
    """
    if not sys.stderr.isatty():
        with contextlib.redirect_stdout(sys.stderr):
            yield remark
        return
    # A descriptor of its own: that of stderr is held back while TensorFlow is imported.
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal,
        Console(file=terminal).status(Text("starting")) as status,
        contextlib.redirect_stdout(sys.stderr),
    ):
        yield lambda line: status.update(Text(line))


def size_text(num_bytes: int) -> str:
    """A file's size for people.

    Example:
        >>> size_text(512), size_text(20_480), size_text(3_200_000)
        ('512 B', '20.5 kB', '3.2 MB')
    """
    for unit, factor in (("MB", 1_000_000), ("kB", 1000)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes} B"


def _stdout() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _ANY_WIDTH)
