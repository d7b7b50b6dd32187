"""How often words stand near each other."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_seq.embeddings.counted_vocabulary import CountedVocabulary
from keras_seq.embeddings.requirements import require

if TYPE_CHECKING:
    import scipy.sparse

_WEIGHTINGS = ("inverse_distance", "uniform")


def cooccurrence_matrix(
    sentences: Iterable[Sequence[str] | Sequence[int] | np.ndarray],
    vocabulary: CountedVocabulary,
    window: int = 10,
    *,
    weighting: str = "inverse_distance",
    buffer_words: int = 1_048_576,
) -> scipy.sparse.csr_array:
    """Counts, for each two words, how often one stands within `window` words of the other in a sentence.

    Pennington et al. 2014 (https://aclanthology.org/D14-1162), section 4.2: words that stand d words apart add 1 / d.
    The matrix is symmetric; two occurrences of one word add to its diagonal twice, once from each side.

    Sentences are read once, in blocks; memory is that of the matrix, which has an entry for each pair that occurs, and
    of one block. Needs SciPy.

    Args:
        sentences: lists of words or of ids. Words outside the vocabulary are left out first, and add no distance.
        vocabulary: the words; ids are its rows and columns.
        window: the largest distance, in words.
        weighting: `"inverse_distance"`, or `"uniform"` where each occurrence counts 1.
        buffer_words: how many words to read at once.

    Returns:
        Float64 `(words, words)`, compressed by rows, without duplicates.

    Raises:
        ValueError: for a size that is not positive, an unknown weighting, ids outside the vocabulary, or a corpus in
            which no two words of the vocabulary stand near each other.
        ModuleNotFoundError: if SciPy is not installed.

    Example:
    >>> sentences = [["a", "b", "c"]]
    >>> vocabulary = CountedVocabulary.from_sentences(sentences)
    >>> cooccurrence_matrix(sentences, vocabulary).toarray()
    array([[0. , 1. , 0.5],
           [1. , 0. , 1. ],
           [0.5, 1. , 0. ]])
    """
    sparse = require("scipy.sparse", "`cooccurrence_matrix`")
    for name, value in (("window", window), ("buffer_words", buffer_words)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    if weighting not in _WEIGHTINGS:
        raise ValueError(
            f"`weighting` must be one of {', '.join(map(repr, _WEIGHTINGS))}. Received: weighting={weighting!r}"
        )
    size = len(vocabulary)
    total = sparse.csr_array((size, size), dtype="float64")
    block: list[np.ndarray] = []
    words = 0
    for sentence in vocabulary.encode(sentences):
        block.append(sentence)
        words += len(sentence)
        if words >= buffer_words:
            total = total + _count(block, size, window, weighting)
            block, words = [], 0
    if words:
        total = total + _count(block, size, window, weighting)
    if not total.nnz:
        raise ValueError(
            "`sentences` must hold two words of the vocabulary side by side. Received: a corpus that is empty, or "
            f"whose words are none of {list(vocabulary.words[:3])}, ..."
        )
    return sparse.csr_array(total + total.T)


def _count(block: list[np.ndarray], size: int, window: int, weighting: str) -> scipy.sparse.csr_array:
    """The counts of a block, each pair once: the earlier word is the row."""
    sparse = require("scipy.sparse", "`cooccurrence_matrix`")
    ids = np.concatenate(block)
    sentence = np.repeat(np.arange(len(block)), [len(part) for part in block])
    counts = sparse.csr_array((size, size), dtype="float64")
    for distance in range(1, min(window, len(ids) - 1) + 1):
        together = sentence[distance:] == sentence[:-distance]
        weight = 1.0 / distance if weighting == "inverse_distance" else 1.0
        pairs = (ids[:-distance][together], ids[distance:][together])
        counts = counts + sparse.coo_array((np.full(len(pairs[0]), weight), pairs), shape=(size, size)).tocsr()
    return counts
