"""Texts as batches for `fit`: of similar lengths, in a new order every epoch, some words hidden."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np


class TextBatches(keras.utils.PyDataset):
    """Batches of equally many texts.

    Args:
        ids: One sequence of ids a text.
        classes: One class a text.
        size: How many texts a batch has.
        word_dropout: The share of words shown as unknown, drawn anew each time: as many words of new texts are.
        unknown_id: Their id.
        seed: Of the order and of the hidden words.
    """

    def __init__(
        self,
        ids: Sequence[Sequence[int]],
        classes: Sequence[int],
        size: int,
        *,
        word_dropout: float = 0.0,
        unknown_id: int = 3,
        seed: int = 0,
    ):
        super().__init__()
        self.ids = [np.asarray(row, "int32") for row in ids]
        self.classes = np.asarray(classes, "int32")
        self.size, self.word_dropout, self.unknown_id = size, word_dropout, unknown_id
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws a new order: about by length, then the batches at random."""
        lengths = np.array([len(row) for row in self.ids])
        order = np.argsort(lengths + self.random.uniform(-3, 3, len(lengths)))
        self.batches = [order[start : start + self.size] for start in range(0, len(order), self.size)]
        self.random.shuffle(self.batches)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        ids = pad([self.ids[row] for row in self.batches[index]])
        if index == 0 and ids.shape[1] == self._width(1 % len(self)):
            # From the first two batches Keras decides which sizes may change, and fails at the first that does although
            # these had it in common.
            ids = np.pad(ids, [(0, 0), (0, 1)])
        hidden = (ids > 0) & (self.random.random(ids.shape) < self.word_dropout)
        return np.where(hidden, np.int32(self.unknown_id), ids), self.classes[self.batches[index]]

    def _width(self, index: int) -> int:
        return max(1, *(len(self.ids[row]) for row in self.batches[index]))


def pad(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Puts rows into one array, zeros behind the shorter ones; `(rows, time)`, int32, at least one step."""
    padded = np.zeros((len(rows), max(1, *map(len, rows))), "int32")
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded
