import json

import pytest

from generating.vocabulary import END_ID, SPECIAL, UNKNOWN_ID, Vocabulary


def test_frequent_tokens_come_first_and_rare_ones_are_left_out():
    vocabulary = Vocabulary.fit([("b", "a", "b"), ("c", "a", "b")], min_count=2)
    assert vocabulary.tokens == [*SPECIAL, "b", "a"]
    assert len(vocabulary) == 6
    assert "a" in vocabulary
    assert "c" not in vocabulary


def test_ids_and_tokens_are_inverse_and_nothing_behind_the_end_is_read():
    vocabulary = Vocabulary.fit([tuple("abc")])
    ids = vocabulary.encode(tuple("cab"), end=True)
    assert ids.dtype == "int32"
    assert ids[-1] == END_ID
    assert vocabulary.decode([*ids, 5, 6]) == ("c", "a", "b")
    assert vocabulary.decode([5, 0, 6]) == ("b",)
    assert vocabulary.encode(("z",)).tolist() == [UNKNOWN_ID]


def test_it_survives_json():
    vocabulary = Vocabulary.fit([("ß", "é")])
    assert Vocabulary(json.loads(json.dumps(vocabulary.tokens))) == vocabulary


def test_a_list_without_the_special_tokens_is_refused():
    with pytest.raises(ValueError, match=r"must begin with \('<padding>', .*Received: \['a', 'b'\]"):
        Vocabulary(["a", "b"])
