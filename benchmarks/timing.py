"""Timing for the benchmarks: the command line's, and its result as a Markdown table."""

from collections.abc import Iterable, Mapping, Sequence

from keras_seq.cli.timing import Timing, measure

__all__ = ["Timing", "markdown_table", "measure", "speed_rows"]


def speed_rows(timings: Mapping[str, Timing], base: str) -> list[list[str]]:
    """One row for each candidate: name, milliseconds, and how many times as fast as `base` by median and by p10.

    Raises:
        ValueError: where `base` is not one of the candidates.
    """
    if base not in timings:
        raise ValueError(f"`base` must name a candidate, one of {sorted(timings)}. Received: base={base!r}.")
    return [
        [
            name,
            f"{timing.median_seconds * 1e3:#.3g}".rstrip(".")
            if timing.median_seconds < 1
            else f"{timing.median_seconds * 1e3:.0f}",
            f"{timings[base].median_seconds / timing.median_seconds:.2f}",
            f"{timings[base].p10_seconds / timing.p10_seconds:.2f}",
        ]
        for name, timing in timings.items()
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its columns padded to one width each; every column but the first is aligned to the right.

    Example:

    >>> print(markdown_table(["layer", "ms"], [["LSTM", "41.2"], ["GRU", "9"]]))
    | layer |   ms |
    | :---- | ---: |
    | LSTM  | 41.2 |
    | GRU   |    9 |
    """
    rows = [list(row) for row in rows]
    widths = [max(3, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]
    rules = [
        ":" + "-" * (widths[0] - 1),
        *("-" * (width - 1) + ":" for width in widths[1:]),
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join(line(cells) for cells in [header, rules, *rows])
