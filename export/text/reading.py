"""How the texts of one input become ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from keras_seq.export.text.framing import Framing
from keras_seq.text.tokenizer import Tokenizer

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """A tokenizer, and what one input changes about it.

    Attributes:
        tokenizer: From `keras_seq.text`.
        add_start: Whether the start token is put before each text; None for what the tokenizer says.
        add_end: Whether the end token is put behind; None for what the tokenizer says.
    """

    tokenizer: Tokenizer = field(repr=False)
    add_start: bool | None = None
    add_end: bool | None = None

    @cached_property
    def document(self) -> dict:
        """What its `tokenizer.json` says, with this input's changes."""
        changes = {"add_start": self.add_start, "add_end": self.add_end}
        document = self.tokenizer.to_dict()
        return document | {name: value for name, value in changes.items() if value is not None}

    @property
    def framing(self) -> Framing:
        """What stands around the tokens."""
        document = self.document
        return Framing(document["add_start"], document["add_end"], document["max_length"])

    def layer(self) -> Tokenizer:
        """A tokenizer of its own that does just that."""
        return type(self.tokenizer).from_dict(self.document)

    def splitter(self) -> Tokenizer:
        """A tokenizer whose `split` gives the tokens as they stand in the text, capitals and all."""
        return type(self.tokenizer).from_dict({**self.document, "lowercase": False})
