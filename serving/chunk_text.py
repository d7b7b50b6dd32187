"""Texts as chunks of a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.inputs import name_inputs
from keras_seq.serving.text.bundle_text import BundleText


@dataclass(frozen=True, eq=False)
class _Chunk:
    """One text as a chunk.

    Attributes:
        inputs: What `Stream.feed` takes; None for a text without tokens, which leads nowhere.
        tokens: Input name to the tokens of the text.
    """

    inputs: dict[str, np.ndarray] | None
    tokens: dict[str, list[str]]


class ChunkText:
    """Makes a chunk of each text by itself, and adds tokens and labels to what comes of it.

    The outputs are those of the whole text where the tokenizer cuts the whole at the chunks' borders too: everywhere
    for characters, between words for words and pieces of words. A border within a word makes two words of it.

    Args:
        bundle: The bundle.
        graph: Name of the graph with states.
    """

    def __init__(self, bundle: Bundle, graph: str):
        self._graph = graph
        self._inputs = bundle.graph(graph).inputs
        self._text = BundleText(bundle, graph)

    def read(self, text: Any) -> _Chunk:
        """A text as a chunk of one row.

        Args:
            text: A text. With several inputs a dict: input name to text, or, for an input without tokenizer, to what
                `Stream.feed` takes.

        Raises:
            InputError: If there is no tokenizer, it adds something to each text or cuts it, names do not match, or
                something is no text.
            BundleError: If a tokenizer's file is damaged.
        """
        self._refuse_whole_texts()
        named = isinstance(text, Mapping)
        texts = (
            {name: [value] if isinstance(value, str) else value for name, value in text.items()} if named else [text]
        )
        values, tokens = self._text.encode(texts, limits={})  # those of a stream count all chunks
        values = name_inputs(values, self._inputs)
        tokens = {name: rows[0] for name, rows in tokens.items()}
        if not any(tokens.values()):
            return _Chunk(None, tokens)
        inputs = {
            name: value[0][np.newaxis] if name in self._text.tokenizers else value for name, value in values.items()
        }
        return _Chunk(inputs, tokens)

    def tell(self, outputs: Mapping[str, np.ndarray], tokens: Mapping[str, list[str]]) -> dict[str, Any]:
        """The outputs of one row, with the tokens and the likeliest labels, named as `Predictor.predict_text` does.

        Args:
            outputs: What `Stream.feed` gave; empty where nothing was fed.
            tokens: Those of the chunk.
        """
        alone = len(tokens) == 1 and "tokens" not in outputs
        named = {"tokens" if alone else f"{name}.tokens": [row] for name, row in tokens.items()}
        return {**outputs, **named, **self._text.label(outputs)}

    def _refuse_whole_texts(self):
        if self._whole_texts:
            raise InputError(
                f"The tokenizer of input {listed(self._whole_texts)} adds a start or end to each text, or cuts it, so "
                f"a text cannot come in chunks to graph {self._graph!r}. Send ids."
            )

    @cached_property
    def _whole_texts(self) -> list[str]:
        """Inputs whose tokenizer makes something else of a text than of its parts, wherever it is parted."""
        return [
            name
            for name, one in self._text.tokenizers.items()
            if one.add_start or one.add_end or one.max_length is not None
        ]
