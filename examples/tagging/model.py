"""The tagger: what a word is and how it is spelt, read in both directions."""

from __future__ import annotations

from collections.abc import Callable

import keras

import keras_seq
from tagging.choices import NUM_HEADS
from tagging.features import Features


def lstm_reader(units: int) -> keras.layers.Layer:
    """Two LSTM, one from each end, of so many units each."""
    return keras_seq.Bidirectional(keras_seq.PeepholeLSTM(units, return_sequences=True), name="reader")


def transformer_reader(units: int) -> keras.layers.Layer:
    """A transformer of two blocks, as wide as one direction of the other reader has units."""
    return keras_seq.TransformerEncoder(2, NUM_HEADS, 2 * units, position="rotary", norm_first=True, name="reader")


READERS: dict[str, Callable[[int], keras.layers.Layer]] = {"lstm": lstm_reader, "transformer": transformer_reader}


def build_tagger(features: Features, units: int = 128, dropout: float = 0.3, reader: str = "lstm") -> keras.Model:
    """Builds the tagger.

    Args:
        features: What it is given, for the sizes of the inputs and of the output.
        units: The units of each direction, or the width of the transformer.
        dropout: The share of features dropped before and after the reader while training.
        reader: What reads words in their context, a key of `READERS`.

    Returns:
        A model from `words`, int32 `(batch, time)`, and `characters`, int32 `(batch, time, width)`, to `tags`,
        the probabilities `(batch, time, labels)`. Word 0 is padding: it changes no other word's answer.
    """
    (width,) = features.characters.step_shape
    words = keras.Input((None,), dtype="int32", name="words")
    characters = keras.Input((None, width), dtype="int32", name="characters")

    embedding = keras.layers.Embedding(features.words.vocabulary_size, 64, mask_zero=True, name="word_vectors")
    meaning = embedding(words)  # (batch, time, 64)

    letters = keras.layers.Embedding(features.characters.vocabulary_size, 16, name="letters")(characters)
    letters = keras.layers.Reshape((-1, width * 16), name="side_by_side")(letters)  # (batch, time, width * 16)
    spelling = keras.layers.Dense(64, activation="relu", name="spelling")(letters)  # (batch, time, 64)

    both = keras.layers.Concatenate(name="meaning_and_spelling")([meaning, spelling])
    both = keras.layers.Dropout(dropout, seed=1)(both)
    if reader == "transformer":  # its outputs are as wide as its inputs, of which its heads take equal shares
        both = keras.layers.Dense(units, name="width")(both)
    # The mask is handed over by name: Concatenate counts a step as valid as soon as one of its inputs has no mask.
    context = READERS[reader](units)(both, mask=embedding.compute_mask(words))  # (batch, time, 2 * units or units)
    context = keras.layers.Dropout(dropout, seed=2)(context)
    tags = keras.layers.Dense(len(features.labels), activation="softmax", name="tags")(context)
    return keras.Model({"words": words, "characters": characters}, tags, name="tagger")
