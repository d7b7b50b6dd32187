"""Words to integers and back: the same code, pure Python and NumPy, for training and for serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_seq.serving.text import Tokenizer


class Encoded(NamedTuple):
    """One sentence as the model sees it.

    A plain text is cut where its tokenizers cut it, and so is every word of a corpus: `isn't` is three pieces, a
    string of a program as many as it has words and marks. What the model learns is then what it will be given.

    Args:
        words: The ids of the pieces, int32 `(time,)`.
        characters: Those of their characters, int32 `(time, width)`.
        starts: Where each word of the corpus begins among the pieces, `(words,)`.
    """

    words: np.ndarray
    characters: np.ndarray
    starts: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How many pieces each word is, `(words,)`."""
        return np.diff(self.starts, append=len(self.words))


@dataclass(frozen=True)
class Features:
    """What a tagger is given of a sentence, and what its answers mean.

    A piece of a word is seen twice: as itself, in lower case and with its digits as zeros, and by its spelling, the
    characters of its beginning and of its end as they are written. The second tells something about words never met.

    Args:
        words: The tokenizer of the pieces.
        characters: The one that gives their characters.
        labels: The labels; a label's id is its index.
    """

    words: Tokenizer
    characters: Tokenizer
    labels: Sequence[str]
    _known: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False, compare=False)

    def encode(self, words: Sequence[str]) -> Encoded:
        """Looks up the ids of one sentence.

        Args:
            words: Its words, as written.
        """
        pieces = [self._pieces(word) for word in words]
        counts = [len(ids) for ids, _ in pieces]
        ids, characters = (np.concatenate(rows) for rows in zip(*pieces, strict=True))
        return Encoded(ids, characters, np.cumsum([0, *counts[:-1]]))

    def encode_labels(self, labels: Sequence[str], encoded: Encoded) -> np.ndarray:
        """Looks up the ids of labels: each piece has that of its word. -1 stands for one that training never met.

        Args:
            labels: The labels of one sentence.
            encoded: What `encode` made of its words.

        Returns:
            Their ids, int32 `(time,)`.
        """
        ids = {label: index for index, label in enumerate(self.labels)}
        return np.repeat(np.array([ids.get(label, -1) for label in labels], np.int32), encoded.counts)

    def decode(self, probabilities: np.ndarray, encoded: Encoded) -> list[str]:
        """Names the most probable label of each word, which is that of its first piece.

        Args:
            probabilities: `(time, labels)`.
            encoded: What `encode` made of the words.

        Returns:
            One label a word.
        """
        return [self.labels[index] for index in np.argmax(probabilities[encoded.starts], axis=-1)]

    def _pieces(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """The ids of a word's pieces and of their characters; a word without any, such as a blank, is one unknown."""
        if word not in self._known:
            ids, characters = self.words.encode(word), self.characters.encode(word)
            if not len(ids):
                ids = np.full(1, self.words.unknown_id, np.int32)
                characters = np.full((1, *self.characters.step_shape), self.characters.unknown_id, np.int32)
            self._known[word] = ids, characters
        return self._known[word]


def pad(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks rows of different lengths, filling the short ones with zeros at the end.

    Args:
        rows: Arrays `(time, ...)` that differ in `time` only.

    Returns:
        One array `(batch, longest time, ...)`.

    Example:
        >>> pad([np.array([5, 6]), np.array([7])]).tolist()
        [[5, 6], [7, 0]]
    """
    batch = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), rows[0].dtype)
    for row, values in zip(batch, rows, strict=True):
        row[: len(values)] = values
    return batch


def batches_by_length(lengths: Sequence[int], order: Sequence[int], size: int) -> list[list[int]]:
    """Groups rows into batches of about equal size: many short rows or a few long ones.

    Args:
        lengths: The length of each row.
        order: The rows' indices, shortest row first, so that little of a batch is padding.
        size: How many steps a batch may hold, padding included; a longer row is a batch by itself.

    Returns:
        The indices of each batch's rows.

    Example:
        >>> batches_by_length([1, 9, 1, 2], [0, 2, 3, 1], size=4)
        [[0, 2], [3], [1]]
    """
    batches: list[list[int]] = []
    for index in order:
        if batches and (len(batches[-1]) + 1) * lengths[index] <= size:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
