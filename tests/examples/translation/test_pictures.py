import numpy as np
import pytest

from translation.corpus import Judged
from translation.pictures import MOST_WORDS, choose
from translation.search import Found
from translation.texts import Texts

PAIRS = [("Tom runs now.", "Tom läuft jetzt."), ("A dog runs now and now.", "Ein Hund läuft jetzt und jetzt.")]
LONG = (" ".join(["now"] * MOST_WORDS) + ".", " ".join(["jetzt"] * MOST_WORDS) + ".")
TEXTS = Texts.fit([*PAIRS, LONG] * 2)


def found(*targets):
    return [Found(TEXTS.encode_target(target), 0.0) for target in targets]


@pytest.mark.parametrize(
    ("sources", "targets", "expected"),
    [
        ([0, 1], [0, 1], 1),  # the longer of two that are right
        ([1, 0], [0, 0], 1),  # the one that is right
        ([0, 2], [0, 2], 0),  # the one that fits
        ([2], [2], 0),  # there is no other
    ],
)
def test_the_longest_right_sentence_that_fits_is_drawn(sources, targets, expected):
    pairs = [*PAIRS, LONG]
    dev = [Judged(pairs[source][0], (pairs[source][1].capitalize(), pairs[source][1])) for source in sources]
    assert choose(TEXTS, dev, found(*(pairs[target][1] for target in targets))) == expected


def test_a_sentence_with_an_unknown_word_is_not_drawn():
    dev = [Judged("A cat runs now and now.", (PAIRS[1][1],)), Judged(PAIRS[0][0], (PAIRS[0][1],))]
    assert choose(TEXTS, dev, found(PAIRS[1][1], PAIRS[0][1])) == 1
    assert np.isin(3, TEXTS.encode_source(dev[0].source))
