import pytest

from keras_seq.decoding import length_term


def test_terms_are_those_of_the_course_and_of_gnmt():
    assert float(length_term(9, 0.5)) == pytest.approx(3.0)
    assert float(length_term(7, 0.6, "gnmt")) == pytest.approx(2.0**0.6)
    assert float(length_term(7, 0.0)) == 1.0
