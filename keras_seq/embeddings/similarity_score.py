"""How well the closeness of word vectors agrees with people's judgement."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from keras_seq.embeddings.folded_words import FoldedWords
from keras_seq.embeddings.question_file import read_pairs
from keras_seq.embeddings.requirements import require
from keras_seq.embeddings.word_vectors import WordVectors

__all__ = ["SimilarityScore", "score_similarity"]


@dataclass(frozen=True)
class SimilarityScore:
    """Agreement with people's judgements; prints as one line.

    Attributes:
        spearman: Spearman's rank correlation of the cosines with the judgements, from -1 to 1; NaN where fewer than two
            pairs were asked, or all cosines are equal.
        asked: Pairs both of whose words have a vector; the others are left out.
        total: Pairs in the file.
    """

    spearman: float
    asked: int
    total: int

    @property
    def coverage(self) -> float:
        """`asked / total`."""
        return self.asked / self.total

    def __str__(self) -> str:
        return f"Spearman {self.spearman:.3f} over {self.asked} of {self.total} pairs ({self.coverage:.0%})"


def score_similarity(
    vectors: WordVectors, path: str | os.PathLike, *, among: int | None = 300_000, ignore_case: bool = True
) -> SimilarityScore:
    """Compares cosines with people's judgements of how close two words are, such as WordSim-353.

    WordSim-353 (Finkelstein et al. 2002) asks for relatedness: `computer` and `keyboard` are close there.

    Args:
        vectors: The vectors.
        path: The file: two words and a number a line, with tabs or commas between; a first line may name the columns.
        among: Only so many words from the first on are known; all where None.
        ignore_case: Whether `Arafat` in the file is `arafat` in the vectors.

    Returns:
        Spearman's rank correlation, and over how many pairs.

    Raises:
        ModuleNotFoundError: If scipy is not installed; with the line that installs it.
        ValueError: If the file is none of pairs; the message names the line.
        OSError: If the file cannot be read.
    """
    stats = require("scipy.stats", "`score_similarity`")
    pairs = read_pairs(path)
    unit = vectors.unit[:among]
    folded = FoldedWords(vectors.words[: len(unit)], ignore_case)
    judged, cosines = [], []
    for first, second, judgement in pairs:
        rows = folded.row(first), folded.row(second)
        if None not in rows:
            judged.append(judgement)
            cosines.append(float(unit[rows[0]] @ unit[rows[1]]))
    # Without two different ranks on either side there is no correlation; scipy would warn.
    defined = len(set(judged)) > 1 and len(np.unique(cosines)) > 1
    return SimilarityScore(
        float(stats.spearmanr(judged, cosines).statistic) if defined else math.nan, len(judged), len(pairs)
    )
