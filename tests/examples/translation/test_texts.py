import json

from generating.vocabulary import END_ID, UNKNOWN_ID
from translation.texts import Texts

PAIRS = [("The dog is here.", "Der Hund ist hier."), ("Is the dog here?", "Ist der Hund hier?")]


def test_sentences_become_ids_and_ids_sentences():
    texts = Texts.fit(PAIRS, min_count=1)
    assert texts.decode_target(texts.encode_target("Der Hund ist hier?")) == "Der Hund ist hier?"
    assert texts.encode_target("Der Hund")[-1] == END_ID
    assert texts.encode_source("THE dog").tolist() == texts.encode_source("the Dog").tolist()


def test_rare_words_are_unknown_and_cannot_be_said():
    texts = Texts.fit(PAIRS)
    ids = texts.encode_target("Der Hund.")  # the full stop was met once
    assert ids[-2] == UNKNOWN_ID
    assert not texts.can_say(ids)
    assert texts.can_say(texts.encode_target("der Hund"))


def test_a_bundle_can_translate_with_what_it_carries():
    texts = Texts.fit(PAIRS, min_count=1)
    again = Texts.from_metadata(json.loads(json.dumps(texts.to_metadata())))
    ids = texts.encode_target("Der Hund ist hier.")
    assert again.decode_target(ids) == "Der Hund ist hier."
    assert again.encode_source(PAIRS[0][0]).tolist() == texts.encode_source(PAIRS[0][0]).tolist()
