"""Rows of numbers whose count is not known before the last one has come."""

import numpy as np

__all__ = ["GrowingRows"]


class GrowingRows:
    """Words and their vectors as they are read, with room that grows in place.

    Args:
        features: The length of each vector.
        name: What is read, for messages.

    Attributes:
        words: The words so far.
    """

    def __init__(self, features: int, name: str):
        self.words: list[str] = []
        self._places: dict[str, str] = {}
        self._rows = np.empty((0, features), np.float32)
        self._name = name

    def add(self, word: str, row: np.ndarray, place: str) -> None:
        """Takes one word.

        Args:
            word: The word.
            row: `(features,)`, float32.
            place: Where it stands, for messages.

        Raises:
            ValueError: If the word came before, is empty, or its vector is not finite.
        """
        if not word:
            raise ValueError(f"{self._name}, {place}: expected a word before the numbers. Found none.")
        if word in self._places:
            raise ValueError(
                f"{self._name}, {place}: the word {word!r} stands twice, in {self._places[word]} too. Take one of them "
                "out: it cannot be told which is meant."
            )
        if not np.isfinite(row).all():
            raise ValueError(f"{self._name}, {place}: the vector of {word!r} is not finite, it has NaN or infinity.")
        if len(self.words) == len(self._rows):
            # In place where the system can: a copy would need the memory twice.
            self._rows.resize((max(1024, len(self._rows) * 3 // 2), self._rows.shape[1]), refcheck=False)
        self._rows[len(self.words)] = row
        self._places[word] = place
        self.words.append(word)

    def finish(self) -> np.ndarray:
        """Gives the rows, `(words, features)`; no more can be added."""
        self._rows.resize((len(self.words), self._rows.shape[1]), refcheck=False)
        return self._rows
