"""What vectors learnt beforehand are worth: classifiers with and without them, by amount of labelled text."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from rich.console import Console

from classifying.baseline import naive_bayes_accuracy
from classifying.corpus import Corpus, Labelled
from classifying.model import build
from classifying.pretraining import FEATURES
from classifying.training import probabilities, train
from keras_seq.embeddings import WordVectors, coverage
from keras_seq.text import WordTokenizer

SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
MAX_LENGTH = 120  # words; what a longer text has behind them is not read


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Args:
        model: Ids to probabilities.
        tokenizer: Texts to ids.
        labels: What the probabilities are of.
        accuracy: The share of right labels among the texts it is judged by.
        seconds: How long it was trained.
    """

    model: keras.Model
    tokenizer: WordTokenizer
    labels: list[str]
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Amount:
    """What became of one amount of labelled text.

    Args:
        texts: How many.
        naive_bayes: The accuracy of naive Bayes over words.
        naive_bayes_pairs: Likewise over words and pairs of neighbours.
        without: The accuracies of classifiers whose vectors start at random, one a run.
        pretrained: Of those that start from vectors learnt beforehand.
    """

    texts: int
    naive_bayes: float
    naive_bayes_pairs: float
    without: list[float]
    pretrained: list[float]


def run_amounts(
    corpus: Corpus, splitter: WordTokenizer, vectors: WordVectors, options: argparse.Namespace, console: Console
) -> tuple[list[Amount], Classifier]:
    """Trains and judges everything.

    Args:
        corpus: The texts.
        splitter: What cuts texts into words; its vocabulary does not matter.
        vectors: The vectors learnt beforehand.
        options: The command line's options.
        console: Where to print.

    Returns:
        The results, one for each share of the texts, and the classifier that was trained last: with vectors, on most
        texts, in the first run.
    """
    dev_words, dev_labels = tokens(splitter, corpus.dev), [label for _, label in corpus.dev]
    amounts, best = [], None
    for share in sorted(options.shares):
        texts = corpus.train[: max(1, round(share * len(corpus.train)))]
        words, labels = tokens(splitter, texts), [label for _, label in texts]
        bayes = [naive_bayes_accuracy(words, labels, dev_words, dev_labels, longest=longest) for longest in (1, 2)]
        accuracies = []
        for start in (None, vectors):
            runs = []
            for run in range(options.runs):
                classifier = learn(corpus, texts, words, start, options, options.seed + run, console)
                runs.append(classifier)
                how = "vectors from random" if start is None else "vectors learnt beforehand"
                console.print(
                    f"  {len(texts):,} texts, {how}: {classifier.accuracy:.4f} right, {classifier.seconds:.0f} s"
                )
            accuracies.append([one.accuracy for one in runs])
            best = runs[0]
        amounts.append(Amount(len(texts), *bayes, *accuracies))
    return amounts, best


def learn(
    corpus: Corpus,
    texts: Sequence[Labelled],
    words: Sequence[Sequence[str]],
    vectors: WordVectors | None,
    options: argparse.Namespace,
    seed: int,
    console: Console,
) -> Classifier:
    """Trains one classifier and judges it."""
    keras.utils.set_random_seed(seed)
    begin = time.perf_counter()
    tokenizer, embedding = starting_point(words, vectors, seed)
    model = build(embedding, len(corpus.labels), units=options.units, dropout=options.dropout)
    classes = [corpus.labels.index(label) for _, label in texts]
    ids = tokenizer.encode([text for text, _ in texts])
    train(model, ids, classes, console, epochs=options.epochs, word_dropout=options.word_dropout, seed=seed)
    seconds = time.perf_counter() - begin
    found = probabilities(model, tokenizer.encode([text for text, _ in corpus.dev])).argmax(axis=-1)
    right = [corpus.labels[index] == label for index, (_, label) in zip(found, corpus.dev, strict=True)]
    return Classifier(model, tokenizer, corpus.labels, float(np.mean(right)), seconds)


def starting_point(
    words: Sequence[Sequence[str]], vectors: WordVectors | None, seed: int
) -> tuple[WordTokenizer, keras.layers.Embedding]:
    """Makes the vocabulary and the vectors that a classifier starts from.

    Args:
        words: The tokens of each text to learn from.
        vectors: What was learnt beforehand, or None. All words that have a vector come into the vocabulary: those that
            no labelled text has are then understood too.
        seed: Of vectors that are drawn.

    Returns:
        The tokenizer, and the layer.
    """
    known = dict.fromkeys(word for row in words for word in row)
    if vectors is not None:
        known.update(dict.fromkeys(vectors.words))
    vocabulary = [*SPECIAL, *(word for word in known if word not in SPECIAL)]
    tokenizer = WordTokenizer(vocabulary, max_length=MAX_LENGTH, name="tokenizer")
    if vectors is not None:
        return tokenizer, vectors.to_embedding_layer(tokenizer, seed=seed)
    return tokenizer, keras.layers.Embedding(
        len(vocabulary),
        FEATURES,
        mask_zero=True,
        embeddings_initializer=keras.initializers.RandomUniform(-0.25, 0.25, seed=seed),
    )


def tokens(splitter: WordTokenizer, texts: Sequence[Labelled]) -> list[list[str]]:
    """The words of texts."""
    return split(splitter, [text for text, _ in texts])


def split(splitter: WordTokenizer, texts: Sequence[str]) -> list[list[str]]:
    """The words of texts, as the tokenizer cuts them."""
    return [[word.decode() for word in row] for row in splitter.split(texts).to_list()] if texts else []


def describe_coverage(corpus: Corpus, splitter: WordTokenizer, vectors: WordVectors) -> str:
    """Says how many of the words in the texts to learn from have a vector."""
    words = dict.fromkeys(word for row in tokens(splitter, corpus.train) for word in row)
    return str(coverage(vectors, [*SPECIAL, *words]))
