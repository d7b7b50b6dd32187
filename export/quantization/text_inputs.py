"""Texts in the place of ids, in data that a quantised graph is tried on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_seq.text.tokenizer import Tokenizer

__all__ = ["NO_TEXTS", "TextInputs"]


@dataclass(frozen=True)
class TextInputs:
    """The inputs of ids that have a tokenizer.

    Attributes:
        tokenizers: By the name of the input of ids.
        names: What the model itself calls such an input where it takes texts, by the name of the input of ids.
    """

    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def rename(self, x: Any) -> Any:
        """Inputs by the graph's names, where they come by the model's."""
        if not isinstance(x, Mapping):
            return x
        ids = {text: name for name, text in self.names.items()}
        return {ids.get(name, name): value for name, value in x.items()}

    def read(self, name: str, value: Any) -> Any:
        """The ids of texts; anything else as it is."""
        if name not in self.tokenizers or np.asarray(value).dtype.kind not in "OUS":
            return value
        return np.asarray(self.tokenizers[name](np.asarray(value)))


NO_TEXTS = TextInputs()
"""For models that read no text."""
