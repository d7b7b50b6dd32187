"""Pairs of sequences as batches for `fit`: alike in length, in a new order every epoch."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from generating.padding import batches_in_order, pad
from generating.vocabulary import START_ID, UNKNOWN_ID


class PairBatches(keras.utils.PyDataset):
    """Batches of `((source, target_in), target_out)`: the target is asked for at each step, the one before is given.

    Args:
        sources: The sources, one array of ids each.
        targets: The targets, likewise, each with the end token.
        size: How many pairs a batch holds.
        source_dropout: The share of source tokens shown to the model as unknown, drawn anew each time, so that it
            learns what to do with words it has never met.
        seed: The seed of the order and of the hidden tokens.
    """

    def __init__(
        self,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        size: int = 64,
        source_dropout: float = 0.0,
        seed: int = 0,
    ):
        super().__init__()
        self.sources, self.targets = list(sources), list(targets)
        self.size, self.source_dropout = size, source_dropout
        self.random = np.random.default_rng(seed)
        self.lengths = np.array([(len(t), len(s)) for s, t in zip(self.sources, self.targets, strict=True)])
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws a new order: by length, equal lengths at random, then the batches at random."""
        ties = self.random.random(len(self.lengths))
        self.batches = batches_in_order(np.lexsort((ties, self.lengths[:, 1], self.lengths[:, 0])), self.size)
        self.random.shuffle(self.batches)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        batch = self.batches[index]
        more_target, more_source = self._more_padding() if index == 0 else (0, 0)
        source = pad([self.sources[i] for i in batch], more_source)
        target_out = pad([self.targets[i] for i in batch], more_target)
        if self.source_dropout:
            hidden = (source > 0) & (self.random.random(source.shape) < self.source_dropout)
            source = np.where(hidden, np.int32(UNKNOWN_ID), source)
        target_in = np.concatenate([np.full_like(target_out[:, :1], START_ID), target_out[:, :-1]], axis=1)
        # The end token is nothing that a next one could follow.
        return (source, np.where(target_out > 0, target_in, 0)), target_out

    def _more_padding(self) -> tuple[int, int]:
        """One more column for the first batch where it is as wide as the second.

        From the two, Keras decides which sizes may change from batch to batch, and fails at the first that does
        although these had it in common.
        """
        first, second = (self.lengths[batch].max(axis=0) for batch in (self.batches * 2)[:2])
        return tuple((first == second).astype(int))
