"""A string input beside an input of ids."""

from __future__ import annotations

from dataclasses import dataclass

from keras_seq.export.text.reading import Reading
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["TextInput"]


@dataclass(frozen=True)
class TextInput:
    """Texts that a graph takes in the place of ids.

    Attributes:
        name: Of the string input, `(batch,)`.
        ids: The input that it stands for, `(batch, time)`, or `(batch, time, width)` for the characters of words.
        reading: How texts become ids.
        tokens: Name of the output that gives the tokens, `(batch, time)`; None for no such output.
    """

    name: str
    ids: TensorSpec
    reading: Reading
    tokens: str | None = None
