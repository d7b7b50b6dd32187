"""Word vectors, learnt from texts without looking at labels."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console

from keras_seq.embeddings import CountedVocabulary, SkipGram, SkipGramPairs, WordVectors

FEATURES = 100
MIN_COUNT = 2
WINDOW = 5
WORDS_TO_READ = 6_000_000  # all epochs together: few texts are read more often
MOST_EPOCHS = 30


def learn_vectors(
    sentences: Sequence[Sequence[str]], console: Console, *, seed: int, epochs: int | None
) -> WordVectors:
    """Learns word vectors by skip-gram with negative sampling.

    Args:
        sentences: The tokens of each text.
        console: Where to show the progress.
        seed: Of everything random.
        epochs: How often to read the texts; None: so often that they make a few million words.

    Returns:
        A vector for each word that occurs twice.
    """
    begin = time.perf_counter()
    vocabulary = CountedVocabulary.from_sentences(sentences, min_count=MIN_COUNT)
    words = sum(map(len, sentences))
    epochs = epochs or max(1, min(MOST_EPOCHS, round(WORDS_TO_READ / words)))
    model = SkipGram(vocabulary, FEATURES, seed=seed)
    model.compile()
    with console.status(f"learning vectors from {words:,} words, read {epochs} times"):
        model.fit(SkipGramPairs(sentences, vocabulary, WINDOW, seed=seed), epochs=epochs, verbose=0)
    console.print(
        f"{len(vocabulary):,} words with {FEATURES} numbers each, learnt from {words:,} words of text read {epochs} "
        f"times, {time.perf_counter() - begin:.0f} s"
    )
    return model.word_vectors()
