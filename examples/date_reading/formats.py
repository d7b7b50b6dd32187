"""How people write dates: CLDR's formats of many languages, through Babel."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from babel import Locale
from babel.dates import DateTimePattern, parse_pattern

from date_reading.digits import numbering_systems, write_digits

# fmt: off
LANGUAGES = (
    "ar-EG", "bn", "cs", "da", "de", "el", "en-GB", "en-US", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
    "ja", "km", "ko", "mr", "my", "ne", "nl", "pl", "pt-BR", "ro", "ru", "sv", "th", "tr", "uk", "vi", "zh",
)
# fmt: on
NAMED_FORMATS = ("short", "medium", "long", "full")
SKELETONS = ("yMd", "yMEd", "yMMMd", "yMMMEd")

# With two digits for the year, as POSIX reads them: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068.
SHORT_YEARS = (1969, 2068)

_MONTH = re.compile(r"[ML]+")
_QUOTED = re.compile(r"'[^']*'")


@dataclass(frozen=True)
class DateFormat:
    """One way to write dates in one language.

    Args:
        language: The language's tag, such as `en-GB`: 03/04/2021 is the third of April to it, and to `en-US` March 4.
        name: CLDR's name of the format, or its skeleton.
        pattern: The pattern of the format, such as `d. MMMM y`.
        digits: The numbering system, a key of `digits.ZEROS`.
    """

    language: str
    name: str
    pattern: str
    digits: str

    def write(self, date: datetime.date) -> str | None:
        """Writes a date, or gives `None` where the format shows two digits of a year that they do not stand for."""
        locale = Locale.parse(self.language, sep="-")
        text = parse_pattern(self.pattern).apply(date, locale)
        first, last = SHORT_YEARS
        if str(date.year) not in text and not first <= date.year <= last:
            return None
        return write_digits(text, self.digits)

    @property
    def month(self) -> str:
        """How the month is written: `number`, `short` or `long`."""
        letters = _MONTH.search(_QUOTED.sub("", self.pattern)).group()
        return {1: "number", 2: "number", 3: "short"}.get(len(letters), "long")


def date_formats(languages: Sequence[str] = LANGUAGES) -> list[DateFormat]:
    """Collects the formats of languages: CLDR's four named ones and four of its skeletons, each pattern once.

    Args:
        languages: The languages' tags.

    Returns:
        The formats, each in all numbering systems of its language.

    Example:
        >>> [format_.pattern for format_ in date_formats(["de"])][:4]
        ['dd.MM.yy', 'dd.MM.y', 'd. MMMM y', 'EEEE, d. MMMM y']
    """
    formats = []
    for language in languages:
        locale = Locale.parse(language, sep="-")
        patterns: dict[str, str] = {}
        for names, known in ((NAMED_FORMATS, locale.date_formats), (SKELETONS, locale.datetime_skeletons)):
            for name in names:
                if name in known:
                    patterns.setdefault(_pattern(known[name]), name)
        formats += [
            DateFormat(language, name, pattern, digits)
            for pattern, name in patterns.items()
            for digits in numbering_systems(locale)
        ]
    return formats


def _pattern(pattern: DateTimePattern | str) -> str:
    return getattr(pattern, "pattern", pattern)
