"""Tokens to integers and back: pure Python and NumPy, the same for training and for serving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SPECIAL = ("<padding>", "<start>", "<end>", "<unknown>")  # ids 0 to 3 of every vocabulary
PADDING_ID, START_ID, END_ID, UNKNOWN_ID = range(4)


@dataclass(frozen=True)
class Vocabulary:
    """The known tokens; a token's id is its index. As JSON in the bundle, two of them are all that serving needs.

    Args:
        tokens: The tokens, the four special ones first.

    Example:
        >>> vocabulary = Vocabulary.fit([("ein", "Hund"), ("ein", "Kind")])
        >>> ids = vocabulary.encode(("ein", "Hase"), end=True)
        >>> ids.tolist(), vocabulary.decode(ids)
        ([4, 3, 2], ('ein', '<unknown>'))
    """

    tokens: list[str]

    def __post_init__(self):
        if tuple(self.tokens[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(f"A vocabulary must begin with {SPECIAL}. Received: {self.tokens[: len(SPECIAL)]}.")

    @classmethod
    def fit(cls, sequences: Iterable[Sequence[str]], min_count: int = 1) -> Vocabulary:
        """Collects the tokens of the training sequences, the frequent ones first.

        Args:
            sequences: The training sequences.
            min_count: How often a token has to occur to be known.

        Returns:
            The vocabulary.
        """
        counts = Counter(token for tokens in sequences for token in tokens)
        known = sorted((token for token, count in counts.items() if count >= min_count), key=lambda t: (-counts[t], t))
        return cls([*SPECIAL, *known])

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token to id."""
        return {token: index for index, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self.ids

    def encode(self, tokens: Sequence[str], end: bool = False) -> np.ndarray:
        """Turns tokens into ids.

        Args:
            tokens: The tokens.
            end: Whether to put the end token behind them.

        Returns:
            int32 `(tokens,)`; 3 for what is not known.
        """
        ids = [self.ids.get(token, UNKNOWN_ID) for token in tokens]
        return np.array([*ids, END_ID] if end else ids, "int32")

    def decode(self, ids: Sequence[int]) -> tuple[str, ...]:
        """Turns ids into tokens, up to the end token or the padding, whichever comes first."""
        tokens = []
        for index in ids:
            if index in (END_ID, PADDING_ID):
                break
            tokens.append(self.tokens[index])
        return tuple(tokens)
