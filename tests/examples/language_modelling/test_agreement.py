import re

import numpy as np
import pytest

from language_modelling.agreement import IDS, NOUNS, SUBJECT, VERBS, WORDS, sentences

SINGULAR, PLURAL = ("|".join(noun[form] for noun in NOUNS) for form in (0, 1))
CLAUSE = (
    rf", which ate( (near|behind|beside|under) the ({SINGULAR}|{PLURAL})| already| often| there| today)* ,"  # of words
)


@pytest.mark.parametrize("distance", [4, 5, 7, 11, 43])
def test_every_sentence_is_a_clause_between_its_subject_and_its_verb(distance):
    ids, verbs = sentences(97, distance, np.random.default_rng(3))
    assert (ids.shape, ids.dtype, verbs.shape, verbs.dtype) == ((97, distance + 2), "int32", (97,), "float32")
    for row, verb in zip(ids, verbs, strict=True):
        text = f"{' '.join(WORDS[index] for index in row)} {VERBS[int(verb)]}"
        forms = {"was": SINGULAR, "were": PLURAL}[text.split()[-1]]
        assert re.fullmatch(rf"the ({forms}) {CLAUSE} (was|were)", text), text


def test_nothing_but_the_subject_tells_the_verb():
    """The correlation of the verb with the last noun in front of it, and with the share of plurals in the clause."""
    ids, verbs = sentences(4000, 40, np.random.default_rng(5))
    plural = np.isin(ids, [IDS[noun[1]] for noun in NOUNS])
    np.testing.assert_array_equal(plural[:, SUBJECT], verbs == 1)
    clause = plural[:, SUBJECT + 1 :]
    assert 0.45 < verbs.mean() < 0.55
    for told in (clause.mean(axis=1), clause[:, -8:].any(axis=1)):
        assert abs(np.corrcoef(told, verbs)[0, 1]) < 0.05


def test_the_same_seed_gives_the_same_sentences():
    first, second, other = (sentences(7, 13, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[0] != other[0]).any()


def test_a_distance_that_holds_no_clause_is_refused():
    with pytest.raises(ValueError, match=r"`distance` must be at least 4\. Received: distance=3\."):
        sentences(1, 3, np.random.default_rng(0))
