"""How each word is spelt, at its beginning and at its end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.text.tokenizer import END, PAD, START, UNKNOWN
from keras_seq.serving.text.word_tokenizer import WordTokenizer

_WORDS_REMEMBERED = 2**14


@dataclass(frozen=True, kw_only=True)
class WordCharacterTokenizer(WordTokenizer):
    """Words as a `WordTokenizer` finds them, each as the ids of its first and of its last characters.

    Of a shorter word the first ids stand at the left and the last ones at the right, with padding in between. Start and
    end count as words of one character.

    Attributes:
        num_first: How many characters are seen of a word's beginning.
        num_last: How many are seen of its end.

    Example:
        >>> from keras_seq.serving.text.rules import Rules
        >>> spelling = WordCharacterTokenizer(
        ...     vocabulary=("<pad>", "<start>", "<end>", "<unk>", "a", "b", "c"),
        ...     rules=Rules(whitespace=((32, 32),), punctuation=((33, 33),)),
        ...     num_first=2,
        ...     num_last=3,
        ... )
        >>> spelling.split("cab a!")
        ['cab', 'a', '!']
        >>> spelling.encode("cab a!").tolist()
        [[6, 4, 6, 4, 5], [4, 0, 0, 0, 4], [3, 0, 0, 0, 3]]
    """

    num_first: int = 8
    num_last: int = 8

    @property
    def step_shape(self) -> tuple[int, ...]:
        """The shape of what stands for one word, `(num_first + num_last,)`."""
        return (self.num_first + self.num_last,)

    def decode(self, ids: Any) -> NoReturn:
        """Refused: of a long word the middle is lost.

        Raises:
            InputError: In any case.
        """
        raise InputError(self._no_text())

    def pieces(self, ids: Iterable[int], begun: bool = False) -> NoReturn:
        """Refused: of a long word the middle is lost.

        Raises:
            InputError: In any case.
        """
        raise InputError(self._no_text())

    def _encode(self, text: str, add_start: bool | None, add_end: bool | None) -> np.ndarray:
        first, last = self._frame(add_start, add_end, self._spelt([START]), self._spelt([END]))
        words = self._cut([*first, *self._ids(self._lowered(text)), *last], last)
        return np.array(words, "int32").reshape(len(words), *self.step_shape)

    def _ids(self, text: str) -> list[list[int]]:
        return [self._spelling_of(word) for word in self._split(text)]

    @cached_property
    def _spelling_of(self) -> Callable[[str], list[int]]:
        """A function from a word to its ids, which remembers those of the words seen last."""
        index = self._index
        return lru_cache(_WORDS_REMEMBERED)(lambda word: self._spelt([index.get(c, UNKNOWN) for c in word]))

    def _spelt(self, ids: list[int]) -> list[int]:
        first, last = ids[: self.num_first], ids[-self.num_last :] if self.num_last else []
        missing = self.num_first - len(first) + self.num_last - len(last)
        return [*first, *[PAD] * missing, *last]

    def _no_text(self) -> str:
        return (
            f"A WordCharacterTokenizer cannot write ids as text: of each word it keeps the first {self.num_first} and "
            f"the last {self.num_last} characters alone. Use the tokenizer of an input that has all of the text."
        )
