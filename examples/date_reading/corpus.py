"""Dates to learn from and dates to be judged by: no date of the one is in the other."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from date_reading.formats import DateFormat, date_formats
from date_reading.source import source_tokens

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
HELD_OUT_DATES = 0.1  # the share of all dates
LEAST_FORMATS = 5  # of a language that a format can be held out of


@dataclass(frozen=True)
class WrittenDate:
    """A date, as written and as meant.

    Args:
        format: How it is written.
        text: What is written.
        iso: What it means, `YYYY-MM-DD`.
    """

    format: DateFormat
    text: str
    iso: str

    @property
    def source(self) -> tuple[str, ...]:
        """The tokens that the model reads."""
        return source_tokens(self.format.language, self.text)


@dataclass(frozen=True)
class DateCorpus:
    """What is learnt from, and what is judged by.

    Args:
        train: Dates to learn from, in the formats to learn.
        new_dates: None of these dates is among those to learn from, in whatever language; their formats are.
        new_formats: Neither the dates nor the formats are: the language shows them for the first time.
        formats: The formats to learn.
        held_out_formats: Those that are not learnt.
    """

    train: list[WrittenDate]
    new_dates: list[WrittenDate]
    new_formats: list[WrittenDate]
    formats: list[DateFormat]
    held_out_formats: list[DateFormat]


def load_dates(count: int = 60_000, held_out: int = 4_000, seed: int = 7, languages: Sequence[str] | None = None):
    """Writes dates of two centuries in many languages.

    Each example draws a language, one of its formats and a date; what a text can mean is certain, because its language
    is told, and years of two digits are written only where POSIX's reading of them is right.

    Args:
        count: How many examples to learn from.
        held_out: How many to be judged by, of new dates; a quarter as many of new formats.
        seed: The seed of everything drawn.
        languages: Tags of the languages; all of `formats.LANGUAGES` where `None`.

    Returns:
        The corpus.
    """
    random = np.random.default_rng(seed)
    formats = date_formats() if languages is None else date_formats(languages)
    unseen = _held_out_formats(formats, random)
    learnt = [format_ for format_ in formats if format_ not in unseen]
    days = np.arange((LAST - FIRST).days + 1)
    random.shuffle(days)
    kept, learn = np.split(days, [int(len(days) * HELD_OUT_DATES)])
    return DateCorpus(
        _write(count, learn, learnt, random),
        _write(held_out, kept, learnt, random),
        _write(held_out // 4 if unseen else 0, kept, unseen, random),
        learnt,
        unseen,
    )


def _held_out_formats(formats: Sequence[DateFormat], random: np.random.Generator) -> list[DateFormat]:
    """One pattern of every other language, whose way to write the month other formats of the language show too."""
    held_out = []
    for language in list(dict.fromkeys(format_.language for format_ in formats))[::2]:
        own = [format_ for format_ in formats if format_.language == language]
        patterns = {format_.pattern: format_.month for format_ in own}
        months = list(patterns.values())
        candidates = [pattern for pattern, month in patterns.items() if months.count(month) > 1]
        if len(patterns) >= LEAST_FORMATS and candidates:
            chosen = candidates[random.integers(len(candidates))]
            held_out += [format_ for format_ in own if format_.pattern == chosen]
    return held_out


def _write(
    count: int, days: np.ndarray, formats: Sequence[DateFormat], random: np.random.Generator
) -> list[WrittenDate]:
    by_language: dict[str, list[DateFormat]] = {}
    for format_ in formats:
        by_language.setdefault(format_.language, []).append(format_)
    languages = list(by_language)
    written = []
    while len(written) < count:
        own = by_language[languages[random.integers(len(languages))]]
        format_ = own[random.integers(len(own))]
        date = FIRST + datetime.timedelta(days=int(days[random.integers(len(days))]))
        text = format_.write(date)
        if text is not None:
            written.append(WrittenDate(format_, text, date.isoformat()))
    return written
