import argparse
import io
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console

from classifying import experiment
from classifying.corpus import Corpus
from classifying.terminal import print_amounts
from keras_seq.embeddings import WordVectors
from keras_seq.text import WordTokenizer

TRAIN = [
    (f"good film number {index}" if index % 2 else f"bad film number {index}", "np"[index % 2]) for index in range(41)
]
CORPUS = Corpus("toy", TRAIN, [("a good one", "p"), ("bad", "n"), ("bad luck", "p")], [])
VECTORS = WordVectors(["good", "bad", "fine"], np.eye(3, 5))


@pytest.fixture
def splitter():
    return WordTokenizer.from_lines(text for text, _ in TRAIN)


def test_each_amount_is_learnt_with_vectors_and_without_and_the_last_is_kept(splitter, monkeypatch):
    learnt = []

    def learn(corpus, texts, words, vectors, options, seed, console):
        assert texts == corpus.train[: len(texts)]
        assert words[0] == ["bad", "film", "number", "0"]
        learnt.append((len(texts), vectors is VECTORS, seed))
        return SimpleNamespace(accuracy=len(learnt) / 10, seconds=1, id=len(learnt))

    monkeypatch.setattr(experiment, "learn", learn)
    console = Console(file=io.StringIO(), width=200)
    options = argparse.Namespace(shares=[1.0, 0.1], runs=2, seed=5)
    amounts, best = experiment.run_amounts(CORPUS, splitter, VECTORS, options, console)
    assert learnt == [
        (texts, with_vectors, seed) for texts in (4, 41) for with_vectors in (False, True) for seed in (5, 6)
    ]
    assert best.id == 7  # all texts, with vectors, the first run
    assert [(one.texts, one.without, one.pretrained) for one in amounts] == [
        (4, [0.1, 0.2], [0.3, 0.4]),
        (41, [0.5, 0.6], [0.7, 0.8]),
    ]
    assert amounts[1].naive_bayes == pytest.approx(2 / 3)

    print_amounts(console, amounts, most_frequent=0.5)
    assert "│ 41 " in console.file.getvalue()
    assert "0.5500 ± 0.0707" in console.file.getvalue()


def test_words_without_a_labelled_text_are_known_where_they_have_a_vector(splitter):
    words = experiment.tokens(splitter, TRAIN[:2])
    tokenizer, embedding = experiment.starting_point(words, None, seed=3)
    assert tokenizer.vocabulary[4:] == ("bad", "film", "number", "0", "good", "1")
    assert keras.ops.shape(embedding(np.array([[4, 5]]))) == (1, 2, 100)
    tokenizer, embedding = experiment.starting_point(words, VECTORS, seed=3)
    assert tokenizer.vocabulary[4:] == ("bad", "film", "number", "0", "good", "1", "fine")
    np.testing.assert_array_equal(embedding.get_weights()[0][[4, 10]], VECTORS.vectors[[1, 2]])


def test_words_are_cut_as_the_tokenizer_cuts_them(splitter):
    assert experiment.split(splitter, ["It's GOOD, é!", ""]) == [["it", "'", "s", "good", ",", "é", "!"], []]
    assert experiment.split(splitter, []) == []
    assert experiment.describe_coverage(CORPUS, splitter, VECTORS).startswith(
        "2 of 45 words have a vector, 43 have none"
    )
