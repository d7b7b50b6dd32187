from language_modelling.kitchen import PAIR, PEAR, kitchen_sentences


def test_no_sentence_to_learn_from_has_an_apple_a_pear_and_a_salad():
    for sentence in kitchen_sentences():
        assert not {"apple", "pear", "salad"} <= set(sentence.split())
    assert PAIR not in kitchen_sentences()
    words = {word for sentence in kitchen_sentences() for word in sentence.split()}
    assert set(PEAR.split()) | set(PAIR.split()) <= words  # each by itself was met
