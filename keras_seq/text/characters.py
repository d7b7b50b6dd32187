"""Characters looked up in a vocabulary, in TensorFlow operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_seq.text.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID

if TYPE_CHECKING:
    import tensorflow as tf


class CharacterTable:
    """The ids of single characters.

    Args:
        vocabulary: The special tokens, and then characters.
        owner: Name of the tokenizer's class, for messages.

    Raises:
        ValueError: If a token, special ones aside, is not one character.
    """

    def __init__(self, vocabulary: Sequence[str], owner: str):
        known: dict[int, int] = {-1: UNKNOWN_ID}  # no code point, so that there is a first one in any case
        for index, token in enumerate(vocabulary[len(SPECIAL_TOKENS) :], len(SPECIAL_TOKENS)):
            if len(token) != 1:
                raise ValueError(f"A token of a {owner} must be one character. Received: {token!r} at {index}.")
            known[ord(token)] = index
        self._points = np.array(sorted(known), np.int32)
        self._ids = np.array([known[point] for point in self._points.tolist()], np.int32)

    def look_up(self, points: tf.Tensor) -> tf.Tensor:
        """The ids of code points.

        Args:
            points: `(count,)`, int32.

        Returns:
            Likewise; 3 for what is unknown.
        """
        import tensorflow as tf

        place = tf.searchsorted(self._points, points, side="right") - 1
        found = tf.equal(tf.gather(self._points, place), points)
        return tf.where(found, tf.gather(self._ids, place), UNKNOWN_ID)
