"""Sentences as batches for `fit`: of similar lengths, in a new order every epoch, some words hidden."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tagging.features import Encoded, Features, batches_by_length, pad
from tagging.sentence import Sentence


class Batches(keras.utils.PyDataset):
    """Batches of about equally many words: many short sentences or a few long ones, so that little is padding.

    Args:
        features: The vocabularies.
        sentences: Labelled sentences. Those of more pieces than `max_length` are cut into several.
        words_per_batch: How many pieces of words a batch holds, padding included.
        max_length: The longest sequence.
        word_dropout: The share of known words shown to the model as unknown, drawn anew each time, so that it
            learns to rely on spelling and neighbours as it must with new words.
        seed: The seed of the order and of the hidden words.
    """

    def __init__(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        words_per_batch: int = 1024,
        max_length: int = 64,
        word_dropout: float = 0.1,
        seed: int = 0,
    ):
        super().__init__()
        self.words_per_batch = words_per_batch
        self.word_dropout = word_dropout
        self.unknown_id = features.words.unknown_id
        self.random = np.random.default_rng(seed)
        self.examples = []
        for sentence in sentences:
            encoded = features.encode(sentence.words)
            labels = features.encode_labels(sentence.labels, encoded)
            shown = _ends_of_words(encoded, max_length // 2)
            rows = encoded.words[shown], encoded.characters[shown], labels[shown]
            for start in range(0, len(rows[0]), max_length):
                self.examples.append(tuple(row[start : start + max_length] for row in rows))
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws a new order: by length, equal lengths at random, then the batches at random."""
        lengths = np.array([len(words) for words, _, _ in self.examples])
        order = np.lexsort((self.random.random(len(lengths)), lengths))
        self.batches = batches_by_length(lengths, order, self.words_per_batch)
        self.random.shuffle(self.batches)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        words, characters, labels = (
            pad(rows) for rows in zip(*(self.examples[example] for example in self.batches[index]), strict=True)
        )
        hidden = (words > 0) & (self.random.random(words.shape) < self.word_dropout)
        return {"words": np.where(hidden, np.int32(self.unknown_id), words), "characters": characters}, labels


def _ends_of_words(encoded: Encoded, most: int) -> np.ndarray:
    """Which pieces to show: of a word of more than `most`, such as a long string, half of them at each end.

    What is in between says little, and cut off from both ends it would be taken for anything.
    """
    counts = encoded.counts
    places = np.arange(len(encoded.words)) - np.repeat(encoded.starts, counts)
    return (places < most // 2) | (places >= np.repeat(counts, counts) - most // 2)
