"""Digits of other scripts. Babel fills in a date's numbers with 0 to 9, whatever the language."""

from __future__ import annotations

from babel import Locale

ZEROS = {
    "arab": "\u0660",
    "arabext": "\u06f0",
    "beng": "\u09e6",
    "deva": "\u0966",
    "khmr": "\u17e0",
    "latn": "0",
    "mymr": "\u1040",
    "thai": "\u0e50",
}
"""The zero of each numbering system of CLDR used here; the other nine digits follow it in Unicode."""


def numbering_systems(locale: Locale) -> tuple[str, ...]:
    """The numbering systems that dates of a language are written in: its usual one, then its own if that is another.

    Args:
        locale: The language.

    Returns:
        Keys of `ZEROS`.

    Example:
        >>> numbering_systems(Locale("hi")), numbering_systems(Locale("de"))
        (('latn', 'deva'), ('latn',))
    """
    names = dict.fromkeys([locale.default_numbering_system, locale.other_numbering_systems.get("native", "latn")])
    return tuple(name for name in names if name in ZEROS) or ("latn",)


def write_digits(text: str, system: str) -> str:
    """Writes the digits of a text in another numbering system.

    Args:
        text: A text with the digits 0 to 9.
        system: A key of `ZEROS`.

    Returns:
        The text in that system.

    Example:
        >>> write_digits("2024", "thai")
        '๒๐๒๔'
    """
    zero = ord(ZEROS[system])
    return text.translate({ord("0") + digit: zero + digit for digit in range(10)})
