"""An embedding layer that starts from word vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq.embeddings.requirements import require
from keras_seq.embeddings.word_vectors import WordVectors

if TYPE_CHECKING:
    import keras

__all__ = ["Coverage", "coverage", "to_embedding_layer"]

_NUM_SPECIAL = 4  # padding, start, end, unknown: ids 0 to 3 of every vocabulary


@dataclass(frozen=True)
class Coverage:
    """Which words of a vocabulary have a vector; prints as one line.

    Attributes:
        total: Words of the vocabulary, the special tokens left out.
        missing: Those without a vector, in the vocabulary's order.
    """

    total: int
    missing: tuple[str, ...]

    @property
    def found(self) -> int:
        """Words with a vector."""
        return self.total - len(self.missing)

    def __str__(self) -> str:
        line = f"{self.found:,} of {self.total:,} words have a vector, {len(self.missing):,} have none"
        return line + (f", such as {', '.join(map(repr, self.missing[:5]))}" if self.missing else "")


def coverage(vectors: WordVectors, vocabulary: Any) -> Coverage:
    """Tells which words of a vocabulary have a vector.

    Args:
        vectors: The vectors.
        vocabulary: The tokens, the four special ones first, or a tokenizer that has them as `.vocabulary`.

    Returns:
        How many there are, and which are missing.

    Raises:
        ValueError: If the vocabulary is empty or has a token twice.

    Example:

    >>> from keras_seq.embeddings import WordVectors, coverage
    >>> vectors = WordVectors(["sun", "moon"], [[1, 0], [0, 1]])
    >>> print(coverage(vectors, ["<pad>", "<start>", "<end>", "<unk>", "sun", "star"]))
    1 of 2 words have a vector, 1 have none, such as 'star'
    """
    words = _tokens(vocabulary)[_NUM_SPECIAL:]
    return Coverage(len(words), tuple(word for word in words if word not in vectors))


def to_embedding_layer(
    vectors: WordVectors,
    vocabulary: Any,
    *,
    trainable: bool = True,
    mask_zero: bool = True,
    missing: str = "random",
    seed: int = 0,
    name: str | None = None,
) -> keras.layers.Embedding:
    """Makes an embedding layer for a vocabulary that starts from word vectors: transfer learning.

    Row by row: id 0, the padding, is zeros. A token that has a vector gets it, the other special ones (`<unk>`, as in
    some files) too. The rest gets, as asked, zeros, or numbers drawn as from the words that were found: normal, with
    their root mean square for spread, so that a length tells nothing. `coverage` tells how many these are.

    Args:
        vectors: The vectors.
        vocabulary: The tokens in the order of their ids, `<pad>`, `<start>`, `<end>`, `<unk>` first, or a tokenizer
            that has them as `.vocabulary`.
        trainable: Whether the vectors are trained on. With little data they do better as they are; words that were
            missing then stay as they were drawn.
        mask_zero: Whether padding is masked.
        missing: `"random"` or `"zeros"`.
        seed: Of what is drawn.
        name: The layer's.

    Returns:
        The layer, built: `(batch, time)` ids to `(batch, time, features)`.

    Raises:
        ModuleNotFoundError: If Keras is not installed; with the line that installs it.
        ValueError: If no word of the vocabulary has a vector, the vocabulary is empty, does not begin with the padding,
            or has a token twice, or an argument is out of range.

    Example:

    >>> from keras_seq.embeddings import WordVectors
    >>> vectors = WordVectors(["sun", "moon"], [[1, 0.5], [0, 1]])
    >>> layer = vectors.to_embedding_layer(["<pad>", "<start>", "<end>", "<unk>", "moon", "star"], missing="zeros")
    >>> layer.get_weights()[0][4:].tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    keras = require("keras", "`to_embedding_layer`")
    if missing not in ("random", "zeros"):
        raise ValueError(f"`missing` must be 'random' or 'zeros'. Received: {missing!r}.")
    tokens = _tokens(vocabulary)
    table = _table(vectors, tokens, missing, seed)
    # As weights and not as an initializer: that would stand in the model's configuration, number by number.
    return keras.layers.Embedding(*table.shape, mask_zero=mask_zero, trainable=trainable, weights=[table], name=name)


def _table(vectors: WordVectors, tokens: tuple[str, ...], missing: str, seed: int) -> np.ndarray:
    rows = np.array([vectors.index.get(token, -1) for token in tokens])
    found = rows >= 0
    found[0] = False  # padding has no meaning, even if a file has a word of that spelling
    if not found[_NUM_SPECIAL:].any():
        raise ValueError(
            f"None of the {len(tokens) - _NUM_SPECIAL:,} words of the vocabulary has a vector. The vocabulary has "
            f"{_some(tokens[_NUM_SPECIAL:])}; the vectors have {_some(vectors.words)}. Are both lower-cased, "
            "or neither?"
        )
    table = np.zeros((len(tokens), vectors.features), np.float32)
    table[found] = vectors.vectors[rows[found]]
    if missing == "random":
        spread = np.sqrt(np.mean(np.square(table[found], dtype=np.float64)))
        table[~found] = np.random.default_rng(seed).normal(0, spread, (np.sum(~found), vectors.features))
        table[0] = 0
    return table


def _tokens(vocabulary: Any) -> tuple[str, ...]:
    tokens = getattr(vocabulary, "vocabulary", vocabulary)
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise TypeError(f"Expected a tokenizer, or the tokens of a vocabulary. Received: {vocabulary!r}.")
    tokens = tuple(tokens)
    if len(tokens) <= _NUM_SPECIAL or tokens[0] != "<pad>":
        raise ValueError(
            "A vocabulary must begin with '<pad>', '<start>', '<end>', '<unk>' and have words after them. Received: "
            f"{_some(tokens)}."
        )
    if len(set(tokens)) < len(tokens):
        twice = next(token for row, token in enumerate(tokens) if token in tokens[:row])
        raise ValueError(f"A vocabulary has each token once. Received {twice!r} twice.")
    return tokens


def _some(words: tuple[str, ...]) -> str:
    return ", ".join(map(repr, words[:5])) + (", ..." if len(words) > 5 else "") if words else "nothing"
