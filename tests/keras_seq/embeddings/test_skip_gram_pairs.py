from collections import Counter

import numpy as np
import pytest

from keras_seq.embeddings import CountedVocabulary, SkipGramPairs, keep_probabilities

WORDS = 13
RANDOM = np.random.default_rng(11)
SENTENCES = [RANDOM.integers(0, WORDS, length).tolist() for length in (17, 1, 0, 5, 29, 2, 7)]
COUNTS = np.bincount(np.concatenate([np.array(sentence, int) for sentence in SENTENCES]), minlength=WORDS)
VOCABULARY = CountedVocabulary([f"w{number}" for number in range(WORDS)], COUNTS)
PLAIN = {"dynamic_window": False, "sample": 0}


def pairs_of(stream, epoch=0):
    return Counter(tuple(pair) for batch in stream.batches(epoch) for pair in batch.unfold().tolist())


def loop(sentences, window):
    found = Counter()
    for sentence in sentences:
        for place, centre in enumerate(sentence):
            for other in range(place - window, place + window + 1):
                if other != place and 0 <= other < len(sentence):
                    found[centre, sentence[other]] += 1
    return found


@pytest.mark.parametrize("window", [1, 2, 5, 31])
@pytest.mark.parametrize(("chunk", "batch_words", "buffer_words"), [(1, 3, 1), (3, 21, 11), (5, 5, 1000), (7, 210, 4)])
def test_pairs_are_those_of_a_plain_loop(window, chunk, batch_words, buffer_words):
    sizes = {"chunk": chunk, "batch_words": batch_words, "buffer_words": buffer_words}
    assert pairs_of(SkipGramPairs(SENTENCES, VOCABULARY, window, **PLAIN, **sizes)) == loop(SENTENCES, window)


def test_batches_have_one_shape():
    stream = SkipGramPairs(SENTENCES, VOCABULARY, 2, **PLAIN, chunk=3, batch_words=21, buffer_words=13)
    for batch in stream.batches():
        assert [part.shape for part in batch] == [(7, 3), (7, 7), (7, 3), (7, 3)]
        assert {part.dtype for part in batch} == {np.dtype("int32")}


def test_words_and_ids_give_the_same():
    spelt = [[VOCABULARY.words[number] for number in sentence] for sentence in SENTENCES]
    for one, other in zip(
        SkipGramPairs(SENTENCES, VOCABULARY).batches(), SkipGramPairs(spelt, VOCABULARY).batches(), strict=True
    ):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)


def test_equal_seeds_give_equal_streams_and_epochs_differ():
    def stream(seed, epoch=0):
        return next(SkipGramPairs(SENTENCES, VOCABULARY, chunk=3, batch_words=21, seed=seed).batches(epoch))

    first = stream(5)
    assert all(np.array_equal(part, same) for part, same in zip(first, stream(5), strict=True))
    for other in (stream(6), stream(5, epoch=1)):
        assert not np.array_equal(first.centres, other.centres)


def test_the_stream_goes_on_with_the_next_epoch():
    pairs = SkipGramPairs(SENTENCES, VOCABULARY, chunk=3, batch_words=21)
    whole = [batch for epoch in range(3) for batch in pairs.batches(epoch)]
    for expected, batch in zip(whole, pairs.stream(), strict=False):  # the stream has no end
        np.testing.assert_array_equal(expected.centres, batch.centres)


def test_the_reach_is_drawn_evenly():
    text = [list(range(WORDS)) * 700]  # every word has 30 neighbours, but for a few at the ends
    batches = list(SkipGramPairs(text, CountedVocabulary(VOCABULARY.words, [700] * WORDS), 5, sample=0).batches())
    reach = np.concatenate([np.maximum(batch.before, batch.after).ravel() for batch in batches])
    seen = np.bincount(reach)[1:]
    assert len(seen) == 5
    np.testing.assert_allclose(seen / seen.sum(), 0.2, atol=0.02)


def test_frequent_words_are_left_out_before_windows_are_drawn():
    text = [[0, 0, 0, 1] * 500] * 20
    vocabulary = CountedVocabulary(["often", "seldom"], [30_000, 10_000])
    stream = SkipGramPairs(text, vocabulary, 1, dynamic_window=False, sample=0.05)
    centres = Counter(pair[0] for pair in pairs_of(stream).elements())
    expected = vocabulary.counts * keep_probabilities(vocabulary.counts, 0.05)
    assert centres[0] / 2 == pytest.approx(expected[0], rel=0.03)
    assert centres[1] / 2 == pytest.approx(expected[1], rel=0.03)
    assert pairs_of(stream)[1, 1] > 0  # neighbours that nothing but left out words had parted


def test_an_epoch_has_about_the_batches_that_are_expected():
    text = RANDOM.integers(0, WORDS, 20_011)
    vocabulary = CountedVocabulary(VOCABULARY.words, np.bincount(text, minlength=WORDS))
    stream = SkipGramPairs([text], vocabulary, sample=0.01, chunk=7, batch_words=77)
    assert sum(1 for _ in stream.batches()) == pytest.approx(stream.num_batches, rel=0.03)


class Lines:
    """Counts how far it has been read."""

    def __init__(self):
        self.read = 0

    def __iter__(self):
        for _ in range(1000):
            self.read += 1
            yield [1, 2, 3, 4, 5]


def test_no_more_is_read_than_the_buffer_holds():
    lines = Lines()
    next(SkipGramPairs(lines, VOCABULARY, **PLAIN, chunk=5, batch_words=50, buffer_words=100).batches())
    assert lines.read == 20


def test_pieces_are_shuffled():
    text = [list(range(WORDS)) * 50]
    vocabulary = CountedVocabulary(VOCABULARY.words, [50] * WORDS)
    centres = np.concatenate(
        [batch.centres.ravel() for batch in SkipGramPairs(text, vocabulary, **PLAIN, chunk=5, batch_words=50).batches()]
    )
    assert (centres[: len(text[0])] != text[0]).any()


@pytest.mark.parametrize("sentences", [[], [[]], [["?", "!"]], [[3], [5]]])
def test_a_corpus_without_pairs_is_refused(sentences):
    with pytest.raises(
        ValueError, match=r"hold two words of the vocabulary side by side. Received: .*'w0', 'w1', 'w2'"
    ):
        list(SkipGramPairs(sentences, VOCABULARY).batches())


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(ValueError, match=r"less than the 13 words of the vocabulary. Received: 13 in sentence 1"):
        list(SkipGramPairs([[1, 2], [13, 1]], VOCABULARY).batches())


def test_sentences_that_can_be_read_only_once_are_refused():
    with pytest.raises(ValueError, match=r"read once an epoch.*Received: generator; give a list"):
        SkipGramPairs((sentence for sentence in SENTENCES), VOCABULARY)


@pytest.mark.parametrize("setting", [{"window": 0}, {"window": -2}, {"window": 1.5}, {"chunk": 0}, {"batch_words": 0}])
def test_sizes_that_are_not_positive_are_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. Received: {name}={setting[name]}"):
        SkipGramPairs(SENTENCES, VOCABULARY, **setting)


def test_a_batch_that_is_no_multiple_of_a_piece_is_refused():
    with pytest.raises(ValueError, match=r"multiple of `chunk`. Received: batch_words=20, chunk=3"):
        SkipGramPairs(SENTENCES, VOCABULARY, batch_words=20, chunk=3)


def test_a_list_of_words_is_no_vocabulary():
    with pytest.raises(TypeError, match=r"`vocabulary` must be a CountedVocabulary. Received: list"):
        SkipGramPairs(SENTENCES, ["a", "b"])
