"""Centre and context words from sentences, as a stream of batches."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_seq.embeddings.counted_vocabulary import CountedVocabulary
from keras_seq.embeddings.subsampling import keep_probabilities


class Windows(NamedTuple):
    """A batch of pairs, folded: pieces of text, and which neighbours each of their words is to predict.

    A word of a text stands in some ten pairs. Here it stands once as a centre and once as a context, in a piece of
    `chunk` centres with `window` words more on both sides. The scores of a piece's pairs are then the band of one
    matrix product, and the vectors of a word are read and updated once for all its pairs.

    Attributes:
        centres: ids, int32 `(pieces, chunk)`.
        contexts: ids, int32 `(pieces, chunk + 2 window)`; the centre of column i stands in column i + window.
        before: int32 `(pieces, chunk)`; with how many words to its left the centre is paired, from 0 to window.
        after: int32 `(pieces, chunk)`; with how many to its right. A centre that is padding has 0 of both.
    """

    centres: np.ndarray
    contexts: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def unfold(self) -> np.ndarray:
        """The pairs themselves, int32 `(pairs, 2)`: centre, context."""
        chunk, span = self.centres.shape[1], self.contexts.shape[1]
        away = np.arange(span) - np.arange(chunk)[:, None] - (span - chunk) // 2
        paired = (away >= -self.before[..., None]) & (away <= self.after[..., None]) & (away != 0)
        piece, centre, context = np.nonzero(paired)
        return np.stack([self.centres[piece, centre], self.contexts[piece, context]], axis=1)


class SkipGramPairs:
    """Streams the pairs of the skip-gram model out of sentences, in bounded memory.

    Each word is paired with its neighbours in the sentence. With `dynamic_window` the reach is drawn anew for each
    centre, from 1 to `window` on both sides, so that near words weigh more than far ones, as in word2vec. Frequent
    words are left out at random before that (`keep_probabilities`), which brings the others closer together.

    Sentences are read in blocks of about `buffer_words` words; the pieces of a block are shuffled. Each epoch draws
    other windows, and equal seeds give equal streams. Give an object to `SkipGram.fit`, or take batches from
    `batches`.

    Args:
        sentences: lists of words or of ids, or NumPy arrays of ids; anything that can be read once an epoch, such as a
            list, or an object whose `__iter__` opens a file. Words outside the vocabulary are left out.
        vocabulary: the words and their counts.
        window: how far a context may stand from its centre, in words.
        dynamic_window: whether to draw the reach; otherwise it is always `window`.
        sample: threshold of subsampling, 0 to keep every word.
        batch_words: how many centres to put into a batch, a multiple of `chunk`. Their gradients are summed, so that
            larger batches take more words a second, and learn less from each.
        chunk: how many centres a piece has, which also share their noise words in negative sampling.
        buffer_words: how many words to shuffle among.
        seed: of all the draws.

    Attributes:
        num_batches: how many batches an epoch has, as expected from the vocabulary's counts; subsampling lets it vary
            by a few.

    Raises:
        ValueError: for a size that is not positive, or sentences that can be read only once.
        TypeError: for a vocabulary of another kind.

    Example:
    >>> sentences = [["to", "be", "or", "not", "to", "be"]]
    >>> pairs = SkipGramPairs(sentences, CountedVocabulary.from_sentences(sentences), window=1, sample=0)
    >>> batch = next(pairs.batches())
    >>> batch.unfold().shape
    (10, 2)
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[str] | Sequence[int] | np.ndarray],
        vocabulary: CountedVocabulary,
        window: int = 5,
        *,
        dynamic_window: bool = True,
        sample: float = 1e-3,
        batch_words: int = 1024,
        chunk: int = 16,
        buffer_words: int = 131_072,
        seed: int = 0,
    ):
        sizes = {"window": window, "batch_words": batch_words, "chunk": chunk, "buffer_words": buffer_words}
        for name, value in sizes.items():
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
        if batch_words % chunk:
            raise ValueError(
                f"`batch_words` must be a multiple of `chunk`. Received: batch_words={batch_words}, chunk={chunk}"
            )
        if not isinstance(vocabulary, CountedVocabulary):
            raise TypeError(f"`vocabulary` must be a CountedVocabulary. Received: {type(vocabulary).__name__}")
        if iter(sentences) is sentences:
            raise ValueError(
                "`sentences` are read once an epoch, and must not be used up by the first. Received: "
                f"{type(sentences).__name__}; give a list, or an object whose `__iter__` starts anew."
            )
        self.sentences = sentences
        self.vocabulary = vocabulary
        self.window = int(window)
        self.dynamic_window = dynamic_window
        self.sample = sample
        self.batch_words = int(batch_words)
        self.chunk = int(chunk)
        self.buffer_words = int(buffer_words)
        self.seed = seed
        self._keep = keep_probabilities(vocabulary.counts, sample).astype("float32")
        self.num_batches = max(1, math.ceil(float(vocabulary.counts @ self._keep) / self.batch_words))

    def batches(self, epoch: int = 0) -> Iterator[Windows]:
        """The batches of one epoch.

        Args:
            epoch: which, from 0; each draws other numbers.

        Yields:
            Batches of `batch_words / chunk` pieces; the last one is filled up with padding.

        Raises:
            ValueError: for a corpus without a pair of words that stand in the vocabulary, or ids outside it.
        """
        random = np.random.default_rng([self.seed, epoch])
        pieces_a_batch = self.batch_words // self.chunk
        waiting: Windows | None = None
        found = False
        for ids, starts in self._blocks():
            pieces = self._pieces(ids, starts, random)
            if not len(pieces.centres):
                continue
            found = True
            order = random.permutation(len(pieces.centres))
            pieces = Windows(*(part[order] for part in pieces))
            if waiting is not None:
                pieces = Windows(*(np.concatenate(parts) for parts in zip(waiting, pieces, strict=True)))
            whole = len(pieces.centres) // pieces_a_batch * pieces_a_batch
            for start in range(0, whole, pieces_a_batch):
                yield Windows(*(part[start : start + pieces_a_batch] for part in pieces))
            waiting = Windows(*(part[whole:] for part in pieces))
        if waiting is not None and len(waiting.centres):
            missing = pieces_a_batch - len(waiting.centres)
            yield Windows(*(np.pad(part, ((0, missing), (0, 0))) for part in waiting))
        if not found:
            raise ValueError(
                "`sentences` must hold two words of the vocabulary side by side. Received: a corpus that is empty, or "
                f"whose words are none of {list(self.vocabulary.words[:3])}, ..."
            )

    def stream(self) -> Iterator[Windows]:
        """The batches of epoch 0, 1, 2 and so on, without an end."""
        epoch = 0
        while True:
            yield from self.batches(epoch)
            epoch += 1

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Ids of several sentences in one array, and where each of them starts."""
        sentences: list[np.ndarray] = []
        words = 0
        for sentence in self.vocabulary.encode(self.sentences):
            sentences.append(sentence)
            words += len(sentence)
            if words >= self.buffer_words:
                yield _joined(sentences)
                sentences, words = [], 0
        if words:
            yield _joined(sentences)

    def _pieces(self, ids: np.ndarray, starts: np.ndarray, random: np.random.Generator) -> Windows:
        if self.sample:
            kept = random.random(len(ids), dtype="float32") < self._keep[ids]
            ids, starts = ids[kept], np.concatenate([[0], np.cumsum(kept)])[starts]
        words, window, chunk = len(ids), self.window, self.chunk
        ends = np.append(starts[1:], words)
        lengths = ends - starts
        place = np.arange(words)
        reach = random.integers(1, window + 1, words) if self.dynamic_window else window
        before = np.minimum(reach, place - np.repeat(starts, lengths)).astype("int32")
        after = np.minimum(reach, np.repeat(ends - 1, lengths) - place).astype("int32")
        if not after.any():
            return Windows(*(np.zeros((0, width), "int32") for width in (chunk, chunk + 2 * window, chunk, chunk)))
        # Pieces are cut without regard to sentences: `before` and `after` keep the pairs within them.
        pieces = -(-words // chunk)
        places = np.arange(pieces)[:, None] * chunk + np.arange(-window, chunk + window)
        contexts = ids[np.clip(places, 0, words - 1)]
        fill = pieces * chunk - words
        centres, before, after = (np.pad(part, (0, fill)).reshape(pieces, chunk) for part in (ids, before, after))
        return Windows(centres, contexts, before, after)

    def __repr__(self) -> str:
        settings = ("window", "dynamic_window", "sample", "batch_words", "chunk", "seed")
        return f"SkipGramPairs({', '.join(f'{name}={getattr(self, name)!r}' for name in settings)})"


def _joined(sentences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(sentence) for sentence in sentences if len(sentence)])
    return np.concatenate(sentences), np.cumsum(lengths) - lengths


def check_pairs(data: Any) -> None:
    """Checks what is given to `fit` where pairs are expected.

    Raises:
        TypeError: if it is something else.
    """
    if not isinstance(data, SkipGramPairs):
        raise TypeError(
            "The skip-gram model learns from SkipGramPairs(sentences, vocabulary). "
            f"Received: x of type {type(data).__name__}"
        )
