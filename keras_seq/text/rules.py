"""Which code points are white space, which are punctuation, and what a capital's small letter is.

A tokenizer carries its rules with it, as ranges of code points, instead of asking the libraries it runs on: they know
different versions of Unicode, and some lower-case by context or by language. So a text has the same ids wherever it is
encoded, and keeps them when Python, TensorFlow or ONNX Runtime learn a new version of Unicode.
"""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

RULE_WIDTHS = {"whitespace": 2, "punctuation": 2, "lower": 4}
"""The rules' names, and how many numbers one range has: `[first, last]` or `[first, last, step, delta]`."""

Rules = dict[str, list[list[int]]]

_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def default_rules(names: Iterable[str]) -> Rules:
    """The rules of Python's `unicodedata`.

    - `"whitespace"`: what `str.isspace` says, and NUL. Spaces without width (U+200B, U+FEFF) are none.
    - `"punctuation"`: the categories P (punctuation) and S (symbols), so `_`, `$`, `+` and emoji too.
    - `"lower"`: one code point for one, whatever stands around it, where `str.lower` has one: Σ becomes σ at the end of
      a word too. For İ (U+0130) `str.lower` has two; here it becomes i.

    Args:
        names: The rules that are wanted.

    Returns:
        For each name its ranges of code points, `[first, last]`, both included, in rising order. Those of `"lower"`
        are `[first, last, step, delta]`: each of the code points first, first + step, ... last becomes itself + delta.

    Example:

    >>> default_rules(["whitespace"])["whitespace"][:3]
    [[0, 0], [9, 13], [28, 32]]
    """
    make = {"whitespace": _whitespace, "punctuation": _punctuation, "lower": _lower}
    return {name: [list(entry) for entry in make[name]()] for name in names}


def check_rules(rules: Mapping[str, Any], names: Iterable[str]) -> Rules:
    """Checks rules and takes the wanted ones.

    Args:
        rules: Ranges by name.
        names: The rules that are wanted; others are left out.

    Returns:
        The wanted rules, as plain lists of numbers.

    Raises:
        TypeError: If `rules` is no mapping.
        ValueError: If a rule is unknown or missing, or its ranges are not as `default_rules` describes them.
    """
    if not isinstance(rules, Mapping):
        raise TypeError(f"`rules` must be a dict of ranges of code points. Received: rules of type {type(rules)}.")
    unknown = sorted(set(rules) - set(RULE_WIDTHS))
    if unknown:
        raise ValueError(f"`rules` may have {sorted(RULE_WIDTHS)}. Received: {unknown} as well.")
    checked = {}
    for name in names:
        if name not in rules:
            raise ValueError(
                f"`rules` must have {name!r} for these settings. Received: {sorted(rules)}. "
                "Leave `rules` out to get Python's own."
            )
        checked[name] = _check_ranges(name, rules[name])
    return checked


def small_letters(lower: Sequence[Sequence[int]]) -> dict[int, int]:
    """The code points that a `"lower"` rule changes, each with what it becomes."""
    return {point: point + delta for first, last, step, delta in lower for point in range(first, last + 1, step)}


def _check_ranges(name: str, ranges: Any) -> list[list[int]]:
    width, checked, end = RULE_WIDTHS[name], [], -1
    for entry in ranges if isinstance(ranges, Sequence) and not isinstance(ranges, str) else [ranges]:
        numbers = list(entry) if isinstance(entry, Sequence) and not isinstance(entry, str) else []
        whole = len(numbers) == width and all(type(number) is int for number in numbers)
        if not whole or not end < numbers[0] <= numbers[1] <= _LAST or not _maps_to_code_points(numbers):
            form = "[first, last]" if width == 2 else "[first, last, step, delta]"
            raise ValueError(
                f"The rule {name!r} must be a list of ranges {form} of code points from 0 to {_LAST}, in rising order, "
                f"none within another. Received: {entry!r} after a range that ends at {end}."
            )
        checked.append(numbers)
        end = numbers[1]
    return checked


def _maps_to_code_points(numbers: list[int]) -> bool:
    if len(numbers) == 2:
        return True
    first, last, step, delta = numbers
    fits = step >= 1 and (last - first) % step == 0 and first + delta >= 0 and last + delta <= _LAST
    return fits and not (first + delta <= _SURROGATES[-1] and last + delta >= _SURROGATES[0])


@functools.cache
def _whitespace() -> list[list[int]]:
    return _ranges(lambda character: character.isspace() or character == "\0")


@functools.cache
def _punctuation() -> list[list[int]]:
    return _ranges(lambda character: unicodedata.category(character)[0] in "PS")


def _ranges(belongs: Callable[[str], bool]) -> list[list[int]]:
    found: list[list[int]] = []
    for point in range(_LAST + 1):
        if belongs(chr(point)):
            if found and found[-1][1] == point - 1:
                found[-1][1] = point
            else:
                found.append([point, point])
    return found


@functools.cache
def _lower() -> list[list[int]]:
    found: list[list[int]] = []
    for point in range(_LAST + 1):
        small = "i" if point == 0x130 else chr(point).lower()
        if len(small) != 1 or small == chr(point):
            continue
        delta = ord(small) - point
        if found and found[-1][3] == delta:
            first, last, step, _ = found[-1]
            gap = point - last
            # Capitals and small letters take turns in many scripts: a step of 2. A wider one would save nothing.
            if gap <= 2 and (first == last or gap == step):
                found[-1][1:3] = [point, gap]
                continue
        found.append([point, point, 1, delta])
    return found
