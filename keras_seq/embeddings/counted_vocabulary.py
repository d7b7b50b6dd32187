"""The words that get a vector, and how often each occurs."""

from __future__ import annotations

import collections
import numbers
from collections.abc import Iterable, Iterator, Sequence

import numpy as np


class CountedVocabulary:
    """Words and their counts, which is what learning of word vectors asks of a vocabulary.

    The id of a word is its place among the words. `from_sentences` sorts by falling count, and by code points where
    counts are equal, so that the same corpus always gives the same ids. With the vocabulary of a tokenizer the ids are
    the tokenizer's; words that never occur, such as a padding, have a count of 0.

    Args:
        words: the words, each once; at least two.
        counts: how often each occurs, integers of at least 0; at least two of them positive.

    Attributes:
        words: the words, a tuple.
        counts: int64, `(words,)`.
        index: word to id.

    Raises:
        ValueError: for fewer than two words with a count, a word that stands twice, or counts that do not fit.

    Example:
    >>> vocabulary = CountedVocabulary.from_sentences([["a", "rose", "is", "a", "rose"], ["a"]])
    >>> vocabulary.words, vocabulary.counts.tolist()
    (('a', 'rose', 'is'), [3, 2, 1])
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int] | np.ndarray):
        self.words = tuple(words)
        given = np.asarray(counts)
        if given.shape != (len(self.words),):
            raise ValueError(
                f"`counts` must have one number for each of the {len(self.words)} words. "
                f"Received: counts of shape {given.shape}"
            )
        if given.dtype.kind not in "iuf" or not np.isfinite(given).all() or (given < 0).any() or (given % 1).any():
            raise ValueError(f"`counts` must be integers that are not negative. Received: counts={given.tolist()}")
        self.counts = given.astype("int64")
        self.index = {word: number for number, word in enumerate(self.words)}
        if len(self.index) < len(self.words):
            twice = next(word for word, count in collections.Counter(self.words).items() if count > 1)
            raise ValueError(f"`words` must hold each word once. Received: {twice!r} more than once.")
        if (self.counts > 0).sum() < 2:
            raise ValueError(
                "A vocabulary must have at least two words that occur, as a word is learnt from its neighbours. "
                f"Received: {int((self.counts > 0).sum())} of them, in words={list(self.words[:5])}"
            )

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[Sequence[str]], min_count: int = 1, max_size: int | None = None
    ) -> CountedVocabulary:
        """Counts the words of sentences.

        Args:
            sentences: lists of words; read once.
            min_count: how often a word must occur at least.
            max_size: how many words to keep at most, the most frequent ones; `None` for all.

        Returns:
            The vocabulary.

        Raises:
            ValueError: for an empty corpus, or one without two words that occur often enough.
            TypeError: for a sentence that is a string.
        """
        for name, value in (("min_count", min_count), ("max_size", max_size)):
            if value is None and name == "max_size":
                continue
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
        found: collections.Counter[str] = collections.Counter()
        for sentence in sentences:
            if isinstance(sentence, str):
                raise TypeError(
                    "`sentences` must be lists of words, and not strings; split them first, as with "
                    f"`sentence.split()`. Received: {sentence[:40]!r}"
                )
            found.update(sentence)
        if not found:
            raise ValueError("`sentences` must hold words. Received: an empty corpus.")
        kept = sorted(
            ((word, count) for word, count in found.items() if count >= min_count),
            key=lambda pair: (-pair[1], pair[0]),
        )[:max_size]
        if len(kept) < 2:
            raise ValueError(
                f"At least two words must occur {min_count} times or more. Received: {len(found)} distinct words, of "
                f"which {len(kept)} do; take a smaller `min_count` or more text."
            )
        words, counts = zip(*kept, strict=True)
        return cls(words, counts)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentences: Iterable[Sequence[str] | Sequence[int] | np.ndarray]) -> Iterator[np.ndarray]:
        """The ids of sentences, one sentence after the other.

        Args:
            sentences: lists of words, of which those outside the vocabulary are left out, as word2vec does; or
                sequences of ids.

        Yields:
            The ids of a sentence, int32 `(words,)`.

        Raises:
            TypeError: for a sentence that is a string, or holds neither words nor integers.
            ValueError: for ids outside the vocabulary; says in which sentence.
        """
        index = self.index
        for number, sentence in enumerate(sentences):
            if isinstance(sentence, str):
                raise TypeError(
                    f"A sentence must be a list of words or of ids, and not a string. Received: {sentence[:40]!r} as "
                    f"sentence {number}; split it first, as with `sentence.split()`."
                )
            if len(sentence) and isinstance(sentence[0], str):
                yield np.fromiter((index[word] for word in sentence if word in index), "int32")
                continue
            ids = np.asarray(sentence)
            if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
                raise TypeError(
                    "A sentence must be a list of words or of ids. "
                    f"Received: dtype {ids.dtype} and shape {ids.shape} as sentence {number}"
                )
            if ids.size and (ids.min() < 0 or ids.max() >= len(self.words)):
                outside = ids[(ids < 0) | (ids >= len(self.words))][0]
                raise ValueError(
                    f"Ids must be at least 0 and less than the {len(self.words)} words of the vocabulary. "
                    f"Received: {outside} in sentence {number}"
                )
            yield ids.astype("int32")
