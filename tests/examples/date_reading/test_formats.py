import datetime

import pytest
from babel import Locale

from date_reading.digits import ZEROS, numbering_systems, write_digits
from date_reading.formats import LANGUAGES, SHORT_YEARS, DateFormat, date_formats


def test_there_are_many_languages_and_formats_and_each_pattern_is_there_once():
    formats = date_formats()
    assert len(LANGUAGES) == len({format_.language for format_ in formats}) >= 30
    assert len(formats) == len({(format_.language, format_.pattern, format_.digits) for format_ in formats}) > 200
    assert {"arab", "arabext", "beng", "deva", "thai", "latn"} <= {format_.digits for format_ in formats}


@pytest.mark.parametrize(
    ("language", "pattern", "digits", "expected"),
    [
        ("de", "EEEE, d. MMMM y", "latn", "Donnerstag, 4. März 2021"),
        ("en-US", "MMM d, y", "latn", "Mar 4, 2021"),
        ("en-GB", "dd/MM/y", "latn", "04/03/2021"),
        ("ja", "y年M月d日", "latn", "2021年3月4日"),
        ("fa", "d MMMM y", "arabext", "۴ مارس ۲۰۲۱"),
        ("hi", "d MMMM y", "deva", "४ मार्च २०२१"),
    ],
)
def test_dates_are_written_as_the_language_writes_them(language, pattern, digits, expected):
    assert DateFormat(language, "x", pattern, digits).write(datetime.date(2021, 3, 4)) == expected


def test_two_digits_of_a_year_are_written_only_where_they_are_sure():
    short = DateFormat("de", "short", "dd.MM.yy", "latn")
    first, last = SHORT_YEARS
    assert last - first == 99
    assert short.write(datetime.date(1968, 12, 31)) is None
    assert short.write(datetime.date(1969, 1, 1)) == "01.01.69"
    assert short.write(datetime.date(2068, 12, 31)) == "31.12.68"
    assert short.write(datetime.date(2069, 1, 1)) is None
    assert DateFormat("de", "medium", "dd.MM.y", "latn").write(datetime.date(2069, 1, 1)) == "01.01.2069"


def test_no_text_of_a_language_has_two_meanings():
    """All days of four years, two of them leap years and 2020 and 1920 alike in their last digits."""
    for language in LANGUAGES:
        meanings = {}
        for format_ in date_formats([language]):
            for year in (1920, 1999, 2020, 2012):
                for day in range(0, 365, 3):
                    date = datetime.date(year, 1, 1) + datetime.timedelta(days=day)
                    text = format_.write(date)
                    assert text is None or meanings.setdefault(text, date) == date, (text, date, meanings[text])


@pytest.mark.parametrize(
    ("pattern", "month"),
    [("dd.MM.y", "number"), ("d MMM y", "short"), ("d בMMMM y", "long"), ("d LLL y", "short"), ("y 'M' M", "number")],
)
def test_how_the_month_is_written_is_read_off_the_pattern(pattern, month):
    assert DateFormat("de", "x", pattern, "latn").month == month


@pytest.mark.parametrize("name", ZEROS)
def test_every_digit_is_the_digit_of_its_system(name):
    written = write_digits("0123456789", name)
    assert [int(digit) for digit in written] == list(range(10))  # `int` reads the digits of every script


def test_a_language_is_written_in_its_usual_digits_first():
    assert numbering_systems(Locale("fa")) == ("arabext",)
    assert numbering_systems(Locale("th")) == ("latn", "thai")
    assert numbering_systems(Locale("zh")) == ("latn",)
