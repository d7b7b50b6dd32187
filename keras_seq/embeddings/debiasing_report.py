"""What debiasing did to word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.embeddings.bias import BiasDirection, direct_bias
from keras_seq.embeddings.word_vectors import WordVectors

__all__ = ["DebiasingReport"]


@dataclass(frozen=True)
class DebiasingReport:
    """What `debias` gives: the vectors, and measures from before and after; prints as a few lines.

    Whether the vectors still do what they are for is told by `evaluate_analogies` and `evaluate_similarity` of
    `before` and `vectors`.

    Attributes:
        before: The vectors as they came.
        vectors: The vectors without the bias, of length 1.
        direction: The bias, as it was found in `before`.
        neutral: The words that lost their part in it.
    """

    before: WordVectors
    vectors: WordVectors
    direction: BiasDirection
    neutral: tuple[str, ...]

    def direct_bias(self, words: Sequence[str] | None = None, strictness: float = 1.0) -> tuple[float, float]:
        """The direct bias before and after; see `keras_seq.embeddings.direct_bias`.

        Args:
            words: Words that ought to be neutral; all that were neutralised where None.
            strictness: The paper's c.

        Returns:
            Before, and after.
        """
        words = self.neutral if words is None else words
        before, after = (direct_bias(each, self.direction, words, strictness) for each in (self.before, self.vectors))
        return before, after

    def projections(self, words: Sequence[str]) -> dict[str, tuple[float, float]]:
        """How far each word lies along the first direction of the bias, before and after.

        Args:
            words: The words.

        Returns:
            Word to two cosines, positive towards the first words of the definitional sets.

        Raises:
            ValueError: If a word is unknown.
        """
        before, after = (self.direction.along(each, words) for each in (self.before, self.vectors))
        return {word: (before[word], after[word]) for word in words}

    def similarity_kept(self, words: Sequence[str] | None = None, num_words: int = 1000) -> float:
        """How far the cosines among words stayed what they were: their correlation before and after.

        Args:
            words: The words; the first `num_words` neutral ones where None.
            num_words: How many to take where no words are given.

        Returns:
            Pearson's correlation over all pairs of words, 1 where nothing changed.

        Raises:
            ValueError: If a word is unknown, or there are fewer than three.
        """
        rows = self.before.rows(self.neutral[:num_words] if words is None else words)
        if len(rows) < 3:
            raise ValueError(f"`similarity_kept` compares pairs of at least three words. Received {len(rows)}.")
        pairs = np.triu_indices(len(rows), 1)
        before, after = ((each.unit[rows] @ each.unit[rows].T)[pairs] for each in (self.before, self.vectors))
        return float(np.corrcoef(before, after)[0, 1])

    def __str__(self) -> str:
        shares = " and ".join(f"{share:.1%}" for share in self.direction.shares)
        lines = []
        if self.neutral:
            before, after = self.direct_bias()
            lines.append(
                f"direct bias {before:.4f} before, {after:.4f} after, over {len(self.neutral):,} neutral words"
            )
        lines.append(f"the direction holds {shares} of the variance within the definitional sets")
        return "\n".join(lines)
