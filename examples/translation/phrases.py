"""Pairs that come with the Babel package: what CLDR calls things in English and in German, put together.

Everything in them was written by people for people: names of countries, languages and currencies, units, dates, times
to come and gone, and the patterns that join them. What is put into the patterns is drawn.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.lists import format_list
from babel.numbers import format_currency
from babel.units import format_unit

from translation.pairs import Pair

LANGUAGES = ("en", "de")
# fmt: off
UNITS = (
    "area-square-kilometer", "digital-megabyte", "duration-day", "duration-hour", "duration-minute", "duration-month",
    "duration-second", "duration-week", "duration-year", "energy-kilowatt-hour", "length-centimeter",
    "length-kilometer", "length-light-year", "length-meter", "mass-gram", "mass-kilogram", "mass-ton", "power-watt",
    "pressure-hectopascal", "speed-kilometer-per-hour", "temperature-celsius", "volume-cubic-meter", "volume-liter",
)
CURRENCIES = (
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HUF", "INR", "JPY", "KRW", "MXN", "NOK", "NZD",
    "PLN", "RUB", "SEK", "THB", "TRY", "USD", "ZAR",
)
# fmt: on
SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629800, "year": 31557600}


def draw_phrases(count: int, seed: int = 7) -> list[Pair]:
    """Draws pairs of phrases, no English one twice.

    Args:
        count: How many.
        seed: The seed of what is drawn.

    Returns:
        English and German, in the order drawn.

    Example:
        >>> len(draw_phrases(3)), len(draw_phrases(3)[0])
        (3, 2)
    """
    random = np.random.default_rng(seed)
    kinds: tuple[Callable[[np.random.Generator], Pair], ...] = (_names, _measure, _price, _date, _delta, _measures)
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        source, target = kinds[random.integers(len(kinds))](random)
        pairs.setdefault(source, target)
    return list(pairs.items())


def _names(random: np.random.Generator) -> Pair:
    """Countries or languages: "Chad, Peru and Fiji"."""
    field = ("territories", "languages")[random.integers(2)]
    names = [getattr(Locale(language), field) for language in LANGUAGES]
    # Codes of two letters are those of countries and of widely known languages.
    codes = [code for code in sorted(names[0]) if len(code) == 2 and code.isalpha() and code in names[1]]
    chosen = random.choice(codes, random.integers(1, 6), replace=False)
    return _join(*([own[code] for code in chosen] for own in names))


def _measures(random: np.random.Generator) -> Pair:
    """Several measures: "3 hours, 2 liters and 5 grams"."""
    return _join(*zip(*(_measure(random) for _ in range(random.integers(2, 4))), strict=True))


def _measure(random: np.random.Generator) -> Pair:
    unit, number = UNITS[random.integers(len(UNITS))], int(random.integers(1, 100))
    return tuple(format_unit(number, unit, "long", locale=language) for language in LANGUAGES)


def _price(random: np.random.Generator) -> Pair:
    currency, number = CURRENCIES[random.integers(len(CURRENCIES))], int(random.integers(1, 100))
    return tuple(
        format_currency(number, currency, "0", locale=language, format_type="name", currency_digits=False)
        for language in LANGUAGES
    )


def _date(random: np.random.Generator) -> Pair:
    date = datetime.date(2000, 1, 1) + datetime.timedelta(days=int(random.integers(36525)))
    style = ("long", "full")[random.integers(2)]
    return tuple(format_date(date, style, locale=language) for language in LANGUAGES)


def _delta(random: np.random.Generator) -> Pair:
    """A time to come or gone: "in 3 weeks", "5 days ago"."""
    unit = list(SECONDS)[random.integers(len(SECONDS))]
    seconds = int(random.integers(1, 60)) * SECONDS[unit] * (1, -1)[random.integers(2)]
    return tuple(
        format_timedelta(seconds, unit, threshold=1000, add_direction=True, locale=language) for language in LANGUAGES
    )


def _join(*items: list[str]) -> Pair:
    return tuple(format_list(list(own), locale=language) for own, language in zip(items, LANGUAGES, strict=True))
