import numpy as np
import pytest
from gensim.models import Word2Vec

from keras_seq.embeddings import keep_probabilities

COUNTS = np.array([5003, 211, 17, 3, 0])


def test_a_word_is_kept_by_its_frequency():
    share = 5003 / 5234
    expected = (0.01 / share) ** 0.5 + 0.01 / share
    kept = keep_probabilities(COUNTS, 0.01)
    assert kept[0] == pytest.approx(expected)
    assert kept[2:].tolist() == [1.0, 1.0, 1.0]


def test_gensim_keeps_the_same():
    words = {f"w{number}": int(count) for number, count in enumerate(COUNTS[:4])}
    model = Word2Vec(vector_size=2, min_count=1, sample=1e-3)
    model.build_vocab_from_freq(words)
    theirs = [model.wv.get_vecattr(word, "sample_int") / 2**32 for word in words]
    np.testing.assert_allclose(keep_probabilities(COUNTS[:4], 1e-3), theirs, rtol=1e-6)


def test_nothing_is_left_out_without_a_threshold():
    assert keep_probabilities(COUNTS, 0).tolist() == [1.0] * 5


@pytest.mark.parametrize("sample", [-1e-3, np.inf, np.nan])
def test_a_threshold_that_is_none_is_refused(sample):
    with pytest.raises(ValueError, match=r"`sample` must be a number that is at least 0. Received: sample="):
        keep_probabilities(COUNTS, sample)
