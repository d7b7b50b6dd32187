import unicodedata

import pytest

from keras_seq.text.rules import check_rules, default_rules, small_letters

RULES = default_rules(["whitespace", "punctuation", "lower"])
CODE_POINTS = range(0x110000)


def covered(name):
    return {point for first, last in RULES[name] for point in range(first, last + 1)}


def test_whitespace_is_what_python_takes_for_it_and_nul():
    assert covered("whitespace") == {point for point in CODE_POINTS if chr(point).isspace() or point == 0}


def test_punctuation_is_the_categories_p_and_s():
    assert covered("punctuation") == {point for point in CODE_POINTS if unicodedata.category(chr(point))[0] in "PS"}


def test_a_capital_becomes_the_one_small_letter_that_python_has_for_it():
    expected = {point: ord(chr(point).lower()) for point in CODE_POINTS if len(chr(point).lower()) == 1}
    expected = {point: small for point, small in expected.items() if small != point}
    assert small_letters(RULES["lower"]) == {**expected, ord("\u0130"): ord("i")}


@pytest.mark.parametrize("name", RULES)
def test_ranges_rise_and_do_not_meet(name):
    edges = [edge for entry in RULES[name] for edge in entry[:2]]
    assert edges == sorted(edges)
    assert len(RULES[name]) < 350  # a file of code points would have thousands


def test_checked_rules_are_the_wanted_ones():
    assert check_rules(RULES, ["lower"]) == {"lower": RULES["lower"]}
    assert check_rules({"whitespace": ((9, 9),)}, ["whitespace"]) == {"whitespace": [[9, 9]]}


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ([[9, 13], [13, 32]], r"in rising order, none within another. Received: \[13, 32\] after .* ends at 13"),
        ([[13, 9]], r"Received: \[13, 9\]"),
        ([[9]], r"ranges \[first, last\] of code points from 0 to 1114111"),
        ([[0, 0x110000]], "1114112"),
        ([[-1, 3]], r"Received: \[-1, 3\]"),
        ([[9, 13.0]], r"Received: \[9, 13.0\]"),
        ([[False, True]], r"Received: \[False, True\]"),
        (["ab"], "Received: 'ab'"),
        ("ab", "Received: 'ab'"),
        (None, "Received: None"),
    ],
)
def test_a_range_that_is_none_is_named(ranges, message):
    with pytest.raises(ValueError, match=f"The rule 'whitespace' .*{message}"):
        check_rules({"whitespace": ranges}, ["whitespace"])


@pytest.mark.parametrize(
    "entry",
    [[65, 90, 1], [65, 90, 0, 32], [65, 90, 2, 32], [65, 90, 1, -66], [65, 0x10FFFF, 1, 32], [65, 90, 1, 0xD7C0]],
)
def test_lower_casing_must_lead_to_code_points(entry):
    with pytest.raises(ValueError, match=r"The rule 'lower' must be .* \[first, last, step, delta\]"):
        check_rules({"lower": [entry]}, ["lower"])


def test_rules_that_are_missing_or_unknown_are_named():
    with pytest.raises(ValueError, match=r"must have 'punctuation' .* Received: \['whitespace'\]"):
        check_rules({"whitespace": []}, ["whitespace", "punctuation"])
    with pytest.raises(ValueError, match=r"may have \['lower', .*\]. Received: \['upper'\] as well"):
        check_rules({"upper": []}, [])
    with pytest.raises(TypeError, match="must be a dict of ranges"):
        check_rules([[9, 13]], ["whitespace"])
