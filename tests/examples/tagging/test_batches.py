import numpy as np

from tagging.batches import Batches
from tagging.sentence import Sentence
from tagging.vocabularies import features_of, learn_tokenizers

SENTENCES = [Sentence(tuple(f"w{i}" for i in range(n)), tuple("AB"[i % 2] for i in range(n))) for n in range(1, 24)]
FEATURES = features_of(learn_tokenizers(SENTENCES, min_count=1, affix=3), SENTENCES)


def epoch(batches):
    return [batches[index] for index in range(len(batches))]


def test_every_word_comes_once_an_epoch_with_its_own_label():
    batches = Batches(FEATURES, SENTENCES, words_per_batch=50, max_length=7, word_dropout=0.0)
    seen = sum(np.count_nonzero(inputs["words"]) for inputs, _ in epoch(batches))
    assert seen == sum(map(len, SENTENCES))
    for inputs, labels in epoch(batches):
        assert inputs["words"].shape == labels.shape == inputs["characters"].shape[:2]
        assert inputs["words"].shape[1] <= 7
        assert inputs["words"].size <= 50
        known = inputs["words"] > 0
        names = np.array(FEATURES.words.vocabulary)[inputs["words"][known]]
        expected = [FEATURES.labels.index("AB"[int(name[1:]) % 2]) for name in expand(names, inputs)]
        assert labels[known].tolist() == expected


def expand(names, inputs):
    """The normalised words hide their digits, the characters do not."""
    spellings = inputs["characters"][inputs["words"] > 0][:, :3]
    words = ["".join(FEATURES.characters.vocabulary[index] for index in row if index) for row in spellings]
    assert [word[0] for word in words] == [name[0] for name in names]
    return words


def test_hidden_words_keep_their_place_their_spelling_and_their_label():
    plain = Batches(FEATURES, SENTENCES, word_dropout=0.0, seed=5)
    hiding = Batches(FEATURES, SENTENCES, word_dropout=0.5, seed=5)
    for (inputs, labels), (hidden_inputs, hidden_labels) in zip(epoch(plain), epoch(hiding), strict=True):
        np.testing.assert_array_equal(inputs["characters"], hidden_inputs["characters"])
        np.testing.assert_array_equal(labels, hidden_labels)
        np.testing.assert_array_equal(inputs["words"] > 0, hidden_inputs["words"] > 0)
        changed = inputs["words"] != hidden_inputs["words"]
        assert (hidden_inputs["words"][changed] == 3).all()
        assert 0.3 < changed.sum() / (inputs["words"] > 0).sum() < 0.7


def test_the_order_is_new_each_epoch_and_the_same_for_the_same_seed():
    one, other = (Batches(FEATURES, SENTENCES, words_per_batch=30, seed=11) for _ in range(2))
    assert one.batches == other.batches
    first = one.batches
    one.on_epoch_end()
    other.on_epoch_end()
    assert one.batches == other.batches != first


def test_of_a_long_word_the_ends_are_shown():
    letters = [f"l{i}" for i in range(10)]
    sentence = Sentence(("a", f"'{' '.join(letters)}'", "b"), ("A", "B", "A"))
    features = features_of(learn_tokenizers([sentence], min_count=1, affix=3), [sentence])
    batches = Batches(features, [sentence], max_length=13, word_dropout=0.0)  # at most 6 pieces of a word
    ((inputs, labels),) = epoch(batches)
    shown = ["".join(features.characters.vocabulary[i] for i in row[:3] if i) for row in inputs["characters"][0]]
    assert shown == ["a", "'", "l0", "l1", "l8", "l9", "'", "b"]
    assert labels.tolist() == [[0, *[1] * 6, 0]]
