"""The noise of negative sampling."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_seq.recurrent.cell import Tensor

_RANGE = 2**31 - 1


class NoiseDistribution:
    """Draws words with a probability that grows with a power of their count.

    Mikolov et al. 2013b (https://arxiv.org/abs/1310.4546, section 2.2) found the power 3/4 better than the counts
    themselves (1) and than equal chances (0): rare words are drawn more often than they occur, "the" less often.

    Probabilities are kept as cumulated 31-bit integers, so that they are the same under every backend and right to
    5e-10, which float32 would not be in a large vocabulary.

    Args:
        counts: how often each word occurs, `(words,)`; a word that never occurs is never drawn.
        power: of the counts, at least 0.

    Attributes:
        probabilities: float64 `(words,)`.

    Raises:
        ValueError: for a negative or infinite `power`.
    """

    def __init__(self, counts: np.ndarray, power: float = 0.75):
        if not 0 <= power < np.inf:
            raise ValueError(f"`power` must be a number that is at least 0. Received: power={power!r}")
        counts = np.asarray(counts, "float64")
        weights = np.where(counts > 0, counts, 1.0) ** power * (counts > 0)
        self.probabilities = weights / weights.sum()
        cumulated = np.cumsum(self.probabilities)
        self._limits = np.round(cumulated / cumulated[-1] * _RANGE).astype("int32")

    def sample(self, shape: tuple[int | Tensor, ...], seed: keras.random.SeedGenerator | int | None = None) -> Tensor:
        """Draws words, with replacement.

        Args:
            shape: how many.
            seed: as in `keras.random`; a `SeedGenerator` gives other words at each call.

        Returns:
            Ids, int32 of that shape.
        """
        draws = keras.random.randint(shape, 0, _RANGE, dtype="int32", seed=seed)
        # The first word whose limit is above the draw: a word of probability 0 has the limit of the one before it.
        found = ops.searchsorted(ops.convert_to_tensor(self._limits), ops.reshape(draws, (-1,)), side="right")
        return ops.reshape(ops.cast(found, "int32"), shape)
