"""Sentences as batches for `fit`: of similar lengths, in a new order every epoch, some words hidden."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tagging.features import UNKNOWN_ID, Features, batches_by_length, pad
from tagging.sentence import Sentence


class Batches(keras.utils.PyDataset):
    """Batches of about equally many words: many short sentences or a few long ones, so that little is padding.

    Args:
        features: The vocabularies.
        sentences: Labelled sentences. Those longer than `max_length` are cut into several.
        words_per_batch: How many words a batch holds, padding included.
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
        self.random = np.random.default_rng(seed)
        self.examples = []
        for sentence in sentences:
            words, characters = features.encode(sentence.words)
            labels = features.encode_labels(sentence.labels)
            for start in range(0, len(words), max_length):
                piece = slice(start, start + max_length)
                self.examples.append((words[piece], characters[piece], labels[piece]))
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
        return {"words": np.where(hidden, np.int32(UNKNOWN_ID), words), "characters": characters}, labels
