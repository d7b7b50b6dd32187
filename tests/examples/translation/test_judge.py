import pytest
import sacrebleu

from translation.corpus import Judged
from translation.judge import BUCKETS, bucket_members, score

DEV = [
    Judged("Go!", ("Geh!", "Gehen Sie!")),
    Judged("He reads a very good book today.", ("Er liest heute ein sehr gutes Buch.",)),
    Judged("Where is my old dog now?", ("Wo ist mein alter Hund jetzt?",)),
    Judged("I think that she has never been in this house before.", ("Ich glaube, sie war nie in diesem Haus.",)),
]
TRANSLATIONS = ["Gehen Sie!", "Er liest ein sehr gutes Buch.", "Wo ist mein alter Hund?", "Sie war nie in dem Haus."]


def test_any_reference_is_right_and_lengths_are_compared():
    result = score(DEV, TRANSLATIONS)
    first = [judged.references[0] for judged in DEV]
    second = [judged.references[1] if len(judged.references) > 1 else None for judged in DEV]
    expected = sacrebleu.corpus_bleu(TRANSLATIONS, [first, second])
    assert result.bleu == pytest.approx(expected.score)
    assert result.length == pytest.approx(expected.sys_len / expected.ref_len)
    assert (result.sentences, result.exact) == (4, 0.25)
    assert "nrefs:var" in result.signature


def test_sentences_fall_into_buckets_by_their_words_without_marks():
    assert [bucket_members(DEV, bucket) for bucket in BUCKETS] == [[0], [2], [1], [3]]


def test_every_length_has_one_bucket():
    dev = [Judged("word " * length + ".", ("x",)) for length in range(1, 31)]
    members = [bucket_members(dev, bucket) for bucket in BUCKETS]
    assert sorted(index for indices in members for index in indices) == list(range(30))
