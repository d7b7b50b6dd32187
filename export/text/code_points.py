"""The rules of a `tokenizer.json` as sets of code points, and sets of code points as regular expressions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["lower_table", "members", "one_of"]

_SURROGATES = range(0xD800, 0xE000)
"""No code points of text; RE2 does not know them."""


def members(ranges: Iterable[Sequence[int]]) -> set[int]:
    """The code points of inclusive ranges.

    >>> sorted(members([[9, 11], [32, 32]]))
    [9, 10, 11, 32]
    """
    return {point for first, last in ranges for point in range(first, last + 1)}


def lower_table(ranges: Iterable[Sequence[int]]) -> dict[int, int]:
    """Code point to the one it becomes, from `[first, last, step, delta]`.

    >>> lower_table([[65, 67, 2, 32]])
    {65: 97, 67: 99}
    """
    return {point: point + delta for first, last, step, delta in ranges for point in range(first, last + 1, step or 1)}


def one_of(points: Iterable[int], negated: bool = False) -> str:
    r"""An expression for one character: of these code points, or of all others.

    Ranges of numbers, not classes such as `\pP`: those hang on the version of Unicode that the runtime was built with.

    >>> one_of([65, 66, 67, 0x4E00])
    '[\\x{41}-\\x{43}\\x{4e00}-\\x{4e00}]'
    """
    ranges = "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in _ranges(points))
    if not ranges:
        return "(?s:.)" if negated else r"[^\x{0}-\x{10ffff}]"
    return f"[{'^' * negated}{ranges}]"


def _ranges(points: Iterable[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for point in sorted(set(points) - set(_SURROGATES)):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1] = ranges[-1][0], point
        else:
            ranges.append((point, point))
    return ranges
