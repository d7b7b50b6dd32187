import datetime

import pytest

from date_reading.corpus import load_dates


@pytest.fixture(scope="module")
def corpus():
    return load_dates(count=3000, held_out=400)


def test_no_date_to_be_judged_by_is_among_those_to_learn_from_in_whatever_language(corpus):
    learnt = {example.iso for example in corpus.train}
    assert len(corpus.train) == 3000
    for held_out, count in ((corpus.new_dates, 400), (corpus.new_formats, 100)):
        assert len(held_out) == count
        assert learnt.isdisjoint(example.iso for example in held_out)


def test_formats_held_out_are_learnt_in_no_digits(corpus):
    patterns = [
        {(example.format.language, example.format.pattern) for example in part}
        for part in (corpus.train, corpus.new_dates, corpus.new_formats)
    ]
    assert patterns[0] >= patterns[1]
    assert patterns[0].isdisjoint(patterns[2])
    assert len(patterns[2]) > 10


def test_what_a_held_out_format_is_made_of_can_be_learnt(corpus):
    learnt = {(format_.language, format_.month) for format_ in corpus.formats}
    assert {(format_.language, format_.month) for format_ in corpus.held_out_formats} <= learnt


def test_the_same_seed_writes_the_same_dates():
    assert load_dates(70, 20, seed=3) == load_dates(70, 20, seed=3) != load_dates(70, 20, seed=4)


def test_texts_mean_what_they_say(corpus):
    """Numbers are read back by hand: with four digits for the year, the formats of these languages are sure."""
    orders = {"de": "dmy", "en-GB": "dmy", "en-US": "mdy", "ko": "ymd", "zh": "ymd"}
    read = 0
    for example in corpus.train:
        numbers = "".join(c if c.isdigit() else " " for c in example.text).split()
        if (
            example.format.language in orders
            and example.format.month == "number"
            and "yy" not in example.format.pattern
        ):
            parts = dict(zip(orders[example.format.language], map(int, numbers), strict=True))
            assert datetime.date(parts["y"], parts["m"], parts["d"]).isoformat() == example.iso
            read += 1
    assert read > 50


def test_the_model_is_told_the_language_first(corpus):
    example = corpus.train[0]
    assert example.source == (f"[{example.format.language}]", *example.text)


def test_few_languages_can_be_asked_for():
    corpus = load_dates(40, 8, languages=["de", "fr"])
    assert {example.format.language for example in corpus.train} == {"de", "fr"}
