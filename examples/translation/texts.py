"""Sentences to ids and ids to sentences: both vocabularies and the rules in one object that the bundle carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from generating.vocabulary import UNKNOWN_ID, Vocabulary
from translation.pairs import Pair
from translation.words import Truecaser, join_words, split_words


@dataclass(frozen=True)
class Texts:
    """What turns sentences into ids and back. As JSON in the bundle it is all that serving needs beside the graph.

    Args:
        source: The words of the sources, in small letters.
        target: The words of the targets, as they are written inside of a sentence.
        truecaser: What takes the capital off the first words of targets; only training and judging need it.
    """

    source: Vocabulary
    target: Vocabulary
    truecaser: Truecaser = field(default_factory=lambda: Truecaser(frozenset()))

    @classmethod
    def fit(cls, pairs: Sequence[Pair], min_count: int = 2) -> Texts:
        """Collects the words of the training pairs that occur so many times."""
        targets = [split_words(target) for _, target in pairs]
        truecaser = Truecaser.fit(targets)
        sources = (split_words(source.lower()) for source, _ in pairs)
        return cls(
            Vocabulary.fit(sources, min_count), Vocabulary.fit(map(truecaser.apply, targets), min_count), truecaser
        )

    def encode_source(self, text: str) -> np.ndarray:
        """Turns a sentence into ids, int32 `(words,)`."""
        return self.source.encode(split_words(text.lower()))

    def encode_target(self, text: str) -> np.ndarray:
        """Turns a translation into ids with the end token, int32 `(words + 1,)`."""
        return self.target.encode(self.truecaser.apply(split_words(text)), end=True)

    def decode_target(self, ids: Sequence[int]) -> str:
        """Turns ids into a sentence, up to the end token."""
        return join_words(self.target.decode(ids))

    def can_say(self, ids: np.ndarray) -> bool:
        """Whether a target has no unknown word, and so can be generated at all."""
        return UNKNOWN_ID not in ids

    def to_metadata(self) -> dict[str, list[str]]:
        """What the bundle carries."""
        return {"source_words": self.source.tokens, "target_words": self.target.tokens}

    @classmethod
    def from_metadata(cls, metadata: dict[str, list[str]]) -> Texts:
        """The same from a bundle; it can translate, and needs no more."""
        return cls(Vocabulary(metadata["source_words"]), Vocabulary(metadata["target_words"]))
