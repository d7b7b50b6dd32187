"""Texts as the input of a model that has a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_seq.recurrent.cell import Tensor


class TextInput(NamedTuple):
    """What turns the texts that a model is given into ids.

    Attributes:
        tokenizer: of `keras_seq.text`, or `None` where the model has none and takes ids alone.
        model_name: for messages.
    """

    tokenizer: Any
    model_name: str

    def ids(self, name: str, value: Any, *, ends: bool = False) -> Tensor:
        """Ids as they are, texts as ids.

        Args:
            name: what the value is called in messages.
            value: ids of any kind, a text, or a list of texts.
            ends: whether the end token is put behind each text. Without it the texts are prompts, which must have
                something that the model knows.

        Returns:
            `(batch, time)`, padding 0 behind the ids of each row.

        Raises:
            ValueError: for texts to a model without a tokenizer, no text, or a prompt of unknown tokens alone.
        """
        texts = [value] if isinstance(value, str) else value
        if not _are_texts(texts):
            return value if hasattr(value, "shape") else np.asarray(value)
        if self.tokenizer is None:
            raise ValueError(
                f'Model "{self.model_name}" has no tokenizer, so `{name}` must be ids, (batch, time). Make the model '
                f"with `tokenizer=`, or encode the texts first. Received: {texts[0]!r}"
            )
        rows = self.tokenizer.encode(list(texts), add_start=False, add_end=ends)
        if not ends:
            self._check_known(name, texts, rows)
        return _padded(rows)

    def pieces(self, prompt: Iterable[int], tokens: Iterable[int]) -> Iterator[str]:
        """The text that each token adds to the text so far.

        Args:
            prompt: the ids before the first one.
            tokens: the ids as they come.
        """
        ids = [int(token) for token in prompt]
        text = self.tokenizer.decode(ids) if ids else ""
        for token in tokens:
            ids.append(token)
            longer = self.tokenizer.decode(ids)
            if len(longer) > len(text):
                yield longer[len(text) :]
            text = longer

    def _check_known(self, name: str, texts: list[str], rows: list[list[int]]) -> None:
        for text, row in zip(texts, rows, strict=True):
            if row and all(token == self.tokenizer.unknown_id for token in row):
                raise ValueError(
                    f"`{name}` has nothing that the model knows: its tokenizer's vocabulary of "
                    f"{self.tokenizer.vocabulary_size} has no token of it. Begin with words from the training text. "
                    f"Received: {text!r}"
                )


def _are_texts(values: Any) -> bool:
    values = values.ravel().tolist() if isinstance(values, np.ndarray) else values
    return isinstance(values, list | tuple) and len(values) > 0 and all(isinstance(value, str) for value in values)


def _padded(rows: list[list[int]]) -> np.ndarray:
    ids = np.zeros((len(rows), max(map(len, rows))), "int32")
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return ids
