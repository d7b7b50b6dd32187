"""What all tokenizers do alike: from pieces of text to ids, and from ids to text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.fields import shorten
from keras_seq.serving.text.rules import Rules
from keras_seq.serving.text.strings import read_text, read_texts

SPECIAL_TOKENS = ("<pad>", "<start>", "<end>", "<unk>")
PAD, START, END, UNKNOWN = range(4)


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """Turns texts into ids and ids into texts; `load_tokenizer` makes one of a `tokenizer.json`.

    A tokenizer serves any number of threads.

    Attributes:
        vocabulary: The tokens, each at its id; the first four are the special ones.
        lowercase: Whether capitals become small letters first, by `rules.lower`.
        add_start: Whether the start token comes before each text.
        add_end: Whether the end token comes behind each text.
        max_length: The most ids of a text; longer ones are cut. The end token stays. None for no limit.
        rules: What is white space, punctuation, a small letter.
    """

    vocabulary: tuple[str, ...] = field(repr=False)
    lowercase: bool = False
    add_start: bool = False
    add_end: bool = False
    max_length: int | None = None
    rules: Rules = field(default=Rules(), repr=False)

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    @property
    def pad_id(self) -> int:
        """The id that fills rows up."""
        return PAD

    @property
    def start_id(self) -> int:
        """The id before a text."""
        return START

    @property
    def end_id(self) -> int:
        """The id behind a text."""
        return END

    @property
    def unknown_id(self) -> int:
        """The id of everything that is not in the vocabulary."""
        return UNKNOWN

    @property
    def step_shape(self) -> tuple[int, ...]:
        """The shape of what stands for one token: `()` for an id."""
        return ()

    def split(self, text: str) -> list[str]:
        """The tokens of a text, whether or not they are in the vocabulary; without start and end.

        Args:
            text: A string, or bytes of UTF-8.

        Raises:
            InputError: If it is no text.
        """
        return self._split(self._lowered(read_text(text)))

    def encode(
        self, texts: Any, add_start: bool | None = None, add_end: bool | None = None
    ) -> np.ndarray | list[np.ndarray]:
        """The ids of texts.

        Args:
            texts: A list of texts, or a single one. Bytes are read as UTF-8.
            add_start: Whether the start token comes first; by default as the tokenizer has it.
            add_end: Whether the end token comes last; by default as the tokenizer has it.

        Returns:
            For each text its ids, `(length, *step_shape)` int32; none for a text without tokens. For a single text the
            array alone.

        Raises:
            InputError: If something is no text, or the list is empty.
        """
        if isinstance(texts, (str, bytes)):
            return self._encode(read_text(texts), add_start, add_end)
        return [self._encode(text, add_start, add_end) for text in read_texts(texts)]

    def tokens(self, texts: Any, add_start: bool | None = None, add_end: bool | None = None) -> list[list[str]]:
        """The tokens that stand behind the ids of `encode`, as they stand in the texts: capitals and unknown words too.

        Args:
            texts: A list of texts.
            add_start: As in `encode`.
            add_end: As in `encode`.

        Returns:
            For each text its tokens, as many as it has ids; the start and end token as the vocabulary spells them.
        """
        first, last = self._frame(add_start, add_end, SPECIAL_TOKENS[START], SPECIAL_TOKENS[END])
        return [self._cut([*first, *self._as_written(text), *last], last) for text in read_texts(texts)]

    def decode(self, ids: Any) -> str | list[str]:
        """The text that ids stand for: up to the first end token, without padding and start token.

        Args:
            ids: Integers of one axis; or of two, `(batch, time)`, or a list of rows of different lengths.

        Returns:
            The text; for several rows a list of texts.

        Raises:
            InputError: If something is no id of this vocabulary.

        Example:
            >>> from keras_seq.serving.text import WordTokenizer
            >>> words = WordTokenizer(vocabulary=("<pad>", "<start>", "<end>", "<unk>", "a", "word"))
            >>> words.decode([[1, 4, 5, 2, 0], [3, 5]])
            ['a word', '<unk> word']
        """
        rows = ids if isinstance(ids, np.ndarray) else list(ids)
        if getattr(rows, "ndim", 1) == 2 or (len(rows) and np.ndim(rows[0]) == 1):
            return ["".join(self.pieces(row)) for row in rows]
        return "".join(self.pieces(rows))

    def pieces(self, ids: Iterable[int], begun: bool = False) -> Iterator[str]:
        """What each id adds to the text: joined, they are what `decode` gives. For ids that come one by one.

        Args:
            ids: Integers. They are read as the pieces are asked for.
            begun: Whether there is text before them, from which a word is to be kept apart.

        Yields:
            One string an id; an empty one for padding, a start token, and everything from the first end token on.

        Raises:
            InputError: If something is no id of this vocabulary.
        """
        ended = False
        for value in ids:
            if not isinstance(value, (int, np.integer)) or not 0 <= value < len(self.vocabulary):
                raise InputError(
                    f"Ids must be integers from 0 to {len(self.vocabulary) - 1}, as the vocabulary has "
                    f"{len(self.vocabulary)} tokens. Received: {shorten(value)}."
                )
            ended = ended or value == END
            if ended or value in (PAD, START):
                yield ""
            else:
                yield self._piece(self.vocabulary[value], begun)
                begun = True

    @cached_property
    def _index(self) -> dict[str, int]:
        """Token to id, without the special tokens: a text that spells them has nothing to do with them."""
        return {token: i for i, token in enumerate(self.vocabulary) if i > UNKNOWN}

    @cached_property
    def _lower_table(self) -> dict[int, int]:
        return self.rules.lower_table() if self.lowercase else {}

    def _lowered(self, text: str) -> str:
        return text.translate(self._lower_table) if self.lowercase else text

    def _encode(self, text: str, add_start: bool | None, add_end: bool | None) -> np.ndarray:
        first, last = self._frame(add_start, add_end, START, END)
        return np.array(self._cut([*first, *self._ids(self._lowered(text)), *last], last), "int32")

    def _frame(self, add_start: bool | None, add_end: bool | None, start: Any, end: Any) -> tuple[list, list]:
        """What comes before and behind the tokens."""
        starts = self.add_start if add_start is None else add_start
        ends = self.add_end if add_end is None else add_end
        return [start] * starts, [end] * ends

    def _cut(self, items: list, last: Sequence) -> list:
        if self.max_length is None or len(items) <= self.max_length:
            return items
        return [*items[: self.max_length - len(last)], *last]

    def _split(self, text: str) -> list[str]:
        """The tokens of a text that has been lowered where it has to be."""
        raise NotImplementedError(f"{type(self).__name__} must define `_split`.")

    def _ids(self, text: str) -> list[int]:
        """The ids of these tokens."""
        index = self._index
        return [index.get(token, UNKNOWN) for token in self._split(text)]

    def _as_written(self, text: str) -> list[str]:
        """The tokens of a text that has not been lowered, which is cut at the same places: the rules see to that."""
        return self._split(text)

    def _piece(self, token: str, begun: bool) -> str:
        """What a token adds to a text that has `begun` before it or not."""
        raise NotImplementedError(f"{type(self).__name__} must define `_piece`.")
