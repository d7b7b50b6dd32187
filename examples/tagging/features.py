"""Words to integers: the same code, pure Python and NumPy, for training and for serving."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from tagging.sentence import Sentence

PADDING, UNKNOWN = "<padding>", "<unknown>"  # ids 0 and 1 of every vocabulary
PADDING_ID, UNKNOWN_ID = 0, 1

_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Features:
    """The vocabularies of a tagger. Saved as JSON in the bundle, they are all that serving needs beside the graph.

    A word is seen twice: as itself, in lower case and with its digits as zeros, and by its spelling, the characters
    of its beginning and of its end as they are written. The second tells something about words never met.

    Args:
        words: The known words; a word's id is its index.
        characters: The known characters, likewise.
        labels: The labels; a label's id is its index.
        affix: How many characters are seen of the beginning, and how many of the end.

    Example:
        >>> features = Features.fit([Sentence(("Go", "go"), ("VERB", "NOUN"))], affix=3)
        >>> words, characters = features.encode(("GO", "gone"))
        >>> words.tolist(), characters.shape
        ([2, 1], (2, 6))
    """

    words: list[str]
    characters: list[str]
    labels: list[str]
    affix: int = 8

    @classmethod
    def fit(cls, sentences: Sequence[Sentence], min_count: int = 2, affix: int = 8) -> Features:
        """Collects the vocabularies of labelled sentences.

        Args:
            sentences: The training sentences.
            min_count: How often a word must occur to be known. Rarer words teach the model about unknown ones.
            affix: How many characters to see of a word's beginning and of its end.

        Returns:
            The features, in an order that depends on the sentences alone.
        """
        words = Counter(_normalise(word) for sentence in sentences for word in sentence.words)
        characters = Counter(character for sentence in sentences for word in sentence.words for character in word)
        labels = {label for sentence in sentences for label in sentence.labels}
        return cls(
            words=[PADDING, UNKNOWN, *(word for word, count in words.most_common() if count >= min_count)],
            characters=[PADDING, UNKNOWN, *sorted(characters)],
            labels=sorted(labels),
            affix=affix,
        )

    def encode(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Looks up the ids of one sentence.

        Args:
            words: The words, as written.

        Returns:
            The ids of the words, int32 `(time,)`, and those of their characters, int32 `(time, 2 * affix)`.
        """
        ids = np.array([self._word_ids.get(_normalise(word), UNKNOWN_ID) for word in words], np.int32)
        return ids, np.array([self._spelling(word) for word in words], np.int32).reshape(-1, 2 * self.affix)

    def encode_labels(self, labels: Sequence[str]) -> np.ndarray:
        """Looks up the ids of labels; -1 stands for one that training never met.

        Args:
            labels: The labels of one sentence.

        Returns:
            Their ids, int32 `(time,)`.
        """
        return np.array([self._label_ids.get(label, -1) for label in labels], np.int32)

    def decode(self, probabilities: np.ndarray) -> list[str]:
        """Names the most probable label of each word.

        Args:
            probabilities: `(time, labels)`.

        Returns:
            One label a word.
        """
        return [self.labels[index] for index in np.argmax(probabilities, axis=-1)]

    def to_metadata(self) -> dict:
        """Gives the vocabularies as plain lists, ready for JSON; `Features(**metadata)` makes them features again."""
        return asdict(self)

    @cached_property
    def _word_ids(self) -> dict[str, int]:
        # Without the first two: a text may well hold the word "<padding>".
        return {word: index for index, word in enumerate(self.words) if index > UNKNOWN_ID}

    @cached_property
    def _character_ids(self) -> dict[str, int]:
        return {character: index for index, character in enumerate(self.characters)}

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: index for index, label in enumerate(self.labels)}

    def _spelling(self, word: str) -> list[int]:
        ids = [self._character_ids.get(character, UNKNOWN_ID) for character in word[: self.affix]]
        ends = [self._character_ids.get(character, UNKNOWN_ID) for character in word[-self.affix :]]
        padding = [PADDING_ID] * (self.affix - len(ids))
        return ids + padding + padding + ends


def _normalise(word: str) -> str:
    return _DIGIT.sub("0", word.lower())


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


def batches_by_length(lengths: Sequence[int], order: Sequence[int], words_per_batch: int) -> list[list[int]]:
    """Groups rows into batches of about equally many words: many short rows or a few long ones.

    Args:
        lengths: The length of each row.
        order: The rows' indices, shortest row first, so that little of a batch is padding.
        words_per_batch: How many words a batch may hold, padding included; a longer row is a batch by itself.

    Returns:
        The indices of each batch's rows.

    Example:
        >>> batches_by_length([1, 9, 1, 2], [0, 2, 3, 1], words_per_batch=4)
        [[0, 2], [3], [1]]
    """
    batches: list[list[int]] = []
    for index in order:
        if batches and (len(batches[-1]) + 1) * lengths[index] <= words_per_batch:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
